"""The table of a graph: what comes out of each layer, how large it is, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Layer
from brickgrad.layers.scalars import is_whole

from .shapes import run_empty

if TYPE_CHECKING:
    from .graph import Graph
    from .wiring import Step

HEAD = ("name", "layer", "output", "parameters", "multiply-adds", "bytes")
Shape = tuple[int, ...] | None


def table(title: str, graph: Graph, batch: int) -> str:
    """A line for each layer, those of graphs inside indented under theirs; totals; and what shares parameters."""
    if not is_whole(batch, 0):
        raise ValueError(f"{title}.summary: batch must be a whole number of 0 or more; got {batch!r}.")
    rows: list[tuple[str, ...]] = [HEAD]
    seen: dict[int, str] = {}
    notes: list[str] = []
    again: list[str] = []  # graphs that stand above already: what is in them needs no note of its own
    total = [0, 0, 0]
    itemsize = next((param.itemsize for leaf in graph.leaves() for param in leaf.params.values()), 4)
    for depth, name, step, reads, writes in _steps(graph, graph.shapes, "", 0):
        layer = step.layer
        inner = hasattr(layer, "wiring")
        owner = seen.setdefault(id(layer), name)
        own = 0 if inner or owner != name else sum(param.size for param in layer.params.values())
        products = None if inner else _products(layer, reads, writes, batch)
        size = (
            None if None in writes else sum(_entries(shape, batch) for shape in writes if shape is not None) * itemsize
        )
        rows.append(
            (
                "  " * depth + step.name,
                type(layer).__name__,
                _shape_text(writes[0]) if len(writes) == 1 else f"{len(writes)} outputs",
                "" if inner else f"{own:,}",
                "" if inner else _number(products),
                _number(size),
            )
        )
        total = [a + b for a, b in zip(total, (own, products or 0, 0 if inner else size or 0), strict=True)]
        if owner != name and not any(name.startswith(f"{graph}.") for graph in again):
            again += [name] if inner else []
            notes.append(f"{name} shares its parameters with {owner}: it is the same layer")
    rows.append(("total", "", "", *(f"{count:,}" for count in total)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([f"{title}, for a batch of {batch}", *lines, *notes])


def _steps(
    graph: Graph, shapes: Sequence[Shape], above: str, depth: int
) -> Iterator[tuple[int, str, Step, list[Shape], list[Shape]]]:
    """Every step, those of graphs inside after theirs: its depth, its path, and the shapes that it reads and writes."""
    uses: dict[int, int] = {}
    for step in graph.wiring.steps:
        uses[id(step.layer)] = uses.get(id(step.layer), 0) + 1
        count = f" ({uses[id(step.layer)]})" if uses[id(step.layer)] > 1 else ""
        reads = [shapes[slot] for slot in step.reads]
        yield depth, f"{above}{step.name}{count}", step, reads, [shapes[slot] for slot in step.writes]
        inner: Any = step.layer
        if hasattr(inner, "wiring"):
            yield from _steps(inner, _inner_shapes(inner, reads), f"{above}{step.name}{count}.", depth + 1)


def _inner_shapes(inner: Graph, reads: Sequence[Shape]) -> Sequence[Shape]:
    """The shapes in a graph inside for what flows into it here, which need not be what it was built for."""
    if None in reads:
        return inner.shapes
    integers = [x.takes_integers for x in inner.inputs]
    empty = [np.zeros(shape or (), int if i else np.float32) for shape, i in zip(reads, integers, strict=True)]
    return [None if value is None else np.shape(value) for value in run_empty(inner.title, inner.wiring, empty)]


def _products(layer: Layer, reads: list[Shape], writes: list[Shape], batch: int) -> int | None:
    """How many products of numbers, each added to a sum, a batch takes; None where shapes are not known."""
    shapes = [None if shape is None else _with_batch(shape, batch) for shape in (*reads, *writes)]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    return layer.multiply_adds(known[: len(reads)], known[len(reads) :])


def _with_batch(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    return (batch, *shape[1:]) if shape and shape[0] == 0 else shape


def _entries(shape: tuple[int, ...], batch: int) -> int:
    return math.prod(_with_batch(shape, batch))


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _shape_text(shape: Shape) -> str:
    if shape is None:
        return "?"
    return f"({', '.join(['N', *map(str, shape[1:])])})" if shape and shape[0] == 0 else str(shape)
