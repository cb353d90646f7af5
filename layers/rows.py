"""Images laid row by row, so that the columns of all windows lie in them as they are: what convolution multiplies by,
a few images at a time.

Of an image with its padding, every row of every channel stands beside the same row of the next image, below it the same
row of the next channel, and below all channels the next row. So the entries that a window's column meets, row by row
and channel by channel, stand one below the other, those of the next window beside them: a matrix for each row of
outputs, with nothing copied. The matrices of a window's other columns are the same numbers, read from a little further
on; each is a product of its own. Where windows lie s columns apart, a row is cut into s strips, of every s-th column.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .columns import COLUMN_BYTES, Buffer, Place, Rooms, evenly, in_groups
from .copying import copy_rows
from .memory import Array
from .precision import working_dtype
from .windows import Grid

LARGEST_PRODUCT = 10**6  # multiply-adds: up to here OpenBLAS's AVX-512 kernels read their matrices where they stand


class Strip(NamedTuple):
    """Every s-th column of a padded image: those with the numbers phase, phase + s, …

    Attributes
        first, n : which column of the image is the first of them, and how many columns of the image windows meet.
        before, behind : how many columns of zeros windows meet before and behind these.
    """

    phase: int
    first: int
    n: int
    before: int
    behind: int


class Rows:
    """A batch of images laid row by row, block by block, and the products with its windows' columns.

    Attributes
        images, rows : of a block, at most; rows of outputs.
        high : how many of a window's rows one product takes: all, or one where dilation sets them apart.
        depth : the entries of a window that one group sees in one product.
        strips : of a row.
        left, pitch : how many zeros stand before an image in a strip, and how many places it has there. The zeros
            before the next image are those behind it.
        starts : (row, place) where the matrix of each product begins.
        dtype : of the products.
    """

    def __init__(self, x: Array, n_out: int, grid: Grid, groups: int, buffer: Buffer) -> None:
        n, channels = x.shape[:2]
        self.x, self.grid, self.groups = x, grid, groups
        self.dtype = working_dtype(x.dtype)
        self.n_out = n_out // groups
        self.high = high_of(grid)
        self.depth = channels // groups * self.high
        self.strips = strips_of(grid)
        self.left = max(max(strip.before, strip.behind) for strip in self.strips)
        self.pitch = max(self.left + max(strip.n for strip in self.strips), grid.out[1])
        width = self.pitch * len(self.strips)
        bytes_of_image = channels * grid.padded[0] * width * self.dtype.itemsize
        most = min(COLUMN_BYTES // bytes_of_image, LARGEST_PRODUCT // (self.depth * self.n_out * self.pitch))
        self.images = evenly(n, most)
        self.starts = [
            (i * grid.dilation[0], self._start(j * grid.dilation[1]))
            for i, j in itertools.product(range(0, grid.size[0], self.high), range(grid.size[1]))
        ]
        made = n_out * max(self.images * self.pitch, self.depth)  # numbers, of a row of outputs, forward or back
        self.rows = evenly(grid.out[0], COLUMN_BYTES // (made * self.dtype.itemsize))
        long = max(place for _, place in self.starts) + self.images * self.pitch  # to where the last window reads
        self.laid = buffer("rows", (groups, grid.padded[0], channels // groups, long), self.dtype)
        self.laid[...] = 0
        self.room = Rooms(buffer, self.dtype)
        self.met: tuple[int, ...] | None = None  # the shape of the gradient that was met last

    def __iter__(self) -> Iterator[tuple[Place, list[Array]]]:
        """Where a block of outputs lies in (N, FN, OH, OW), and the matrices (groups, rows, depth, places) it meets."""
        for first in range(0, len(self.x), self.images):
            some = slice(first, min(first + self.images, len(self.x)))
            self._lay(in_groups(self.x[some], self.groups))
            for top in range(0, self.grid.out[0], self.rows):
                rows = slice(top, min(top + self.rows, self.grid.out[0]))
                yield (some, slice(None), rows), [self._matrix(start, rows, some) for start in self.starts]

    def _start(self, column: int) -> int:
        """Where the entries that a window's column meets begin in each row."""
        number = next(i for i, strip in enumerate(self.strips) if strip.phase == column % self.grid.stride[1])
        first = self.left - self.strips[number].before + column // self.grid.stride[1]
        return number * self.images * self.pitch + first

    def _lay(self, images: Array) -> None:
        """Put images (n, groups, C / groups, H, W) where they stand; between them are zeros."""
        down, n = self.grid.inside[0], len(images)
        for number, strip in enumerate(self.strips):
            start = number * self.images * self.pitch
            stand = self.laid[..., start : start + n * self.pitch].reshape(*self.laid.shape[:3], n, self.pitch)
            places = stand[:, down, ..., self.left : self.left + strip.n].transpose(3, 0, 2, 1, 4)
            copy_rows(images[..., strip.first :: self.grid.stride[1]][..., : strip.n], places)

    def _matrix(self, start: tuple[int, int], rows: slice, images: slice) -> Array:
        """For each row of outputs the matrix that a product takes, which overlaps with the next row's."""
        laid = self.laid
        group, row, channel, place = laid.strides
        first = (start[0] + rows.start * self.grid.stride[0]) * row + start[1] * place
        shape = self.groups, rows.stop - rows.start, self.depth, (images.stop - images.start) * self.pitch
        return np.ndarray(shape, laid.dtype, laid, first, (group, row * self.grid.stride[0], channel, place))

    def kernels(self, W: Array) -> list[Array]:
        """Kernels (FN, C / groups, h, w) as each product meets them: (groups, 1, FN / groups, depth)."""
        high, wide = self.grid.size
        W = W.astype(self.dtype, copy=False).reshape(self.groups, self.n_out, -1, high // self.high, self.high, wide)
        return list(W.transpose(3, 5, 0, 1, 4, 2).reshape(-1, self.groups, 1, self.n_out, self.depth))

    def multiply(self, kernels: Sequence[Array], block: Sequence[Array], y: Array, b: Array | None = None) -> None:
        """Write a block's outputs into `y` (images, FN, rows, OW): the products with its matrices, added up, and b."""
        shape = (*block[0].shape[:2], self.n_out, block[0].shape[-1])
        sums = np.matmul(kernels[0], block[0], out=self.room("sums", shape))
        for kernel, matrix in zip(kernels[1:], block[1:], strict=True):
            sums += np.matmul(kernel, matrix, out=self.room("products", shape))
        if b is not None:
            sums += b.reshape(self.groups, 1, -1, 1)
        made = sums.reshape(*shape[:3], len(y), self.pitch)[..., : y.shape[3]]
        copy_rows(made.transpose(3, 0, 2, 1, 4), in_groups(y, self.groups))

    def multiply_back(self, sums: Array, block: Sequence[Array], dy: Array) -> None:
        """Add to `sums` (products, groups, depth, FN / groups) the matrices times dy (images, FN, rows, OW)."""
        shape = (*block[0].shape[:2], len(dy), self.pitch, self.n_out)
        room = self.room("met", shape)
        if self.met != shape:  # of the same shape, the places beyond a row of outputs are zero still
            room[:, :, :, dy.shape[3] :] = 0
        self.met = shape
        room[:, :, :, : dy.shape[3]].transpose(2, 0, 4, 1, 3)[...] = in_groups(dy, self.groups)
        met = room.reshape(*shape[:2], -1, self.n_out)
        for total, matrix in zip(sums, block, strict=True):
            total += np.matmul(matrix, met).sum(axis=1)

    def no_sums(self) -> Array:
        """Where `multiply_back` starts: zeros."""
        return np.zeros((len(self.starts), self.groups, self.depth, self.n_out), self.dtype)

    def as_kernels(self, sums: Array) -> Array:
        """What `multiply_back` made, as kernels (FN, C / groups, h, w)."""
        high, wide = self.grid.size
        each = sums.reshape(high // self.high, wide, self.groups, self.high, -1, self.n_out)
        return each.transpose(2, 5, 4, 0, 3, 1).reshape(self.groups * self.n_out, -1, high, wide)


def high_of(grid: Grid) -> int:
    """How many of a window's rows stand one below the other."""
    return grid.size[0] if grid.dilation[0] == 1 else 1


def strips_of(grid: Grid) -> list[Strip]:
    """The strips that windows meet."""
    step, before = grid.stride[1], grid.pads[1][0]
    columns = [j * grid.dilation[1] for j in range(grid.size[1])]
    strips = []
    for phase in sorted({column % step for column in columns}):
        first = (phase - before) % step
        zeros = (before + first) // step
        last = max(column for column in columns if column % step == phase) // step + grid.out[1]
        n = min(len(range(first, grid.image[1], step)), max(last - zeros, 0))
        strips.append(Strip(phase, first, n, zeros, max(last - zeros - n, 0)))
    return strips
