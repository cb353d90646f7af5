"""Lanes: many arrays of one shape that a layer's forward takes for a single one, so that one call computes them all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from brickgrad.layers import Array

_REDUCTIONS = {np.sum, np.max, np.min, np.mean, np.prod, np.any, np.all, np.var, np.std}

_ASKS = {np.shape, np.ndim, np.size}


class Lanes(NDArrayOperatorsMixin):
    """Arrays side by side. It shows the shape of one; what is computed with it is computed for each.

    It knows NumPy's element-wise functions, its reductions, products of matrices, reshaping and reading of entries.
    All else raises, above all a decision: the lanes might not agree on it.

    Parameters
        data : (count, *shape). The arrays, one behind the other.
    Example
        >>> lanes = Lanes(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        >>> lanes.shape, (lanes - lanes.max()).data.tolist()
        ((2,), [[-1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    """

    def __init__(self, data: Array) -> None:
        self.data = data
        self.shape, self.ndim, self.dtype = data.shape[1:], data.ndim - 1, data.dtype
        self.size = math.prod(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """Element by element, reduce along the arrays' own axes, or multiply as matrices."""
        if method == "reduce" and out is None:
            return self._reduce(ufunc.reduce, options.pop("axis", 0), **options)
        rank = max(np.ndim(x) for x in inputs)
        matrices = ufunc is np.matmul and all(np.ndim(x) > 1 for x in inputs)
        if method != "__call__" or (ufunc.signature and not matrices) or set(options) - {"dtype"}:
            return NotImplemented
        if out is not None:
            options["out"] = tuple(x.data for x in out)
        result = ufunc(*(_aligned(x, rank) for x in inputs), **options)
        if out is not None:
            return out[0] if len(out) == 1 else out
        return tuple(map(Lanes, result)) if isinstance(result, tuple) else Lanes(result)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        """NumPy's functions that are no ufuncs: those below."""
        if function in _ASKS and len(args) == 1:
            return getattr(self, function.__name__)
        if function in _REDUCTIONS and args[0] is self and len(args) < 3:
            return self._reduce(function, *args[1:], **options)
        if function is np.where and len(args) == 3:
            rank = max(np.ndim(x) for x in args)
            return Lanes(np.where(*(_aligned(x, rank) for x in args)))
        if function is np.copyto and args[0] is self:
            np.copyto(self.data, _aligned(args[1], self.ndim), where=_aligned(options.get("where", True), self.ndim))
            return None
        if function in (np.zeros_like, np.ones_like, np.copy) and len(args) == 1:
            return Lanes(function(self.data, **options))
        return NotImplemented

    def __array__(self, *args: Any, **options: Any) -> Array:
        raise TypeError("lanes are many arrays, not one")

    def __bool__(self) -> bool:
        raise TypeError("lanes may differ in what is true")

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Lanes:
        return Lanes(self.data[(slice(None), *(key if isinstance(key, tuple) else (key,)))])

    def _reduce(self, function: Any, axis: Any = None, **options: Any) -> Lanes:
        axes = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        own = tuple(a + 1 if a >= 0 else a for a in axes)
        if not all(-self.ndim <= a < self.ndim for a in axes):
            raise ValueError(f"no axis {axis} among {self.ndim}")
        return Lanes(function(self.data, axis=own, **options))

    @property
    def T(self) -> Lanes:
        """The axes of each in reverse order."""
        return Lanes(self.data.transpose(0, *range(self.ndim, 0, -1)))

    def max(self, axis: Any = None, **options: Any) -> Lanes:
        """The largest entries."""
        return self._reduce(np.max, axis, **options)

    def min(self, axis: Any = None, **options: Any) -> Lanes:
        """The smallest entries."""
        return self._reduce(np.min, axis, **options)

    def sum(self, axis: Any = None, **options: Any) -> Lanes:
        """The sum."""
        return self._reduce(np.sum, axis, **options)

    def mean(self, axis: Any = None, **options: Any) -> Lanes:
        """The mean."""
        return self._reduce(np.mean, axis, **options)

    def var(self, axis: Any = None, **options: Any) -> Lanes:
        """The variance."""
        return self._reduce(np.var, axis, **options)

    def astype(self, dtype: Any, copy: bool = True) -> Lanes:
        """In another precision."""
        return Lanes(self.data.astype(dtype, copy=copy))

    def copy(self) -> Lanes:
        """Lanes of their own."""
        return Lanes(self.data.copy())

    def reshape(self, *shape: Any) -> Lanes:
        """In another shape."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return Lanes(self.data.reshape(len(self.data), *sizes))


def _aligned(x: Any, rank: int) -> Any:
    """What NumPy broadcasts as if each lane had `rank` axes."""
    if not isinstance(x, Lanes):
        return x
    return x.data.reshape(len(x.data), *[1] * (rank - x.ndim), *x.shape)
