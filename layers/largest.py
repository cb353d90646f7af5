"""The largest entry of every window, and where it stands: what max pooling takes, and where its gradient goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .columns import Buffer
from .memory import Array
from .windows import Grid


def largest_of_windows(images: Array, grid: Grid, y: Array, buffer: Buffer, forgets: bool = False) -> Array | None:
    """Write each window's largest entry into `y`; return where it stands in `images` laid flat (of equals, the first).

    First the largest of each stretch along a row, then of each stretch of those down a column, beginning at every entry
    of the images: a few passes over entries side by side take less time than one over the windows', which lie apart.
    NaN is larger than any number.
    Where nobody asks for the places (`forgets`), they are not looked for, and None is returned.
    """
    (height, width), across = grid.size, grid.padded[1]
    kind = None if forgets else np.min_scalar_type((height - 1) * across + width - 1)  # a byte, most of the time
    starts = grid.places(0, 0)
    best, further = images.reshape(-1), None
    if y.size:
        best, further = _largest_along("row", best, further, width, 1, kind, buffer)
        best, further = _largest_along("column", best, further, height, across, kind, buffer)
        y[...] = best.reshape(images.shape)[:, :, *starts]
    if kind is None:
        return None
    taken = buffer("taken", y.shape, np.intp)
    if y.size:
        in_image = np.arange(math.prod(images.shape[1:])).reshape(images.shape[1:])[:, *starts].reshape(-1)
        offsets = buffer("offsets", y.shape, kind)
        offsets[...] = 0 if further is None else further.reshape(images.shape)[:, :, *starts]
        rows = np.add(in_image, offsets.reshape(len(images), -1), out=taken.reshape(len(images), -1))
        rows += np.arange(0, images.size, images[0].size)[:, np.newaxis]
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


def _largest_along(
    name: str, values: Array, further: Array | None, count: int, apart: int, kind: np.dtype[Any] | None, buffer: Buffer
) -> tuple[Array, Array | None]:
    """The largest of each entry and those `apart`, 2 · `apart`, … behind it, `count` in all, and how far behind it is.

    `further` says how far behind the values themselves were found; None: where they stand. The distances are of `kind`;
    None: they are not asked for. Entries too close to the end for so many stay as they are.
    """
    if count == 1:
        return values, further
    some = values.size - (count - 1) * apart
    best = buffer(f"{name} best", values.shape, values.dtype)
    best[some:] = values[some:]
    chosen = None if kind is None else buffer(f"{name} chosen", values.shape, kind)
    if chosen is not None:
        chosen[...] = 0 if further is None else further
    here = values[:some]
    for k in range(1, count):
        there = slice(k * apart, k * apart + some)
        if chosen is not None:
            better = np.less(here, values[there], out=buffer("better", values.shape, bool)[:some])
            if further is None and k == 1:
                np.multiply(better.view(np.uint8), chosen.dtype.type(apart), out=chosen[:some])
            else:
                step = buffer("step", values.shape, chosen.dtype)[:some]
                step[...] = 0 if further is None else further[there]
                _replace(chosen[:some], step, k * apart, better)
        here = np.maximum(here, values[there], out=best[:some])
    return best, chosen


def _replace(chosen: Array, others: Array, more: int, better: Array) -> None:
    """Put others + more into `chosen` where `better`; writes over `others`. Differences that wrap around come back."""
    others += others.dtype.type(more)
    others -= chosen
    others *= better.view(np.uint8)
    chosen += others
