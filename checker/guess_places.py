"""Mistakes of place: the right numbers somewhere else, or wrong ones in some places only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .clues import Clues
from .guess_factors import constant_factor
from .report import Guess


def swapped(clues: Clues) -> Guess | None:
    """Backward's gradient of another parameter or input is this one's."""
    judge = clues.judge
    for other, block in enumerate(judge.examined.subject.blocks):
        gradient = judge.examined.gradients[0][other]
        if other != clues.place and gradient is not None and clues.explains(gradient):
            name = clues.block.name
            return clues.say("swapped", f"the gradient of {name} is what backward gives for {block.name}: exchanged")
    return None


def turned(clues: Clues) -> Guess | None:
    """Axes exchanged, or mirrored."""
    given, name = clues.given, clues.block.name
    for axes in itertools.permutations(range(given.ndim)):
        turned = np.transpose(given, axes)
        if axes != tuple(range(given.ndim)) and turned.shape == given.shape and clues.explains(turned):
            return clues.say("transposed", f"the gradient of {name} is transposed: its axes stand as {axes}")
    for count in range(given.ndim, 0, -1):
        for axes in itertools.combinations(range(given.ndim), count):
            if all(given.shape[a] > 2 for a in axes) and clues.explains(np.flip(given, axes)):
                return clues.say(
                    "flipped", f"the gradient of {name} is mirrored along axis {', '.join(map(str, axes))}"
                )
    return None


def shifted(clues: Clues) -> Guess | None:
    """Off by one along one axis or several."""
    given, true, name = clues.given, clues.true, clues.block.name
    for shift in itertools.product((0, 1, -1), repeat=min(given.ndim, 4)):
        if not any(shift) or any(step and size < 3 for step, size in zip(shift, given.shape, strict=False)):
            continue
        moved, kept = given[_beyond(shift)], true[_beyond([-step for step in shift])]
        if np.any(kept) and clues.alike(moved, kept):
            axes = ", ".join(str(axis) for axis, step in enumerate(shift) if step)
            return clues.say("shifted", f"the gradient of {name} is off by one along axis {axes}")
    return None


def _beyond(shift: Sequence[int]) -> tuple[slice, ...]:
    """All but the first slices along axes with a shift of 1, and all but the last along those with -1."""
    return tuple(slice(1, None) if step == 1 else slice(0, -1) if step == -1 else slice(None) for step in shift)


def wrong_order(clues: Clues) -> Guess | None:
    """Slices, or all numbers, in another order."""
    given, true, name = clues.given, clues.true, clues.block.name
    for axis, size in enumerate(given.shape):
        if not 1 < size <= 256:
            continue
        rows_given, rows_true = np.moveaxis(given, axis, 0), np.moveaxis(true, axis, 0)
        places = [next((j for j in range(size) if clues.alike(rows_given[j], row)), -1) for row in rows_true]
        if -1 not in places and len(set(places)) > 1 and places != list(range(size)):
            return clues.say(
                "order", f"slices of {name}'s gradient along axis {axis} stand in the wrong order: {places}"
            )
    if given.size > 3 and clues.alike(np.sort(given, axis=None), np.sort(true, axis=None), rtol=1e-9):
        return clues.say(
            "order", f"{name}'s gradient has the right numbers in the wrong places: reshaped the wrong way"
        )
    return None


def exchanged(clues: Clues) -> Guess | None:
    """What is missing in each row stands elsewhere in it with the other sign: one index taken for another."""
    missing = clues.true - clues.given
    if missing.ndim < 1 or missing.shape[-1] < 3:
        return None
    size = float(np.max(np.abs(missing)))
    rows = missing.reshape(-1, missing.shape[-1])
    on = np.abs(rows) > 1e-6 * size
    if not np.all((on.sum(axis=1) == 2) | (on.sum(axis=1) == 0)) or np.any(np.abs(rows.sum(axis=1)) > 1e-6 * size):
        return None
    steps = {int(np.diff(np.flatnonzero(row))[0]) % rows.shape[1] for row in on if np.any(row)}
    kind = "shifted" if steps <= {1, rows.shape[1] - 1} else "order"
    return clues.say(kind, f"in each row of {clues.block.name}'s gradient one place is taken for another")


def summed_over_all(clues: Clues) -> Guess | None:
    """Every entry holds the sum, or the mean, of many."""
    given, true = clues.given, clues.true
    for count in range(given.ndim, 0, -1):
        for axes in itertools.combinations(range(given.ndim), count):
            if all(given.shape[axis] == 1 for axis in axes):
                continue
            total = np.broadcast_to(np.sum(true, axis=axes, keepdims=True), given.shape)
            mean = np.broadcast_to(np.mean(true, axis=axes, keepdims=True), given.shape)
            size = float(np.max(np.abs(total)))
            if np.all(np.abs(given - total) <= 1e-6 * size) or np.all(np.abs(given - mean) <= 1e-6 * size):
                over = "all" if count == given.ndim else f"axis {axes}"
                return clues.say(
                    "summed over all", f"every entry of {clues.block.name}'s gradient is summed over {over}"
                )
    return None


def mask(clues: Clues) -> Guess | None:
    """A gradient where the true one is 0."""
    size = float(np.max(np.abs(clues.true), initial=0.0))
    off = np.abs(clues.true) <= 1e-9 * size
    if not np.any(off & (clues.given != 0)) or np.all(off):
        return None
    alpha = constant_factor(clues, ~off)
    if alpha is None:
        return None
    return clues.say("mask", f"{clues.block.name} has no gradient where the mask is off; backward gives one there")


def border(clues: Clues) -> Guess | None:
    """Wrong within a few entries of the edges of some axes, and right inside."""
    wrong = clues.entries.wrong
    if np.sum(wrong) < 2 or np.mean(wrong) > 0.75:
        return None
    for margin in (1, 2, 3):
        for count in range(1, wrong.ndim + 1):
            for axes in itertools.combinations(range(wrong.ndim), count):
                inside = tuple(slice(margin, -margin) if axis in axes else slice(None) for axis in range(wrong.ndim))
                if all(wrong.shape[axis] > 2 * margin + 1 for axis in axes) and not np.any(wrong[inside]):
                    where = ", ".join(map(str, axes))
                    text = f"the gradient of {clues.block.name} is wrong at the border of axis {where} only: padding, "
                    return clues.say("border", f"{text}a stride that does not divide, or a crop")
    return None


def partly_wrong(clues: Clues) -> Guess | None:
    """Right in most entries; at the others 0, of the other sign, or off by one factor."""
    wrong, name = clues.entries.wrong, clues.block.name
    if not np.any(wrong) or np.all(wrong):
        return None
    if not np.any(clues.given[wrong]):
        return clues.say("zeroed", f"the gradient of {name} is 0 where it must not be")
    alpha = constant_factor(clues, wrong)
    if alpha is not None and abs(alpha + 1) < 1e-6 and np.sum(wrong) < wrong.size:
        return clues.say("sign", f"the gradient of {name} has the wrong sign in places")
    return None
