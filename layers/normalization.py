"""Normalization: values brought to mean 0 and deviation 1, then scaled and moved by what is learned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Layer
from .memory import Array
from .precision import float_dtype, working_dtype
from .scalars import is_number, is_whole


class _Normalization(Layer):
    """What the normalizations share: gamma and beta, and the gradient through mean and deviation."""

    def __init__(self, *size: int, eps: float, dtype: Any, name: str | None) -> None:
        super().__init__(name)
        if len(size) > 1 or not all(is_whole(n, 1) for n in size):
            raise ValueError(f"{self.title}: takes one size of at least 1, or none; got {size}.")
        if not is_number(eps) or not 0 <= eps < np.inf:
            raise ValueError(f"{self.title}: eps must be a number of 0 or more; got {eps!r}.")
        self.eps = float(eps)
        self.dtype = None if dtype is None else float_dtype(self.title, dtype)
        if size:
            self._make(int(size[0]), np.dtype(np.float32))

    def _make(self, size: int, dtype: np.dtype[Any]) -> None:
        dtype = self.dtype or dtype
        self.add_param("gamma", np.ones(size, dtype))
        self.add_param("beta", np.zeros(size, dtype))

    @property
    def size(self) -> tuple[int, ...]:
        """(size,); () while it is open."""
        return self.params["gamma"].shape if self.sized else ()

    @property
    def sized(self) -> bool:
        """Whether the number of channels or features is known."""
        return "gamma" in self.params


class BatchNormalization(_Normalization):
    """Each channel brought to mean 0 and variance 1 over the batch; in inference, by what training has seen.

        m = mean of x        s² = mean of (x - m)²        n = (x - m) / √(s² + eps)        y = gamma · n + beta
        dx = gamma / √(s² + eps) · (dy - mean of dy - n · mean of dy·n)        dgamma = Σ dy·n        dbeta = Σ dy

    In training the means are over the batch, and over the rows and columns of images, and the running ones follow them;
    in inference the running ones stand in for them, and dx = gamma / √(running_var + eps) · dy.

    Parameters
        size : int, optional. Features or channels, one gamma and beta each; else taken from the first input.
        momentum : float in 0..1, default 0.9. running = momentum · running + (1 - momentum) · batch's, at each forward
            in training; the variance that is kept is the unbiased one.
        eps : float >= 0, default 1e-5.
        dtype : the parameters'; default float32, or the first input's where the size is taken from it.
    Attributes
        running_mean, running_var : (size,) of float64. 0 and 1 at first.
    Shapes       x (N, size) or (N, size, H, W) or any (N, size, ...) -> y as x; dy as y; dx as x
    Dtype        that of x; float16 is worked out in float32 and rounded
    Errors       ValueError: other channels than gamma's, one value a channel in training
    Source       Ioffe & Szegedy (2015), algorithm 1
    Example
        >>> norm = BatchNormalization(1, eps=0.0)
        >>> norm.forward(np.array([[1.0], [3.0]])), norm.running_mean, norm.running_var
        (array([[-1.],
               [ 1.]]), array([0.2]), array([1.1]))
        >>> norm.eval()
        >>> norm.forward(np.array([[0.2]])).round(8)
        array([[0.]])
    """

    kept = ("running_mean", "running_var")
    sums_over_shards = True
    hands_over = ("y", "dx")

    def __init__(
        self, *size: int, momentum: float = 0.9, eps: float = 1e-5, dtype: Any = None, name: str | None = None
    ) -> None:
        if not is_number(momentum) or not 0 <= momentum <= 1:
            raise ValueError(f"{type(self).__name__}: momentum must be in 0..1; got {momentum!r}.")
        self.momentum = float(momentum)
        self.running_mean = self.running_var = np.zeros(0)
        super().__init__(*size, eps=eps, dtype=dtype, name=name)

    def _make(self, size: int, dtype: np.dtype[Any]) -> None:
        super()._make(size, dtype)
        self.running_mean, self.running_var = np.zeros(size), np.ones(size)

    def forward(self, x: Array) -> Array:
        """Return gamma · n + beta; in training, let the running mean and variance follow the batch's."""
        self._check(x)
        rows = _rows(x)
        count = self._count(rows) if self.training else 0.0
        centred = self.buffer("centred", rows.shape, working_dtype(x.dtype))
        if count:
            mean = self.sum_over_shards(_sums(rows)) / count
            np.subtract(rows, _along(mean, centred), out=centred)
            # far from 0 a mean's own rounding is large: take off what it left
            rest = self.sum_over_shards(_sums(centred)) / count
            centred -= _along(rest, centred)
            variance = self.sum_over_shards(_sums(centred, centred)) / count
            if not self._frozen:
                self._follow(self.running_mean, mean + rest)
                self._follow(self.running_var, variance * (count / (count - 1)))
        else:
            variance = self.running_var
            np.subtract(rows, _along(self.running_mean, centred), out=centred)
        deviation = np.sqrt(variance + self.eps)
        self.saved = centred, deviation, count
        y = self.buffer("y", rows.shape, x.dtype)
        np.multiply(centred, _along(self.params["gamma"] / deviation, centred), out=y, casting="same_kind")
        y += _along(self.params["beta"], y)
        return y.reshape(x.shape)

    def backward(self, dy: Array) -> Array:
        """Return dx; set grads gamma and beta."""
        centred, deviation, count = self.saved
        rows = _rows(dy)
        own = np.stack([_sums(rows, centred) / deviation, _sums(rows)])
        self.grads["gamma"], self.grads["beta"] = own
        dx = self.buffer("dx", rows.shape, centred.dtype)
        if count:
            d_gamma, d_beta = self.sum_over_shards(own)
            np.multiply(centred, _along(-d_gamma / deviation / count, dx), out=dx)
            dx += rows
            dx -= _along(d_beta / count, dx)
        else:
            np.copyto(dx, rows)
        dx *= _along(self.params["gamma"] / deviation, dx)
        return dx.reshape(dy.shape).astype(dy.dtype, copy=False)

    def _follow(self, running: Array, new: Array) -> None:
        running *= self.momentum
        running += (1 - self.momentum) * new

    def _check(self, x: Array) -> None:
        if x.ndim < 2 or x.shape[1] == 0:
            raise ValueError(f"{self.title}.forward: x must be (N, size) or (N, size, H, W); got {x.shape}.")
        if not self.sized:
            self._make(x.shape[1], x.dtype)
        size = len(self.params["gamma"])
        if x.shape[1] != size:
            images = ", H, W" if x.ndim == 4 else ""
            raise ValueError(f"{self.title}.forward: x must be (N, {size}{images}) to match gamma; got {x.shape}.")

    def _count(self, rows: Array) -> float:
        """How many values of a channel the batch holds; ValueError where it is one."""
        count = float(self.sum_over_shards(np.asarray(float(rows.shape[0] * rows.shape[2]))))
        if count == 1:
            raise ValueError(
                f"{self.title}.forward: in training each channel needs at least two values; x has one, whose "
                "variance is 0 whatever it is, so nothing could be learned. Take larger batches, the last of an epoch "
                "included, or call eval() for inference."
            )
        return count


