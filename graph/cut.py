"""A part of a graph as a graph of its own, on the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .node import Call, Constant, Input, Node

if TYPE_CHECKING:
    from .graph import Graph
    from .wiring import Step

Place = Node | str


def cut(graph: Graph, inputs: Place | Sequence[Place], outputs: Place | Sequence[Place]) -> Graph:
    """The steps that lead from `inputs` to `outputs`, joined anew; see Graph.subgraph."""
    many = not isinstance(outputs, Node | str)
    froms, to = ([_slot(graph, place) for place in _several(places)] for places in (inputs, outputs))
    nodes: dict[int, Node] = {slot: _input(graph, slot) for slot in froms}
    origins: dict[Call, Step] = {}
    for step in _needed(graph, set(froms), to):
        for slot in step.reads:
            if slot not in nodes and slot in graph.wiring.constants:
                nodes[slot] = Constant(graph.wiring.constants[slot])
            elif slot not in nodes:  # an input of the whole graph that was not asked for: wiring will say so
                nodes[slot] = next(node for node, at in graph.wiring.slots.items() if at == slot)
        call = Call(step.layer, [nodes[slot] for slot in step.reads], step.where)
        origins[call] = step
        nodes |= zip(step.writes, call.outputs, strict=True)
    starts = [node for slot in froms if isinstance(node := nodes[slot], Input)]
    ends = [nodes[slot] for slot in to]
    part = type(graph)(starts, ends if many else ends[0], keep=graph.keep, allow_unused=True, name=graph.name)
    for node in part.wiring.slots:
        if node.call is not None:
            step = next(step for step in part.wiring.steps if part.wiring.slots[node] in step.writes)
            step.name = origins[node.call].name  # so that its parameters keep their names
    return part


def _several(places: Place | Sequence[Place]) -> Sequence[Place]:
    return [places] if isinstance(places, Node | str) else places


def _slot(graph: Graph, place: Place) -> int:
    """The slot of a node, or of what an input or a layer of this name gives."""
    wiring = graph.wiring
    if isinstance(place, Node):
        if place not in wiring.slots:
            raise ValueError(f"{graph.title}.subgraph: {place!r} is not a node of this graph.")
        return wiring.slots[place]
    found = [wiring.slots[x] for x in graph.inputs if x.name == place]
    found += [step.writes[0] for step in wiring.steps if step.name == place]
    if len(found) != 1:
        names = ", ".join([*(x.name for x in graph.inputs), *dict.fromkeys(step.name for step in wiring.steps)])
        why = "stands at several places: give the node" if found else f"is none of {names}"
        raise ValueError(f"{graph.title}.subgraph: {place!r} {why}.")
    return found[0]


def _input(graph: Graph, slot: int) -> Input:
    """The graph's own input there; else a new one, in place of what is computed there in the whole graph."""
    node = next(node for node, at in graph.wiring.slots.items() if at == slot)
    if isinstance(node, Input):
        return node
    shape = graph.shapes[slot]
    step = next(step for step in graph.wiring.steps if slot in step.writes)
    uses = [other.writes[0] for other in graph.wiring.steps if other.name == step.name]
    name = step.name if len(uses) == 1 else f"{step.name} (use {uses.index(step.writes[0]) + 1})"
    if len(step.writes) > 1:
        name += f"[{step.writes.index(slot)}]"
    return Input(name, None if shape is None or shape[:1] != (0,) else shape[1:])


def _needed(graph: Graph, froms: set[int], to: list[int]) -> list[Step]:
    """The steps between, in their order."""
    wanted, found = set(to) - froms, []
    for step in reversed(graph.wiring.steps):
        if wanted.intersection(step.writes):
            found.append(step)
            wanted |= set(step.reads) - froms
    return found[::-1]
