"""Losses, each fused with the activation that makes its gradient simple: what comes out minus what should."""

from __future__ import annotations

import numpy as np

from .base import Layer
from .labels import check_labels, check_one_hot, is_labels, one_hot
from .logistic import sigmoid
from .memory import Array


class SoftmaxWithLoss(Layer):
    """Cross entropy of softmax, averaged over the samples; for classes. Large scores are safe.

        L = -(1/N) Σₙ Σₖ tₙₖ · ln softmax(xₙ)ₖ        dx = dL · (softmax(x) · Σₖ tₙₖ - t) / N

    Through ln softmax(x)ₖ = xₖ - m - ln Σⱼ e^(xⱼ - m), m = max x, so that scores of ±1e4 give finite, exact values.
    Σₖ tₙₖ is 1 but for the rounding of targets that are no whole numbers.

    Shapes       x (..., classes); t labels (...) or one-hot (..., classes) -> L (); dx as x. N counts all samples
    Dtype        x float32 or float64; t any; the output's is x's
    Errors       ValueError: labels out of range or not one for each sample, targets that do not sum to 1
    Example
        >>> loss = SoftmaxWithLoss()
        >>> print(loss.forward(np.array([[0.0, 0.0]]), np.array([1])), loss.backward()[0])
        0.6931471805599453 [[ 0.5 -0.5]]
    """

    sample_wise = True
    integer_inputs = ("t",)

    def forward(self, x: Array, t: Array) -> Array:
        """Return the mean cross entropy."""
        if x.ndim == 0 or x.shape[-1] == 0:
            raise ValueError(f"{self.title}.forward: x must be (N, classes), the scores; got {x.shape}.")
        labelled = is_labels(t, x.shape)
        (check_labels if labelled else check_one_hot)(f"{self.title}.forward", t, x.shape)
        rows = x.reshape(-1, x.shape[-1])
        log_p = self.buffer("log_p", rows.shape[::-1], x.dtype)  # class by class: sums over classes are quick
        np.copyto(log_p, rows.T)
        log_p -= np.maximum.reduce(log_p, axis=0)
        log_p -= np.log(np.add.reduce(np.exp(log_p), axis=0))
        if labelled:
            at = t.ravel().astype(np.intp, copy=False) * t.size + np.arange(t.size)  # the labels' places in log_p
            total = np.add.reduce(log_p.reshape(-1)[at])
        else:
            at = None
            t = t.reshape(rows.shape).astype(x.dtype, copy=False)
            total = np.sum(np.where(t == 0, 0, log_p.T) * t)  # 0 · -inf is 0 here: an impossible class costs nothing
        self.saved = log_p, at, t, x.shape
        loss: Array = -total / max(len(rows), 1)
        return loss

    def backward(self, dy: Array) -> tuple[Array, None]:
        """Return (dx, None)."""
        log_p, at, t, shape = self.saved
        dx = np.exp(log_p, out=self.buffer("dx", log_p.shape, log_p.dtype))
        if at is not None:
            dx.reshape(-1)[at] -= 1
        else:
            dx *= t.sum(axis=-1)
            dx -= t.T
        dx *= dy / max(log_p.shape[1], 1)
        return dx.T.reshape(shape), None


class SigmoidWithLoss(Layer):
    """Binary cross entropy of the sigmoid, summed over the outputs and averaged over the samples.

        L = -(1/N) Σ t · ln y + (1 - t) · ln(1 - y),  y = sigmoid(x)        dx = dL · (y - t) / N

    Through L = (1/N) Σ max(x, 0) - x·t + ln(1 + e^-|x|), exact for scores of any size.

    Shapes       x (N, ...); t as x, in 0..1 -> L (); dx as x. N is the first axis
    Dtype        x float32 or float64; t any; the output's is x's
    Errors       ValueError: t of another shape, or outside 0..1
    Example
        >>> loss = SigmoidWithLoss()
        >>> print(loss.forward(np.array([0.0]), np.array([1])), loss.backward()[0])
        0.6931471805599453 [-0.5]
    """

    sample_wise = True
    integer_inputs = ("t",)

    def forward(self, x: Array, t: Array) -> Array:
        """Return the mean binary cross entropy."""
        if t.shape != x.shape:
            raise ValueError(f"{self.title}.forward: t must be {x.shape}, as x; got {t.shape}.")
        wrong = ~((t >= 0) & (t <= 1))
        if wrong.any():
            raise ValueError(f"{self.title}.forward: t must lie in 0..1; got {t[wrong].flat[0]}.")
        t = t.astype(x.dtype, copy=False)
        n_samples = max(x.shape[0] if x.ndim else 1, 1)
        self.saved = x, t, n_samples
        loss: Array = np.sum(np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))) / n_samples
        return loss

    def backward(self, dy: Array) -> tuple[Array, None]:
        """Return (dx, None)."""
        x, t, n_samples = self.saved
        return (sigmoid(x) - t) * (dy / n_samples), None


class MeanSquaredLoss(Layer):
    """Half the squared error, summed over the outputs and averaged over the samples; for regression.

        L = (1/N) Σ ½ (x - t)²        dx = dL · (x - t) / N        dt = -dx

    Shapes       x (N, ...); t as x, or labels (N,) for x (N, classes) -> L (); dx as x. N is the first axis
    Dtype        x float32 or float64; t as x, or integers, which have no gradient; the output's is x's
    Errors       ValueError: t of another shape, labels out of range
    Example
        >>> loss = MeanSquaredLoss()
        >>> print(loss.forward(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]])), loss.backward(1.0)[0])
        2.5 [[1. 2.]]
    """

    sample_wise = True
    integer_inputs = ("t",)

    def forward(self, x: Array, t: Array) -> Array:
        """Return the mean of half the squared error."""
        has_gradient = t.dtype.kind == "f"
        if is_labels(t, x.shape) and not has_gradient and x.ndim:
            check_labels(f"{self.title}.forward", t, x.shape)
            t = one_hot(t, x.shape[-1], x.dtype)
        if t.shape != x.shape:
            raise ValueError(f"{self.title}.forward: t must be {x.shape}, as x; got {t.shape}.")
        n_samples = max(x.shape[0] if x.ndim else 1, 1)
        error = x - t.astype(x.dtype, copy=False)
        self.saved = error, n_samples, t.dtype if has_gradient else None
        loss: Array = np.sum(np.square(error)) / (2 * n_samples)
        return loss

    def backward(self, dy: Array) -> tuple[Array, Array | None]:
        """Return (dx, dt)."""
        error, n_samples, t_dtype = self.saved
        dx = error * (dy / n_samples)
        return dx, None if t_dtype is None else (-dx).astype(t_dtype)
