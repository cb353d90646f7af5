"""The largest entry of every window, and where it stands: what max pooling takes, and where its gradient goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .columns import Buffer
from .memory import Array
from .windows import Grid


def largest_of_windows(images: Array, grid: Grid, y: Array, buffer: Buffer) -> Array:
    """Write each window's largest entry into `y`; return where it stands in `images` laid flat (of equals, the first).

    First the largest of each stretch along a row, then of each stretch of those down a column, beginning at every entry
    of the images: a few passes over entries side by side take less time than one over the windows', which lie apart.
    """
    taken = buffer("taken", y.shape, np.intp)
    if not y.size:
        return taken
    (height, width), across = grid.size, grid.padded[1]
    kind = np.min_scalar_type((height - 1) * across + width - 1)  # a byte, most of the time
    best, further = images.reshape(-1), None
    best, further = _largest_along("row", best, further, width, 1, kind, buffer)
    best, further = _largest_along("column", best, further, height, across, kind, buffer)
    starts = grid.places(0, 0)
    y[...] = best.reshape(images.shape)[:, :, *starts]
    in_image = np.arange(math.prod(images.shape[1:])).reshape(images.shape[1:])[:, *starts].reshape(-1)
    rows = taken.reshape(len(images), -1)
    if further is None:  # windows of one entry
        rows[...] = in_image
    else:
        offsets = buffer("offsets", y.shape, kind)
        offsets[...] = further.reshape(images.shape)[:, :, *starts]
        np.add(in_image, offsets.reshape(rows.shape), out=rows)
    rows += np.arange(0, images.size, images[0].size)[:, np.newaxis]
    return taken


def _largest_along(
    name: str, values: Array, further: Array | None, count: int, apart: int, kind: np.dtype[Any], buffer: Buffer
) -> tuple[Array, Array | None]:
    """The largest of each entry and those `apart`, 2 · `apart`, … behind it, `count` in all, and how far behind it is.

    `further` says how far behind the values themselves were found; None: where they stand. Entries too close to the end
    for so many stay as they are.
    """
    if count == 1:
        return values, further
    some = values.size - (count - 1) * apart
    best, chosen = buffer(f"{name} best", values.shape, values.dtype), buffer(f"{name} chosen", values.shape, kind)
    better, step = buffer("better", values.shape, np.uint8)[:some], buffer("step", values.shape, kind)[:some]
    best[some:], chosen[some:] = values[some:], 0
    here, place = values[:some], None if further is None else further[:some]
    for k in range(1, count):
        there = slice(k * apart, k * apart + some)
        np.less(here, values[there], out=better.view(bool))
        here = np.maximum(here, values[there], out=best[:some])
        if place is None:
            place = np.multiply(better, kind.type(k * apart), out=chosen[:some])
        else:  # as it is, or where it is better what stands there; differences that wrap around come back
            step[...] = 0 if further is None else further[there]
            step += kind.type(k * apart)
            step -= place
            step *= better
            place = np.add(place, step, out=chosen[:some])
    return best, chosen
