"""The windows of images copied into columns, a few images at a time, and matrix products with them.

A convolution is a matrix product once every window stands as a column. All columns at once would take as much memory
as there are entries in a window times the images; here never more than `COLUMN_BYTES` of them exist (or those of one
row of outputs, where that alone is more), and while they exist they are in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .copying import copy_rows
from .memory import Array
from .precision import working_dtype
from .windows import Grid, windows_of

COLUMN_BYTES = 1 << 20  # of columns at a time: about what a core's own cache holds

Buffer = Callable[[str, tuple[int, ...], Any], Array]
Place = tuple[slice, slice, slice]


class Rooms:
    """Room for what is made of a block, in buffers as large as the first block, which is the largest, asks for."""

    def __init__(self, buffer: Buffer, dtype: np.dtype[Any]) -> None:
        self.buffer, self.dtype = buffer, dtype
        self.flat: dict[str, Array] = {}

    def __call__(self, name: str, shape: tuple[int, ...]) -> Array:
        """Uninitialised room of this shape, the same for each block."""
        size = math.prod(shape)
        if name not in self.flat:
            self.flat[name] = self.buffer(name, (size,), self.dtype)
        return self.flat[name][:size].reshape(shape)


class Columns:
    """The columns of a batch of images, block by block, and the products with them.

    Attributes
        images, rows : of a block, at most; rows of outputs.
        depth : the entries of a window that one group sees: the height of a column.
        dtype : of the columns, and of the products with them.
    """

    def __init__(self, x: Array, n_out: int, grid: Grid, groups: int, buffer: Buffer) -> None:
        n, channels = x.shape[:2]
        self.x, self.grid, self.groups = x, grid, groups
        self.dtype = working_dtype(x.dtype)
        self.n_out = n_out // groups
        self.depth = channels // groups * math.prod(grid.size)
        places = COLUMN_BYTES // max(self.depth * groups * self.dtype.itemsize, 1)  # that the budget allows
        self.rows = evenly(grid.out[0], places // grid.out[1])
        bytes_of_kernels = n_out * self.depth * self.dtype.itemsize  # what going back makes of an image
        bytes_of_image = channels * math.prod(grid.padded) * self.dtype.itemsize  # with strides more than its columns
        most = COLUMN_BYTES // max(bytes_of_image, bytes_of_kernels)
        self.images = evenly(n, min(places // (self.rows * grid.out[1]), most))
        self.padded = buffer("padded", (self.images, channels, *grid.padded), self.dtype)
        self.padded[...] = 0
        self.room = Rooms(buffer, self.dtype)

    def __iter__(self) -> Iterator[tuple[Place, list[Array]]]:
        """Where a block of outputs lies in (N, FN, OH, OW), and its columns (images, groups, depth, places)."""
        for first in range(0, len(self.x), self.images):
            some = slice(first, min(first + self.images, len(self.x)))
            padded = self.padded[: some.stop - first]
            copy_rows(self.x[some], padded[:, :, *self.grid.inside])
            windows = windows_of(padded, self.grid)
            for top in range(0, self.grid.out[0], self.rows):
                rows = slice(top, min(top + self.rows, self.grid.out[0]))
                yield (some, slice(None), rows), [self._columns(windows[:, :, :, :, rows])]

    def _columns(self, windows: Array) -> Array:
        """Every entry of some windows, copied."""
        columns = self.room("columns", windows.shape)
        copy_rows(windows, columns)
        return columns.reshape(len(windows), self.groups, self.depth, -1)

    def kernels(self, W: Array) -> list[Array]:
        """Kernels (FN, C / groups, h, w) as they meet the columns, in one product: (groups, FN / groups, depth)."""
        return [W.astype(self.dtype, copy=False).reshape(self.groups, self.n_out, self.depth)]

    def multiply(self, kernels: Sequence[Array], block: Sequence[Array], y: Array, b: Array | None = None) -> None:
        """Write a block's outputs into `y` (images, FN, rows, OW): the kernels times its columns, and b."""
        flat = y.dtype == self.dtype and y.strides[2] == y.shape[3] * y.strides[3]  # rows one behind the other
        made = np.matmul(kernels[0], block[0], out=in_a_row(y, self.groups) if flat else None).reshape(y.shape)
        if b is not None:
            np.add(made, b[:, np.newaxis, np.newaxis], out=y, casting="same_kind")
        elif not flat:
            y[...] = made

    def multiply_back(self, sums: Array, block: Sequence[Array], dy: Array) -> None:
        """Add to `sums` (groups, depth, FN / groups) the columns times dy (images, FN, rows, OW).

        Each image has a product of its own, as large as the kernels: of large ones it makes a part at a time.
        """
        met = in_a_row(dy, self.groups).swapaxes(-1, -2)
        deep = evenly(self.depth, COLUMN_BYTES // (dy.shape[1] * self.dtype.itemsize))
        for first in range(0, self.depth, deep):
            some = slice(first, first + deep)
            sums[:, some] += np.matmul(block[0][:, :, some], met).sum(axis=0)

    def no_sums(self) -> Array:
        """Where `multiply_back` starts: zeros."""
        return np.zeros((self.groups, self.depth, self.n_out), self.dtype)

    def as_kernels(self, sums: Array) -> Array:
        """What `multiply_back` made, as kernels (FN, C / groups, h, w)."""
        return sums.swapaxes(1, 2).reshape(self.groups * self.n_out, -1, *self.grid.size)


def in_groups(images: Array, groups: int) -> Array:
    """Images (n, C, H, W) with their channels in groups: (n, groups, C / groups, H, W)."""
    n, channels, *sides = images.shape
    return images.reshape(n, groups, channels // groups, *sides)


def in_a_row(images: Array, groups: int) -> Array:
    """As `in_groups`, with the places of each channel in a row: (n, groups, C / groups, H · W)."""
    n, channels, *sides = images.shape
    return images.reshape(n, groups, channels // groups, math.prod(sides))


def evenly(n: int, most: int) -> int:
    """The size of the fewest parts of at most `most`, all of about one size, into which n is cut; at least 1.

    >>> evenly(25, 10), evenly(25, 0), evenly(0, 10)
    (9, 1, 1)
    """
    return max(-(-n // max(-(-n // max(most, 1)), 1)), 1)
