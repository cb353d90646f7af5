"""Faults of convolution: strides, pads, groups, channels, kernels that are higher than wide."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .entry import plant


def out_sizes(shape, kernel, stride, pad=(0, 0)):
    """How many windows fit: (down, across)."""
    return tuple((size + 2 * p - k) // s + 1 for size, k, s, p in zip(shape[-2:], kernel, stride, pad, strict=True))


def _places(kernel, stride, sizes, start=(0, 0)):
    """For each entry of the kernel where it lies in all windows at once."""
    for i, j in np.ndindex(*kernel):
        rows, columns = (
            slice(a + at, a + at + s * n, s) for a, at, s, n in zip((i, j), start, stride, sizes, strict=True)
        )
        yield i, j, np.s_[:, :, rows, columns]


def im2col(x, kernel, stride, pad=(0, 0)):
    """All windows of x, laid out as (N, C, KH, KW, OH, OW)."""
    padded = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    sizes = out_sizes(x.shape, kernel, stride, pad)
    columns = np.empty((*x.shape[:2], *kernel, *sizes), x.dtype)
    for i, j, place in _places(kernel, stride, sizes):
        columns[:, :, i, j] = padded[place]
    return columns


def col2im(columns, shape, kernel, stride, pad=(0, 0), fault=None):
    """Sum windows back into an image: the transpose of im2col."""
    n, c, height, width = shape
    padded = np.zeros((n, c, height + 2 * pad[0], width + 2 * pad[1]), columns.dtype)
    start = (0, 0)
    if fault == "leftover of the stride in front":
        sides = zip(padded.shape[2:], kernel, stride, strict=True)
        start = tuple((size - k) % s for size, k, s in sides)
    for i, j, place in _places(kernel, stride, columns.shape[-2:], start):
        if fault in ("col2im overwrites overlaps", "max pool overwrites overlaps"):
            padded[place] = columns[:, :, i, j]
        else:
            padded[place] += columns[:, :, i, j]
    top, left = pad
    if fault == "crop shifted by one":
        top, left = top - 1, left - 1
    if fault == "pad cropped behind only":
        top, left = 0, 0
    return padded[:, :, top : top + height, left : left + width].copy()


class Convolution(bg.Layer):
    """The sum over channels and window of x · W, with stride, pad and groups of channels."""

    def __init__(self, W, b, stride=(1, 1), pad=(0, 0), groups=1, fault=None):
        super().__init__()
        self.stride, self.pad, self.groups, self.fault = stride, pad, groups, fault
        self.add_param("W", W)
        self.add_param("b", b)

    def _split(self, array, axis):
        """One axis as (groups, the rest of it)."""
        shape = array.shape
        return array.reshape(*shape[:axis], self.groups, -1, *shape[axis + 1 :])

    def forward(self, x):
        W = self.params["W"]
        columns = self._split(im2col(x, W.shape[2:], self.stride, self.pad), 1)
        y = np.einsum("ngcijhw,gocij->ngohw", columns, self._split(W, 0), optimize=True)
        self.saved = x.shape, columns
        return y.reshape(len(x), len(W), *y.shape[-2:]) + self.params["b"][:, None, None]

    def backward(self, dy):
        shape, columns = self.saved
        W, fault = self.params["W"], self.fault
        self.grads["b"] = self._bias(dy)
        if fault == "last window left out":
            dy = dy.copy()
            dy[:, :, -1] = 0
            dy[..., -1] = 0
        grouped = self._split(dy, 1)
        self.grads["W"] = self._kernel(grouped, columns)
        weights = self._split(W, 0)
        if fault == "kernel flipped in dx":
            weights = weights[..., ::-1, ::-1]
        if fault == "groups exchanged in dx":
            weights = weights[::-1]
        d_columns = np.einsum("ngohw,gocij->ngcijhw", grouped, weights, optimize=True)
        if fault == "stride ignored after the first group":
            parts = [
                col2im(d_columns[:, g], (shape[0], d_columns.shape[2], *shape[2:]), W.shape[2:], stride, self.pad)
                for g, stride in enumerate([self.stride] + [(1, 1)] * (self.groups - 1))
            ]
            return np.concatenate(parts, axis=1)
        d_columns = d_columns.reshape(shape[0], shape[1], *d_columns.shape[3:])
        dx = col2im(d_columns, shape, W.shape[2:], self.stride, self.pad, fault)
        if fault == "dx in the wrong channel":
            dx = np.roll(dx, 1, axis=1)
        if fault == "border of dx left at zero":
            dx[:, :, [0, -1]] = 0
            dx[..., [0, -1]] = 0
        if fault == "height and width swapped in dx":
            dx = dx.swapaxes(2, 3).copy()
        return dx

    def _bias(self, dy):
        if self.fault == "bias divided by the picture's area":
            return dy.mean(axis=(2, 3)).sum(axis=0)
        if self.fault == "bias of all channels in one sum":
            return np.full(dy.shape[1], dy.sum())
        return dy.sum(axis=(0, 2, 3))

    def _kernel(self, grouped, columns):
        fault = self.fault
        W = self.params["W"]
        if fault == "dW of the last sample only":
            grouped, columns = grouped[-1:], columns[-1:]
        dW = np.einsum("ngohw,ngcijhw->gocij", grouped, columns, optimize=True).reshape(W.shape)
        if fault == "kernel flipped in dW":
            return dW[..., ::-1, ::-1]
        if fault == "height and width swapped in dW":
            return dW.swapaxes(2, 3)
        if fault == "oblong kernel reshaped the wrong way round":
            return dW.swapaxes(2, 3).reshape(W.shape)
        if fault == "dW in the wrong channel":
            return np.roll(dW, 1, axis=1)
        return dW


def _convolve(fault, seed, size=(8, 7), kernel=(3, 2), stride=(2, 3), pad=(1, 1), groups=1, channels=(3, 5)):
    # Neither stride divides: one row and one column of the padded picture stay outside all windows.
    rng = np.random.default_rng(seed)
    n_in, n_out = channels
    W, b = rng.normal(size=(n_out, n_in // groups, *kernel)), rng.normal(size=n_out)
    return Convolution(W, b, stride, pad, groups, fault), (rng.normal(size=(2, n_in, *size)),)


def _overlapping(fault, seed):
    return _convolve(fault, seed, stride=(1, 1))


def _square(fault, seed):
    return _convolve(fault, seed, size=(5, 5), kernel=(3, 3), stride=(1, 1))


def _grouped(fault, seed):
    return _convolve(fault, seed, groups=2, channels=(4, 6))


FAULTS = plant(
    "convolution",
    [
        (_square, "height and width swapped in dx", "Convolution", "x", "transposed",
         "i and j, H and W exchanged; square test pictures do not show it."),
        (_square, "height and width swapped in dW", "Convolution", "W", "transposed",
         "The same in the kernel's gradient, for square kernels."),
        (_convolve, "oblong kernel reshaped the wrong way round", "Convolution", "W", "transposed, order",
         "reshape where a transpose is due: the shape is right, the entries are scrambled."),
        (_square, "kernel flipped in dx", "Convolution", "x", "flipped",
         "Convolution and correlation mixed up: the kernel is turned by 180 degrees once too often."),
        (_square, "kernel flipped in dW", "Convolution", "W", "flipped",
         "The same in the kernel's gradient."),
        (_convolve, "leftover of the stride in front", "Convolution", "x", "shifted",
         "Where the stride does not divide, the row that no window sees is taken to be the first, not the last."),
        (_overlapping, "last window left out", "Convolution", "W x", "dropped, border, zeroed",
         "range((H - KH) // stride) with the + 1 forgotten."),
        (_overlapping, "crop shifted by one", "Convolution", "x", "shifted",
         "The pad is cut off one pixel too early."),
        (_overlapping, "pad cropped behind only", "Convolution", "x", "shifted",
         "dx[:, :, :H, :W]: the pad in front stays in; as large as the pad is the shift."),
        (_overlapping, "col2im overwrites overlaps", "Convolution", "x", "overwritten",
         "= for += where windows overlap; right as long as the stride is as large as the kernel."),
        (_overlapping, "dx in the wrong channel", "Convolution", "x", "order, shifted",
         "Channel c gets the gradient of channel c - 1."),
        (_overlapping, "dW in the wrong channel", "Convolution", "W", "order, shifted",
         "The same in the kernel's gradient."),
        (_grouped, "stride ignored after the first group", "Convolution", "x", "order, shifted, border",
         "Stride and groups work one at a time, but not together; shipped in a well-known framework."),
        (_grouped, "groups exchanged in dx", "Convolution", "x", "order",
         "Each group is sent back through the other group's kernels."),
        (_overlapping, "border of dx left at zero", "Convolution", "x", "border, zeroed",
         "Windows that reach into the pad send nothing back."),
        (_overlapping, "bias divided by the picture's area", "Convolution", "b", "factor",
         "A mean over the picture where a sum is due."),
        (_overlapping, "bias of all channels in one sum", "Convolution", "b", "summed over all",
         "sum() without axes."),
        (_overlapping, "dW of the last sample only", "Convolution", "W", "missing sum, overwritten, dropped",
         "= for += in the loop over the samples."),
    ],
)  # fmt: skip
