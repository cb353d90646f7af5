"""The logistic function, as the layers and losses that are made of it have it."""

from __future__ import annotations

import numpy as np

from .memory import Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ) through e^-|x|, which never overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return sigmoid_of(x, np.exp(-np.abs(x)))


def sigmoid_of(x: Array, small: Array, out: Array | None = None) -> Array:
    """The sigmoid of x, given e^-|x|.

    >>> sigmoid_of(np.array([0.0]), small=np.array([1.0]))
    array([0.5])
    """
    y: Array = np.divide(np.maximum(small, x >= 0), 1 + small, out=out)
    return y