def _rows(x: Array) -> Array:
    """x with the places of each channel in a row: (N, C, places)."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _sums(rows: Array, others: Array | None = None) -> Array:
    """Each channel's sum, of `rows` or of their product with `others`: (C,) of float64."""
    if others is None and rows.shape[2] == 1:  # a product with one would be as slow as many
        parts = rows[:, :, 0]
    elif others is None:
        dtype = working_dtype(rows.dtype)
        parts = rows.astype(dtype, copy=False) @ np.ones(rows.shape[2], dtype)
    else:
        parts = np.einsum("ncp,ncp->nc", rows, others)
    return np.asarray(parts.sum(axis=0, dtype=np.float64))


def _along(values: Array, rows: Array) -> Array:
    """One value for each channel, laid along the channels of `rows` in their dtype."""
    return values.astype(rows.dtype, copy=False)[:, np.newaxis]


class LayerNormalization(_Normalization):
    """Each sample's features, the last axis, brought to mean 0 and variance 1: no batch is needed.

        m = mean of x        s² = mean of (x - m)²        n = (x - m) / √(s² + eps)        y = gamma · n + beta
        g = gamma · dy       dx = (g - mean of g - n · mean of g·n) / √(s² + eps)

    Parameters
        size : int, optional. The length of the last axis; else taken from the first input.
        eps : float >= 0, default 1e-5. dtype : as in BatchNormalization.
    Shapes       x (..., size) -> y as x; dy as y; dx as x
    Dtype        that of x; float16 is worked out in float32 and rounded
    Errors       ValueError: a last axis of another length
    Source       Ba, Kiros & Hinton (2016), eq. 4
    Example
        >>> LayerNormalization(2, eps=0.0).forward(np.array([[1.0, 3.0], [10.0, 0.0]]))
        array([[-1.,  1.],
               [ 1., -1.]])
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(self, *size: int, eps: float = 1e-5, dtype: Any = None, name: str | None = None) -> None:
        super().__init__(*size, eps=eps, dtype=dtype, name=name)

    def forward(self, x: Array) -> Array:
        """Return gamma · n + beta."""
        if x.ndim == 0 or x.shape[-1] == 0:
            raise ValueError(f"{self.title}.forward: x must be (..., size), size at least 1; got {x.shape}.")
        if not self.sized:
            self._make(x.shape[-1], x.dtype)
        size = len(self.params["gamma"])
        if x.shape[-1] != size:
            raise ValueError(f"{self.title}.forward: x must be (..., {size}) to match gamma; got {x.shape}.")
        normal = self.buffer("normal", x.shape, working_dtype(x.dtype))
        np.subtract(x, np.mean(x, axis=-1, keepdims=True, dtype=normal.dtype), out=normal)
        normal -= np.mean(normal, axis=-1, keepdims=True)  # far from 0 a mean's own rounding is large
        variance = np.mean(np.square(normal), axis=-1, keepdims=True)
        deviation = np.sqrt(variance + normal.dtype.type(self.eps))
        normal /= deviation
        self.saved = normal, deviation
        y = self.buffer("y", x.shape, x.dtype)
        np.multiply(normal, self.params["gamma"].astype(normal.dtype, copy=False), out=y, casting="same_kind")
        y += self.params["beta"].astype(x.dtype, copy=False)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx; set grads gamma and beta."""
        normal, deviation = self.saved
        axes, wide = tuple(range(dy.ndim - 1)), dy.astype(normal.dtype, copy=False)
        self.grads["gamma"], self.grads["beta"] = np.sum(wide * normal, axis=axes), np.sum(wide, axis=axes)
        g = wide * self.params["gamma"].astype(wide.dtype, copy=False)
        shift, turn = np.mean(g, axis=-1, keepdims=True), np.mean(g * normal, axis=-1, keepdims=True)
        dx: Array = (g - shift - normal * turn) / deviation
        return dx.astype(dy.dtype, copy=False)
