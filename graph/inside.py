"""Where a node stands: in a graph, or in one of the graphs inside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .node import Node
from .run import Run

if TYPE_CHECKING:
    from .graph import Graph

Place = tuple["Graph", Run | None, int]  # a graph, what its last run left at this place, and the slot there


def find_place(graph: Graph, run: Run | None, node: Node, what: str) -> Place:
    """The place of a node: in the graph itself, else the one that it has inside. ValueError where there is not one."""
    if node in graph.wiring.slots:
        return graph, run, graph.wiring.slots[node]
    found = list(_inside(graph, run, node))
    if not found:
        raise ValueError(f"{graph.title}.{what}: {node!r} is not a node of this graph.")
    if len(found) > 1:
        inner = found[0][0].title
        raise ValueError(
            f"{graph.title}.{what}: {node!r} stands at {len(found)} places, as {inner} does, and has a value at each. "
            f"Look at what goes into {inner} and comes out of it at one of them."
        )
    return found[0]


def _inside(graph: Graph, run: Run | None, node: Node) -> Iterator[Place]:
    """All places of a node in the graphs inside."""
    for index, step in enumerate(graph.wiring.steps):
        inner: Any = step.layer
        if hasattr(inner, "wiring"):
            left = None if run is None else run.memories[index].saved
            if node in inner.wiring.slots:
                yield inner, left, inner.wiring.slots[node]
            yield from _inside(inner, left, node)
