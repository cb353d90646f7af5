"""The largest entry of every window, and where it stands: what max pooling takes, and where its gradient goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .columns import Buffer
from .copying import copy_rows
from .memory import Array
from .windows import Grid


def largest_of_windows(images: Array, grid: Grid, y: Array, buffer: Buffer, forgets: bool = False) -> Array | None:
    """Write each window's largest entry into `y`; return where it stands in `images` laid flat (of equals, the first).

    First the largest of each stretch along a row, then of each stretch of those down a column: a few passes over
    entries side by side take less time than one over the windows', which lie apart. NaN is larger than any number.
    Where nobody asks for the places (`forgets`), they are not looked for, and None is returned.
    """
    if not y.size:
        return None if forgets else buffer("taken", y.shape, np.intp)
    (height, width), across = grid.size, grid.padded[1]
    kind = None if forgets else np.min_scalar_type((height - 1) * across + width - 1)  # a byte, most of the time
    down, along = grid.places(0, 0)
    copied = grid.stride[1] > 1 and not forgets  # then stretches begin at few entries, which are laid side by side
    shape, columns = ((*images.shape[:3], grid.out[1]), slice(None)) if copied else (images.shape, along)
    one, other = (buffer(name, (math.prod(shape),), images.dtype) for name in ("one", "other"))
    row: Iterable[Array] = _shifted(images.reshape(-1), width, 1)
    if copied:
        row = _laid((images[..., grid.places(0, j)[1]] for j in range(width)), one, other)
    search = _Search(kind, buffer, math.prod(shape))
    best, further = search.largest("row", row, width, 1, one)
    behind = None if further is None else _shifted(further, height, shape[3])
    best, further = search.largest("column", _shifted(best, height, shape[3]), height, across, other, behind)
    copy_rows(best.reshape(shape)[:, :, down, columns], y)
    if kind is None:
        return None
    taken = buffer("taken", y.shape, np.intp)
    if further is None:
        taken[...] = 0
    else:
        offsets = buffer("offsets", y.shape, kind)
        copy_rows(further.reshape(shape)[:, :, down, columns], offsets)
        taken[...] = offsets
    _, channels, height, width = images.shape
    in_channel = np.arange(height)[down, np.newaxis] * width + np.arange(width)[along]
    taken += np.arange(channels)[:, np.newaxis, np.newaxis] * (height * width) + in_channel
    taken += np.arange(0, images.size, images[0].size).reshape(-1, 1, 1, 1)
    if np.isnan(y).any():
        _take_first_nan(images, grid, taken)
    return taken


def _take_first_nan(images: Array, grid: Grid, taken: Array) -> None:
    """Put the places of windows' NaN into `taken`: comparisons pass over them."""
    places = np.arange(images.size).reshape(images.shape)
    for i in reversed(range(grid.size[0])):
        for j in reversed(range(grid.size[1])):
            entries = images[:, :, *grid.places(i, j)]
            np.copyto(taken, places[:, :, *grid.places(i, j)], where=np.isnan(entries))


def _shifted(flat: Array, count: int, apart: int) -> list[Array]:
    """The entries that have so many `apart`, 2 · `apart`, … behind them, and then those behind: `count` arrays."""
    n = flat.size - (count - 1) * apart
    return [flat[k * apart : k * apart + n] for k in range(count)]


def _laid(arrays: Iterable[Array], one: Array, other: Array) -> Iterator[Array]:
    """Arrays whose entries lie apart, laid side by side: the first in `one`, those behind it in `other`, by turns."""
    for number, array in enumerate(arrays):
        room = other if number else one
        room.reshape(array.shape)[...] = array
        yield room


class _Search:
    """For the largest of some arrays, entry by entry.

    Parameters
        kind : of the distances at which they stand; None: nobody asks for them.
        buffer : where room for `size` entries comes from, as many as the arrays have, or more.
    """

    def __init__(self, kind: np.dtype[Any] | None, buffer: Buffer, size: int) -> None:
        self.kind, self.buffer, self.size = kind, buffer, size

    def largest(
        self,
        name: str,
        arrays: Iterable[Array],
        count: int,
        apart: int,
        room: Array,
        further: Sequence[Array] | None = None,
    ) -> tuple[Array, Array | None]:
        """The largest of `count` arrays, and how far behind the first one's entry each stands; both with room for more.

        The arrays' entries stand `apart`; `further` says how far behind those they were found; None: where they stand.
        The largest go into `room`; that may be the first array, for what was just written to is near the processor.
        """
        arrays = iter(arrays)
        best, distance = next(arrays), None if further is None else further[0]
        if count == 1:
            return best, distance
        n = best.size
        room[n:] = 0  # whatever stood there may be no number, and then NumPy would warn
        distances = None if self.kind is None else self.buffer(f"{name} distances", (self.size,), self.kind)
        for k, others in enumerate(arrays, 1):
            if distances is not None:
                better = np.less(best, others, out=self.buffer("better", (self.size,), bool)[:n]).view(np.uint8)
                self._farther(distance, 0 if further is None else further[k], k * apart, better, distances[:n])
                distance = distances[:n]
            best = np.maximum(best, others, out=room[:n])
        return room, distances

    def _farther(self, own: Array | None, theirs: Any, more: int, better: Array, out: Array) -> None:
        """Write into `out`: where `better` theirs + more, else own, which None says is 0."""
        if own is None:
            np.multiply(better, out.dtype.type(more), out=out)
            return
        step = np.add(theirs, out.dtype.type(more), out=self.buffer("step", (self.size,), out.dtype)[: len(out)])
        step -= own  # differences that wrap around come back
        step *= better
        np.add(own, step, out=out)
