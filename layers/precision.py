"""Precisions: reading a float dtype, and which one sums are made in."""

from __future__ import annotations

from typing import Any

import numpy as np


def float_dtype(owner: str, dtype: Any) -> np.dtype[Any]:
    """`dtype` as a NumPy dtype; TypeError where it is not a float's.

    >>> float_dtype("Affine", "float32")
    dtype('float32')
    """
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind != "f":
        raise TypeError(f"{owner}: dtype must be a float, such as np.float32 or np.float64; got {dtype!r}.")
    return found


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What products are summed in: float32 for float16, as hardware for half precision does; else the dtype itself."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype
