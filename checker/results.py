"""Small things that all rooms of the checker need: results as a tuple, numbers with gaps in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from brickgrad.layers import Array


def several(result: Any) -> tuple[Any, ...]:
    """Results as a tuple, whether one or many."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def strided(x: Array) -> Array:
    """The same numbers, every second entry of a wider array; a single number as it is."""
    if x.ndim == 0:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7, x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]
