"""Images laid row by row, so that the columns of all windows lie in them as they are: what convolution multiplies by,
a few images at a time.

Of an image with its padding, every row of every channel stands beside the same row of the next image, below it the same
row of the next channel, and below all channels the next row. So the entries that a window's column meets, row by row
and channel by channel, stand one below the other, those of the next window beside them: a matrix for each row of
outputs, with nothing copied. The matrices of a window's other columns are the same numbers, read from a little further
on; each is a product of its own. Where windows lie s columns apart, a row is cut into s strips, of every s-th column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .columns import Buffer, Place, Rooms, in_groups
from .copying import copy_rows
from .layout import layout_of
from .memory import Array
from .precision import working_dtype
from .windows import Grid


class Rows:
    """A batch of images laid row by row, block by block, and the products with its windows' columns.

    Attributes
        layout : how they are laid.
        dtype : of the products.
    """

    def __init__(self, x: Array, n_out: int, grid: Grid, groups: int, buffer: Buffer) -> None:
        self.x, self.grid, self.groups = x, grid, groups
        self.dtype = working_dtype(x.dtype)
        self.n_out = n_out // groups
        self.layout = layout_of(len(x), x.shape[1], n_out, grid, groups, self.dtype.itemsize)
        shape = (groups, grid.padded[0], x.shape[1] // groups, self.layout.length)
        self.laid = buffer("rows", shape, self.dtype)
        self.laid[...] = 0
        self.room = Rooms(buffer, self.dtype)
        self.met: tuple[int, ...] | None = None  # the shape of the gradient that was met last

    def __iter__(self) -> Iterator[tuple[Place, list[Array]]]:
        """Where a block of outputs lies in (N, FN, OH, OW), and the matrices (groups, rows, depth, places) it meets."""
        images, height = self.layout.images, self.layout.rows
        for first in range(0, len(self.x), images):
            some = slice(first, min(first + images, len(self.x)))
            self._lay(in_groups(self.x[some], self.groups))
            for top in range(0, self.grid.out[0], height):
                rows = slice(top, min(top + height, self.grid.out[0]))
                yield (some, slice(None), rows), [self._matrix(start, rows, some) for start in self.layout.starts]

    def _lay(self, images: Array) -> None:
        """Put images (n, groups, C / groups, H, W) where they stand; between them are zeros."""
        layout, down, n = self.layout, self.grid.inside[0], len(images)
        for number, strip in enumerate(layout.strips):
            start = number * layout.images * layout.pitch
            stand = self.laid[..., start : start + n * layout.pitch].reshape(*self.laid.shape[:3], n, layout.pitch)
            places = stand[:, down, ..., layout.left : layout.left + strip.n].transpose(3, 0, 2, 1, 4)
            copy_rows(images[..., strip.first :: self.grid.stride[1]][..., : strip.n], places)

    def _matrix(self, start: tuple[int, int], rows: slice, images: slice) -> Array:
        """For each row of outputs the matrix that a product takes, which overlaps with the next row's."""
        laid = self.laid
        group, row, channel, place = laid.strides
        first = (start[0] + rows.start * self.grid.stride[0]) * row + start[1] * place
        shape = self.groups, rows.stop - rows.start, self.layout.depth, (images.stop - images.start) * self.layout.pitch
        return np.ndarray(shape, laid.dtype, laid, first, (group, row * self.grid.stride[0], channel, place))

    def kernels(self, W: Array) -> list[Array]:
        """Kernels (FN, C / groups, h, w) as each product meets them: (groups, 1, FN / groups, depth)."""
        (height, wide), high = self.grid.size, self.layout.high
        W = W.astype(self.dtype, copy=False).reshape(self.groups, self.n_out, -1, height // high, high, wide)
        return list(W.transpose(3, 5, 0, 1, 4, 2).reshape(-1, self.groups, 1, self.n_out, self.layout.depth))

    def multiply(self, kernels: Sequence[Array], block: Sequence[Array], y: Array, b: Array | None = None) -> None:
        """Write a block's outputs into `y` (images, FN, rows, OW): the products with its matrices, added up, and b."""
        shape = (*block[0].shape[:2], self.n_out, block[0].shape[-1])
        sums = np.matmul(kernels[0], block[0], out=self.room("sums", shape))
        for kernel, matrix in zip(kernels[1:], block[1:], strict=True):
            sums += np.matmul(kernel, matrix, out=self.room("products", shape))
        if b is not None:
            sums += b.reshape(self.groups, 1, -1, 1)
        made = sums.reshape(*shape[:3], len(y), self.layout.pitch)[..., : y.shape[3]]
        copy_rows(made.transpose(3, 0, 2, 1, 4), in_groups(y, self.groups))

    def multiply_back(self, sums: Array, block: Sequence[Array], dy: Array) -> None:
        """Add to `sums` (products, groups, depth, FN / groups) the matrices times dy (images, FN, rows, OW)."""
        shape = (*block[0].shape[:2], len(dy), self.layout.pitch, self.n_out)
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
        return np.zeros((len(self.layout.starts), self.groups, self.layout.depth, self.n_out), self.dtype)

    def as_kernels(self, sums: Array) -> Array:
        """What `multiply_back` made, as kernels (FN, C / groups, h, w)."""
        (height, wide), high = self.grid.size, self.layout.high
        each = sums.reshape(height // high, wide, self.groups, high, -1, self.n_out)
        return each.transpose(2, 5, 4, 0, 3, 1).reshape(self.groups * self.n_out, -1, height, wide)
