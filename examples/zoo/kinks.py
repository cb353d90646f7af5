"""Correct layers with kinks: some replay their branches, some are black boxes, some are no layers at all."""

from __future__ import annotations

import numpy as np

import brickgrad as bg


class PiecewiseLinear(bg.Layer):
    """y = slope · x + offset, both chosen by where x is; the choice is a branch that can be replayed."""

    def __init__(self, choose):
        super().__init__()
        self.choose = choose

    def forward(self, x):
        slope, offset = self.saved = self.branch(lambda: self.choose(x))
        return slope * x + offset

    def backward(self, dy):
        return self.saved[0] * dy


class BlackBox(bg.Layer):
    """Any function of one entry, with its slope, and no branches to replay."""

    def __init__(self, function, slope):
        super().__init__()
        self.function, self.slope = function, slope

    def forward(self, x):
        self.saved = x
        return self.function(x)

    def backward(self, dy):
        return dy * self.slope(self.saved)


class PlainFunction:
    """The same, without a base class."""

    def __init__(self, function, slope):
        self.function, self.slope = function, slope

    def forward(self, x):
        self.x = x.copy()
        return self.function(x)

    def backward(self, dy):
        return dy * self.slope(self.x)


def relu(x):
    """max(x, 0), as NumPy has it."""
    return np.maximum(x, 0)


def relu_slope(x):
    """1 where x > 0; at 0 it is taken as 0."""
    return (x > 0).astype(x.dtype)


def shares(x, rule):
    """How much of the gradient each entry along the last axis gets: all of it at the largest, by a rule at ties."""
    top = x == x.max(axis=-1, keepdims=True)
    if rule == "split":
        return top / top.sum(axis=-1, keepdims=True)
    order = top if rule == "first" else top[..., ::-1]
    one = order & (np.cumsum(order, axis=-1) == 1)
    return (one if rule == "first" else one[..., ::-1]).astype(x.dtype)


class Max(bg.Layer):
    """The largest along the last axis; `rule` says who gets the gradient of a tie: the first, the last, or all."""

    def __init__(self, rule, branches=True):
        super().__init__()
        self.rule, self.branches = rule, branches

    def forward(self, x):
        if not self.branches:
            self.saved = shares(x, self.rule)
            return x.max(axis=-1)
        self.saved = self.branch(lambda: shares(x, self.rule))
        return np.sum(self.saved * x, axis=-1)

    def backward(self, dy):
        return self.saved * dy[..., None]


class MaxPool(Max):
    """Max over windows of 2 by 3 that do not overlap."""

    def forward(self, x):
        n, c, height, width = x.shape
        windows = x.reshape(n, c, height // 2, 2, width // 3, 3).swapaxes(3, 4)
        return super().forward(windows.reshape(*windows.shape[:4], 6))

    def backward(self, dy):
        windows = super().backward(dy)
        n, c, down, across, _ = windows.shape
        return windows.reshape(n, c, down, across, 2, 3).swapaxes(3, 4).reshape(n, c, 2 * down, 3 * across)


class FreshDropout(bg.Layer):
    """Dropout that draws a mask at every forward, from its own generator or NumPy's global one, with no replay."""

    def __init__(self, rng=None, p=0.4):
        super().__init__()
        self.rng, self.p = rng, p

    def forward(self, x):
        # The global generator is what much code draws from, and so a case of its own.
        drawn = np.random.random_sample(x.shape) if self.rng is None else self.rng.random(x.shape)  # noqa: NPY002
        self.saved = (drawn >= self.p) / (1 - self.p)
        return x * self.saved

    def backward(self, dy):
        return dy * self.saved
