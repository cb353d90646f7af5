"""A graph's run, kept: any of its steps can run again on other values, alone or on many values stacked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array, Memory
from brickgrad.layers.guard import accept_inputs

from .graph import Graph
from .lanes import Lanes
from .run import Run


class Replay:
    """A run of a graph, and its steps to be run again beside it. The graph must be frozen then, to replay its branches.

    Parameters
        graph : Graph in float64, to be used for nothing else: a replica.
        inputs : one for each of its inputs; floats are converted to float64.
    Attributes
        base : the value of every slot in that run.
        steps : the graph's.
    Example
        >>> import brickgrad as bg
        >>> x = bg.Input("x")
        >>> replay = Replay(bg.Graph(x, x + 1.0), [np.array([1.0, 2.0])])
        >>> values = {replay.steps[0].reads[0]: np.array([5.0, 6.0])}
        >>> replay.run([0], values)
        >>> values[replay.steps[0].writes[0]]
        array([6., 7.])
    """

    def __init__(self, graph: Graph, inputs: Sequence[Any]) -> None:
        self.graph = graph
        graph.keep = True
        graph.forward(*(x.astype(np.float64) if x.dtype.kind == "f" else x for x in accept_inputs(graph, inputs)))
        run: Run = graph.saved
        values: list[Any] = run.values or []
        self.base = [np.asarray(value) for value in values]
        self.steps, self._memories = graph.wiring.steps, run.memories
        self._given = [accept_inputs(step.layer, [values[slot] for slot in step.reads]) for step in self.steps]
        for memory in self._memories:
            memory.running = True  # the guard has seen all there is to see: from here on it lets calls through
        self._modes: dict[tuple[int, ...], str | None] = {}

    def run(self, places: Sequence[int], values: dict[int, Array]) -> None:
        """Run some steps on what is in `values`, and on the base where nothing is; what they give is put there."""
        for place in places:
            step = self.steps[place]
            arguments = [values.get(slot, x) for slot, x in self._read(place)]
            for slot, y in zip(step.writes, self._call(place, self._memories[place], arguments), strict=True):
                values[slot] = np.asarray(y, self.base[slot].dtype)

    def _call(self, place: int, memory: Memory, arguments: list[Any]) -> tuple[Any, ...]:
        layer = self.steps[place].layer
        own, layer.memory = layer.memory, memory
        try:
            result = layer.forward(*arguments)
        finally:
            layer.memory = own
        return result if isinstance(result, tuple) else (result,)

    def run_stacked(self, place: int, values: dict[int, Array], count: int, mode: str | None = None) -> None:
        """Run a step once on `count` moves of each slot in `values`, (count, *shape); what it gives is put there so.

        In the modes "tile" and "stack" they stand one behind the other along the batch axis; what is not moved stands
        there as often, or once. In the mode "lanes" the layer takes them for one array.
        """
        step, memory = self.steps[place], self._memories[place]
        moved = self._moved_reads(place, values)
        mode = mode or self.mode(place, moved)
        if mode == "lanes":
            arguments = [Lanes(values[s]) if s in moved else x for s, x in self._read(place)]
            results = self._call_lanes(place, _tiled_memory(memory, -1, 1), arguments, count)
        else:
            rows = len(self.base[moved[0]])
            arguments = [
                values[s].reshape(count * len(x), *x.shape[1:])
                if s in moved
                else _tiled(x, rows, count if mode == "tile" else 1)
                for s, x in self._read(place)
            ]
            results = self._call(place, _tiled_memory(memory, rows, count), arguments)
        for slot, y in zip(step.writes, results, strict=True):
            shape = self.base[slot].shape
            expected = (count, *shape) if mode == "lanes" else (count * shape[0], *shape[1:])
            if np.shape(y) != expected:
                raise ValueError(f"a stack must come out as {expected}; got {np.shape(y)}.")
            values[slot] = np.asarray(y, self.base[slot].dtype).reshape(count, *shape)

    def _call_lanes(self, place: int, memory: Memory, arguments: list[Any], count: int) -> tuple[Any, ...]:
        """A layer's forward on lanes; the arrays that it fills are lanes too. None stays behind in the layer."""
        layer = self.steps[place].layer
        before = dict(vars(layer))
        vars(layer)["buffer"] = lambda name, shape, dtype, order="C": Lanes(np.empty((count, *shape), dtype))
        try:
            results = self._call(place, memory, arguments)
        finally:
            vars(layer).clear()
            vars(layer).update(before)
        arrays = [y.data if isinstance(y, Lanes) else np.broadcast_to(y, (count, *np.shape(y))) for y in results]
        return tuple(arrays)

    def _read(self, place: int) -> Iterator[tuple[int, Array]]:
        return zip(self.steps[place].reads, self._given[place], strict=True)

    def _moved_reads(self, place: int, values: dict[int, Array]) -> tuple[int, ...]:
        """The slots that a step reads and that are moved."""
        return tuple(sorted({slot for slot in self.steps[place].reads if slot in values}))

    def mode(self, place: int, reads: tuple[int, ...]) -> str | None:
        """How a step can run once on many moves of the slots `reads`; None: it cannot.

        It can where of three copies, the middle one moved, each gives what it gives alone, and the outer ones not one
        bit else than beside a middle one that is not moved.
        """
        key = (place, *reads)
        if key not in self._modes:
            self._modes[key] = None
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for mode in ("tile", "stack", "lanes"):
                    try:
                        if self._keeps_apart(place, reads, mode):
                            self._modes[key] = mode
                            break
                    except Exception:  # whatever it is, this layer does not take many at once
                        continue
        return self._modes[key]

    def _keeps_apart(self, place: int, reads: tuple[int, ...], mode: str) -> bool:
        slots = (*reads, *self.steps[place].writes)
        if any(self.base[slot].dtype.kind != "f" or (mode != "lanes" and not self.base[slot].ndim) for slot in slots):
            return False
        rng = np.random.default_rng(0)
        noise = {slot: rng.uniform(-1, 1, self.base[slot].shape) for slot in reads}
        alone = {slot: np.asarray(self.base[slot] * (1 + 0.01 * u) + 1e-5 * u) for slot, u in noise.items()}
        still = {slot: np.stack([self.base[slot]] * 3) for slot in reads}
        moved = {slot: np.stack([self.base[slot], alone[slot], self.base[slot]]) for slot in reads}
        self.run_stacked(place, still, 3, mode)
        self.run_stacked(place, moved, 3, mode)
        self.run([place], alone)
        return all(
            _close(still[slot][0], self.base[slot])
            and _close(moved[slot][1], alone[slot])
            and np.array_equal(still[slot][::2], moved[slot][::2], equal_nan=True)
            and _close(still[slot][2], self.base[slot])
            for slot in self.steps[place].writes
        )


