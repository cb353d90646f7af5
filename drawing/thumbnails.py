"""Arrays as small pictures: below zero blue, above it orange, zero as light as the page."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np

from brickgrad.layers import Array

FEWEST = 6  # entries; below that the numbers say more
MOST = 40  # pixels a side
NEGATIVE, ZERO, POSITIVE = np.array([33, 102, 172]), np.array([247, 247, 247]), np.array([214, 96, 20])
STRANGE = np.array([20, 20, 20])  # NaN and infinity


def thumbnail(value: Any) -> Array | None:
    """An array as rows of pixels (rows, columns, 3) of uint8; None for what is better shown as numbers.

    Images show the channels of the first sample side by side, other arrays their first axis down the page. What is too
    large is averaged. NaN and infinity are black.

    >>> thumbnail(np.linspace(-1, 1, 6).reshape(2, 3))[0, 0], thumbnail(np.ones(3))
    (array([ 33, 102, 172], dtype=uint8), None)
    """
    x = np.asarray(value)
    if x.size < FEWEST or x.dtype.kind not in "fiu":
        return None
    x = _flat(x.astype(np.float64))
    largest = max(float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0)), 1e-300)
    x = _shrunk(np.where(np.isfinite(x), x / largest, np.nan))
    strange = np.isnan(x)
    x[strange] = 0.0
    strength = np.abs(x) / max(float(np.abs(x).max()), 1e-300)
    ends = np.where(x[..., np.newaxis] < 0, NEGATIVE, POSITIVE)
    pixels: Array = np.round(ZERO + strength[..., np.newaxis] * (ends - ZERO)).astype(np.uint8)
    pixels[strange] = STRANGE
    return pixels


def _flat(x: Array) -> Array:
    """Any array as rows and columns."""
    if x.ndim == 1:
        return x[np.newaxis]
    if x.ndim == 2:
        return x
    if x.ndim == 4:
        x = x[0]
    if x.ndim == 3:
        channels, rows, columns = x.shape
        across = math.ceil(math.sqrt(channels))
        page = np.zeros((math.ceil(channels / across) * rows, across * columns))
        for number, channel in enumerate(x):
            down, right = divmod(number, across)
            page[down * rows : (down + 1) * rows, right * columns : (right + 1) * columns] = channel
        return page
    return x.reshape(len(x), -1)


def _shrunk(x: Array) -> Array:
    """Rows and columns averaged until there are no more of either than `MOST`."""
    for axis in (0, 1):
        length = x.shape[axis]
        if length > MOST:
            starts = np.linspace(0, length, MOST, endpoint=False).astype(int)
            counts = np.diff([*starts, length])
            x = np.add.reduceat(x, starts, axis=axis) / (counts[:, np.newaxis] if axis == 0 else counts)
    return x


def png(pixels: Array) -> bytes:
    """A PNG file of pixels (rows, columns, 3) of uint8.

    >>> png(np.zeros((1, 1, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    rows, columns, _ = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
