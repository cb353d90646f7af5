"""Bricks that only move entries: Flatten, Reshape, Transpose, Concat, Split, Slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Layer
from .memory import Array
from .scalars import is_whole


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

    sample_wise = True

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

    sample_wise = True

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
        known = all(is_whole(a, -n) and a < n for a in axes)
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


class Split(Layer):
    """Cut an array into parts along an axis; the gradients are joined again.

        y = x cut apart        dx = the dy side by side

    Parameters
        parts : int, how many parts of one length; or the list of their lengths.
        axis : int, default -1. The axis to cut along.
    Shapes       x -> one y for each part, alike but along the axis; dx as x
    Dtype        any float; the outputs' is the input's
    Errors       ValueError: no such axis, or a length that the parts do not fill
    Example
        >>> split = Split([1, 2])
        >>> split.forward(np.array([1.0, 2.0, 3.0]))
        (array([1.]), array([2., 3.]))
        >>> split.backward(np.array([10.0]), np.array([20.0, 30.0]))
        array([10., 20., 30.])
    """

    def __init__(self, parts: int | Sequence[int], axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        sizes = [parts] if isinstance(parts, int) else list(parts)
        least = 1 if isinstance(parts, int) else 0
        whole = all(is_whole(n, least) for n in sizes)
        if not whole or not sizes:
            raise ValueError(
                f"{self.title}: parts must be a number of at least 1, or a list of lengths; got {parts!r}."
            )
        self._parts = parts
        self.lengths = None if isinstance(parts, int) else [int(n) for n in sizes]
        self.n_outputs = int(parts) if isinstance(parts, int) else len(sizes)
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        """Return the parts."""
        length = x.shape[self.axis] if -x.ndim <= self.axis < x.ndim else -1
        fits = length % self.n_outputs == 0 if self.lengths is None else sum(self.lengths) == length
        if length < 0 or not fits:
            wanted = f"{self.n_outputs} parts of one length" if self.lengths is None else f"parts of {self.lengths}"
            raise ValueError(f"{self.title}.forward: axis {self.axis} of x must fill {wanted}; got {x.shape}.")
        lengths = self.lengths or [length // self.n_outputs] * self.n_outputs
        return tuple(part.copy() for part in np.split(x, np.cumsum(lengths)[:-1], axis=self.axis))

    def backward(self, *dys: Array) -> Array:
        """Return the parts' gradients joined."""
        return np.concatenate(dys, axis=self.axis)


class Slice(Layer):
    """Take a part of an array by its place, as NumPy's indexing does; `node[:, 0]` in a graph is this brick.

        y = x[key]        dx = dy at those places, 0 at all others

    Parameters
        key : ints, slices and `...`, one for each axis from the first.
    Shapes       x -> y as NumPy's x[key]; dx as x
    Dtype        any float; the output's is the input's
    Errors       TypeError: a key of anything else. ValueError: x has no such place
    Example
        >>> first = Slice(slice(None), 0)
        >>> first.forward(np.array([[1.0, 2.0], [3.0, 4.0]]))
        array([1., 3.])
        >>> first.backward(np.array([10.0, 30.0]))
        array([[10.,  0.],
               [30.,  0.]])
    """

    def __init__(self, *key: Any, name: str | None = None) -> None:
        super().__init__(name)
        for part in key:
            known = isinstance(part, slice) or is_whole(part)
            if not known and part is not Ellipsis:
                raise TypeError(f"{self.title}: key must be of whole numbers, slices and ...; got {part!r:.60}.")
        self.key = key

    def forward(self, x: Array) -> Array:
        """Return x[key]."""
        try:
            y = x[self.key]
        except IndexError as error:
            raise ValueError(
                f"{self.title}.forward: x must have the places {self.key}; got {x.shape}: {error}."
            ) from None
        self.saved = x.shape
        return self.fresh(y)

    def backward(self, dy: Array) -> Array:
        """Return dy at its places, with zeros around it."""
        dx = self.buffer("dx", self.saved, dy.dtype)
        dx[...] = 0
        dx[self.key] = dy
        return dx
