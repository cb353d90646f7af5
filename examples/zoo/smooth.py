"""Correct layers without kinks, for hard values: reductions, views, running statistics, plain objects."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .normalization import BatchNorm


class LogSumExp(bg.Layer):
    """log Σ eˣ along the last axis, the largest taken off first."""

    def forward(self, x):
        top = x.max(axis=-1, keepdims=True)
        powers = np.exp(x - top)
        total = powers.sum(axis=-1, keepdims=True)
        self.saved = powers / total
        return (top + np.log(total))[..., 0]

    def backward(self, dy):
        return dy[..., None] * self.saved


class Flat(bg.Layer):
    """Each sample in one row; forward and backward give views, which share memory with what they are given."""

    def forward(self, x):
        self.saved = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.saved)


class RunningBatchNorm(BatchNorm):
    """Batch normalization that updates its running statistics at every forward in training."""

    def statistics(self, x):
        mean, var = super().statistics(x)
        if self.training:
            self.running = tuple(0.9 * old + 0.1 * new for old, new in zip(self.running, (mean, var), strict=True))
        return mean, var


class PlainAffine:
    """An Affine as one writes it in an afternoon: W, b, dW, db, and no base class."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


class Gather(bg.Layer):
    """Picks one entry of each row by integers: an input without a gradient beside one that has one."""

    integer_inputs = ("t",)

    def forward(self, x, t):
        self.saved = x.shape, t
        return x[np.arange(len(x)), t]

    def backward(self, dy):
        shape, t = self.saved
        dx = np.zeros(shape, dy.dtype)
        dx[np.arange(len(t)), t] = dy
        return dx, None
