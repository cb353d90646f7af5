"""The inner loops of convolution: the products of kernels and windows, forward and backward, a few images at a time."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .columns import COLUMN_BYTES, Buffer, Columns, evenly, in_a_row
from .layout import high_of
from .memory import Array
from .precision import working_dtype
from .rows import Rows
from .turned import turned
from .windows import Grid, add_up

FEWEST_ROWS = 32  # of a matrix of `Rows`: with fewer, its products cost more than the copies they save
MOST_ENTRIES = 1 << 14  # of the kernels of one of its products: with more, each row of outputs waits for them
FEWEST_CHANNELS = 8  # of a group of the input: with fewer and strides, to add shares up is quicker than to convolve
MOST_CONVOLUTIONS = 4  # going back: each keeps blocks of its own in a workspace, and of more each has few entries


def lay_out(x: Array, n_out: int, grid: Grid, groups: int, buffer: Buffer) -> Rows | Columns:
    """The images' windows as what kernels are multiplied by: `Rows` where that pays, or `Columns`.

    It does not pay where a window has one column, or few entries in it, nor where the kernels are so many that reading
    them anew for each row of outputs takes longer than the products.
    """
    tall = x.shape[1] // groups * high_of(grid)
    pays = grid.size[1] > 1 and tall >= FEWEST_ROWS and tall * (n_out // groups) <= MOST_ENTRIES
    kind = Rows if pays else Columns
    return kind(x, n_out, grid, groups, buffer)


def correlate(x: Array, W: Array, b: Array | None, grid: Grid, groups: int, y: Array, buffer: Buffer) -> None:
    """y = W ⋆ x + b: each output the sum over a window, entry by entry with the kernel. Fills `y`."""
    columns = lay_out(x, len(W), grid, groups, buffer)
    kernels = columns.kernels(W)
    for place, block in columns:
        columns.multiply(kernels, block, y[place], b)


def correlate_kernels(x: Array, dy: Array, W: Array, grid: Grid, groups: int, buffer: Buffer) -> Array:
    """dW: for each kernel's entry, the sum of the output's gradient times the input that the entry met."""
    columns = lay_out(x, len(W), grid, groups, buffer)
    sums = columns.no_sums()
    for place, block in columns:
        columns.multiply_back(sums, block, dy[place])
    return columns.as_kernels(sums).astype(x.dtype, copy=False)


def correlate_back(x: Array, dy: Array, W: Array, grid: Grid, groups: int, dx: Array, buffer: Buffer) -> Array:
    """dW, as above, and dx: what each input's entry adds to the outputs of the windows that it lies in. Fills `dx`.

    dx is made of convolutions as well: of the gradient, padded, by the kernels turned about; and dW is the sum over
    their columns times x, so one set of columns gives both. Where that is not so, or does not pay, every window's share
    is added to the place that the window was copied from.
    """
    few = x.shape[1] // groups < FEWEST_CHANNELS and grid.stride != (1, 1)
    convolutions = None if few else turned(grid)
    if convolutions is None or len(convolutions) > MOST_CONVOLUTIONS:
        add_up_shares(dy, W, grid, groups, dx, buffer)
        return correlate_kernels(x, dy, W, grid, groups, buffer)
    dW = np.zeros(W.shape, x.dtype)  # entries that meet nothing but padding stay so
    if sum(math.prod(one.grid.out) for one in convolutions) < math.prod(grid.image):
        dx[...] = 0  # where no window lies it stays so
    for number, one in enumerate(convolutions):
        room = functools.partial(_named, buffer, f"back {number}")
        columns = lay_out(dy, x.shape[1], one.grid, groups, room)
        kernels = columns.kernels(_about(W[:, :, *one.kernel], groups))
        sums = columns.no_sums()
        dx_there, x_there = dx[:, :, *one.places], x[:, :, *one.places]
        for place, block in columns:
            columns.multiply(kernels, block, dx_there[place])
            columns.multiply_back(sums, block, x_there[place])
        dW[:, :, *one.kernel] = _about(columns.as_kernels(sums), groups)
    return dW


def _named(buffer: Buffer, prefix: str, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """A buffer of another name."""
    return buffer(f"{prefix} {name}", shape, dtype)


def _about(W: Array, groups: int) -> Array:
    """Kernels (FN, C / groups, h, w) turned about, changing places with their channels; twice is the kernels again."""
    by_group = W.reshape(groups, len(W) // groups, *W.shape[1:])
    return by_group.swapaxes(1, 2)[..., ::-1, ::-1].reshape(-1, len(W) // groups, *W.shape[2:])


def add_up_shares(dy: Array, W: Array, grid: Grid, groups: int, dx: Array, buffer: Buffer) -> None:
    """Fill dx with what each window gives back to the places it was copied from, a bounded part at a time."""
    dtype = working_dtype(dy.dtype)
    by_entry = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2).astype(dtype, copy=False)
    row_bytes = max(dtype.itemsize * dx.shape[1] * math.prod(grid.size) * grid.out[1], 1)
    rows = evenly(grid.out[0], COLUMN_BYTES // row_bytes)
    bytes_of_image = dtype.itemsize * dx.shape[1] * math.prod(grid.padded)  # with strides more than its shares
    images = evenly(len(dy), COLUMN_BYTES // max(row_bytes * grid.out[0], bytes_of_image))
    totals = buffer("totals", (images, dx.shape[1], *grid.padded), dtype)
    room = buffer("shares", (images * by_entry.shape[1] * groups * rows * grid.out[1],), dtype)
    for first in range(0, len(dy), images):
        some = slice(first, first + images)
        total = totals[: len(dy[some])]
        total[...] = 0
        for top in range(0, grid.out[0], rows):
            d_block = in_a_row(np.ascontiguousarray(dy[some, :, top : top + rows], dtype), groups)
            shape = (len(total), *by_entry.shape[:2], d_block.shape[-1])
            shares = np.matmul(by_entry, d_block, out=room[: math.prod(shape)].reshape(shape))
            add_up(shares.reshape(*total.shape[:2], *grid.size, -1, grid.out[1]), grid, total, top)
        dx[some] = total[:, :, *grid.inside]
