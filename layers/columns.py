"""The inner loops of convolution: windows copied into columns, a few images at a time, and matrix products with them.

A convolution is a matrix product once every window stands as a column. All columns at once would take as much memory
as there are entries in a window times the images; here never more than `COLUMN_BYTES` of them exist (or those of one
row of outputs, where that alone is more), and while they exist they are in the cache.

Where the stride is 1, entry (i, j) of all windows of a padded image is one run of memory, from i·width + j on, so a
column's row is copied in one piece. Such runs pass over the ends of rows: their last few places in each row belong to
no window, and are left out of what comes of the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .memory import Array
from .windows import Grid, Windows

COLUMN_BYTES = 1 << 20  # of columns at a time: about what a core's own cache holds
PIECE = 448  # places in a row of one matrix product, at most: with longer rows BLAS was half as fast

Buffer = Callable[[str, tuple[int, ...], Any], Array]


class Columns:
    """The columns of a batch of images, block by block, each block cut into pieces that a matrix product likes.

    Attributes
        images, rows : of a block, at most.
        width : of a row of columns: the padded image's where the stride is 1, else the output's.
        depth : the entries of a window that one group sees: the height of a column.
    """

    def __init__(self, x: Array, grid: Grid, groups: int, buffer: Buffer) -> None:
        n, channels = x.shape[:2]
        self.x, self.grid, self.groups = x, grid, groups
        self.dtype = working_dtype(x.dtype)
        self.in_runs = grid.stride == (1, 1)
        self.width = grid.padded[1] if self.in_runs else grid.out[1]
        self.depth = channels // groups * grid.size[0] * grid.size[1]
        row_bytes = max(self.width * self.depth * groups * self.dtype.itemsize, 1)
        most = min(max(COLUMN_BYTES // row_bytes, 1), grid.out[0])
        self.rows = -(-grid.out[0] // -(-grid.out[0] // most))  # blocks of about one height
        self.images = min(max(COLUMN_BYTES // (row_bytes * grid.out[0]), 1), max(n, 1))
        slack = (grid.size[1] - 1) * grid.dilation[1]  # the last run passes the padded image's end by so much
        area = grid.padded[0] * grid.padded[1]
        self.padded = buffer("padded", (self.images, channels, area + slack), self.dtype)
        self.padded[...] = 0
        self.columns = buffer("columns", (self.images * self.rows * self.width * self.depth * groups,), self.dtype)

    def __iter__(self) -> Iterator[tuple[slice, slice, Array]]:
        """Blocks of images and of rows of outputs, and their columns (images, pieces, groups, depth, places)."""
        grid = self.grid
        n, channels = self.x.shape[:2]
        images = self.padded[..., : grid.padded[0] * grid.padded[1]].reshape(self.images, channels, *grid.padded)
        for first in range(0, n, self.images):
            some = slice(first, min(first + self.images, n))
            count = some.stop - some.start
            images[:count, :, grid.inside[0], grid.inside[1]] = self.x[some]
            for top in range(0, grid.out[0], self.rows):
                rows = slice(top, min(top + self.rows, grid.out[0]))
                pieces = self.pieces(rows.stop - top)
                shape = (count, pieces, channels, *grid.size, (rows.stop - top) // pieces * self.width)
                columns = self.columns[: math.prod(shape)].reshape(shape)  # in one piece of memory
                self._fill(columns, images[:count], rows)
                yield some, rows, columns.reshape(count, pieces, self.groups, self.depth, -1)

    def pieces(self, rows: int) -> int:
        """Into how many parts of equal height to cut so many rows: products with longer rows are slower."""
        return next(count for count in range(1, rows + 1) if rows % count == 0 and self._short(rows // count))

    def _short(self, rows: int) -> bool:
        return rows == 1 or rows * self.width <= PIECE

    def _fill(self, columns: Array, images: Array, rows: slice) -> None:
        grid = self.grid
        pieces, height = columns.shape[1], (rows.stop - rows.start) // columns.shape[1]
        by_channel = columns.swapaxes(1, 2)  # (images, channels, pieces, i, j, places)
        for i in range(grid.size[0]):
            for j in range(grid.size[1]):
                if self.in_runs:
                    start = (i * grid.dilation[0] + rows.start) * self.width + j * grid.dilation[1]
                    run = self.padded[: len(images), :, start : start + (rows.stop - rows.start) * self.width]
                    by_channel[:, :, :, i, j] = run.reshape(*run.shape[:2], pieces, -1)
                else:
                    down, across = grid.places(i, j)
                    first = down.start + rows.start * grid.stride[0]
                    part = images[:, :, slice(first, down.stop, grid.stride[0]), across][:, :, : pieces * height]
                    target = by_channel[:, :, :, i, j].reshape(*part.shape[:2], pieces, height, self.width)
                    target[...] = part.reshape(target.shape)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What products are summed in: float32 for float16, as hardware for half precision does; else the dtype itself."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def correlate(x: Array, W: Array, b: Array | None, grid: Grid, groups: int, y: Array, buffer: Buffer) -> None:
    """y = W ⋆ x + b: each output the sum over a window, entry by entry with the kernel. Fills `y`."""
    columns = Columns(x, grid, groups, buffer)
    kernels = W.astype(columns.dtype, copy=False).reshape(groups, len(W) // groups, columns.depth)
    room = buffer("products", (columns.images * len(W) * columns.rows * columns.width,), columns.dtype)
    for some, rows, block in columns:
        shape = (*block.shape[:2], *kernels.shape[:2], block.shape[-1])
        products = np.matmul(kernels, block, out=room[: math.prod(shape)].reshape(shape))
        wide = products.reshape(*block.shape[:2], len(W), -1, columns.width)[..., : grid.out[1]].swapaxes(1, 2)
        target = y[some, :, rows].reshape(wide.shape)
        if b is None:
            target[...] = wide
        else:
            np.add(wide, b[:, np.newaxis, np.newaxis, np.newaxis], out=target, casting="same_kind")


def correlate_kernels(x: Array, dy: Array, W: Array, grid: Grid, groups: int, buffer: Buffer) -> Array:
    """dW: for each kernel's entry, the sum of the output's gradient times the input that the entry met."""
    columns = Columns(x, grid, groups, buffer)
    dW: Array = np.zeros((groups, columns.depth, len(W) // groups), columns.dtype)
    room = buffer("wide", (columns.images * len(W) * columns.rows * columns.width,), columns.dtype)
    for some, rows, block in columns:
        shape = (*block.shape[:2], len(W), (rows.stop - rows.start) // block.shape[1], columns.width)
        wide = room[: math.prod(shape)].reshape(shape)
        wide[..., grid.out[1] :] = 0  # where a run passes over the end of a row there is no output, and no gradient
        by_channel = wide.swapaxes(1, 2)[..., : grid.out[1]]
        by_channel[...] = dy[some, :, rows].reshape(by_channel.shape)
        d_block = wide.reshape(*block.shape[:3], -1, block.shape[-1])
        dW += np.matmul(block, d_block.swapaxes(-1, -2)).sum(axis=(0, 1))
    return dW.swapaxes(1, 2).reshape(W.shape).astype(x.dtype, copy=False)


def correlate_back(dy: Array, W: Array, grid: Grid, groups: int, dx: Array, buffer: Buffer) -> None:
    """dx: what each input's entry adds to the outputs of the windows that it lies in. Fills `dx`.

    With stride 1 that is a convolution as well: of the gradient, padded, by the kernels turned about. Else every
    window's share is added to the place that the window was copied from.
    """
    n_out = len(W) // groups
    by_group = W.reshape(groups, n_out, *W.shape[1:])
    turned = grid.turned()
    if turned is not None:
        kernels = by_group.swapaxes(1, 2)[..., ::-1, ::-1].reshape(dx.shape[1], n_out, *grid.size)
        correlate(dy, kernels, None, turned, groups, dx, lambda name, *spec: buffer(f"back {name}", *spec))
        return
    dtype = working_dtype(dy.dtype)
    by_entry = by_group.reshape(groups, n_out, -1).swapaxes(1, 2).astype(dtype, copy=False)
    row_bytes = max(dtype.itemsize * dx.shape[1] * grid.size[0] * grid.size[1] * grid.out[1], 1)
    rows = min(max(COLUMN_BYTES // row_bytes, 1), grid.out[0])
    images = max(COLUMN_BYTES // (row_bytes * grid.out[0]), 1)
    for first in range(0, len(dy), images):
        some = slice(first, first + images)
        total = np.zeros((len(dy[some]), dx.shape[1], *grid.padded), dtype)
        for top in range(0, grid.out[0], rows):
            d_block = np.ascontiguousarray(dy[some, :, top : top + rows], dtype)
            shares = np.matmul(by_entry, d_block.reshape(len(total), groups, n_out, -1))
            add_up(shares.reshape(*total.shape[:2], *grid.size, -1, grid.out[1]), grid, total, top)
        dx[some] = total[:, :, grid.inside[0], grid.inside[1]]


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
    images[:, :, grid.inside[0], grid.inside[1]] = x
    col = np.empty((len(x), *grid.out, x.shape[1], *grid.size), x.dtype)
    for i in range(grid.size[0]):
        for j in range(grid.size[1]):
            down, across = grid.places(i, j)
            col[..., i, j] = images[:, :, down, across].transpose(0, 2, 3, 1)
    return col.reshape(len(x) * grid.out[0] * grid.out[1], -1)


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
    return images[:, :, grid.inside[0], grid.inside[1]]
