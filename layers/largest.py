"""The largest entry of every window, and where it stands: what max pooling takes, and where its gradient goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

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
    down, along = grid.places(0, 0)
    # entries that windows begin with, alone, are fewer than all; but to copy them costs more than one pass saves
    copied = grid.stride[1] > 1 and not forgets
    shape, columns = ((*images.shape[:3], grid.out[1]), slice(None)) if copied else (images.shape, along)
    first, second = (buffer(name, (math.prod(shape),), images.dtype) for name in ("first", "second"))
    row: Iterable[Found] = Found(images.reshape(-1), None).shifted(width, 1)
    if copied:
        row = _copied((images[..., grid.places(0, j)[1]] for j in range(width)), first, second)
    kind = None if forgets else np.min_scalar_type((height - 1) * across + width - 1)  # a byte, most of the time
    search = _Search(kind, buffer, math.prod(shape))
    of_row = search.largest("row", row, 1, first)
    found = search.largest("window", of_row.shifted(height, shape[3]), across, second)
    copy_rows(found.entries.reshape(shape)[:, :, down, columns], y)
    if kind is None:
        return None
    taken = buffer("taken", y.shape, np.intp)
    if found.distance is None:
        taken[...] = 0
    else:
        distances = buffer("distances", y.shape, kind)
        copy_rows(found.distance.reshape(shape)[:, :, down, columns], distances)
        taken[...] = distances
    _add_starts(taken, images.shape, grid)
    if np.isnan(y).any():
        _take_first_nan(images, grid, taken)
    return taken


def _add_starts(taken: Array, shape: tuple[int, ...], grid: Grid) -> None:
    """Add the place of each window's first entry in images of a shape (N, C, H, W) laid flat."""
    n, channels, height, width = shape
    down, along = grid.places(0, 0)
    in_channel = np.arange(height)[down, np.newaxis] * width + np.arange(width)[along]
    taken += (np.arange(channels) * (height * width)).reshape(-1, 1, 1) + in_channel
    taken += (np.arange(n) * (channels * height * width)).reshape(-1, 1, 1, 1)


def _take_first_nan(images: Array, grid: Grid, taken: Array) -> None:
    """Put the places of windows' NaN into `taken`: comparisons pass over them."""
    places = np.arange(images.size).reshape(images.shape)
    for i in reversed(range(grid.size[0])):
        for j in reversed(range(grid.size[1])):
            entries = images[:, :, *grid.places(i, j)]
            np.copyto(taken, places[:, :, *grid.places(i, j)], where=np.isnan(entries))


class Found(NamedTuple):
    """Entries, laid flat, and how far behind the first of its stretch each was found; None: there."""

    entries: Array
    distance: Array | None

    def shifted(self, count: int, apart: int) -> list[Found]:
        """Those that have so many `apart`, 2 · `apart`, … behind them, and then those behind: `count` in all."""
        n = self.entries.size - (count - 1) * apart
        parts = [slice(k * apart, k * apart + n) for k in range(count)]
        return [Found(self.entries[p], None if self.distance is None else self.distance[p]) for p in parts]


def _copied(arrays: Iterable[Array], first: Array, second: Array) -> Iterator[Found]:
    """Arrays whose entries lie apart, laid side by side: one in `first`, each other in `second`, over the last."""
    for number, array in enumerate(arrays):
        room = second if number else first
        room.reshape(array.shape)[...] = array
        yield Found(room, None)


class _Search:
    """For the largest of several arrays, entry by entry.

    Parameters
        kind : of the distances; None: nobody asks for them.
        buffer : where room for `size` entries comes from: as many as the arrays have, or more.
    """

    def __init__(self, kind: np.dtype[Any] | None, buffer: Buffer, size: int) -> None:
        self.kind, self.buffer, self.size = kind, buffer, size

    def largest(self, name: str, candidates: Iterable[Found], apart: int, room: Array) -> Found:
        """The largest of the candidates, which stand `apart`, the first of equals; those beyond their length are none.

        They go into `room`; that may be the first candidate, for what was just written to is near the processor.
        """
        candidates = iter(candidates)
        best = next(candidates)
        n = best.entries.size
        distances = None if self.kind is None else self.buffer(f"{name} distances", (self.size,), self.kind)
        for k, other in enumerate(candidates, 1):
            if distances is not None:
                self._choose(best, other, k * apart, distances[:n])
            best = Found(
                np.maximum(best.entries, other.entries, out=room[:n]), None if distances is None else distances[:n]
            )
        return best if n == self.size else Found(room, distances)

    def _choose(self, best: Found, other: Found, more: int, out: Array) -> None:
        """Write into `out` the distance of the larger of each two entries; to the other's, `more` is added."""
        better = np.less(best.entries, other.entries, out=self.buffer("better", (self.size,), bool)[: len(out)])
        if best.distance is None:
            np.multiply(better.view(np.uint8), out.dtype.type(more), out=out)
            return
        behind = 0 if other.distance is None else other.distance
        step = np.add(behind, out.dtype.type(more), out=self.buffer("step", (self.size,), out.dtype)[: len(out)])
        step -= best.distance  # differences that wrap around come back
        step *= better.view(np.uint8)
        np.add(best.distance, step, out=out)
