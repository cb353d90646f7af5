"""Central differences of a graph's outputs, where only the steps behind what is moved run again.

Everything else keeps its value from one base run. Where layers allow it, which is always seen and never assumed, many
moves share a run: at the layer that owns a parameter, entries that reach separate slices of its output move together;
behind it, the moved outputs of many entries stand one behind the other along the batch axis.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .graph import Graph
from .replay import Replay

STACK = (
    200_000  # how many numbers the stacked moves hold at most: what a processor's cache holds, and never much memory
)


@dataclass
class Route:
    """The way from what is moved to the outputs: the steps (by place) that run a move at a time, stacked, in a loop.

    `head` runs with the parameter moved and fills the slots `front`; `stacked` and `looped` run behind it.
    """

    entry: int | None
    head: list[int]
    front: list[int]
    stacked: list[int]
    looped: list[int]


class Downstream:
    """A run of a graph, and the central differences of the sum of its float outputs around it.

    Branches are those of the run. What is moved is put back.

    Parameters
        graph : Graph in float64, to be used for nothing else: a replica.
        inputs : one for each of its inputs.
        h : float > 0. How far each entry is moved to either side.
    Example
        >>> import brickgrad as bg
        >>> x = bg.Input("x")
        >>> square = bg.Graph(x, x * x)
        >>> Downstream(square.replica(np.float64), [[3.0, 4.0]], 1e-5).of_inputs()["x"].round(6)
        array([6., 8.])
    """

    def __init__(self, graph: Graph, inputs: Sequence[Any], h: float) -> None:
        self.graph, self.h = graph, h
        self.replay = Replay(graph, inputs)
        self.outputs = [slot for slot in graph.wiring.outputs if self.replay.base[slot].dtype.kind == "f"]

    def of_params(self) -> dict[str, Array]:
        """The gradients of all parameters, by their names in the graph."""
        gradients = {}
        leaves = [{id(leaf) for leaf in step.layer.leaves()} for step in self.replay.steps]
        with self.graph.frozen():
            for name, leaf, key in self.graph._named():
                owners = {place for place, inside in enumerate(leaves) if id(leaf) in inside}
                gradients[name] = self._gradient(leaf.params[key], self._route(owners, None))
        return gradients

    def of_inputs(self) -> dict[str, Array]:
        """The gradients of the float inputs whose gradient is wanted, by name."""
        gradients = {}
        for node, slot in zip(self.graph.inputs, self.graph.wiring.inputs, strict=True):
            if node.grad and self.replay.base[slot].dtype.kind == "f":
                try:
                    with self.graph.frozen():
                        gradients[node.name] = self._gradient(self.replay.base[slot].copy(), self._route(set(), slot))
                except Exception as error:
                    error.add_note(
                        f"numerical_gradient moved the input {node.name} by ±{self.h:g}. Where it must not be moved, "
                        "hand in integers, or say Input(..., grad=False) in a graph."
                    )
                    raise
        return gradients

    def _gradient(self, array: Array, route: Route) -> Array:
        """The gradient of the outputs' sum with respect to `array`, the parameter or input at the start of a route."""
        gradient = np.zeros(array.size)
        numbers = sum(self.replay.base[slot].size for slot in (*route.front, *self._written(route.stacked)))
        room = max(1, STACK // max(1, numbers))
        for entries, above, below in _batches(self._moves(array, route, room), room):
            gradient[entries] = self._differences(route, above, below) / (2 * self.h)
        return gradient.reshape(array.shape)

    def _written(self, places: Sequence[int]) -> list[int]:
        return [slot for place in places for slot in self.replay.steps[place].writes]

    def _route(self, owners: set[int], entry: int | None) -> Route:
        """The steps that a move reaches, from the layers that own a parameter, or from the slot of an input."""
        moved = set() if entry is None else {entry}
        reached = []
        for place, step in enumerate(self.replay.steps):
            if place in owners or moved.intersection(step.reads):
                reached.append(place)
                moved.update(step.writes)
        head: list[int] = []  # the owners, and what lies between them
        needed: set[int] = set()
        for place in reversed(reached):
            if place in owners or needed.intersection(self.replay.steps[place].writes):
                head.insert(0, place)
                needed.update(self.replay.steps[place].reads)
        tail = [place for place in reached if place not in head]
        used = {slot for place in tail for slot in self.replay.steps[place].reads} | set(self.outputs)
        front = [slot for slot in ([] if entry is None else [entry]) + self._written(head) if slot in used]
        stacks, stacked, looped = set(front), [], []
        for place in tail:
            reads = set(self.replay.steps[place].reads) & moved
            if reads <= stacks and self.replay.mode(place, tuple(sorted(reads))) is not None:
                stacked.append(place)
                stacks.update(self.replay.steps[place].writes)
            else:
                looped.append(place)
        return Route(entry, head, front, stacked, looped)

    # At the owner

    def _moves(self, array: Array, route: Route, room: int) -> Iterator[tuple[Array, list[Array], list[Array]]]:
        """Entries of `array`, and what each does to the slots in front when moved up and down: (moves, *slot's)."""
        numbers = np.arange(array.size).reshape(array.shape)
        found = self._separate_axis(array, route) if array.size else None
        if found is None:
            for entry in numbers.reshape(-1, 1):
                above, below = self._moved(array, route, entry, self.h), self._moved(array, route, entry, -self.h)
                yield entry, [y[None] for y in above], [y[None] for y in below]
            return
        axis, axes = found
        for entries in np.moveaxis(numbers, axis, -1).reshape(-1, array.shape[axis]):
            above, below = self._moved(array, route, entries, self.h), self._moved(array, route, entries, -self.h)
            pairs = zip(above, below, axes, strict=True)
            differ = np.flatnonzero(sum(_any_but_first(np.moveaxis(high != low, b, 0)) for high, low, b in pairs))
            for start in range(0, len(differ), room):
                ks = differ[start : start + room]
                yield entries[ks], self._spread(route, above, axes, ks), self._spread(route, below, axes, ks)

    def _moved(self, array: Array, route: Route, entries: Array, by: Any) -> list[Array]:
        """The slots in front when some entries (numbered through) are moved at once."""
        before = array.flat[entries]
        array.flat[entries] = before + by
        try:
            values = {} if route.entry is None else {route.entry: array.copy()}
            self.replay.run(route.head, values)
        finally:
            array.flat[entries] = before
        return [values[slot] for slot in route.front]

    def _separate_axis(self, array: Array, route: Route) -> tuple[int, list[int]] | None:
        """An axis of `array`, each slice of which reaches one slice of each slot in front; and the axes of those."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                for axis in sorted(range(array.ndim), key=lambda a: -array.shape[a]):
                    axes = self._separate_axes(array, route, axis) if array.shape[axis] > 1 else []
                    if axes:
                        return axis, axes
            except Exception:  # whatever it is, this layer does not take so many moves at once
                return None
        return None

    def _separate_axes(self, array: Array, route: Route, axis: int) -> list[int]:
        """For each slot in front the axis along which a slice of `array` reaches its own slice alone; [] for none.

        Each slice is moved alone, then all are moved together, which must do the same to each slice.
        """
        size = array.shape[axis]
        axes = [[b for b, n in enumerate(self.replay.base[slot].shape) if n == size] for slot in route.front]
        if not all(axes):
            return []
        steps = self.h * np.random.default_rng(0).choice([-1.0, -0.75, -0.5, 0.5, 0.75, 1.0], array.size)
        together = self._moved(array, route, np.arange(array.size), steps)
        slices = np.moveaxis(np.arange(array.size).reshape(array.shape), axis, 0).reshape(size, -1)
        for k, entries in enumerate(slices):
            alone = self._moved(array, route, entries, steps[entries])
            for place, slot in enumerate(route.front):
                base = self.replay.base[slot]
                axes[place] = [b for b in axes[place] if _is_slice(k, b, alone[place], base, together[place])]
            if not all(axes):
                return []
        return [found[0] for found in axes]

    def _spread(self, route: Route, moved: list[Array], axes: list[int], ks: Array) -> list[Array]:
        """For each k the base value of each slot in front with its slice k as moved."""
        spread = []
        for slot, y, axis in zip(route.front, moved, axes, strict=True):
            stack = np.broadcast_to(self.replay.base[slot], (len(ks), *y.shape)).copy()
            np.moveaxis(stack, axis + 1, 1)[np.arange(len(ks)), ks] = np.moveaxis(y, axis, 0)[ks]
            spread.append(stack)
        return spread

    # Behind it

    def _differences(self, route: Route, above: list[Array], below: list[Array]) -> Array:
        """For each move the sum of the outputs' differences between up and down."""
        count = len(above[0])
        high, low = dict(zip(route.front, above, strict=True)), dict(zip(route.front, below, strict=True))
        for values in (high, low):
            for place in route.stacked:
                self.replay.run_stacked(place, values, count)
        totals = np.zeros(count)
        for slot in self.outputs:
            if slot in high:
                totals += (high[slot] - low[slot]).reshape(count, math.prod(high[slot].shape[1:])).sum(axis=1)
        reads = {slot for place in route.looped for slot in self.replay.steps[place].reads if slot in high}
        differ = sum(
            (_any_but_first(high[s] != low[s]) for s in reads), np.zeros(count, int)
        )  # where not, nothing will
        ends = [slot for slot in self.outputs if slot not in high and slot in self._written(route.looped)]
        for k in np.flatnonzero(differ):
            up, down = {slot: high[slot][k, ...] for slot in reads}, {slot: low[slot][k, ...] for slot in reads}
            self.replay.run(route.looped, up)
            self.replay.run(route.looped, down)
            for slot in ends:
                totals[k] += (up[slot] - down[slot]).sum()
        return totals


def _batches(moves: Iterator[Any], room: int) -> Iterator[tuple[Array, list[Array], list[Array]]]:
    """Join moves until there is no more room."""
    waiting: list[Any] = []
    for move in moves:
        if waiting and sum(len(entries) for entries, _, _ in [*waiting, move]) > room:
            yield _joined(waiting)
            waiting = []
        waiting.append(move)
    if waiting:
        yield _joined(waiting)


def _joined(moves: list[Any]) -> tuple[Array, list[Array], list[Array]]:
    entries, *sides = zip(*moves, strict=True)
    above, below = ([np.concatenate(parts) for parts in zip(*side, strict=True)] for side in sides)
    return np.concatenate(entries), above, below


def _any_but_first(array: Array) -> Array:
    """Along the first axis, whether there is a True."""
    return np.asarray(array.any(axis=tuple(range(1, array.ndim))))


def _is_slice(k: int, axis: int, alone: Array, base: Array, together: Array) -> bool:
    """Whether only slice k along the axis is not as in the base, and it is as when all slices are moved."""
    changed = np.moveaxis(alone != base, axis, 0)
    elsewhere = changed[:k].any() or changed[k + 1 :].any()
    return not elsewhere and np.array_equal(np.take(alone, k, axis), np.take(together, k, axis))
