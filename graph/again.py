"""Once more: a graph's run on inputs of a kind that the guards have passed, with little left but the layers' calls."""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Layer, Memory
from brickgrad.layers.memory import Spec

from .run import Plan, Run, SharedTotals, Sums
from .turns import say_where

if TYPE_CHECKING:
    from .graph import Graph


class Again:
    """The calls of a graph's steps on inputs of one kind, laid out beforehand.

    It serves as long as nothing but values changes: inputs of the same shapes and dtypes, and no layer upon which
    somebody has put a forward or backward of his own, as a profile does.

    Parameters
        graph : Graph.
        specs : the shape and dtype of each input.
        bare : for each step whether it goes without guards.
        memories : one for each step, in which all that guards note stands already; None: nothing is kept.
        plan : the way back, for `forward_and_backward` alone; then the graph has one output, a lone float.
    """

    __slots__ = ("_backs", "_calls", "_end", "_first", "_inputs", "_kinds", "_only", "_own", "_title")

    def __init__(
        self,
        graph: Graph,
        specs: Sequence[Spec],
        bare: Sequence[bool],
        memories: Sequence[Memory] | None = None,
        plan: Plan | None = None,
    ) -> None:
        steps = graph.wiring.steps
        self._only = Memory() if memories is None else None  # one for all steps, as none is read again
        if self._only is not None:
            self._only.forgets = True
        memories = memories if self._only is None else [self._only] * len(steps)
        assert memories is not None
        for memory, free in zip(memories, bare, strict=True):
            memory.running = free
        self._title, self._inputs = graph.title, graph.wiring.inputs  # not the graph, which holds this
        self._kinds = [(node, node.grad, *spec) for node, spec in zip(graph.inputs, specs, strict=True)]
        self._own = [vars(step.layer) for step in steps]
        self._first = graph.wiring.first_values()
        self._calls = [
            (
                step,
                step.layer,
                memory,
                _method(step.layer, "forward", free),
                step.reads[0] if len(step.reads) == 1 else None,
                spare,
            )
            for step, memory, free, spare in zip(steps, memories, bare, graph.spare_values, strict=True)
        ]
        self._backs = [
            (
                step,
                step.layer,
                memories[place],
                _method(step.layer, "backward", bare[place]),
                step.writes,
                wanted,
                graph.spare_gradients[place],
                [(place, slot) for place, (slot, want) in enumerate(zip(step.reads, wanted, strict=True)) if want],
            )
            for place, step, wanted in (plan.turns if plan is not None else ())
        ]
        if plan is not None:
            assert graph.memory.outputs is not None
            self._end = graph.wiring.outputs[0], *graph.memory.outputs[0]

    def serves(self, inputs: Sequence[Any]) -> bool:
        """Whether nothing but values has changed."""
        if len(inputs) != len(self._kinds):
            return False
        for x, (node, grad, shape, dtype) in zip(inputs, self._kinds, strict=True):
            if type(x) is not np.ndarray or x.shape != shape or node.grad is not grad:
                return False
            if x.dtype is not dtype and x.dtype != dtype:
                return False
        for own in self._own:  # noqa: SIM110  # any() would take as long as a small layer
            if "forward" in own or "backward" in own:
                return False
        return True

    def forward(self, inputs: Sequence[Any]) -> list[Any]:
        """Every layer's forward; returns the values that are still to be read, each in its slot."""
        values, only = self._first.copy(), self._only
        for slot, x in zip(self._inputs, inputs, strict=True):
            values[slot] = x
        for step, layer, memory, forward, read, spare in self._calls:
            own, layer.memory, memory.may_overwrite = layer.memory, memory, spare
            try:
                result = forward(*[values[slot] for slot in step.reads]) if read is None else forward(values[read])
            except Exception as error:
                say_where(error, self._title, step)
                raise
            finally:
                layer.memory = own
            if type(result) is not tuple:
                values[step.writes[0]] = result
            else:
                for slot, value in zip(step.writes, result, strict=True):
                    values[slot] = value
            for slot in step.last_reads:
                values[slot] = None
            if only is not None:  # the next layer works in the memory that this one is done with
                only.saved = only.branch = None
        return values

    def forward_and_backward(self, inputs: Sequence[Any], run: Run, dy: float) -> Any:
        """Every layer's forward, and from a gradient `dy` its backward; returns the output. `run` is the last run."""
        slot, shape, dtype = self._end
        run.overwritten = True
        result = self.forward(inputs)[slot]
        run.overwritten = False
        grads, totals = Sums(len(self._first)), SharedTotals()
        sums = grads.sums
        sums[slot] = np.full(shape, dy, dtype)
        for step, layer, memory, backward, writes, wanted, spare, wanted_reads in self._backs:
            first = sums[writes[0]]
            if len(writes) == 1 and first is not None:
                dys, sums[writes[0]] = [first], None
            else:
                dys = grads.take(writes, memory.outputs)
            own, layer.memory, memory.wanted, memory.may_overwrite = layer.memory, memory, wanted, spare
            try:
                handed = backward(*dys)
            except Exception as error:
                say_where(error, self._title, step)
                raise
            finally:
                layer.memory = own
            if type(handed) is not tuple:
                handed = (handed,)
            for place, slot in wanted_reads:
                dx = handed[place]
                if sums[slot] is None:
                    sums[slot] = dx
                elif dx is not None:
                    grads.add(slot, dx)
            if step.shared:
                totals.add(layer)
        totals.write()
        return result if type(result) is dtype.type else dtype.type(result)


def _method(layer: Layer, way: str, bare: bool) -> Any:
    """The class's forward or backward, bound to the layer; bare: without the guard."""
    method = getattr(type(layer), way)
    return MethodType(method.__wrapped__ if bare else method, layer)


def once_more(graph: Graph, inputs: Sequence[Any]) -> Again | None:
    """What does again as the `forward_and_backward` just now did, on its memories; None where it must go step by step.

    So must a graph out of a workspace, one that keeps its values, and one of a subclass, with ways of its own.
    """
    arrays, outputs, wiring = graph.memory.arrays, graph.memory.outputs, graph.wiring
    if arrays is None or graph.keep or graph._frozen or not all(type(x) is np.ndarray for x in inputs):
        return None
    if type(graph).__base__ is not Layer or graph._many or wiring.outputs[0] in wiring.inputs:
        return None
    if outputs is None or outputs[0][0] or outputs[0][1].kind != "f":
        return None
    specs = tuple([(x.shape, x.dtype) for x in inputs])
    return Again(graph, specs, graph._proven.bare(specs), arrays["memories"], graph._plan(graph.memory.wanted))
