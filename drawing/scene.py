"""What is to be seen of a graph: its bricks, and what stands on each edge. No places, no ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph.node import Input
from brickgrad.layers import Array, Layer

from .formulas import formulas
from .numbers import describe, number, shape_text, span
from .thumbnails import thumbnail

if TYPE_CHECKING:
    from brickgrad.graph.graph import Graph
    from brickgrad.graph.run import Run
    from brickgrad.graph.wiring import Step

SYMBOLS = {"Add": "+", "Sub": "−", "Mul": "×", "Div": "÷", "Neg": "−", "Pow": "^", "Exp": "exp", "Log": "log"}


@dataclass
class Shown:
    """A value or gradient as it is shown: a line of text, and for an array a picture of it."""

    text: str
    pixels: Array | None = None
    at: int = 0  # the state of a walk through the graph from which on it is there


@dataclass
class Port:
    """One input of a brick: the slot it reads, and what this brick alone adds to the slot's gradient."""

    slot: int
    share: Shown | None = None


@dataclass
class Stem:
    """One output of a brick: its slot, the value on it and the whole gradient."""

    slot: int
    value: Shown | None = None
    grad: Shown | None = None


@dataclass
class Param:
    """A parameter of a brick, and its gradient."""

    value: Shown
    grad: Shown | None = None


@dataclass
class Item:
    """A brick, an input or a constant."""

    kind: str  # "input", "constant", "layer" or "graph"
    title: str
    where: str
    about: str = ""  # what it computes
    symbol: str = ""
    params: list[Param] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    stems: list[Stem] = field(default_factory=list)
    inside: Scene | None = None
    step: int | None = None


@dataclass
class Scene:
    """All that is to be drawn of a graph: its items, the slots that leave it, and a remark for below the picture."""

    title: str
    items: list[Item]
    outputs: tuple[int, ...]
    remark: str = ""

    def readers(self) -> dict[int, list[tuple[int, int]]]:
        """For each slot the items that read it, and at which of their ports."""
        found: dict[int, list[tuple[int, int]]] = {}
        for index, item in enumerate(self.items):
            for place, port in enumerate(item.ports):
                found.setdefault(port.slot, []).append((index, place))
        return found


def scene_of(graph: Graph, values: bool = True, grads: bool = True, nested: bool = True) -> Scene:
    """The scene of a graph with what its last run left."""
    run: Run | None = graph.memory.saved
    if run is not None and run.values is None:
        run = None
    return _Maker(graph, run, values, grads, nested).scene()


