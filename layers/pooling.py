"""Pooling: one number for each window of an image, channel by channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Layer
from .copying import copy_rows
from .largest import largest_of_windows
from .memory import Array
from .precision import working_dtype
from .windows import Grid, Pad, Windowed, Windows


class MaxPooling(Windowed, Layer):
    """The largest entry of each window; its gradient goes to that entry, and of equal ones to the first, row by row.

        y[n, k, r, c] = max over i, j of x[n, k, r·stride + i - pad, c·stride + j - pad]

    Parameters
        size : (rows, columns) of the window, or one number for both.
        stride : int or (rows, columns), at least 1. Default: the window's size, so that windows do not overlap.
        pad : as in Convolution, default 0, less than the window. Padding is never the largest.
    Shapes       x (N, C, H, W) -> y (N, C, OH, OW), OH = ⌊(H + pads - rows) / stride⌋ + 1; rows that no window
                 reaches are left out; dy as y; dx as x
    Dtype        that of x
    Errors       ValueError: no image, a window larger than the padded image, padding as large as the window
    Source       Ranzato et al. (2007)
    Example
        >>> pool = MaxPooling(2)
        >>> pool.forward(np.array([[[[1.0, 2.0, 0.0, 7.0], [4.0, 3.0, 7.0, 0.0]]]]))
        array([[[[4., 7.]]]])
        >>> pool.backward(np.array([[[[1.0, 5.0]]]]))
        array([[[[0., 0., 0., 5.],
                 [1., 0., 0., 0.]]]])
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(self, *size: int, stride: Any = None, pad: Pad = 0, name: str | None = None) -> None:
        super().__init__(name)
        self.windows = read_pool(self.title, size, stride, pad)

    def forward(self, x: Array) -> Array:
        """Return the largest entry of each window."""
        grid = self.windows.on(self.title, x.shape)
        images = np.ascontiguousarray(padded(x, grid, -np.inf))
        y = self.buffer("y", (*x.shape[:2], *grid.out), x.dtype)
        taken = self.branch(lambda: largest_of_windows(images, grid, y, self.buffer, self.memory.forgets))
        if self._frozen and taken is not None:
            np.take(images, taken, out=y, mode="clip")
        self.saved = taken, grid, x.shape
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx: each gradient at the place of its window's largest entry."""
        taken, grid, shape = self.saved
        images = self.buffer("d_images", (*shape[:2], *grid.padded), dy.dtype)
        images[...] = 0
        if grid.overlaps:
            np.add.at(images.reshape(-1), taken.reshape(-1), dy.reshape(-1))
        else:
            images.reshape(-1)[taken.reshape(-1)] = dy.reshape(-1)
        return self.fresh(images[:, :, *grid.inside]) if grid.padded != grid.image else images


class AveragePooling(Windowed, Layer):
    """The mean of each window's entries; padding is not counted, so at the border fewer entries are averaged.

        y[n, k, r, c] = mean over i, j of x[n, k, r·stride + i - pad, c·stride + j - pad]    dx: dy, shared out evenly

    Parameters
        size, stride, pad : as in MaxPooling.
    Shapes       x (N, C, H, W) -> y (N, C, OH, OW); dy as y; dx as x
    Dtype        that of x; float16 is summed in float32 and rounded
    Errors       as in MaxPooling
    Source       LeCun et al. (1989)
    Example
        >>> AveragePooling(2).forward(np.array([[[[1.0, 2.0, 0.0, 7.0], [4.0, 3.0, 7.0, 0.0]]]]))
        array([[[[2.5, 3.5]]]])
        >>> AveragePooling(2, stride=1, pad=((0, 0), (1, 0))).forward(np.array([[[[1.0, 2.0], [3.0, 6.0]]]]))
        array([[[[2., 3.]]]])
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(self, *size: int, stride: Any = None, pad: Pad = 0, name: str | None = None) -> None:
        super().__init__(name)
        self.windows = read_pool(self.title, size, stride, pad)

    def forward(self, x: Array) -> Array:
        """Return the mean of each window."""
        grid = self.windows.on(self.title, x.shape)
        share = (1 / _counts(grid)).astype(x.dtype)
        images = padded(x, grid, 0)
        total = self.buffer("y", (*x.shape[:2], *grid.out), working_dtype(x.dtype))
        total[...] = 0
        for i in range(grid.size[0]):
            for j in range(grid.size[1]):
                total += images[:, :, *grid.places(i, j)]
        total *= share
        self.saved = grid, share
        return total.astype(x.dtype, copy=False)

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        grid, share = self.saved
        each = dy * share
        images = np.zeros((*dy.shape[:2], *grid.padded), dy.dtype)
        for i in range(grid.size[0]):
            for j in range(grid.size[1]):
                images[:, :, *grid.places(i, j)] += each
        return self.fresh(images[:, :, *grid.inside])


class GlobalAveragePooling(Layer):
    """The mean of each channel over all of its places: what takes an image of any size to one row.

        y[n, k] = mean over r, c of x[n, k, r, c]        dx = dy / (H · W)

    Shapes       x (N, C, H, W) -> y (N, C); dy as y; dx as x
    Dtype        that of x; float16 is summed in float32 and rounded
    Errors       ValueError: no image, or one without a place
    Source       Lin, Chen & Yan (2014)
    Example
        >>> GlobalAveragePooling().forward(np.array([[[[1.0, 2.0], [3.0, 6.0]]]]))
        array([[3.]])
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array) -> Array:
        """Return the mean of each channel."""
        if x.ndim != 4 or x.shape[2] * x.shape[3] == 0:
            raise ValueError(f"{self.title}.forward: x must be (N, C, H, W), H and W at least 1; got {x.shape}.")
        self.saved = x.shape
        y: Array = np.mean(x, axis=(2, 3), dtype=working_dtype(x.dtype)).astype(x.dtype, copy=False)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        shape = self.saved
        each = dy / dy.dtype.type(shape[2] * shape[3])
        return np.broadcast_to(each[:, :, np.newaxis, np.newaxis], shape).copy()


def read_pool(owner: str, size: tuple[int, ...], stride: Any, pad: Any) -> Windows:
    """A pool's windows; ValueError where one could hold nothing but padding."""
    window = size[0] if len(size) == 1 else size
    windows = Windows.read(owner, window, window if stride is None else stride, pad)
    if isinstance(windows.pad, tuple):
        for length, pads in zip(windows.size, windows.pad, strict=True):
            if max(pads) >= length:
                raise ValueError(f"{owner}: pad must be less than the window, {windows.size}; got {pad!r}.")
    return windows


def padded(x: Array, grid: Grid, value: float) -> Array:
    """The images with their padding, which holds `value`; the images themselves where there is none."""
    if grid.padded == grid.image:
        return x
    images = np.full((*x.shape[:2], *grid.padded), value, x.dtype)
    copy_rows(x, images[:, :, *grid.inside])
    return images


def _counts(grid: Grid) -> Array:
    """How many entries of the image itself each window holds: (rows, columns)."""
    counts = np.zeros(grid.out)
    ones = np.zeros(grid.padded)
    ones[grid.inside] = 1
    for i in range(grid.size[0]):
        for j in range(grid.size[1]):
            counts += ones[grid.places(i, j)]
    return counts
