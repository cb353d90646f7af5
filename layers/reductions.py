"""Bricks that sum entries up: Sum, Mean."""

from __future__ import annotations

import math

import numpy as np

from .base import Layer
from .memory import Array
from .precision import working_dtype
from .scalars import is_whole

Axis = int | tuple[int, ...] | None


class _Reduction(Layer):
    """Entries put together along axes; each takes the gradient of what it went into."""

    def __init__(self, axis: Axis = None, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        axes = axis if isinstance(axis, tuple) else () if axis is None else (axis,)
        if not all(is_whole(a) for a in axes):
            raise ValueError(f"{self.title}: axis must be an int, a tuple of ints or None; got {axis!r}.")
        self.axis, self.keepdims = axis, keepdims

    def _axes(self, x: Array) -> tuple[int, ...]:
        """The axes to go along, counted from the first."""
        if self.axis is None:
            return tuple(range(x.ndim))
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if not all(-x.ndim <= axis < x.ndim for axis in axes):
            raise ValueError(f"{self.title}.forward: x must have an axis {self.axis}; got shape {x.shape}.")
        places = tuple(int(axis) % x.ndim for axis in axes)
        if len(set(places)) < len(places):
            raise ValueError(
                f"{self.title}.forward: axis must name each axis once; got {self.axis} for shape {x.shape}."
            )
        return places

    def _sum(self, x: Array, axes: tuple[int, ...]) -> Array:
        """The sum, of float16 in float32: rounding it is left to the caller."""
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        self.saved = x.shape, kept
        total: Array = np.sum(x, axis=axes, dtype=working_dtype(x.dtype), keepdims=self.keepdims)
        return total

    def _spread(self, dy: Array) -> Array:
        """An array of x's shape with dy laid out along the axes."""
        shape, kept = self.saved
        dx = self.buffer("dx", shape, dy.dtype)
        np.copyto(dx, dy.reshape(kept))
        return dx


class Sum(_Reduction):
    """The sum along axes, or of all entries.

        y = Σ x        dx = dy, the same for each entry that went into it

    Parameters
        axis : int, tuple of ints or None, default None. The axes to sum over, the batch axis included; None: all.
        keepdims : bool, default False. Whether these axes stay, with size 1.
    Shapes       x any -> y without the axes; dx as x
    Dtype        any float; the output's is the input's; float16 is summed in float32 and rounded
    Errors       ValueError: an axis that is not there, or given twice
    Example
        >>> total = Sum(axis=1)
        >>> total.forward(np.array([[1.0, 2.0], [3.0, 4.0]])), total.backward(np.array([5.0, 6.0]))
        (array([3., 7.]), array([[5., 5.],
               [6., 6.]]))
    """

    def forward(self, x: Array) -> Array:
        """Return the sum."""
        return self._sum(x, self._axes(x)).astype(x.dtype, copy=False)

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        return self._spread(dy)


class Mean(_Reduction):
    """The mean along axes, or of all entries.

        y = (1/n) Σ x        dx = dy / n, the same for each entry that went into it

    n is how many entries each mean is of. Over a batch of no samples (axis 0 has size 0) the mean is taken as 0, as in
    the losses: graphs run each layer on such a batch to learn its shapes.

    Parameters
        axis : int, tuple of ints or None, default None. The axes to go along, the batch axis included; None: all.
        keepdims : bool, default False. Whether these axes stay, with size 1.
    Shapes       x any -> y without the axes; dx as x
    Dtype        any float; the output's is the input's; float16 is summed in float32 and rounded
    Errors       ValueError: an axis that is not there, or given twice; an axis of size 0 that is not the batch's
    Example
        >>> mean = Mean(axis=1)
        >>> mean.forward(np.array([[1.0, 2.0], [3.0, 5.0]])), mean.backward(np.array([1.0, 2.0]))
        (array([1.5, 4. ]), array([[0.5, 0.5],
               [1. , 1. ]]))
    """

    def forward(self, x: Array) -> Array:
        """Return the mean."""
        axes = self._axes(x)
        if not all(x.shape[axis] for axis in axes if axis):
            raise ValueError(
                f"{self.title}.forward: x must have entries to take the mean of along axis {self.axis}; got shape "
                f"{x.shape}."
            )
        y = self._sum(x, axes) / self._count(x.shape, axes)
        return y.astype(x.dtype, copy=False)

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        shape, kept = self.saved
        axes = tuple(axis for axis, size in enumerate(kept) if size != shape[axis])
        dx = self._spread(dy)
        dx /= self._count(shape, axes)
        return dx

    @staticmethod
    def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
        return max(math.prod(shape[axis] for axis in axes), 1)