def _close(one: Array, other: Array) -> bool:
    """Equal but for the order in which sums are added up."""
    size = np.max(np.abs(other), initial=0.0, where=np.isfinite(other))
    return bool(np.allclose(one, other, rtol=0, atol=1e-11 * size, equal_nan=True))


def _tiled(thing: Any, rows: int, count: int) -> Any:
    """Arrays that have a row for each sample, `count` times one behind the other."""
    if isinstance(thing, tuple | list):
        return type(thing)([_tiled(part, rows, count) for part in thing])
    if isinstance(thing, dict):
        return {key: _tiled(part, rows, count) for key, part in thing.items()}
    if isinstance(thing, np.ndarray) and thing.ndim and len(thing) == rows:
        return np.tile(thing, (count, *[1] * (thing.ndim - 1)))
    return thing


def _tiled_memory(memory: Memory, rows: int, count: int) -> Memory:
    """A memory to replay the branches of `memory` for a stack; that of a graph holds its layers'."""
    twin = Memory(memory.wanted)
    twin.outputs, twin.running = memory.outputs, memory.running
    twin.branch, twin.saved = _tiled(memory.branch, rows, count), memory.saved
    if isinstance(memory.saved, Run):
        twin.saved = Run([_tiled_memory(inner, rows, count) for inner in memory.saved.memories])
    return twin
