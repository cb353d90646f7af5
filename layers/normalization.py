"""Normalization: values brought to mean 0 and deviation 1, then scaled and moved by what is learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from .affine import float_dtype
from .base import Layer
from .memory import Array


class _Normalization(Layer):
    """What the normalizations share: gamma and beta, and the gradient through mean and deviation."""

    def __init__(self, *size: int, eps: float, dtype: Any, name: str | None) -> None:
        super().__init__(name)
        if len(size) > 1 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
            raise ValueError(f"{self.title}: takes one size of at least 1, or none; got {size}.")
        if not isinstance(eps, int | float) or not 0 <= eps < np.inf:
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
    def sized(self) -> bool:
        """Whether the number of channels or features is known."""
        return "gamma" in self.params

    @staticmethod
    def _centre(x: Array, axes: tuple[int, ...], normal: Array) -> Array:
        """x minus its mean, into `normal`; twice, for far from 0 a mean's own rounding is large. Returns the mean."""
        mean = np.mean(x, axis=axes, keepdims=True)
        np.subtract(x, mean, out=normal)
        rest = np.mean(normal, axis=axes, keepdims=True)
        normal -= rest
        return np.asarray(mean + rest)

    def _scaled(self, normal: Array, along: tuple[int, ...]) -> Array:
        """gamma · normal + beta, with gamma and beta laid along the axis that they belong to."""
        gamma, beta = (self.params[key].astype(normal.dtype, copy=False).reshape(along) for key in ("gamma", "beta"))
        y = self.buffer("y", normal.shape, normal.dtype)
        np.multiply(normal, gamma, out=y)
        y += beta
        return y

    def _set_grads(self, dy: Array, normal: Array, axes: tuple[int, ...]) -> None:
        self.grads["gamma"] = np.sum(dy * normal, axis=axes)
        self.grads["beta"] = np.sum(dy, axis=axes)


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
    Dtype        that of x
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

    def __init__(
        self, *size: int, momentum: float = 0.9, eps: float = 1e-5, dtype: Any = None, name: str | None = None
    ) -> None:
        if isinstance(momentum, bool) or not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
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
        axes, along = (0, *range(2, x.ndim)), (1, -1, *(1 for _ in x.shape[2:]))
        count = x.size // x.shape[1]
        if self.training:
            normal = self.buffer("normal", x.shape, x.dtype)
            mean = self._centre(x, axes, normal) if count else np.zeros(along_shape(along, x), x.dtype)
            variance = np.mean(np.square(normal), axis=axes, keepdims=True) if count else np.ones_like(mean)
            if count and not self._frozen:
                self._follow(self.running_mean, mean)
                self._follow(self.running_var, variance * (count / (count - 1)))
            deviation = np.sqrt(variance + x.dtype.type(self.eps))
            normal /= deviation
        else:
            mean = self.running_mean.reshape(along).astype(x.dtype)
            deviation = np.sqrt(self.running_var + self.eps).reshape(along).astype(x.dtype)
            normal = (x - mean) / deviation
        self.saved = normal, deviation, axes, along, self.training and count > 0
        return self._scaled(normal, along)

    def backward(self, dy: Array) -> Array:
        """Return dx; set grads gamma and beta."""
        normal, deviation, axes, along, of_batch = self.saved
        self._set_grads(dy, normal, axes)
        dx = self.buffer("dx", dy.shape, dy.dtype)
        if of_batch:
            count = dy.dtype.type(dy.size // dy.shape[1])
            np.multiply(normal, -(self.grads["gamma"].astype(dy.dtype, copy=False) / count).reshape(along), out=dx)
            dx += dy
            dx -= np.mean(dy, axis=axes, keepdims=True)
        else:
            np.copyto(dx, dy)
        dx *= self.params["gamma"].astype(dy.dtype, copy=False).reshape(along) / deviation
        return dx

    def _follow(self, running: Array, new: Array) -> None:
        running *= self.momentum
        running += (1 - self.momentum) * new.ravel()

    def _check(self, x: Array) -> None:
        if x.ndim < 2 or x.shape[1] == 0:
            raise ValueError(f"{self.title}.forward: x must be (N, size) or (N, size, H, W); got {x.shape}.")
        if not self.sized:
            self._make(x.shape[1], x.dtype)
        size = len(self.params["gamma"])
        if x.shape[1] != size:
            images = ", H, W" if x.ndim == 4 else ""
            raise ValueError(f"{self.title}.forward: x must be (N, {size}{images}) to match gamma; got {x.shape}.")
        if self.training and x.size == size:
            raise ValueError(
                f"{self.title}.forward: in training each channel needs at least two values; x {x.shape} has one, whose "
                "variance is 0 whatever it is, so nothing could be learned. Take a larger batch, or call eval() for "
                "inference."
            )


def along_shape(along: tuple[int, ...], x: Array) -> tuple[int, ...]:
    """The shape of one value for each channel of x.

    >>> along_shape((1, -1, 1, 1), np.zeros((0, 3, 2, 2)))
    (1, 3, 1, 1)
    """
    return (1, x.shape[1], *along[2:])


class LayerNormalization(_Normalization):
    """Each sample's features, the last axis, brought to mean 0 and variance 1: no batch is needed.

        m = mean of x        s² = mean of (x - m)²        n = (x - m) / √(s² + eps)        y = gamma · n + beta
        g = gamma · dy       dx = (g - mean of g - n · mean of g·n) / √(s² + eps)

    Parameters
        size : int, optional. The length of the last axis; else taken from the first input.
        eps : float >= 0, default 1e-5. dtype : as in BatchNormalization.
    Shapes       x (..., size) -> y as x; dy as y; dx as x
    Dtype        that of x
    Errors       ValueError: a last axis of another length
    Source       Ba, Kiros & Hinton (2016), eq. 4
    Example
        >>> LayerNormalization(2, eps=0.0).forward(np.array([[1.0, 3.0], [10.0, 0.0]]))
        array([[-1.,  1.],
               [ 1., -1.]])
    """

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
        normal = self.buffer("normal", x.shape, x.dtype)
        self._centre(x, (-1,), normal)
        variance = np.mean(np.square(normal), axis=-1, keepdims=True)
        deviation = np.sqrt(variance + x.dtype.type(self.eps))
        normal /= deviation
        self.saved = normal, deviation
        return self._scaled(normal, (-1,))

    def backward(self, dy: Array) -> Array:
        """Return dx; set grads gamma and beta."""
        normal, deviation = self.saved
        self._set_grads(dy, normal, tuple(range(dy.ndim - 1)))
        g = dy * self.params["gamma"].astype(dy.dtype, copy=False)
        shift, turn = np.mean(g, axis=-1, keepdims=True), np.mean(g * normal, axis=-1, keepdims=True)
        dx: Array = (g - shift - normal * turn) / deviation
        return dx
