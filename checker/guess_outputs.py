"""Mistakes that show in what single outputs send back: a part of a sum lost, or sent to the wrong place."""

from __future__ import annotations

import itertools

import numpy as np

from brickgrad.layers import Array

from .clues import Clues
from .report import Guess
from .slope import scale_of


def contributions(clues: Clues) -> Guess | None:
    """Of what each output contributes to a wrong entry, only a part arrives."""
    block, subject = clues.block, clues.judge.examined.subject
    wrong = np.argwhere(clues.entries.wrong)
    order = np.argsort(-np.abs(clues.given - clues.true)[clues.entries.wrong])
    same = len(subject.shapes) == 1 and subject.shapes[0] == block.array.shape
    found: list[tuple[str, str]] = []
    for at in wrong[order[:4]]:
        index = tuple(int(i) for i in at)
        parts, given = _parts_of(clues, index), float(clues.given[index])
        close = 1e-6 * float(np.max(np.abs(parts), initial=0.0))
        if np.sum(np.abs(parts) > 1e-3 * close) < 2:
            continue
        own = int(np.ravel_multi_index(index, block.array.shape)) if same and index else 0
        if same and abs(given - parts[own]) < close and np.mean(clues.entries.wrong) >= 0.5:
            text = f"only what {block.name}{index} does to its own output is there, not what it does to the others"
            return clues.say("coupling", text)
        part = _part_of_sum(parts, given, close, subject.shapes)
        if part is None:
            return None
        found.append((part[0], f"of what outputs give to {block.name}{index}, {part[1]}"))
    if not found:
        return None
    kind, text = found[0]
    places = {said.split(" at ")[-1] for _, said in found}
    if kind == "overwritten" and len(found) > 1 and len(places) == 1:
        kind = "missing sum"  # always the same slice: not the last of several writes, but a sum that was never taken
    return clues.say(kind, text)


def _parts_of(clues: Clues, index: tuple[int, ...]) -> Array:
    """What each output contributes to one entry of the true gradient."""
    direction = np.zeros(clues.block.array.shape)
    direction[index] = scale_of(clues.block.array)[index]
    slope = clues.judge.slope(clues.place, direction)
    parts: Array = clues.judge.examined.weights[0] * slope.value / direction[index]
    return parts


def _part_of_sum(parts: Array, given: float, close: float, shapes: list[tuple[int, ...]]) -> tuple[str, str] | None:
    """Which part of a sum arrived: that of one slice of the outputs, all but one slice's, or the mean."""
    grid = parts.reshape(shapes[0]) if len(shapes) == 1 else parts
    there = np.abs(parts) > 1e-3 * close
    for count in range(1, grid.ndim + 1):
        for axes in itertools.combinations(range(grid.ndim), count):
            sums = np.sum(grid, axis=tuple(a for a in range(grid.ndim) if a not in axes))
            on = np.abs(sums) > close
            if np.sum(on) < 2:
                continue
            where = f"axis {', '.join(map(str, axes))}"
            if np.any(kept := on & (np.abs(given - sums) < close)):
                at = tuple(int(i) for i in np.argwhere(kept)[0])
                return "overwritten", f"only one slice is kept, along {where} that at {at}"
            if np.any(left := on & (np.abs(given - np.sum(sums) + sums) < close)):
                at = tuple(int(i) for i in np.argwhere(left)[0])
                return "dropped", f"one slice is left out, along {where} that at {at}"
    if abs(given - np.mean(parts[there])) < close:
        return "factor", "the mean is taken where the sum is due"
    return None


def wrong_axis(clues: Clues) -> Guess | None:
    """The gradient of one output alone lands in other entries than it should."""
    examined = clues.judge.examined
    subject, block = examined.subject, clues.block
    if len(subject.shapes) != 1 or examined.base.size < 2 or block.array.size > 1500 or not block.array.ndim:
        return None
    shape = subject.shapes[0]
    outputs = np.random.default_rng(0).permutation(examined.base.size)[:16]
    moves: dict[int, list[tuple[int, int]]] = {}
    for output, true in zip(outputs, _of_outputs(clues, outputs), strict=True):
        weights = np.zeros_like(examined.base)
        weights[output] = 1.0
        gradient = subject.backward(weights)[clues.place]
        if gradient is None:
            return None
        on_given, on_true = _support(gradient), _support(true)
        if not np.any(on_true) or not np.any(on_given) or np.array_equal(on_given, on_true):
            continue
        at = tuple(int(i) for i in np.unravel_index(int(output), shape))
        axes_given, axes_true = _spread(on_given), _spread(on_true)
        if axes_given and axes_true and not axes_given & axes_true:
            what = f"along axis {sorted(axes_true)}, backward spreads it along axis {sorted(axes_given)}"
            return clues.say("wrong axis", f"the gradient of output {at} belongs {what}")
        for axis in _moved_axes(on_given, on_true):
            moves.setdefault(axis, []).append((_first(on_true)[axis], _first(on_given)[axis]))
    return _say_moved(clues, moves)


def _say_moved(clues: Clues, moves: dict[int, list[tuple[int, int]]]) -> Guess | None:
    """What it means that gradients of single outputs land in other slices of an axis than they should."""
    if len(moves) != 1:
        return None
    ((axis, pairs),) = moves.items()
    text = f"gradients of single outputs land in the wrong places along axis {axis} of {clues.block.name}"
    if len({given - true for true, given in pairs}) == 1 and len(pairs) > 1:
        return clues.say("shifted", f"{text}: off by {pairs[0][1] - pairs[0][0]}")
    if len({true for true, _ in pairs}) < len(set(pairs)):  # one slice goes to several: another index is used for it
        return clues.say("wrong axis", text)
    return clues.say("order", text)


def _of_outputs(clues: Clues, outputs: Array) -> Array:
    """The true gradients of some single outputs, entry by entry: one sweep over the entries for all of them."""
    judge, block = clues.judge, clues.block
    scale = scale_of(block.array)
    gradients = np.zeros((len(outputs), *block.array.shape))
    for index in np.ndindex(block.array.shape):
        direction = np.zeros(block.array.shape)
        direction[index] = scale[index]
        line = judge.line(block, direction)
        gradients[(slice(None), *index)] = (line.at(1e-3) - line.at(-1e-3))[outputs] / (2e-3 * scale[index])
    return gradients


def _support(array: Array) -> Array:
    return np.asarray(np.abs(array) > 1e-9 * np.max(np.abs(array), initial=0.0))


def _spread(on: Array) -> set[int]:
    """The axes along which more than one entry is on."""
    return {
        axis for axis in range(on.ndim) if np.sum(np.any(on, axis=tuple(a for a in range(on.ndim) if a != axis))) > 1
    }


def _moved_axes(one: Array, other: Array) -> list[int]:
    """The axes along which two supports lie in different slices."""
    shadows = [tuple(a for a in range(one.ndim) if a != axis) for axis in range(one.ndim)]
    return [
        axis
        for axis, rest in enumerate(shadows)
        if not np.array_equal(np.any(one, axis=rest), np.any(other, axis=rest))
    ]


def _first(on: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(on)[0])
