"""im2col and col2im, as the texts have them: all windows of a batch at once, for looking at and for small images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .memory import Array
from .windows import Windows, add_up, windows_of


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: Any = 1, pad: Any = 0, dilation: Any = 1) -> Array:
    """Every window of a batch of images as a row: (N, C, H, W) -> (N · rows · columns, C · filter_h · filter_w).

        col[(n, r, c), (k, i, j)] = input_data[n, k, r·stride + i·dilation - pad, c·stride + j·dilation - pad]

    All windows at once, as the texts have it; the layers never hold so many. A convolution is col times its kernels,
    (FN, C · filter_h · filter_w) turned over.

    Parameters
        filter_h, filter_w : int at least 1. A window's rows and columns.
        stride, pad, dilation : as in Convolution, default 1, 0, 1.
    Shapes       input_data (N, C, H, W) -> (N · OH · OW, C · filter_h · filter_w), OH and OW as in Convolution
    Dtype        that of input_data, integers too
    Errors       ValueError: no images, a window larger than the padded image, settings out of range
    Example
        >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
        >>> im2col(x, 2, 2)
        array([[0., 1., 3., 4.],
               [1., 2., 4., 5.],
               [3., 4., 6., 7.],
               [4., 5., 7., 8.]])
    """
    x = np.asarray(input_data)
    grid = Windows.read("im2col", (filter_h, filter_w), stride, pad, dilation).on("im2col", x.shape, method="")
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

        images[n, k, h, w] = Σ col[(n, r, c), (k, i, j)] over all r, c, i, j that im2col takes from (h, w)

    What overlaps is summed, so this is no inverse: it is what the gradient of `im2col` needs.

    Parameters
        input_shape : (N, C, H, W), of the images to be made.
        filter_h, filter_w, stride, pad, dilation : as they were for `im2col`.
    Shapes       col (N · OH · OW, C · filter_h · filter_w) -> input_shape
    Dtype        that of col
    Errors       ValueError: a col that does not fit input_shape, and as in im2col
    Example
        >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2, 2)
        array([[[[1., 2., 1.],
                 [2., 4., 2.],
                 [1., 2., 1.]]]])
    """
    col = np.asarray(col)
    if np.shape(input_shape) != (4,):
        raise ValueError(f"col2im: input_shape must be (N, C, H, W); got {input_shape}.")
    n, channels = input_shape[:2]
    windows = Windows.read("col2im", (filter_h, filter_w), stride, pad, dilation)
    grid = windows.on("col2im", tuple(input_shape), method="")
    expected = (n * grid.out[0] * grid.out[1], channels * filter_h * filter_w)
    if col.shape != expected:
        raise ValueError(f"col2im: col must be {expected} for images {tuple(input_shape)}; got {col.shape}.")
    images = np.zeros((n, channels, *grid.padded), col.dtype)
    add_up(col.reshape(n, *grid.out, channels, *grid.size).transpose(0, 3, 4, 5, 1, 2), grid, images)
    return images[:, :, *grid.inside]
