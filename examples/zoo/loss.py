"""Faults of losses and of softmax: N, signs, axes, couplings."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .entry import plant


def softmax(x, axis=-1):
    """Softmax along an axis, the largest score taken off first."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


class SoftmaxWithLoss(bg.Layer):
    """Mean cross entropy with a weight for each class; labels of -1 are ignored and not counted."""

    integer_inputs = ("t",)

    def __init__(self, weights, fault=None):
        super().__init__()
        self.weights, self.fault = weights, fault

    def forward(self, x, t):
        y = softmax(x)
        kept = t >= 0
        rows, labels = np.flatnonzero(kept), t[kept]
        self.saved = x, y, rows, labels
        return -np.sum(self.weights[labels] * np.log(y[rows, labels])) / len(rows)

    def backward(self, dloss):
        x, y, rows, labels = self.saved
        fault = self.fault
        if fault == "softmax over the wrong axis in the loss":
            y = softmax(x, axis=0)
        if fault == "labels off by one":
            labels = (labels + 1) % x.shape[1]
        dx = np.zeros_like(x)
        dx[rows] = y[rows]
        dx[rows, labels] -= 1
        if fault != "class weights forgotten":
            dx[rows] *= self.weights[self.saved[3]][:, None]
        count = len(rows)
        if fault == "missing 1/N":
            count = 1
        if fault == "N counts the classes":
            count = x.shape[1]
        if fault == "N counts all scores":
            count = x.size
        if fault == "N counts the ignored samples":
            count = len(x)
        if fault == "sign of the loss's gradient":
            count = -count
        upstream = 1.0 if fault == "upstream ignored" else dloss
        return upstream * dx / count, None


class MeanSquaredLoss(bg.Layer):
    """(1/N) Σ (x - t)², with gradients for both."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x, t):
        self.saved = x - t
        return np.sum((x - t) ** 2) / len(x)

    def backward(self, dloss):
        difference = self.saved
        scale = 2 * dloss / len(difference)
        if self.fault == "the square's 2 forgotten":
            scale = scale / 2
        if self.fault == "mean over all entries in backward":
            scale = scale / difference.shape[1]
        if self.fault == "upstream ignored by the squares":
            scale = 2 / len(difference)
        dx = scale * difference
        return dx, dx.copy() if self.fault == "sign of the target's gradient" else -dx


class SigmoidWithLoss(bg.Layer):
    """Mean binary cross entropy of sigmoid(x)."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x, t):
        self.saved = x, t
        return np.sum(np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))) / len(x)

    def backward(self, dloss):
        x, t = self.saved
        y = 1 / (1 + np.exp(-x))
        dx = dloss * (y - t) / len(x)
        if self.fault == "sigmoid differentiated twice":
            dx = dx * y * (1 - y)
        return dx, -dloss * x / len(x)


class Softmax(bg.Layer):
    """Softmax along the last axis."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = softmax(x)
        return self.saved.copy()

    def backward(self, dy):
        y = self.saved
        if self.fault == "softmax diagonal only":
            return dy * y * (1 - y)
        if self.fault == "softmax taken for exp":
            return dy * y
        axis = 0 if self.fault == "softmax's coupling along the wrong axis" else -1
        return y * (dy - np.sum(dy * y, axis=axis, keepdims=True))


def _cross_entropy(fault, seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(7) % 5)  # every class at least once
    return SoftmaxWithLoss(np.linspace(0.5, 2.0, 5), fault), (rng.normal(size=(7, 5)), labels)


def _some_ignored(fault, seed):
    layer, (x, labels) = _cross_entropy(fault, seed)
    labels[[1, 4]] = -1
    return layer, (x, labels)


def _squares(fault, seed):
    rng = np.random.default_rng(seed)
    return MeanSquaredLoss(fault), (rng.normal(size=(7, 5)), rng.normal(size=(7, 5)))


def _logistic(fault, seed):
    rng = np.random.default_rng(seed)
    return SigmoidWithLoss(fault), (2 * rng.normal(size=(7, 3)), rng.random(size=(7, 3)))


def _softmax(fault, seed):
    return Softmax(fault), (np.random.default_rng(seed).normal(size=(7, 5)),)


FAULTS = plant(
    "loss",
    [
        (_cross_entropy, "missing 1/N", "SoftmaxWithLoss", "x", "factor",
         "forward averages over the batch, backward does not; the learning rate then hangs on the batch's size."),
        (_cross_entropy, "N counts the classes", "SoftmaxWithLoss", "x", "factor",
         "x.shape[1] for x.shape[0]."),
        (_cross_entropy, "N counts all scores", "SoftmaxWithLoss", "x", "factor",
         "x.size for the number of samples."),
        (_some_ignored, "N counts the ignored samples", "SoftmaxWithLoss", "x", "factor",
         "forward divides by the samples that count, backward by all; shipped with ignored labels more than once."),
        (_cross_entropy, "upstream ignored", "SoftmaxWithLoss", "x", "not linear",
         "backward takes dL to be 1; weighing the loss or adding two losses then has no effect."),
        (_cross_entropy, "softmax over the wrong axis in the loss", "SoftmaxWithLoss", "x", "wrong axis",
         "backward computes softmax again, along the batch; shipped with a changed default axis."),
        (_cross_entropy, "sign of the loss's gradient", "SoftmaxWithLoss", "x", "sign",
         "t - y for y - t: the net climbs."),
        (_cross_entropy, "labels off by one", "SoftmaxWithLoss", "x", "shifted, order",
         "Labels that count from 1 are mixed with labels that count from 0."),
        (_cross_entropy, "class weights forgotten", "SoftmaxWithLoss", "x", "missing factor",
         "The weights of the classes were added to forward only."),
        (_squares, "the square's 2 forgotten", "MeanSquaredLoss", "x t", "factor",
         "backward of ½ Σ (x - t)² under a forward without the ½."),
        (_squares, "mean over all entries in backward", "MeanSquaredLoss", "x t", "factor",
         "forward divides by the samples, backward by the entries."),
        (_squares, "sign of the target's gradient", "MeanSquaredLoss", "t", "sign",
         "dt = dx: nobody looks at the target's gradient until two nets are trained against each other."),
        (_squares, "upstream ignored by the squares", "MeanSquaredLoss", "x t", "not linear",
         "The loss takes itself to be the last layer always."),
        (_logistic, "sigmoid differentiated twice", "SigmoidWithLoss", "x", "missing factor, at the output",
         "y - t has the sigmoid's slope in it already; it is multiplied in again."),
        (_softmax, "softmax diagonal only", "Softmax", "x", "coupling",
         "y (1 - y), the sigmoid's slope: the other scores' influence is left out."),
        (_softmax, "softmax taken for exp", "Softmax", "x", "coupling, mean term",
         "The normalising sum is taken for a constant."),
        (_softmax, "softmax's coupling along the wrong axis", "Softmax", "x", "wrong axis, coupling",
         "The sum over classes runs over the batch."),
    ],
)  # fmt: skip
