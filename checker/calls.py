"""Backward called in all the ways that must make no difference: again, of 0, of a sum, and otherwise laid out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .examined import Examined, together
from .faults import not_finite, shape_guess
from .report import Guess
from .results import strided
from .subject import Block, Subject

LINEAR = 1e-11  # how far B(v + 2w) may be from B(v) + 2B(w), as a share of the largest entry


def judge_each(examined: Examined, gradients: Sequence[Array | None]) -> None:
    """Shape, precision and finiteness of each gradient."""
    for block, gradient in zip(examined.subject.blocks, gradients, strict=True):
        if gradient is None:
            if not block.is_input:
                examined.add("shape", f"backward sets no gradient of {block.name}", block.name)
        elif gradient.shape != block.array.shape:
            examined.faults.append(shape_guess(block.name, block.array.shape, gradient.shape))
        elif gradient.dtype != np.float64:
            examined.add(
                "precision",
                f"the gradient of {block.name} is {gradient.dtype}; it must be float64, as {block.name}",
                block.name,
            )
        elif not np.all(np.isfinite(gradient)) and np.all(np.isfinite(examined.base)):
            examined.faults.append(not_finite(block, gradient))


def judge_calls(examined: Examined, first: list[Array | None]) -> None:
    """Backward again, of 0, of a sum, and of the same numbers laid out otherwise; and where its results stand."""
    subject, weights = examined.subject, examined.weights
    second = subject.backward(weights[0], writeable=False)
    for block, one, two in together(subject, first, second):
        if one.tobytes() != two.tobytes():
            if _draws(subject, one, block):
                text = "backward draws random numbers of its own: it must use those, a mask say, that forward drew"
                examined.add("mask", text, block.name)
                continue
            twice = np.allclose(two, 2 * one, rtol=1e-9, atol=0)
            how = "is twice the first" if twice else "differs from the first"
            text = f"backward called twice: the second gradient of {block.name} {how}. It must be set, not added to."
            examined.add("not reset", text, block.name)
    other = subject.backward(weights[1], writeable=False)
    examined.gradients.append(other)
    mixed = subject.backward(weights[0] + 2 * weights[1], writeable=False)
    none = subject.backward(np.zeros_like(weights[0]), writeable=False)
    if not any(fault.kind in ("not reset", "mask") for fault in examined.faults):
        size = float(np.max(np.abs(np.stack(weights)), initial=0.0))
        for block, one, two, mix, zero in together(subject, first, other, mixed, none):
            _judge_linear(examined, block, (one, two, mix, zero), size)
        for factor in (2.0**20, 2.0**-20):
            scaled = subject.backward(factor * weights[0], writeable=False)
            for block, one, two in together(subject, first, scaled):
                if np.all(np.isfinite(one)) and not np.allclose(
                    two, factor * one, rtol=1e-9, atol=1e-12 * factor * size
                ):
                    text = f"backward of {factor:.0e} v is not so many times that of v in the gradient of {block.name}"
                    examined.add("not linear", text, block.name)
    _judge_layouts(examined, first)
    results = zip(subject.blocks, subject.raw_backward(subject.split(weights[0])), strict=True)
    kept = [(block.name, gradient) for block, gradient in results if isinstance(gradient, np.ndarray)]
    _judge_buffers(examined, first)
    for (one, first_array), (other_name, second_array) in itertools.combinations(kept, 2):
        if np.shares_memory(first_array, second_array):
            text = f"the gradients of {one} and {other_name} share memory; copy one"
            examined.faults.append(Guess("aliased", text, (one, other_name)))


def _judge_buffers(examined: Examined, first: list[Array | None]) -> None:
    """What forward and backward return must stay as it is when they run again: a caller may keep it."""
    subject = examined.subject
    kept = subject.raw_backward(subject.split(examined.weights[0]))
    subject.raw_backward(subject.split(examined.weights[1]))
    for block, one, two in together(subject, first, kept):
        if block.is_input and not np.array_equal(one, two, equal_nan=True):
            text = f"the gradient of {block.name} is overwritten by the next backward: return an array of its own"
            examined.add("aliased", text, block.name)
    outputs = [y for y in subject.raw_forward() if isinstance(y, np.ndarray)]
    before, held, changed = [y.copy() for y in outputs], subject.inputs, False
    subject.inputs = [np.roll(x, 1) for x in held]
    try:
        subject.raw_forward()
        changed = any(not np.array_equal(y, own, equal_nan=True) for y, own in zip(outputs, before, strict=True))
    except Exception:  # not an input that it takes
        changed = False
    finally:
        subject.inputs = held
        subject.forward()
    if changed:
        examined.faults.append(
            Guess("aliased", "what forward returns is overwritten by the next forward: return an array of its own")
        )


def _draws(subject: Subject, one: Array, block: Block) -> bool:
    """Whether backward gives the same again once the generators are back where forward left them."""
    if not subject.dice.used():
        return False
    place = subject.blocks.index(block)
    weights = subject.last_weights
    gradients = []
    for _ in range(2):
        subject.forward()
        gradient = subject.backward(weights, writeable=False)[place]
        gradients.append(b"" if gradient is None else gradient.tobytes())
    return gradients[0] == gradients[1]


def _judge_linear(examined: Examined, block: Block, calls: tuple[Any, Any, Any, Any], size: float) -> None:
    one, two, mix, zero = calls
    if mix is None or zero is None or not np.all(np.isfinite(one)):
        return
    allowed = LINEAR * float(np.max(np.abs(one) + 2 * np.abs(two), initial=0.0)) + 1e-13 * size
    left = float(np.max(np.abs(zero), initial=0.0))
    off = float(np.max(np.abs(mix - one - 2 * two), initial=0.0))
    if not left <= allowed * 1e-3:
        what = f"backward of zeros must give zeros; the gradient of {block.name} is {left:.3g}"
    elif not off <= allowed:
        what = f"backward of v + 2w differs from that of v plus twice that of w by {off:.3g} in {block.name}"
    else:
        return
    if left == 0 and off <= 1e-5 * float(np.max(np.abs(one))) and np.array_equal(one, one.astype(np.float32)):
        examined.add("precision", f"the gradient of {block.name} has been float32 on its way", block.name)
        return
    examined.add("not linear", f"{what}. What comes in must be a factor of all that goes out.", block.name)


def _judge_layouts(examined: Examined, first: list[Array | None]) -> None:
    """The incoming gradient in Fortran's order, and as one number stretched with stride 0."""
    subject = examined.subject
    d_outputs = subject.split(examined.weights[0])
    if not any(isinstance(dy, np.ndarray) for dy in d_outputs):
        return
    finite = np.isfinite(examined.base)
    ones = subject.backward(np.where(finite, 1.25, 0), writeable=False)
    flat = [np.broadcast_to(np.float64(1.25), np.shape(dy)) if np.ndim(dy) else np.float64(1.25) for dy in d_outputs]
    turned = [np.asfortranarray(dy) if np.ndim(dy) else dy for dy in d_outputs]
    spread = [strided(dy) if np.ndim(dy) else dy for dy in d_outputs]
    cases = [("in Fortran's order", turned, first), ("that is strided", spread, first)]
    if np.all(finite):
        cases.append(("stretched from one number", flat, ones))
    for how, given, expected in cases:
        for dy in given:
            if isinstance(dy, np.ndarray):
                dy.flags.writeable = False
        try:
            got = subject.raw_backward(given)
        except Exception as error:
            text = f"backward fails on a gradient {how}: {type(error).__name__}: {error}"
            examined.faults.append(Guess("mutation" if "read-only" in str(error) else "layout", text, ()))
            return
        for block, one, two in together(subject, expected, got):
            allowed = LINEAR * float(np.max(np.abs(one), initial=0.0)) + 1e-13
            if np.all(np.isfinite(one)) and not np.all(np.abs(one - two) <= allowed):
                text = f"backward of a gradient {how} gives other values for {block.name} than of a plain one"
                examined.add("layout", text, block.name)
