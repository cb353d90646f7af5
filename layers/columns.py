"""The inner loops of convolution: windows copied into columns, a few images at a time, and matrix products with them.

A convolution is a matrix product once every window stands as a column. All columns at once would take as much memory
as there are entries in a window times the images; here never more than `COLUMN_BYTES` of them exist (or those of one
row of outputs, where that alone is more), and while they exist they are in the cache.

Windows that lie one beside the other share all but a column of their entries. So where the stride allows it, only the
entries in a window's first column are copied, whole rows of the image at a time, and those in its other columns are the
same copies read from a little further on. Each column of a kernel is then a product of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .memory import Array
from .precision import working_dtype
from .windows import Grid, add_up, windows_of

COLUMN_BYTES = 1 << 20  # of columns at a time: about what a core's own cache holds
FEWEST_TO_SHARE = 32  # entries in a window's column: with fewer, several products cost more than the copies they save

Buffer = Callable[[str, tuple[int, ...], Any], Array]


class Columns:
    """The columns of a batch of images, block by block, and what is done with them.

    The places of a block's outputs stand row by row, `pitch` of them to a row; those beyond a row of outputs are left
    out of what is made of them. Where a window's columns share one copy, that is read on into the next row: its left
    padding is the right padding of the row before as well.

    Attributes
        images, rows : of a block, at most.
        shared : whether a window's columns are one copy, read at several offsets.
        left : how many zeros stand before each row of an image.
        offsets : where in the copy each of the window's columns begins.
        depth : the entries of a window that one group sees in one product: the height of a column.
        dtype : of the columns, and of the products with them.
    """

    def __init__(self, x: Array, grid: Grid, groups: int, buffer: Buffer) -> None:
        n, channels = x.shape[:2]
        self.x, self.grid, self.groups, self.buffer = x, grid, groups, buffer
        self.dtype = working_dtype(x.dtype)
        tall = channels // groups * grid.size[0]
        self.shared = grid.stride[1] == 1 and grid.size[1] > 1 and tall >= FEWEST_TO_SHARE
        self.depth = tall if self.shared else tall * grid.size[1]
        before, after = grid.pads[1]
        self.left = max(before, after) if self.shared else before
        self.pitch = max(self.left + grid.image[1], grid.out[1]) if self.shared else grid.out[1]
        self.offsets = [self.left - before + j * grid.dilation[1] for j in range(grid.size[1])] if self.shared else [0]
        places = COLUMN_BYTES // max(self.depth * groups * self.dtype.itemsize, 1)  # that the budget allows
        most = min(max((places - self.offsets[-1]) // self.pitch, 1), grid.out[0])
        self.rows = -(-grid.out[0] // -(-grid.out[0] // most))  # blocks of about one height
        self.images = min(max(places // (self.rows * self.pitch + self.offsets[-1]), 1), max(n, 1))
        width = self.pitch if self.shared else grid.padded[1]
        self.padded = buffer("padded", (self.images, channels, grid.padded[0], width), self.dtype)
        self.padded[...] = 0
        self.rooms: dict[str, Array] = {}

    def __iter__(self) -> Iterator[tuple[tuple[slice, slice, slice], list[Array]]]:
        """Where a block of outputs lies in (N, FN, OH, OW), and columns (images, groups, depth, places), by product."""
        fill = self._shared if self.shared else self._apart
        inside = self.grid.inside[0], slice(self.left, self.left + self.grid.image[1])
        for first in range(0, len(self.x), self.images):
            some = slice(first, min(first + self.images, len(self.x)))
            self.padded[: some.stop - first, :, *inside] = self.x[some]
            for top in range(0, self.grid.out[0], self.rows):
                rows = slice(top, min(top + self.rows, self.grid.out[0]))
                yield (some, slice(None), rows), fill(self.padded[: some.stop - first], rows)

    def _apart(self, padded: Array, rows: slice) -> list[Array]:
        """Every entry of every window, copied."""
        windows = windows_of(padded, self.grid)[:, :, :, :, rows]
        columns = self._room("columns", windows.shape)
        columns[...] = windows
        return [columns.reshape(len(padded), self.groups, self.depth, -1)]

    def _shared(self, padded: Array, rows: slice) -> list[Array]:
        """For each row of the windows the rows of the image that it meets, and a view of them for each column."""
        height, step, down = self.grid.size[0], self.grid.stride[0], self.grid.dilation[0]
        count, long = rows.stop - rows.start, (rows.stop - rows.start) * self.pitch
        copies = self._room("columns", (*padded.shape[:2], height, long + self.offsets[-1]))
        copies[..., long:] = 0  # the last row's right padding
        for i in range(height):
            start = rows.start * step + i * down
            met = padded[:, :, start : start + (count - 1) * step + 1 : step]
            copies[:, :, i, :long].reshape(met.shape)[...] = met
        tall = copies.reshape(len(padded), self.groups, self.depth, -1)
        return [tall[..., offset : offset + long] for offset in self.offsets]

    def _room(self, name: str, shape: tuple[int, ...]) -> Array:
        """Room of this shape in a buffer as large as the first block, which is the largest, asks for."""
        size = math.prod(shape)
        if name not in self.rooms:
            self.rooms[name] = self.buffer(name, (size,), self.dtype)
        return self.rooms[name][:size].reshape(shape)

    def _lies_flat(self, images: Array) -> bool:
        """Whether images (n, FN, rows, OW) stand as the places of products do."""
        return images.shape[3] == self.pitch and images.dtype == self.dtype

    def kernels(self, W: Array) -> list[Array]:
        """Kernels (FN, C / groups, h, w) as they meet the columns: a (groups, FN / groups, depth) for each product."""
        W = W.astype(self.dtype, copy=False)
        parts = np.moveaxis(W, -1, 0) if self.shared else [W]
        return [part.reshape(self.groups, -1, self.depth) for part in parts]

    def multiply(self, kernels: Sequence[Array], block: Sequence[Array], y: Array, b: Array | None = None) -> None:
        """Write a block's outputs into `y` (images, FN, rows, OW): the products with its columns, added up, and b."""
        shape = (len(y), self.groups, y.shape[1] // self.groups, block[0].shape[-1])
        sums = in_groups(y, self.groups) if self._lies_flat(y) else self._room("sums", shape)
        np.matmul(kernels[0], block[0], out=sums)
        for kernel, columns in zip(kernels[1:], block[1:], strict=True):
            sums += np.matmul(kernel, columns, out=self._room("products", shape))
        made = sums.reshape(*y.shape[:3], self.pitch)[..., : y.shape[3]]
        if b is not None:
            np.add(made, b[:, np.newaxis, np.newaxis], out=y, casting="same_kind")
        elif not self._lies_flat(y):
            y[...] = made

    def multiply_back(self, sums: Array, block: Sequence[Array], dy: Array) -> None:
        """Add to `sums` (products, groups, depth, FN / groups) the columns times dy (images, FN, rows, OW)."""
        if not self._lies_flat(dy):
            flat = self._room("met", (*dy.shape[:3], self.pitch))
            flat[..., : dy.shape[3]] = dy
            flat[..., dy.shape[3] :] = 0
            dy = flat
        turned = in_groups(dy, self.groups).swapaxes(-1, -2)
        for total, columns in zip(sums, block, strict=True):
            total += np.matmul(columns, turned).sum(axis=0)

    def no_sums(self, n_out: int) -> Array:
        """Where `multiply_back` starts: zeros."""
        width = self.grid.size[1] if self.shared else 1
        return np.zeros((width, self.groups, self.depth, n_out // self.groups), self.dtype)

    def as_kernels(self, sums: Array) -> Array:
        """What `multiply_back` made, as kernels (FN, C / groups, h, w)."""
        each = sums.swapaxes(2, 3).reshape(len(sums), -1, self.depth)
        high = self.grid.size[0]
        if self.shared:
            return np.moveaxis(each.reshape(*each.shape[:2], -1, high), 0, -1)
        return each.reshape(each.shape[1], -1, *self.grid.size)


def in_groups(images: Array, groups: int) -> Array:
    """Images (n, C, H, W) with their channels in groups and their places in a row: (n, groups, C / groups, H · W)."""
    n, channels, *sides = images.shape
    return images.reshape(n, groups, channels // groups, math.prod(sides))


def correlate(x: Array, W: Array, b: Array | None, grid: Grid, groups: int, y: Array, buffer: Buffer) -> None:
    """y = W ⋆ x + b: each output the sum over a window, entry by entry with the kernel. Fills `y`."""
    columns = Columns(x, grid, groups, buffer)
    kernels = columns.kernels(W)
    for place, block in columns:
        columns.multiply(kernels, block, y[place], b)


def correlate_kernels(x: Array, dy: Array, W: Array, grid: Grid, groups: int, buffer: Buffer) -> Array:
    """dW: for each kernel's entry, the sum of the output's gradient times the input that the entry met."""
    columns = Columns(x, grid, groups, buffer)
    sums = columns.no_sums(len(W))
    for place, block in columns:
        columns.multiply_back(sums, block, dy[place])
    return columns.as_kernels(sums).astype(x.dtype, copy=False)


def correlate_back(x: Array, dy: Array, W: Array, grid: Grid, groups: int, dx: Array, buffer: Buffer) -> Array:
    """dW, as above, and dx: what each input's entry adds to the outputs of the windows that it lies in. Fills `dx`.

    With stride 1 dx is a convolution as well: of the gradient, padded, by the kernels turned about; and dW is the sum
    over that convolution's columns times x, so one set of columns gives both. Else every window's share is added to
    the place that the window was copied from.
    """
    turned = grid.turned()
    if turned is None:
        add_up_shares(dy, W, grid, groups, dx, buffer)
        return correlate_kernels(x, dy, W, grid, groups, buffer)
    columns = Columns(dy, turned, groups, lambda name, *spec: buffer(f"back {name}", *spec))
    kernels = columns.kernels(_about(W, groups))
    sums = columns.no_sums(x.shape[1])
    for place, block in columns:
        columns.multiply(kernels, block, dx[place])
        columns.multiply_back(sums, block, x[place])
    return _about(columns.as_kernels(sums), groups).astype(x.dtype, copy=False)


def _about(W: Array, groups: int) -> Array:
    """Kernels (FN, C / groups, h, w) turned about, changing places with their channels; twice is the kernels again."""
    by_group = W.reshape(groups, len(W) // groups, *W.shape[1:])
    return by_group.swapaxes(1, 2)[..., ::-1, ::-1].reshape(-1, len(W) // groups, *W.shape[2:])


def add_up_shares(dy: Array, W: Array, grid: Grid, groups: int, dx: Array, buffer: Buffer) -> None:
    """Fill dx with what each window gives back to the places it was copied from, a bounded part at a time."""
    dtype = working_dtype(dy.dtype)
    by_entry = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2).astype(dtype, copy=False)
    row_bytes = max(dtype.itemsize * dx.shape[1] * math.prod(grid.size) * grid.out[1], 1)
    rows = min(max(COLUMN_BYTES // row_bytes, 1), grid.out[0])
    images = min(max(COLUMN_BYTES // (row_bytes * grid.out[0]), 1), max(len(dy), 1))
    totals = buffer("totals", (images, dx.shape[1], *grid.padded), dtype)
    room = buffer("shares", (images * by_entry.shape[1] * groups * rows * grid.out[1],), dtype)
    for first in range(0, len(dy), images):
        some = slice(first, first + images)
        total = totals[: len(dy[some])]
        total[...] = 0
        for top in range(0, grid.out[0], rows):
            d_block = in_groups(np.ascontiguousarray(dy[some, :, top : top + rows], dtype), groups)
            shape = (len(total), *by_entry.shape[:2], d_block.shape[-1])
            shares = np.matmul(by_entry, d_block, out=room[: math.prod(shape)].reshape(shape))
            add_up(shares.reshape(*total.shape[:2], *grid.size, -1, grid.out[1]), grid, total, top)
        dx[some] = total[:, :, *grid.inside]
