"""Faults of pooling: borders, ties, overlaps."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .convolution import col2im, im2col
from .entry import plant


class MaxPool(bg.Layer):
    """The largest entry of each window; at a tie the first one gets the gradient."""

    def __init__(self, kernel=(2, 2), stride=(2, 2), fault=None):
        super().__init__()
        self.kernel, self.stride, self.fault = kernel, stride, fault

    def forward(self, x):
        windows = im2col(x, self.kernel, self.stride)
        flat = windows.reshape(*x.shape[:2], -1, *windows.shape[-2:])
        chosen = self.branch(lambda: flat.argmax(axis=2))
        y = np.take_along_axis(flat, chosen[:, :, None], axis=2)
        self.saved = x.shape, flat, chosen, y
        return y[:, :, 0]

    def backward(self, dy):
        shape, flat, chosen, y = self.saved
        mask = np.zeros(flat.shape, bool)
        np.put_along_axis(mask, chosen[:, :, None], True, axis=2)
        if self.fault == "ties of max counted twice":
            mask = flat == y
        if self.fault == "last window of the pool left out":
            dy = dy.copy()
            dy[:, :, -1] = 0
        columns = np.where(mask, dy[:, :, None], 0.0)
        if self.fault == "place of the max read across before down":
            columns = columns.reshape(*shape[:2], *self.kernel[::-1], *dy.shape[-2:]).swapaxes(2, 3)
        columns = columns.reshape(*shape[:2], *self.kernel, *dy.shape[-2:])
        return col2im(columns, shape, self.kernel, self.stride, fault=self.fault)


class AveragePool(bg.Layer):
    """The mean of each window, over the pixels that lie inside the picture."""

    def __init__(self, kernel=(3, 2), stride=(2, 1), pad=(1, 1), fault=None):
        super().__init__()
        self.kernel, self.stride, self.pad, self.fault = kernel, stride, pad, fault

    def forward(self, x):
        count = im2col(np.ones_like(x), self.kernel, self.stride, self.pad).sum(axis=(2, 3))
        self.saved = x.shape, count
        return im2col(x, self.kernel, self.stride, self.pad).sum(axis=(2, 3)) / count

    def backward(self, dy):
        shape, count = self.saved
        if self.fault == "average's divisor at the border":
            count = self.kernel[0] * self.kernel[1]
        if self.fault == "average not divided":
            count = count * 0 + 1
        each = (dy / count)[:, :, None, None]
        columns = np.broadcast_to(each, (*shape[:2], *self.kernel, *dy.shape[-2:]))
        fault = "crop shifted by one" if self.fault == "crop of the pool shifted by one" else None
        return col2im(columns, shape, self.kernel, self.stride, self.pad, fault)


class GlobalAverage(bg.Layer):
    """The mean of each channel's picture."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, dy):
        n, c, height, width = self.saved
        count = c * height if self.fault == "channels counted in the area" else height * width
        return np.broadcast_to(dy[:, :, None, None] / count, (n, c, height, width)).copy()


def _pictures(seed):
    return np.random.default_rng(seed).normal(size=(2, 3, 7, 8))


def _max(fault, seed):
    return MaxPool((3, 2), (2, 3), fault), (_pictures(seed),)


def _overlapping(fault, seed):
    return MaxPool((3, 3), (2, 1), fault), (_pictures(seed),)


def _ties(fault, seed):
    # Three values for six places: nearly every window has a tie, and an exact one.
    x = np.random.default_rng(seed).integers(3, size=(2, 3, 7, 8)).astype(float)
    return MaxPool((3, 2), (2, 3), fault), (x,)


def _average(fault, seed):
    return AveragePool(fault=fault), (_pictures(seed),)


def _global(fault, seed):
    return GlobalAverage(fault), (_pictures(seed),)


FAULTS = plant(
    "convolution",
    [
        (_average, "average's divisor at the border", "AveragePool", "x", "border, factor",
         "forward divides by the pixels inside the picture, backward by the kernel's area; shipped in a GPU backend."),
        (_average, "average not divided", "AveragePool", "x", "factor, border",
         "The kernel's area is forgotten."),
        (_average, "crop of the pool shifted by one", "AveragePool", "x", "shifted",
         "The pad is cut off one pixel too early."),
        (_global, "channels counted in the area", "GlobalAverage", "x", "factor",
         "C · H where H · W is due."),
        (_ties, "ties of max counted twice", "MaxPool", "x", "ties",
         "mask = (x == max): every entry of a tie gets the whole gradient; ReLU's zeros tie all the time."),
        (_overlapping, "max pool overwrites overlaps", "MaxPool", "x", "overwritten",
         "= for +=: an entry that is the largest of two windows keeps one window's gradient."),
        (_max, "place of the max read across before down", "MaxPool", "x", "order, transposed",
         "The place is written as i · KW + j and read as j · KH + i; square kernels are scrambled too, but less."),
        (_max, "last window of the pool left out", "MaxPool", "x", "dropped, border, zeroed",
         "The + 1 in the number of windows is forgotten."),
    ],
)  # fmt: skip
