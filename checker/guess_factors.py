"""Mistakes of size: a factor too many or too few, one for all entries or one for each slice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from brickgrad.layers import Array

from .clues import Clues
from .report import Guess


def nothing(clues: Clues) -> Guess | None:
    """Backward gives 0 throughout."""
    if np.any(clues.given):
        return None
    return clues.say("zeroed", f"backward gives 0 for all of {clues.block.name}")


def factor(clues: Clues) -> Guess | None:
    """One factor throughout."""
    alpha = constant_factor(clues)
    if alpha is None or abs(alpha) < 1e-12:
        return None
    if abs(alpha - 1) < 1e-5:
        return None
    name = clues.block.name
    if abs(alpha + 1) < 1e-6:
        return clues.say("sign", f"the gradient of {name} has the wrong sign")
    return clues.say("factor", f"the gradient of {name} must be multiplied by {alpha:.6g}{_factor_name(clues, alpha)}")


def constant_factor(clues: Clues, where: Array | None = None) -> float | None:
    """α where true = α · given all over (or where a mask says), else None."""
    given, true = clues.given, clues.true
    if where is not None:
        given, true = given[where], true[where]
    if not given.size or not np.any(given):
        return None
    alpha = float(np.sum(true * given) / np.sum(given * given))
    fits = clues.explains(alpha * given) if where is None else clues.alike(alpha * given, true)
    return alpha if fits else None


def _factor_name(clues: Clues, alpha: float) -> str:
    """The size that a factor equals, in words."""
    subject = clues.judge.examined.subject
    shapes = [("the output", shape) for shape in subject.shapes]
    shapes += [(block.name, block.array.shape) for block in subject.blocks]
    for invert, value in ((False, alpha), (True, 1 / alpha)):
        start = ", 1 / " if invert else ", "
        for owner, shape in shapes:
            for axis, size in enumerate(shape):
                if size > 1 and abs(abs(value) - size) < 1e-6 * size:
                    what = "N, " if axis == 0 and owner != "W" else ""
                    return f"{start}{what}the size of axis {axis} of {owner}"
        for owner, shape in shapes:
            for length in range(2, len(shape) + 1):
                for first in range(len(shape) - length + 1):
                    size = int(np.prod(shape[first : first + length]))
                    if size > 1 and abs(abs(value) - size) < 1e-6 * size:
                        return f"{start}the size of axes {first} to {first + length - 1} of {owner}"
    return ""


def precision(clues: Clues) -> Guess | None:
    """Right to the digits of float32."""
    given = clues.given
    if not clues.alike(given, clues.true, rtol=1e-5) or not np.any(given):
        return None
    if np.array_equal(given, given.astype(np.float32).astype(np.float64)):
        return clues.say("precision", f"the gradient of {clues.block.name} has been float32 on its way")
    ratio = (clues.true / given - 1)[given != 0]
    if np.max(np.abs(ratio), initial=0.0) < 1e-5 and np.std(ratio) > np.abs(np.mean(ratio)):
        return clues.say("precision", f"the gradient of {clues.block.name} is made with numbers of less than float64")
    return None


def missing_factor(clues: Clues) -> Guess | None:
    """A parameter or an input too few, or too many, in the product."""
    given, name = clues.given, clues.block.name
    for other, array in clues.arrays():
        for axes in itertools.permutations(range(array.ndim)) if array.ndim <= 3 else [tuple(range(array.ndim))]:
            p = np.transpose(array, axes)
            for shape in padded_shapes(p.shape, given.shape):
                factor = p.reshape(shape)
                if not np.any(factor) or np.ptp(factor) == 0:
                    continue
                for text, candidate in (
                    ("is missing from", given * factor),
                    ("is once too often in", given / factor),
                    ("² is missing from", given * factor**2),
                ):
                    if clues.explains(candidate):
                        return clues.say("missing factor", f"{other} {text} the gradient of {name}".replace(" ²", "²"))
    return None


def factor_inside(clues: Clues) -> Guess | None:
    """What comes in should be multiplied by a parameter before all else, as by gamma in a normalization."""
    examined = clues.judge.examined
    subject = examined.subject
    if len(subject.shapes) != 1:
        return None
    shape = subject.shapes[0]
    for block in subject.blocks:
        if block is clues.block or not block.array.ndim or np.ptp(block.array) == 0:
            continue
        for full in padded_shapes(block.array.shape, shape):
            factor = np.broadcast_to(block.array.reshape(full), shape)
            gradient = subject.backward(examined.weights[0] * factor.ravel())[clues.place]
            if gradient is None or not np.all(factor):
                continue
            if clues.explains(gradient):
                text = f"{block.name} is missing from the gradient of {clues.block.name}: it multiplies what comes in"
                return clues.say("missing factor", text)
            if gradient.shape == shape and clues.explains(gradient / factor):
                text = (
                    f"the gradient of {clues.block.name} is multiplied by {block.name} too late: what comes in must be"
                )
                return clues.say("missing factor", text)
    return None


def padded_shapes(shape: tuple[int, ...], target: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All ways to put axes of size 1 among a shape's so that it broadcasts against `target`."""
    if len(shape) > len(target):
        return
    for kept in itertools.combinations(range(len(target)), len(shape)):
        if all(shape[i] in (1, target[axis]) for i, axis in enumerate(kept)):
            full = [1] * len(target)
            for i, axis in enumerate(kept):
                full[axis] = shape[i]
            yield tuple(full)


