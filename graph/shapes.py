"""The shapes of a graph's values, worked out before any data comes, and the errors that this finds."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array, Layer, Memory

from .node import Input
from .wiring import Step, Wiring, around


def check_shapes(title: str, inputs: Sequence[Input], arrays: Sequence[Array]) -> None:
    """Each input ends in the shape it was said to have; the axes before it are free, a single sample has none."""
    for x, node in zip(arrays, inputs, strict=True):
        if node.shape and not node.takes_integers and x.shape[-len(node.shape) :] != node.shape:
            flat = len(node.shape) == 1 and x.ndim > 2 and math.prod(x.shape[1:]) == node.shape[0]
            raise ValueError(
                f"{title}.forward: input {node.name} must be ({', '.join(map(str, ('N', *node.shape)))}); "
                f"got {x.shape}.{' Flatten the images first.' if flat else ''}"
            )


def infer_shapes(title: str, wiring: Wiring, inputs: Sequence[Input]) -> list[tuple[int, ...] | None]:
    """The shape of every slot for a batch of no samples (None: unknown): each layer runs on empty arrays.

    This sizes the lazily sized layers, and finds what does not fit before any data comes.
    """
    precision = _precision(wiring) if any(x.shape is not None for x in inputs) else None
    given = [
        None if x.shape is None else np.zeros((0, *x.shape), x.dtype if x.takes_integers else precision) for x in inputs
    ]
    return [None if value is None else np.shape(value) for value in run_empty(title, wiring, given)]


def run_empty(title: str, wiring: Wiring, inputs: Sequence[Any]) -> list[Any]:
    """The value of every slot where the inputs are these empty arrays; None: unknown, as is what depends on it."""
    values: list[Any] = [None] * wiring.n_slots
    for slot, x in zip(wiring.inputs, inputs, strict=True):
        values[slot] = x
    for slot, value in wiring.constants.items():
        values[slot] = value
    for step in wiring.steps:
        given = [values[slot] for slot in step.reads]
        if any(x is None for x in given):
            continue
        with _aside(step.layer):
            try:
                results = step.layer.forward(*given)
            except Exception as error:
                raise _located(error, title, wiring, step, [np.shape(x) for x in given]) from error
        for slot, value in zip(step.writes, results if isinstance(results, tuple) else (results,), strict=True):
            values[slot] = value
    return values


def _precision(wiring: Wiring) -> Any:
    """The precision to try the layers in: that of the constants, else of the parameters, else float32."""
    params = (param for step in wiring.steps for leaf in step.layer.leaves() for param in leaf.params.values())
    constants = (value for value in wiring.constants.values() if isinstance(value, np.ndarray))
    return next((array.dtype for array in (*constants, *params) if array.dtype.kind == "f"), np.float32)


@contextlib.contextmanager
def unsized_again_after_errors(layer: Layer) -> Iterator[None]:
    """Should an error end the block, lazily sized layers that took a size in it are as they were before."""
    before = [
        (leaf, dict(vars(leaf)), dict(leaf.params), dict(leaf.grads)) for leaf in layer.leaves() if not leaf.sized
    ]
    states = _generator_states([leaf for leaf, *_ in before])
    try:
        yield
    except BaseException:
        for leaf, attributes, params, grads in before:
            vars(leaf).clear()
            vars(leaf).update(attributes)
            for arrays, entries in ((leaf.params, params), (leaf.grads, grads)):
                arrays.clear()
                dict.update(arrays, entries)
        for generator, state in states:
            generator.bit_generator.state = state
        raise


def _generator_states(layers: Sequence[Layer]) -> list[tuple[Any, Any]]:
    """The random generators that layers hold, with the state each is in."""
    held = (value for layer in layers for value in vars(layer).values() if hasattr(value, "bit_generator"))
    return [(generator, generator.bit_generator.state) for generator in held]


def _located(error: Exception, title: str, wiring: Wiring, step: Step, shapes: list[tuple[int, ...]]) -> Exception:
    """The same kind of error: what does not fit what, both with their places; the graph around; the layer's words."""
    nodes = {slot: node for node, slot in wiring.slots.items()}
    feeds = [(nodes[slot], _shape_text(shape)) for slot, shape in zip(step.reads, shapes, strict=True)]
    text = str(error).replace("(0,", "(N,")
    gives = "; ".join(f"{node.title} ({node.where}) gives {shape}" for node, shape in feeds)
    needed = re.search(r"must be (\(N?[^()]*\))(?! with)", text) if len(feeds) == 1 else None
    what = f"needs {needed[1]}" if needed else "cannot take it" if len(feeds) == 1 else "cannot join them"
    call = nodes[step.writes[0]].call
    kind = type(error) if type(error) in (ValueError, TypeError, RuntimeError) else ValueError
    return kind(
        f"{title}: {step.title} {what}; {gives}.{around(call) if call is not None else ''}\n  {text}\n"
        "  (found on a batch of no samples, N = 0, as the graph was built; an Input with no shape skips that)"
    )


def _shape_text(shape: tuple[int, ...]) -> str:
    """A shape with its batch axis named: (N, 784)."""
    return str(shape).replace("(0,", "(N,", 1)


@contextlib.contextmanager
def _aside(layer: Layer) -> Iterator[None]:
    """Let a layer run once without a trace: memory of its own, inference mode, no warnings about empty means."""
    memory, layer.memory = layer.memory, Memory()
    modes = [(part, part.training) for part in layer.parts()]
    states = _generator_states([leaf for leaf in layer.leaves() if leaf.sized])
    layer.eval()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        layer.memory = memory
        for part, training in modes:
            part.training = training
        for generator, state in states:
            generator.bit_generator.state = state
