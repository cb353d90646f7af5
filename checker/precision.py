"""A layer of float32 held against itself in float64: the same numbers, the same branches, two precisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .report import FAIL_RATIO, Guess
from .slope import draw
from .subject import LayerSubject, NetSubject, Subject

JITTERS = 3


def compare_precisions(
    subject: Subject, dtype: np.dtype[Any], rng: np.random.Generator
) -> tuple[list[Guess], list[str]]:
    """Faults and notes where gradients in a lower precision are further from float64's than round-off takes them.

    What round-off may do is measured: parameters and inputs are moved by a rounding error each, and the gradients'
    change is what any computation in that precision has to be granted.
    """
    if not isinstance(subject, LayerSubject | NetSubject):
        return [], []
    subject.dice.replay()
    low = subject.layer.replica(dtype) if isinstance(subject, LayerSubject) else subject.net.replica(dtype)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in subject.inputs]
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
    high = LayerSubject(low, wide) if isinstance(subject, LayerSubject) else NetSubject(low, wide)
    base = high.forward()
    weights = draw(rng, base.shape).astype(dtype).astype(np.float64)
    expected = high.backward(weights)
    with np.errstate(all="ignore"):
        try:
            outputs, given = _run_low(subject, low, inputs, high, weights)
        except TypeError as error:  # the guard: a gradient that is not in the input's precision
            return [Guess("precision", f"in {dtype}: {error}")], []
    if not np.all(np.isfinite(outputs)) and np.all(np.isfinite(base)):
        return [], [f"in {dtype} forward overflows here, so its gradients were not compared with float64's"]
    faults = []
    spread = _spread(high, weights, expected, float(np.finfo(dtype).eps), rng)
    for place, (block, want, got) in enumerate(zip(high.blocks, expected, given, strict=True)):
        if want is None or got is None or not want.size or not np.all(np.isfinite(want)):
            continue
        off = float(np.max(np.abs(np.asarray(got, np.float64) - want)))
        eps = float(np.finfo(dtype).eps)
        largest = max(float(np.max(np.abs(want))), float(np.max(np.abs(weights), initial=0.0)) / 8)
        allowed = 8 * spread[place] + 32 * eps * largest
        if not off <= FAIL_RATIO * allowed:
            text = (
                f"in {dtype} the gradient of {block.name} is off by {off:.3g}, where round-off explains {allowed:.1g}"
            )
            faults.append(Guess("precision", text, (block.name,)))
    return faults, []


def _run_low(subject: Subject, low: Any, inputs: list[Any], high: Subject, weights: Any) -> tuple[Any, list[Any]]:
    """The outputs and gradients in the lower precision, in the order of the blocks."""
    if isinstance(subject, NetSubject):
        loss = low.loss_and_gradient(*inputs)
        return np.asarray(loss), [float(weights[0]) * low.grads[block.name] for block in high.blocks]
    result = low.forward(*inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    d_outputs = [np.asarray(dy).astype(np.asarray(y).dtype) for dy, y in zip(high.split(weights), outputs, strict=True)]
    gradients = low.backward(*d_outputs)
    by_place = dict(enumerate(gradients if isinstance(gradients, tuple) else (gradients,)))
    where = {id(x): place for place, x in enumerate(high.inputs)}
    given = [by_place.get(where[id(b.array)]) if b.is_input else low.grads[b.name] for b in high.blocks]
    return np.concatenate([np.ravel(y) for y in outputs]), given


def _spread(high: Subject, weights: Any, expected: list[Any], eps: float, rng: np.random.Generator) -> list[float]:
    """How far each gradient goes, at most, when all numbers move by a rounding error."""
    spread = [0.0] * len(high.blocks)
    own = [block.array.copy() for block in high.blocks]
    for _ in range(JITTERS):
        for block, array in zip(high.blocks, own, strict=True):
            block.array[...] = array * (1 + eps * rng.choice([-1.0, 1.0], array.shape))
        high.forward(frozen=True)
        for place, (was, now) in enumerate(zip(expected, high.backward(weights), strict=True)):
            if was is not None and now is not None and was.size:
                with np.errstate(all="ignore"):
                    moved = float(np.max(np.abs(now - was)))
                spread[place] = max(spread[place], moved if np.isfinite(moved) else np.inf)
    for block, array in zip(high.blocks, own, strict=True):
        block.array[...] = array
    return spread