class _Maker:
    """Makes the scene of one graph."""

    def __init__(self, graph: Graph, run: Run | None, values: bool, grads: bool, nested: bool) -> None:
        self.graph, self.run, self.nested = graph, run, nested
        self.steps = graph.wiring.steps
        self.values = run.values if run is not None and values else None
        self.grads = run.grads if run is not None and grads else None
        self.own = run.own if run is not None and grads and run.grads is not None else None
        self.handed = run.handed if run is not None and grads and run.grads is not None else None
        self.wanted = values, grads
        self.readers: dict[int, list[int]] = {}
        for index, step in enumerate(self.steps):
            for slot in step.reads:
                self.readers.setdefault(slot, []).append(index)

    def scene(self) -> Scene:
        wiring = self.graph.wiring
        items = []
        for node, slot in wiring.slots.items():
            if isinstance(node, Input):
                items.append(Item("input", node.name, node.where, stems=[self._stem(slot, 0)]))
            elif slot in wiring.constants:
                about = "a constant: it has no gradient"
                items.append(Item("constant", describe(wiring.constants[slot]), node.where, about, stems=[Stem(slot)]))
        items += [self._brick(index, step) for index, step in enumerate(self.steps)]
        return Scene(self.graph.title, items, wiring.outputs, self._remark())

    def backward_at(self, index: int) -> int:
        """The state in which step `index` goes back: after all forwards, and the gradient that comes in."""
        return 2 * len(self.steps) + 1 - index

    def _brick(self, index: int, step: Step) -> Item:
        layer = step.layer
        at = index + 1
        kind = type(layer).__name__
        title = layer.title
        inner = layer.memory.saved if self.run is None else self.run.memories[index].saved
        is_graph = hasattr(layer, "wiring")
        return Item(
            "graph" if is_graph else "layer",
            title,
            step.where,
            "\n".join(formulas(layer).forward),
            symbol=SYMBOLS.get(kind, "") if layer.name is None else "",
            params=[] if is_graph else self._params(layer, index),
            ports=[Port(slot, self._share(index, place, slot)) for place, slot in enumerate(step.reads)],
            stems=[self._stem(slot, at) for slot in step.writes],
            inside=self._inside(layer, inner, at) if is_graph and self.nested else None,
            step=index,
        )

    def _inside(self, layer: Any, inner: Any, at: int) -> Scene:
        """The scene of a graph in this graph, with what it left in this run; all of it is there with the graph."""
        run = inner if self.run is not None and inner is not None and inner.values is not None else None
        scene = _Maker(layer, run, *self.wanted, self.nested).scene()
        scene.remark = ""
        back = self.backward_at(at - 1)
        for item in scene.items:
            pairs: list[Param | Stem] = [*item.params, *item.stems]
            for pair in pairs:
                if pair.value is not None:
                    pair.value.at = at
            grads = [*(pair.grad for pair in pairs), *(port.share for port in item.ports)]
            for shown in grads:
                if shown is not None:
                    shown.at = back
        return scene

    def _params(self, layer: Layer, index: int) -> list[Param]:
        found = []
        for key, param in layer.params.items():
            shape = "" if param.ndim == 0 else f" {shape_text(param)}"
            line = Param(Shown(f"{key}{shape}" if self.values is None else f"{key} {describe(param)}"))
            gradient = None if self.own is None else self.own[index].get(key)
            if gradient is not None:
                text = number(gradient) if np.size(gradient) == 1 else span(gradient)
                line.grad = Shown(f"d{key} {text}", at=self.backward_at(index))
            found.append(line)
        return found

    def _stem(self, slot: int, at: int) -> Stem:
        value = None if self.values is None else self.values[slot]
        stem = Stem(slot)
        if value is not None:
            stem.value = Shown(describe(value), thumbnail(value), at)
        else:
            shape = self.graph.shapes[slot]
            if shape:
                stem.value = Shown(f"({', '.join(['N', *map(str, shape[1:])])})")
        gradient = None if self.grads is None else self.grads[slot]
        if gradient is not None:
            readers = self.readers.get(slot, [])
            back = self.backward_at(min(readers)) if readers else len(self.steps) + 1
            stem.grad = Shown(self._sum(slot, gradient), thumbnail(gradient), back)
        return stem

    def _sum(self, slot: int, gradient: Any) -> str:
        """A gradient as text; where several bricks add to it and it is one number, the sum that it is."""
        shares = self._shares(slot)
        if len(shares) < 2:
            return describe(gradient)
        if np.size(gradient) == 1 and len(shares) <= 3:
            return " + ".join(map(describe, shares)) + f" = {describe(gradient)}"
        return f"Σ {describe(gradient)}"

    def _shares(self, slot: int) -> Sequence[Any]:
        if self.handed is None:
            return []
        found = [
            self.handed[index][place]
            for index in dict.fromkeys(self.readers.get(slot, []))
            if self.handed[index] is not None
            for place, read in enumerate(self.steps[index].reads)
            if read == slot
        ]
        return [share for share in found if share is not None]

    def _share(self, index: int, place: int, slot: int) -> Shown | None:
        """What one brick hands to a slot that several read; where it is the only one, the slot's gradient says it."""
        if self.handed is None or self.handed[index] is None or len(self.readers[slot]) < 2:
            return None
        share = self.handed[index][place]
        return None if share is None else Shown(describe(share), at=self.backward_at(index))

    def _remark(self) -> str:
        values, grads = self.wanted
        if values and self.values is None:
            kept = self.graph.keep
            return (
                "No values yet: call forward first." if kept else "This graph keeps no values: build it with keep=True."
            )
        if grads and self.grads is None:
            return "No gradients yet: call backward first."
        return ""
