"""Faults of sums and means: Affine's bias, broadcasting, Mean and Sum."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .entry import plant


class Affine(bg.Layer):
    """y = x · W + b over the rows of x, and what gets lost when db and dW are summed."""

    def __init__(self, W, b, fault=None, name=None):
        super().__init__(name)
        self.fault = fault
        self.add_param("W", W)
        self.add_param("b", b)

    def forward(self, x):
        self.saved = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        x = self.saved
        dW = x.T @ dy
        if self.fault == "mean for sum in dW":
            dW = dW / len(x)
        self.grads["W"] = dW
        self.grads["b"] = bias_gradient(dy, self.fault)
        return dy @ self.params["W"].T


def bias_gradient(dy, fault):
    """Σ dy over the rows, or what a fault makes of it."""
    if fault == "bias summed over all":
        return np.full(dy.shape[1], dy.sum())
    if fault in ("bias summed over the wrong axis", "bias summed over the wrong axis, plain"):
        return dy.sum(axis=1)
    if fault == "mean for sum in the bias":
        return dy.mean(axis=0)
    if fault == "bias of the last sample only":
        return dy[-1]
    if fault in ("bias not summed", "bias not summed, plain"):
        return dy
    return dy.sum(axis=0)


class PlainAffine:
    """The same with nobody looking on: no base class, so no guard holds its gradients to a shape."""

    def __init__(self, W, b, fault=None):
        self.fault = fault
        self.params = {"W": W, "b": b}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads["W"] = self.x.T @ dy
        self.grads["b"] = bias_gradient(dy, self.fault)
        return dy @ self.params["W"].T


def sum_to(dz, shape, fault=None):
    """Sum dz over the axes that broadcasting stretched, or do as a fault does."""
    if dz.shape == shape or fault in ("missing un-broadcast sum", "missing un-broadcast sum, plain"):
        return dz.copy()
    axes = tuple(i for i, size in enumerate(shape) if size != dz.shape[i])
    if fault == "un-broadcast over the wrong axis":
        return dz.sum(axis=0).reshape(shape)
    if fault == "mean for sum when un-broadcasting":
        return dz.mean(axis=axes, keepdims=True)
    if fault == "un-broadcast by taking the first":
        return dz[tuple(slice(0, size) for size in shape)].copy()
    if fault == "one of two stretched axes summed":
        return dz.sum(axis=axes[0], keepdims=True)[:, :1]
    return dz.sum(axis=axes, keepdims=True)


class Add(bg.Layer):
    """z = x + y, where y may be stretched along axes of size 1."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x, y):
        self.saved = x.shape, y.shape
        return x + y

    def backward(self, dz):
        shape_x, shape_y = self.saved
        return sum_to(dz, shape_x), sum_to(dz, shape_y, self.fault)


class PlainAdd:
    """Add without a base class: a gradient of the wrong shape gets out."""

    def __init__(self, fault=None):
        self.fault = fault

    def forward(self, x, y):
        self.shapes = x.shape, y.shape
        return x + y

    def backward(self, dz):
        return sum_to(dz, self.shapes[0]), sum_to(dz, self.shapes[1], self.fault)


class Mean(bg.Layer):
    """The mean along axis 1."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = x.shape
        return x.mean(axis=1)

    def backward(self, dy):
        count = self.saved[1]
        if self.fault == "mean divided by the output's size":
            count = dy.size
        if self.fault == "mean not divided":
            count = 1
        return np.broadcast_to(dy[:, None] / count, self.saved).copy()


class Sum(bg.Layer):
    """The sum along axis 1."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = x.shape
        return x.sum(axis=1)

    def backward(self, dy):
        if self.fault == "sum spread along the wrong axis":
            return np.broadcast_to(dy[None, :], self.saved).copy()
        scale = 1 / self.saved[1] if self.fault == "sum taken for a mean" else 1.0
        return np.broadcast_to(dy[:, None] * scale, self.saved).copy()


def _affine(fault, seed, batch=7, kind=Affine):
    rng = np.random.default_rng(seed)
    return kind(rng.normal(size=(3, 5)), rng.normal(size=5), fault), (rng.normal(size=(batch, 3)),)


