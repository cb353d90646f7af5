"""Faults of memory: what is kept too long, written to, shared, or read too late."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from . import reduction
from .entry import plant


class Affine(reduction.Affine):
    """Affine, with what can go wrong between two calls."""

    first = None

    def forward(self, x):
        y = super().forward(x)
        if self.first is None:
            self.first = x.copy()
        return y

    def backward(self, dy):
        before = {key: grad.copy() for key, grad in self.grads.items()}
        if self.fault == "first x kept for ever":
            self.saved = self.first
        dx = super().backward(dy)
        if self.fault == "gradients not reset":
            for key, grad in before.items():
                self.grads[key] += grad
        if self.fault == "dx from updated weights":
            self.params["W"] -= 0.1 * self.grads["W"]
            dx = dy @ self.params["W"].T
        return dx


class PlainAffine:
    """Affine with no base class and gradients under the names dW and db."""

    def __init__(self, W, b, fault=None):
        self.W, self.b, self.fault = W, b, fault
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        if self.fault != "first x kept for ever, plain" or not hasattr(self, "x"):
            self.x = x.copy()
        return x @ self.W + self.b

    def backward(self, dy):
        if self.fault != "gradients not reset, plain":
            self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0)
        if self.fault == "weights updated in backward, plain":
            self.W -= 0.1 * self.dW
        return dy @ self.W.T


class Add(bg.Layer):
    """z = x + y of one shape."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x, y):
        return x + y

    def backward(self, dz):
        dx = dz.copy()
        return dx, dx if self.fault == "two gradients in one array" else dz.copy()


class Scale(bg.Layer):
    """y = c · x through buffers that are used again."""

    def __init__(self, c, fault=None):
        super().__init__()
        self.c, self.fault = c, fault
        self.y = self.dx = None

    def forward(self, x):
        y = self.c * x
        if self.fault != "output in a buffer of its own":
            return y
        if self.y is None or self.y.shape != y.shape:
            self.y = np.empty_like(y)
        self.y[...] = y
        return self.y

    def backward(self, dy):
        dx = self.c * dy
        if self.fault == "gradient added to that of the last call" and self.dx is not None:
            dx += self.dx
        if self.fault != "gradient in a buffer of its own":
            self.dx = dx.copy()
            return dx
        if self.dx is None or self.dx.shape != dx.shape:
            self.dx = np.empty_like(dx)
        self.dx[...] = dx
        return self.dx


class ReLU(bg.Layer):
    """max(x, 0), with a taste for working in place."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        on = self.branch(lambda: x > 0)
        self.saved = on
        if self.fault == "x written to in forward":
            x *= on
            return x.copy()
        return x * on

    def backward(self, dy):
        if self.fault == "dout written to":
            dy *= self.saved
            return dy
        return dy * self.saved


class Sigmoid(bg.Layer):
    """1 / (1 + e⁻ˣ), from its output back."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        y = 1 / (1 + np.exp(-x))
        self.saved = y
        return y if self.fault == "the saved output written to" else y.copy()

    def backward(self, dy):
        y = self.saved
        if self.fault == "sigmoid's slope taken at the output":
            y = 1 / (1 + np.exp(-y))
        if self.fault == "the saved output written to":
            y *= 1 - y
            return dy * y
        return dy * y * (1 - y)


class Square(bg.Layer):
    """x², or the tanh of x: both have slopes that are easily taken at y."""

    def __init__(self, function="square", fault=None):
        super().__init__()
        self.function, self.fault = function, fault

    def forward(self, x):
        y = x * x if self.function == "square" else np.tanh(x)
        self.saved = x, y
        return y.copy()

    def backward(self, dy):
        x, y = self.saved
        at = x if self.fault is None else y
        return dy * (2 * at if self.function == "square" else 1 - np.tanh(at) ** 2)


def _affine(fault, seed, kind=Affine):
    rng = np.random.default_rng(seed)
    return kind(rng.normal(size=(3, 5)), rng.normal(size=5), fault), (rng.normal(size=(7, 3)),)


def _plain(fault, seed):
    return _affine(fault, seed, PlainAffine)


def _elementwise(kind):
    """Builds a layer of one kind on inputs of order 1."""
    return lambda fault, seed: (kind(fault=fault), (np.random.default_rng(seed).normal(size=(7, 5)),))


def _add(fault, seed):
    rng = np.random.default_rng(seed)
    return Add(fault), (rng.normal(size=(7, 5)), rng.normal(size=(7, 5)))


def _scale(fault, seed):
    rng = np.random.default_rng(seed)
    return Scale(rng.uniform(2, 3, size=5), fault), (rng.normal(size=(7, 5)),)


def _tanh(fault, seed):
    return Square("tanh", fault), (np.random.default_rng(seed).normal(size=(7, 5)),)


FAULTS = plant(
    "state",
    [
        (_affine, "first x kept for ever", "Affine", "W", "stale",
         "The cache is filled once and never again; a test that calls forward once cannot see it."),
        (_plain, "first x kept for ever, plain", "PlainAffine", "W", "stale",
         "The same: if not hasattr(self, 'x')."),
        (_affine, "gradients not reset", "Affine", "W b", "not reset",
         "+= with nobody to set the gradients to zero: right in the first step."),
        (_plain, "gradients not reset, plain", "PlainAffine", "W b", "not reset",
         "The same in an object of its own."),
        (_scale, "gradient added to that of the last call", "Scale", "x", "not reset",
         "dx is an attribute, and is added to."),
        (_add, "two gradients in one array", "Add", "", "aliased",
         "return dz, dz: whoever adds to one in place adds to both."),
        (_scale, "gradient in a buffer of its own", "Scale", "", "aliased",
         "backward returns the same array each time; the gradients of two uses become one."),
        (_scale, "output in a buffer of its own", "Scale", "", "aliased",
         "forward returns the same array each time: f(x + h) - f(x - h) is then 0."),
        (_elementwise(ReLU), "dout written to", "ReLU", "", "mutation",
         "dout *= mask: the other branches of a fan-out get a gradient that is masked too."),
        (_elementwise(ReLU), "x written to in forward", "ReLU", "", "mutation",
         "x *= mask, to save memory: what x came from reads zeros."),
        (_elementwise(Sigmoid), "the saved output written to", "Sigmoid", "", "mutation, not reset, aliased",
         "y *= 1 - y in backward: y is also the next layer's input, and a second backward reads it."),
        (_elementwise(Sigmoid), "sigmoid's slope taken at the output", "Sigmoid", "x", "at the output",
         "σ'(y) where σ'(x) is due: the saved array is taken for the input."),
        (_elementwise(Square), "slope taken at the output", "Square", "x", "at the output",
         "2 y for 2 x."),
        (_tanh, "tanh's slope taken at the output", "Square", "x", "at the output",
         "1 - tanh(y)² for 1 - y²."),
        (_affine, "dx from updated weights", "Affine", "x", "mutation",
         "The step is taken inside backward, before dx is computed."),
        (_plain, "weights updated in backward, plain", "PlainAffine", "x", "mutation",
         "The same in an object of its own."),
    ],
)  # fmt: skip
