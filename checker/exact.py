"""What can be held against backward with no finite difference: each finding here is a fault for certain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brickgrad.layers import Array

from .calls import LINEAR, judge_calls, judge_each
from .examined import Examined, together
from .faults import mutation, raised
from .report import Guess
from .slope import draw, scale_of
from .subject import Subject


def examine(make: Callable[[], Subject], rng: np.random.Generator, upstream: Array | None = None) -> Examined:
    """Run a subject forward and backward in all the ways that must make no difference, and see that none does.

    `make` gives a fresh copy. `upstream` is the gradient that a graph sends back to it: the second of two weights.
    """
    subject = make()
    moved = _visit_elsewhere(subject, rng)
    subject = subject if moved else make()
    before = [block.array.tobytes() for block in subject.blocks]
    examined = Examined(subject, np.zeros(0))
    try:
        with subject.read_only():
            examined.base = subject.forward()
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        examined.faults.append(mutation(error, "forward", make))
        return examined
    _compare_bytes(examined, before, "forward")
    if _cannot_be_repeated(examined):
        return examined
    finite = np.isfinite(examined.base)
    if not np.all(finite):
        examined.notes.append(
            f"forward gives infinities or NaN in {np.sum(~finite)} of {finite.size} outputs, which can be held against "
            "nothing. Try other inputs."
        )
    if examined.base.size and not np.any(finite):
        return examined
    examined.weights = [np.where(finite, draw(rng, examined.base.shape), 0) for _ in range(2)]
    if upstream is not None and np.all(np.isfinite(upstream)):
        examined.weights[1] = np.where(finite, upstream, 0)
    try:
        with subject.read_only():
            first = subject.backward(examined.weights[0], writeable=False)
            examined.gradients = [first]
            _compare_bytes(examined, before, "backward")
            for name in sorted(subject.replaced):
                examined.add("mutation", f"backward puts another array in the place of {name}: it changes it", name)
            judge_each(examined, first)
            judge_calls(examined, first)
    except Exception as error:
        if "read-only" not in str(error):
            examined.faults.append(raised(error, subject))
            return examined
        examined.faults.append(mutation(error, "backward", make))
        examined.gradients = [_unguarded(make, weights) for weights in examined.weights]
        return examined
    _compare_with_fresh(examined, make())
    _weigh_alike(examined, rng)
    for name in make().unchecked():
        examined.notes.append(f"forward depends on {name}, but no gradient of it was found: it was not checked")
    return examined


def _weigh_alike(examined: Examined, rng: np.random.Generator) -> None:
    """Where outputs differ much in size, add weights that make them alike: the largest would swallow the others."""
    size = np.abs(np.where(np.isfinite(examined.base), examined.base, 0))
    middle = float(np.median(size[size > 0])) if np.any(size > 0) else 0.0
    if middle == 0 or not (np.max(size) > 1e3 * middle or np.min(size) < 1e-3 * middle):
        return
    weights = middle * draw(rng, size.shape) / np.maximum(size, 1e-6 * middle)
    examined.weights.append(np.where(np.isfinite(examined.base), weights, 0))
    examined.gradients.append(examined.subject.backward(examined.weights[-1]))


def _unguarded(make: Callable[[], Subject], weights: Array) -> list[Array | None]:
    """The gradients of a copy that may write where it likes."""
    subject = make()
    subject.forward()
    return subject.backward(weights)


def _visit_elsewhere(subject: Subject, rng: np.random.Generator) -> bool:
    """Run forward and backward at another x, with other parameters: whatever is kept from there is stale."""
    blocks = [(block.array, block.array.copy()) for block in subject.blocks]
    held = [x.copy() for x in subject.inputs]
    for share in (0.1, 0.0):
        for array, own in blocks:
            array[...] = own + share * scale_of(own) * draw(rng, own.shape)
        for x, own in zip(subject.inputs, held, strict=True):
            if (x.dtype.kind != "f" or not share) and x.ndim:
                x[...] = np.roll(own, 1, axis=0)
        try:
            outputs = subject.forward()
            subject.backward(draw(rng, outputs.shape))
        except Exception:  # out of its domain there, or at fault: what follows will tell
            pass
        else:
            if np.all(np.isfinite(outputs)):
                break
        finally:
            for x, own in zip(subject.inputs, held, strict=True):
                x[...] = own
            for array, own in blocks:
                array[...] = own
    else:
        return False
    return True


def _cannot_be_repeated(examined: Examined) -> bool:
    """Whether forward at one x gives other values each time, or other values with its branches replayed."""
    subject = examined.subject
    again = subject.forward()
    if _same(again, examined.base):
        if subject.freezes and not _same(subject.forward(frozen=True), examined.base):
            subject.freezes = False
            examined.notes.append("frozen() does not replay what the last forward did; the real forward was used")
            subject.forward()
        return False
    examined.notes.append(
        "forward gives other values each time it runs at one x, even with its generators set back, so it has no "
        "derivative to compare with. Let it draw from a numpy.random.Generator of its own."
    )
    return True


def _compare_with_fresh(examined: Examined, fresh: Subject) -> None:
    """A copy that has been nowhere else must give the same outputs and gradients."""
    outputs = fresh.forward()
    if not np.allclose(outputs, examined.base, rtol=1e-12, atol=0, equal_nan=True):
        text = "forward at one x gives other values after a forward at another x: something is kept from there"
        examined.faults.append(Guess("stale", text, ()))
        return
    gradients = fresh.backward(examined.weights[0])
    for block, one, two in together(examined.subject, examined.gradients[0], gradients):
        finite = np.isfinite(two)
        allowed = LINEAR * float(np.max(np.abs(two[finite]), initial=0.0))
        if not np.all(np.abs(one - two)[finite] <= allowed):
            text = f"the gradient of {block.name} is that of an earlier forward, at another x: a stale cache"
            examined.add("stale", text, block.name)


def _compare_bytes(examined: Examined, before: list[bytes], what: str) -> None:
    subject = examined.subject
    for block, own in zip(subject.blocks, before, strict=True):
        if block.array.tobytes() != own:
            examined.add("mutation", f"{what} changes {block.name}, which is not its own", block.name)
            block.array[...] = np.frombuffer(own).reshape(block.array.shape)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