def _square_batch(fault, seed):
    # As many samples as features: only then does the sum along the wrong axis have the right shape.
    return _affine(fault, seed, batch=5)


def _plain_affine(fault, seed):
    return _affine(fault, seed, kind=PlainAffine)


def _add(fault, seed, shapes=((7, 5), (1, 5)), kind=Add):
    rng = np.random.default_rng(seed)
    return kind(fault), tuple(rng.normal(size=shape) for shape in shapes)


def _plain_add(fault, seed):
    return _add(fault, seed, kind=PlainAdd)


def _square_add(fault, seed):
    return _add(fault, seed, shapes=((5, 5), (5, 1)))


def _add_one(fault, seed):
    return _add(fault, seed, shapes=((7, 5), (1, 1)))


def _mean(fault, seed):
    return Mean(fault), (np.random.default_rng(seed).normal(size=(7, 5)),)


def _sum(fault, seed):
    return Sum(fault), (np.random.default_rng(seed).normal(size=(7, 5)),)


def _square_sum(fault, seed):
    return Sum(fault), (np.random.default_rng(seed).normal(size=(5, 5)),)


FAULTS = plant(
    "reduction",
    [
        (_affine, "bias summed over all", "Affine", "b", "summed over all",
         "db = dy.sum() without an axis: one number spread over all biases; shipped in course code."),
        (_square_batch, "bias summed over the wrong axis", "Affine", "b", "wrong axis",
         "db = dy.sum(axis=1); as long as batch and features are equal, nothing complains."),
        (_plain_affine, "bias summed over the wrong axis, plain", "PlainAffine", "b", "wrong axis, shape",
         "The same with sizes that differ: the gradient has the batch's length."),
        (_affine, "mean for sum in the bias", "Affine", "b", "factor",
         "db = dy.mean(axis=0), where the loss has divided by N already."),
        (_affine, "mean for sum in dW", "Affine", "W", "factor",
         "dW divided by N a second time; hides as a small learning rate."),
        (_affine, "bias of the last sample only", "Affine", "b", "missing sum, overwritten, dropped",
         "db = dy in a loop over the samples where db += dy was meant."),
        (_affine, "bias not summed", "Affine", "b", "missing sum, shape",
         "db = dy: the gradient keeps the batch axis."),
        (_plain_affine, "bias not summed, plain", "PlainAffine", "b", "missing sum, shape",
         "The same where no base class looks at shapes; NumPy broadcasts the update and W drifts."),
        (_add, "missing un-broadcast sum", "Add", "y", "missing sum, shape",
         "The gradient of a broadcast operand is passed through unsummed: the commonest fault of young autograds."),
        (_plain_add, "missing un-broadcast sum, plain", "PlainAdd", "y", "missing sum, shape",
         "The same without a guard."),
        (_square_add, "un-broadcast over the wrong axis", "Add", "y", "wrong axis",
         "A column was stretched, but the rows are summed, and the result reshaped until it fits."),
        (_add, "mean for sum when un-broadcasting", "Add", "y", "factor",
         "mean in place of sum over the stretched axis."),
        (_add, "un-broadcast by taking the first", "Add", "y", "missing sum, dropped",
         "The gradient is cut down to shape, not summed down to it."),
        (_add_one, "one of two stretched axes summed", "Add", "y", "missing sum, wrong axis, dropped",
         "Sums over the first stretched axis and forgets the second."),
        (_mean, "mean divided by the output's size", "Mean", "x", "factor",
         "dx = dy / y.size: right only when the mean is taken over everything."),
        (_mean, "mean not divided", "Mean", "x", "factor",
         "The backward of sum was copied for mean."),
        (_square_sum, "sum spread along the wrong axis", "Sum", "x", "wrong axis, transposed",
         "dy is expanded in front in place of behind; broadcasting hides it for square arrays."),
        (_sum, "sum taken for a mean", "Sum", "x", "factor",
         "The backward of mean was copied for sum."),
    ],
)  # fmt: skip
