"""Faults of batch and layer normalization, whose gradient has three terms to lose."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .entry import plant


class _Normalization(bg.Layer):
    """x̂ = (x - mean) / √(var + eps) along an axis; y = gamma · x̂ + beta with one gamma and beta a feature."""

    axis = 0

    def __init__(self, gamma, beta, eps=1e-5, fault=None):
        super().__init__()
        self.eps, self.fault = eps, fault
        self.add_param("gamma", gamma)
        self.add_param("beta", beta)

    def forward(self, x):
        mean, var = self.statistics(x)
        inverse = 1 / np.sqrt(var + self.eps)
        xhat = (x - mean) * inverse
        self.saved = x, xhat, inverse, var
        return self.params["gamma"] * xhat + self.params["beta"]

    def statistics(self, x):
        return x.mean(axis=self.axis, keepdims=True), x.var(axis=self.axis, keepdims=True)

    def backward(self, dy):
        fault = self.fault or ""
        fault = fault.removesuffix(" (layer)")
        x, xhat, inverse, var = self.saved
        dgamma, dbeta = np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)
        if fault == "dgamma from x itself":
            dgamma = np.sum(dy * x, axis=0)
        if fault == "dgamma summed over all":
            dgamma = np.full_like(dgamma, np.sum(dy * xhat))
        if fault == "dgamma and dbeta swapped":
            dgamma, dbeta = dbeta, dgamma
        self.grads["gamma"], self.grads["beta"] = dgamma, dbeta
        if fault == "inverse deviation taken for variance":
            inverse = 1 / np.sqrt(inverse + self.eps)
        if fault == "variance taken for deviation":
            inverse = inverse**2
        if fault == "eps left out":
            inverse = 1 / np.sqrt(var)
        gamma = self.params["gamma"]
        dxhat = dy if fault in ("gamma missing from dx", "gamma multiplied in last") else dy * gamma
        dx = inverse * (dxhat - self.means(dxhat, xhat, fault))
        return dx * gamma if fault == "gamma multiplied in last" else dx

    def means(self, dxhat, xhat, fault):
        """What the mean and the variance send back."""
        axis = 1 - self.axis if fault == "means along the wrong axis" else self.axis
        mean_term = dxhat.mean(axis=axis, keepdims=True)
        variance_term = xhat * np.mean(dxhat * xhat, axis=axis, keepdims=True)
        if fault in ("mean term missing", "statistics taken for constants"):
            mean_term = mean_term * 0
        if fault in ("variance term missing", "statistics taken for constants"):
            variance_term = variance_term * 0
        count = xhat.shape[axis]
        if fault == "features used for batch":
            mean_term = mean_term * count / xhat.shape[1 - axis]
            variance_term = variance_term * count / xhat.shape[1 - axis]
        if fault == "N - 1 for N in the variance term":
            variance_term = variance_term * count / (count - 1)
        if fault == "mean term with the wrong sign":
            mean_term = -mean_term
        return mean_term + variance_term


class BatchNorm(_Normalization):
    """Over the batch; in inference mode with the running statistics, which are constants."""

    def __init__(self, gamma, beta, running=(0.0, 1.0), eps=1e-5, fault=None):
        super().__init__(gamma, beta, eps, fault)
        self.running = running

    def statistics(self, x):
        return super().statistics(x) if self.training else self.running

    def means(self, dxhat, xhat, fault):
        if self.training or fault == "training's gradient in inference":
            return super().means(dxhat, xhat, fault)
        return 0.0


class LayerNorm(_Normalization):
    """Over the features of each sample."""

    axis = 1


def _parameters(rng):
    # gamma of both signs and never near 1, so that a forgotten gamma is not forgiven
    return rng.uniform(1.5, 3.0, size=5) * np.array([1, -1, 1, 1, -1]), rng.normal(size=5)


def _batch(fault, seed, spread=2.0, eps=1e-5):
    rng = np.random.default_rng(seed)
    gamma, beta = _parameters(rng)
    return BatchNorm(gamma, beta, eps=eps, fault=fault), (1 + spread * rng.normal(size=(7, 5)),)


def _narrow_batch(fault, seed):
    # A variance of about 0.01 beside an eps of 0.001: leaving it out is worth five percent.
    return _batch(fault, seed, spread=0.1, eps=1e-3)


def _inference(fault, seed):
    rng = np.random.default_rng(seed)
    gamma, beta = _parameters(rng)
    layer = BatchNorm(gamma, beta, running=(rng.normal(size=5), rng.uniform(2, 3, size=5)), fault=fault)
    layer.eval()
    return layer, (rng.normal(size=(7, 5)),)


def _layer(fault, seed):
    rng = np.random.default_rng(seed)
    gamma, beta = _parameters(rng)
    return LayerNorm(gamma, beta, fault=fault), (1 + 2 * rng.normal(size=(7, 5)),)


FAULTS = plant(
    "normalization",
    [
        (_batch, "gamma missing from dx", "BatchNorm", "x", "missing factor",
         "Right as long as gamma is 1, which it is when the test is written."),
        (_batch, "features used for batch", "BatchNorm", "x", "factor, mean term, variance term",
         "N, D = x.shape read the wrong way round."),
        (_batch, "mean term missing", "BatchNorm", "x", "mean term",
         "That x moves the mean is forgotten."),
        (_batch, "mean term with the wrong sign", "BatchNorm", "x", "mean term, sign",
         "The mean's share is added where it is to be taken off."),
        (_batch, "variance term missing", "BatchNorm", "x", "variance term",
         "That x moves the variance is forgotten."),
        (_batch, "statistics taken for constants", "BatchNorm", "x", "mean term, variance term",
         "Both are forgotten: the gradient of inference mode, used in training."),
        (_inference, "training's gradient in inference", "BatchNorm", "x", "mean term, variance term",
         "The mode is looked at in forward only; shipped for fine-tuning with frozen statistics."),
        (_batch, "inverse deviation taken for variance", "BatchNorm", "x", "statistic",
         "forward saves 1/σ, backward reads it as σ² and takes the root of it again; shipped in GPU kernels."),
        (_batch, "variance taken for deviation", "BatchNorm", "x", "statistic",
         "1/σ² where 1/σ is due: the root is forgotten; right as long as the variance is 1."),
        (_batch, "dgamma and dbeta swapped", "BatchNorm", "gamma beta", "swapped",
         "Both have the same shape, and a return in the wrong order goes unseen."),
        (_narrow_batch, "eps left out", "BatchNorm", "x", "small constant",
         "backward computes the deviation again without eps."),
        (_batch, "dgamma from x itself", "BatchNorm", "gamma", "statistic, missing factor",
         "dy · x where dy · x̂ is due."),
        (_batch, "dgamma summed over all", "BatchNorm", "gamma", "summed over all",
         "The axis of the sum is left out."),
        (_batch, "N - 1 for N in the variance term", "BatchNorm", "x", "variance term, factor",
         "forward divides by N, backward by N - 1, as the running variance does."),
        (_layer, "mean term missing (layer)", "LayerNorm", "x", "mean term",
         "As for the batch, but along the features."),
        (_layer, "variance term missing (layer)", "LayerNorm", "x", "variance term",
         "As for the batch, but along the features."),
        (_layer, "gamma missing from dx (layer)", "LayerNorm", "x", "missing factor",
         "Right as long as gamma is 1."),
        (_layer, "gamma multiplied in last (layer)", "LayerNorm", "x", "missing factor",
         "For the batch gamma may be drawn in front of the means; along the features it may not."),
        (_layer, "means along the wrong axis (layer)", "LayerNorm", "x", "wrong axis",
         "The batch's code with the axis changed in forward alone."),
    ],
)  # fmt: skip
