"""Some of the entries passed on, those under a mask or the positive ones, and zeros in the others' place."""

from __future__ import annotations

import math

import numpy as np

from .memory import Array

_BITS = {2: np.int16, 4: np.int32, 8: np.int64}


def passed_where(mask: Array, x: Array, out: Array) -> Array:
    """`x` where `mask` holds, else 0: by its bits, which takes one pass, and makes no -0 and of infinity no NaN.

    >>> passed_where(np.array([True, False, False]), np.array([2.0, -3.0, np.inf]), np.empty(3))
    array([2., 0., 0.])
    """
    bits = _BITS.get(x.dtype.itemsize)
    if bits is None:  # longer than any integer
        np.copyto(out, 0)
        np.copyto(out, x, where=mask)
        return out
    np.multiply(x.view(bits), mask, out=out.view(bits))  # as integers: times 1, all bits stay; times 0, none does
    return out


def positive_part(x: Array, out: Array) -> Array:
    """max(x, 0); NaN where x is.

    >>> positive_part(np.array([-1.0, 2.0]), np.empty(2))
    array([0., 2.])
    """
    # NumPy compares with zeros in a row three times as fast as with one; with short rows, or few, it is not worth it
    few = x.ndim < 2 or len(x) < 4 or math.prod(x.shape[1:]) < 64
    return np.maximum(x, 0 if few else np.zeros(x.shape[1:], x.dtype), out=out)