def statistic(clues: Clues) -> Guess | None:
    """true / given is a power of the deviation of some input along some axes; up to an eps, so to a few percent."""
    given, true = clues.given, clues.true
    usable = np.abs(given) > 1e-9 * np.max(np.abs(given))
    if not np.all(usable):
        return None
    ratio = true / given
    inputs = [(b.name, b.array) for b in clues.judge.examined.subject.blocks if b.is_input and b.array.ndim]
    for name, x in inputs:
        for count in range(1, x.ndim + 1):
            for axes in itertools.combinations(range(x.ndim), count):
                deviation = np.std(x, axis=axes, keepdims=True)
                if np.any(deviation == 0):
                    continue
                for shape in {deviation.shape, tuple(n for n in deviation.shape if n > 1)}:
                    for power in (1, -1, 2, -2):
                        factor = (deviation**power).reshape(shape)
                        try:
                            factor = np.broadcast_to(factor, ratio.shape)
                        except ValueError:
                            continue
                        if np.all(np.abs(ratio / factor - 1) < 2e-2):
                            what = {
                                1: "the deviation",
                                -1: "1 / the deviation",
                                2: "the variance",
                                -2: "1 / the variance",
                            }
                            return clues.say(
                                "statistic",
                                f"the gradient of {clues.block.name} must be multiplied by {what[power]} of {name} "
                                f"over axis {', '.join(map(str, axes))}",
                            )
    return None


def factor_by_slice(clues: Clues) -> Guess | None:
    """true / given is one number along some axes, and another in each slice across them."""
    given, true, name = clues.given, clues.true, clues.block.name
    if given.ndim < 2 or not np.all(np.abs(given) > 1e-9 * np.max(np.abs(given))):
        return None
    ratio = true / given
    for count in range(given.ndim - 1, 0, -1):
        for axes in itertools.combinations(range(given.ndim), count):
            each = np.mean(ratio, axis=axes, keepdims=True)
            if ratio.size < 2 * each.size or each.size < 2:
                continue
            if not clues.same(given * each, true):
                continue
            if np.all(np.abs(each - 1) < 0.25):
                return clues.say("small constant", f"each slice of {name}'s gradient is off by a little: eps left out?")
            if 0 in axes:
                return clues.say(
                    "statistic", f"each feature of {name}'s gradient is off by a factor, as by its deviation"
                )
            return clues.say("missing factor", f"each sample's gradient of {name} is off by a factor, as by its weight")
    return None


def small_constant(clues: Clues) -> Guess | None:
    """Nearly right throughout."""
    given, true = clues.given, clues.true
    if np.all(np.abs(true - given) < 0.05 * np.abs(given)) or clues.alike(given, true, rtol=0.02):
        text = f"the gradient of {clues.block.name} is nearly right: a small constant, eps perhaps, is left out"
        return clues.say("small constant", text)
    return None
