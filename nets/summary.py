"""The table that a net prints."""

from __future__ import annotations

from brickgrad.graph import Graph


def table(title: str, graph: Graph) -> str:
    """The layers of a graph, a line each: name, kind, shape of the output, number of parameters."""
    rows = [("name", "layer", "output", "parameters")]
    for step in graph.wiring.steps:
        shape = graph.shapes[step.writes[0]]
        size = sum(param.size for leaf in step.layer.leaves() for param in leaf.params.values())
        text = "?" if shape is None else f"({', '.join(['N', *map(str, shape[1:])])})"
        rows.append((step.name, type(step.layer).__name__, text, f"{size:,}"))
    total = sum(param.size for leaf in graph.leaves() for param in leaf.params.values())
    rows.append(("total", "", "", f"{total:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + f"  {row[3]:>12}"
        for row in rows
    ]
    return "\n".join([title, *lines])
