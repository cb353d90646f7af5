"""Bricks that only move entries: Flatten, Reshape, Transpose, Concat."""

from __future__ import annotations

import math

import numpy as np

from .base import Layer
from .memory import Array


class Flatten(Layer):
    """Lay each sample out as one row: images (N, 1, 28, 28) become (N, 784).

        y = x as (N, everything else)        dx = dy as x

    Shapes       x (N, ...) -> y (N, n); dx as x
    Dtype        any float; the output's is the input's
    Errors       ValueError: x has no batch axis
    Example
        >>> Flatten().forward(np.ones((2, 1, 28, 28))).shape
        (2, 784)
    """

    def forward(self, x: Array) -> Array:
        """Return x as (N, n)."""
        if x.ndim == 0:
            raise ValueError(f"{self.title}.forward: x must be (N, ...), with a batch axis; got {x.shape}.")
        self.saved = x.shape
        return self.fresh(x.reshape(len(x), math.prod(x.shape[1:])))

    def backward(self, dy: Array) -> Array:
        """Return dy in x's shape."""
        return self.fresh(dy.reshape(self.saved))


class Reshape(Layer):
    """Give each sample another shape; the batch axis stays.

        y = x as (N, *shape)        dx = dy as x

    Parameters
        shape : ints, one of which may be -1, which takes what is left. Without the batch axis.
    Shapes       x (N, ...) -> y (N, *shape); dx as x
    Dtype        any float; the output's is the input's
    Errors       ValueError: the entries of a sample do not fill the shape
    Example
        >>> Reshape(1, 28, 28).forward(np.ones((2, 784))).shape
        (2, 1, 28, 28)
    """

    def __init__(self, *shape: int, name: str | None = None) -> None:
        super().__init__(name)
        if not all(isinstance(size, int | np.integer) and size >= -1 for size in shape) or shape.count(-1) > 1:
            raise ValueError(f"{self.title}: shape must be sizes of 0 or more, with -1 once at most; got {shape}.")
        self.shape = tuple(int(size) for size in shape)

    def forward(self, x: Array) -> Array:
        """Return x as (N, *shape)."""
        entries, known = math.prod(x.shape[1:]), math.prod(size for size in self.shape if size != -1)
        fits = (known > 0 and entries % known == 0) if -1 in self.shape else known == entries
        if x.ndim == 0 or not fits:
            raise ValueError(
                f"{self.title}.forward: x must be (N, ...) with samples that fill {self.shape}; got {x.shape}, "
                f"{entries} entries a sample."
            )
        shape = tuple(entries // known if size == -1 else size for size in self.shape)
        self.saved = x.shape
        return self.fresh(x.reshape(len(x), *shape))

    def backward(self, dy: Array) -> Array:
        """Return dy in x's shape."""
        return self.fresh(dy.reshape(self.saved))


class Transpose(Layer):
    """Put the axes into another order.

        y[i_axes[0], i_axes[1], …] = x[i₀, i₁, …]        dx = dy, its axes put back

    Parameters
        axes : ints, each axis of x once, the batch axis (0) included: axis `axes[k]` of x becomes axis k of y. None
            given: all in reverse.
    Shapes       x (n₀, n₁, …) -> y (n of axes[0], n of axes[1], …); dx as x
    Dtype        any float; the output's is the input's
    Errors       ValueError: axes that are no permutation, or x with more axes or fewer
    Example
        >>> Transpose(0, 2, 1).forward(np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]))
        array([[[1., 4.],
                [2., 5.],
                [3., 6.]]])
    """

    def __init__(self, *axes: int, name: str | None = None) -> None:
        super().__init__(name)
        n = len(axes)
        known = all(isinstance(a, int | np.integer) and not isinstance(a, bool) and -n <= a < n for a in axes)
        if not known or len({a % n for a in axes}) < n:
            raise ValueError(f"{self.title}: axes must be each of 0..n - 1 once, a permutation; got {axes}.")
        self.axes = tuple(int(a) % n for a in axes)

    def forward(self, x: Array) -> Array:
        """Return x with its axes in the new order."""
        axes = self.axes or tuple(reversed(range(x.ndim)))
        if len(axes) != x.ndim:
            raise ValueError(f"{self.title}.forward: x must have {len(axes)} axes, to be put as {axes}; got {x.shape}.")
        self.saved = tuple(axes.index(axis) for axis in range(x.ndim))
        return self.fresh(x.transpose(axes))

    def backward(self, dy: Array) -> Array:
        """Return dy with its axes put back."""
        return self.fresh(dy.transpose(self.saved))


class Concat(Layer):
    """Join arrays along an axis; the gradient is cut apart again.

        y = (x₀, x₁, …) side by side        dxᵢ = its part of dy

    Parameters
        axis : int, default -1. The axis to join along.
    Shapes       xᵢ alike but along the axis -> y, as long there as all together; each gradient as its input
    Dtype        any float, the same for all
    Errors       ValueError: no such axis, or other sizes that differ
    Example
        >>> concat = Concat()
        >>> concat.forward(np.array([1.0, 2.0]), np.array([3.0]))
        array([1., 2., 3.])
        >>> concat.backward(np.array([10.0, 20.0, 30.0]))
        (array([10., 20.]), array([30.]))
    """

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        self.axis = axis

    def forward(self, x: Array, *others: Array) -> Array:
        """Return the arrays joined."""
        arrays = (x, *others)
        shapes = [a.shape for a in arrays]
        alike = {(a.ndim, *np.delete(a.shape, self.axis)) if self._fits(a) else None for a in arrays}
        if len(alike) != 1 or None in alike:
            raise ValueError(
                f"{self.title}.forward: inputs must have axis {self.axis} and be alike along all others; got "
                f"{', '.join(map(str, shapes))}."
            )
        self.saved = shapes
        return np.concatenate(arrays, axis=self.axis)

    def _fits(self, array: Array) -> bool:
        return -array.ndim <= self.axis < array.ndim

    def backward(self, dy: Array) -> tuple[Array, ...]:
        """Return each input's part of dy."""
        ends = np.cumsum([shape[self.axis] for shape in self.saved])[:-1]
        return tuple(part.copy() for part in np.split(dy, ends, axis=self.axis))
