"""Every entry of a gradient at once, and where the wrong ones are.

Entries whose effects on the outputs do not overlap are moved together, as in sparse Jacobians (Curtis, Powell & Reid
1974): which ones that are is found by moving slices of the block and seeing which slices of the output change.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from brickgrad.layers import Array

from .kinks import halve
from .report import FAIL_RATIO
from .slope import differentiate, scale_of
from .subject import Block
from .verdict import ROUNDING, Judge


@dataclass
class Entries:
    """Backward's and the numerical gradient of a block, entry by entry, for one of the weights."""

    analytic: Array
    numeric: Array
    bar: Array

    @property
    def ratio(self) -> Array:
        """How far each entry is off, as a multiple of what is allowed."""
        size = np.abs(self.analytic)
        allowed = self.bar + ROUNDING * np.maximum(size, 1e-3 * np.max(size, initial=0.0)) + 1e-300
        with np.errstate(all="ignore"):
            off: Array = np.abs(self.analytic - self.numeric) / allowed
        off[~np.isfinite(self.analytic)] = np.inf
        return off

    @property
    def wrong(self) -> Array:
        """Which entries are wrong."""
        return np.asarray(self.ratio > FAIL_RATIO)


def aligned_axes(judge: Judge, place: int) -> list[tuple[int, int]]:
    """Axes (a, b) such that slice k of the block's axis a moves nothing but slice k of the output's axis b."""
    subject = judge.examined.subject
    block = subject.blocks[place]
    if len(subject.shapes) != 1:
        return []
    shape = subject.shapes[0]
    found: list[tuple[int, int]] = []
    for a, size in enumerate(block.array.shape):
        if size < 2:
            continue
        for b in sorted(range(len(shape)), key=lambda axis: axis != a):
            if shape[b] == size and b not in [taken for _, taken in found] and _is_aligned(judge, block, a, b):
                found.append((a, b))
                break
    return found


def _is_aligned(judge: Judge, block: Block, a: int, b: int) -> bool:
    """Slices of one half, told by a bit of their number, may move that half's outputs only; so for every bit."""
    base, shape = judge.examined.base, judge.examined.subject.shapes[0]
    direction, numbers = judge.direction(block), np.arange(shape[b])
    for bit in range(int(shape[b] - 1).bit_length()):
        for polarity in (0, 1):
            off = np.flatnonzero((numbers >> bit) & 1 != polarity)
            moved = direction.copy()
            moved[(slice(None),) * a + (off,)] = 0.0
            changed = (judge.line(block, moved).at(0.01) != base).reshape(shape)
            if np.any(changed[(slice(None),) * b + (off,)]):
                return False
    return True


def all_entries(judge: Judge, place: int, most: int) -> Entries | None:
    """The whole gradient for the first weights; None where that would take more than `most` groups of entries."""
    subject = judge.examined.subject
    block = subject.blocks[place]
    if not block.array.size or not judge.examined.base.size:
        return None
    pairs = aligned_axes(judge, place)
    together = [a for a, _ in pairs]
    apart = [range(1) if axis in together else range(size) for axis, size in enumerate(block.array.shape)]
    if int(np.prod([len(places) for places in apart])) > most:
        return None
    scale, weights = scale_of(block.array), judge.examined.weights[0]
    numeric, bar = np.zeros(block.array.shape), np.zeros(block.array.shape)
    shape = subject.shapes[0] if len(subject.shapes) == 1 else (judge.examined.base.size,)
    kept = [b for _, b in pairs]
    rest = tuple(axis for axis in range(len(shape)) if axis not in kept)
    order = [int(place) for place in np.argsort(np.argsort(kept))]
    for corner in itertools.product(*apart):
        where = tuple(slice(None) if axis in together else corner[axis] for axis in range(block.array.ndim))
        direction = np.zeros(block.array.shape)
        direction[where] = scale[where]
        line = judge.line(block, direction)
        slope = differentiate(line, judge.examined.base, judge.noise(place, line), rows=8, confirm=False, good=1e-10)
        moved = np.sum((weights * slope.value).reshape(shape), axis=rest)
        error = np.sum((np.abs(weights) * slope.bar).reshape(shape), axis=rest)
        numeric[where] = np.transpose(moved, order) if kept else moved
        bar[where] = np.transpose(error, order) if kept else error
    return Entries(judge.gradient(0, place), numeric / scale, bar / scale)


def find_entry(judge: Judge, place: int) -> tuple[int, ...] | None:
    """A wrong entry of a block too large to look at whole, by halving."""
    return halve(judge.examined.subject.blocks[place], lambda mask: judge.is_wrong(place, mask))


def find_slices(judge: Judge, place: int, index: tuple[int, ...]) -> str:
    """Whether all that is wrong lies in one slice through a wrong entry, in words."""
    block = judge.examined.subject.blocks[place]
    for axis, k in enumerate(index):
        if block.array.shape[axis] < 2:
            continue
        mask = np.ones(block.array.shape)
        mask[(slice(None),) * axis + (k,)] = 0.0
        if not judge.is_wrong(place, mask):
            return f"only in {_slice_text(axis, k, block.array.shape)}"
    return ""


def describe(wrong: Array) -> str:
    """Which entries are wrong, in words.

    >>> describe(np.array([[False, True], [False, True]]))
    '2 of 4 entries wrong, only in [:, 1] (the last)'
    """
    count = int(np.sum(wrong))
    if count == wrong.size:
        return "every entry wrong"
    text = f"{count} of {wrong.size} entries wrong"
    for axis, size in enumerate(wrong.shape):
        places = np.flatnonzero(np.any(wrong, axis=tuple(a for a in range(wrong.ndim) if a != axis)))
        if len(places) == 1 and size > 1 and count > 1:
            return f"{text}, only in {_slice_text(axis, int(places[0]), wrong.shape)}"
    if count <= 4:
        return f"{text}: {', '.join(str(tuple(int(i) for i in at)) for at in np.argwhere(wrong))}"
    return text


def _slice_text(axis: int, k: int, shape: tuple[int, ...]) -> str:
    place = ["first" if k == 0 else "last"] if k in (0, shape[axis] - 1) else []
    inside = ", ".join(str(k) if a == axis else ":" for a in range(len(shape)))
    return f"[{inside}]{f' (the {place[0]})' if place else ''}"
