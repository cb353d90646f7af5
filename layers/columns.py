"""The inner loops of convolution: windows copied into columns, a few images at a time, and matrix products with them.

A convolution is a matrix product once every window stands as a column. All columns at once would take as much memory
as there are entries in a window times the images; here never more than `COLUMN_BYTES` of them exist (or those of one
row of outputs, where that alone is more), and while they exist they are in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .memory import Array
from .windows import Grid, Windows

COLUMN_BYTES = 1 << 20  # of columns at a time: about what a core's own cache holds

Buffer = Callable[[str, tuple[int, ...], Any], Array]


class Columns:
    """The columns of a batch of images, block by block.

    Attributes
        images, rows : of a block, at most.
        depth : the entries of a window that one group sees: the height of a column.
        dtype : of the columns, and of the products with them.
    """

    def __init__(self, x: Array, grid: Grid, groups: int, buffer: Buffer) -> None:
        n, channels = x.shape[:2]
        self.x, self.grid, self.groups = x, grid, groups
        self.dtype = working_dtype(x.dtype)
        self.depth = channels // groups * math.prod(grid.size)
        row_bytes = max(grid.out[1] * self.depth * groups * self.dtype.itemsize, 1)
        most = min(max(COLUMN_BYTES // row_bytes, 1), grid.out[0])
        self.rows = -(-grid.out[0] // -(-grid.out[0] // most))  # blocks of about one height
        self.images = min(max(COLUMN_BYTES // (row_bytes * self.rows), 1), max(n, 1))
        self.padded = buffer("padded", (self.images, channels, *grid.padded), self.dtype)
        self.padded[...] = 0
        self.columns = buffer("columns", (self.images * self.depth * groups * self.rows * grid.out[1],), self.dtype)

    def __iter__(self) -> Iterator[tuple[slice, slice, Array]]:
        """Blocks of images and of the places of their outputs, and their columns (images, groups, depth, places)."""
        n, channels = self.x.shape[:2]
        height, width = self.grid.out
        windows = windows_of(self.padded, self.grid)
        for first in range(0, n, self.images):
            some = slice(first, min(first + self.images, n))
            count = some.stop - some.start
            self.padded[:count, :, *self.grid.inside] = self.x[some]
            for top in range(0, height, self.rows):
                end = min(top + self.rows, height)
                shape = (count, channels, *self.grid.size, end - top, width)
                columns = self.columns[: math.prod(shape)].reshape(shape)
                columns[...] = windows[:count, :, :, :, top:end]
                yield some, slice(top * width, end * width), columns.reshape(count, self.groups, self.depth, -1)


def windows_of(padded: Array, grid: Grid) -> Array:
    """A view of padded images (n, C, H, W) that shows every window's entries: (n, C, h, w, rows, columns)."""
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(grid.size, grid.dilation, strict=True)]
    every = sliding_window_view(padded, reach, axis=(2, 3))
    some = every[:, :, :: grid.stride[0], :: grid.stride[1], :: grid.dilation[0], :: grid.dilation[1]]
    return some.transpose(0, 1, 4, 5, 2, 3)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What products are summed in: float32 for float16, as hardware for half precision does; else the dtype itself."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def in_groups(images: Array, groups: int) -> Array:
    """Images (n, C, H, W) with their channels in groups and their places in a row: (n, groups, C / groups, H · W)."""
    n, channels, *sides = images.shape
    return images.reshape(n, groups, channels // groups, math.prod(sides))


def correlate(x: Array, W: Array, b: Array | None, grid: Grid, groups: int, y: Array, buffer: Buffer) -> None:
    """y = W ⋆ x + b: each output the sum over a window, entry by entry with the kernel. Fills `y`."""
    columns = Columns(x, grid, groups, buffer)
    kernels = W.astype(columns.dtype, copy=False).reshape(groups, -1, columns.depth)
    for some, places, block in columns:
        target = in_groups(y[some], groups)[..., places]
        products = np.matmul(kernels, block, out=target if y.dtype == columns.dtype else None)
        if b is not None:
            products += b.reshape(groups, -1, 1)
        if products is not target:
            target[...] = products


def correlate_kernels(x: Array, dy: Array, W: Array, grid: Grid, groups: int, buffer: Buffer) -> Array:
    """dW: for each kernel's entry, the sum of the output's gradient times the input that the entry met."""
    columns = Columns(x, grid, groups, buffer)
    dW: Array = np.zeros((groups, columns.depth, len(W) // groups), columns.dtype)
    for some, places, block in columns:
        d_block = in_groups(dy[some], groups)[..., places]
        dW += np.matmul(block, d_block.swapaxes(-1, -2)).sum(axis=0)
    return dW.swapaxes(1, 2).reshape(W.shape).astype(x.dtype, copy=False)


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
    by_group = W.reshape(groups, len(W) // groups, *W.shape[1:])
    about = by_group.swapaxes(1, 2)[..., ::-1, ::-1]  # (groups, C / groups, FN / groups, h, w)
    kernels = about.astype(columns.dtype, copy=False).reshape(groups, W.shape[1], columns.depth)
    sums: Array = np.zeros((groups, columns.depth, W.shape[1]), columns.dtype)
    for some, places, block in columns:
        target = in_groups(dx[some], groups)[..., places]
        products = np.matmul(kernels, block, out=target if dx.dtype == columns.dtype else None)
        if products is not target:
            target[...] = products
        sums += np.matmul(block, in_groups(x[some], groups)[..., places].swapaxes(-1, -2)).sum(axis=0)
    dW = sums.swapaxes(1, 2).reshape(about.shape)[..., ::-1, ::-1].swapaxes(1, 2)
    return dW.reshape(W.shape).astype(x.dtype, copy=False)


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


def add_up(shares: Array, grid: Grid, images: Array, top: int = 0) -> None:
    """Add every window's entries (n, C, h, w, rows, columns) to their places in padded images; `top`: the first row."""
    start, height = top * grid.stride[0], shares.shape[4]
    for i in range(grid.size[0]):
        for j in range(grid.size[1]):
            down, across = grid.places(i, j)
            down = slice(down.start + start, down.start + start + (height - 1) * grid.stride[0] + 1, grid.stride[0])
            images[:, :, down, across] += shares[:, :, i, j]


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: Any = 1, pad: Any = 0, dilation: Any = 1) -> Array:
    """Every window of a batch of images as a row: (N, C, H, W) -> (N · rows · columns, C · filter_h · filter_w).

    All windows at once, as the texts have it; the layers never hold so many.

    Example
        >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
        >>> im2col(x, 2, 2)
        array([[0., 1., 3., 4.],
               [1., 2., 4., 5.],
               [3., 4., 6., 7.],
               [4., 5., 7., 8.]])
    """
    x = np.asarray(input_data)
    grid = Windows.read("im2col", (filter_h, filter_w), stride, pad, dilation).on("im2col", x.shape)
    images = np.zeros((*x.shape[:2], *grid.padded), x.dtype)
    images[:, :, *grid.inside] = x
    col = windows_of(images, grid).transpose(0, 4, 5, 1, 2, 3)
    return col.reshape(len(x) * math.prod(grid.out), x.shape[1] * math.prod(grid.size))


def col2im(
    col: Array,
    input_shape: tuple[int, int, int, int],
    filter_h: int,
    filter_w: int,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
) -> Array:
    """The way back from `im2col`: each entry of a row is added to the place of the image it was copied from.

    What overlaps is summed, so this is no inverse: it is what the gradient of `im2col` needs.

    Example
        >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)
        array([[[[1., 2., 1.],
                 [2., 4., 2.],
                 [1., 2., 1.]]]])
    """
    col = np.asarray(col)
    n, channels = input_shape[:2]
    grid = Windows.read("col2im", (filter_h, filter_w), stride, pad, dilation).on("col2im", tuple(input_shape))
    expected = (n * grid.out[0] * grid.out[1], channels * filter_h * filter_w)
    if col.shape != expected:
        raise ValueError(f"col2im: col must be {expected} for images {tuple(input_shape)}; got {col.shape}.")
    images = np.zeros((n, channels, *grid.padded), col.dtype)
    add_up(col.reshape(n, *grid.out, channels, *grid.size).transpose(0, 3, 4, 5, 1, 2), grid, images)
    return images[:, :, *grid.inside]
