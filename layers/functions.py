"""The plain functions that the field's texts teach with: for one sample or a batch, for labels or one-hot.

Each takes numbers, lists or arrays; arrays of floats keep their dtype, integers become float64. The activations give
an array of their input's shape; the losses give one float. TypeError: what holds no numbers. ValueError: targets that
do not fit the outputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import logistic
from .guard import as_array
from .labels import check_labels, check_one_hot, is_labels, one_hot
from .memory import Array


def _numbers(who: str, name: str, x: Any) -> Array:
    """`x` as an array; TypeError where it holds no numbers."""
    array = as_array(x)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{who}: {name} must hold numbers; got {type(x).__name__} {str(x)[:40]}.")
    return array


def _floats(who: str, x: Any, name: str = "x") -> Array:
    """`x` as floats: integers become float64, floats keep their precision."""
    array = _numbers(who, name, x)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def step_function(x: Any) -> Array:
    """1 where x > 0, else 0, as integers.

    >>> step_function(np.array([-1.0, 1.0, 2.0]))
    array([0, 1, 1])
    """
    y: Array = (_floats("step_function", x) > 0).astype(int)
    return y[()]


def sigmoid(x: Any) -> Array:
    """1 / (1 + e⁻ˣ); never overflows.

    >>> sigmoid(np.array([-1.0, 1.0, 2.0])).round(8)
    array([0.26894142, 0.73105858, 0.88079708])
    """
    return logistic.sigmoid(_floats("sigmoid", x))[()]


def relu(x: Any) -> Array:
    """max(x, 0).

    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    y: Array = np.maximum(_floats("relu", x), 0)
    return y


def identity_function(x: Any) -> Array:
    """X as it is: for the last layer of a regression.

    >>> identity_function(np.array([0.3, 0.7]))
    array([0.3, 0.7])
    """
    return _floats("identity_function", x).copy()[()]


def softmax(x: Any) -> Array:
    """e^xₖ / Σ e^xⱼ over the last axis: for one sample or a batch. Never overflows.

    >>> softmax(np.array([0.3, 2.9, 4.0])).round(8)
    array([0.01821127, 0.24519181, 0.73659691])
    >>> softmax(np.array([[1010.0, 1000.0, 990.0], [0.0, 0.0, 0.0]])).sum(axis=1)
    array([1., 1.])
    """
    x = _floats("softmax", x)
    if x.ndim and x.shape[-1] == 0:
        raise ValueError(f"softmax: x must have at least one score a sample; got {x.shape}.")
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = powers / powers.sum(axis=-1, keepdims=True)
    return y


def _targets(who: str, y: Any, t: Any) -> tuple[Array, Array]:
    """Outputs, and targets of either kind as rows of their shape."""
    y, t = _floats(who, y, "y"), _numbers(who, "t", t)
    if is_labels(t, y.shape) and y.ndim:
        check_labels(who, t, y.shape)
        t = one_hot(t, y.shape[-1], y.dtype)
    if t.shape != y.shape:
        raise ValueError(f"{who}: t must be {y.shape}, as y, or one label for each sample; got {t.shape}.")
    return y, t


def mean_squared_error(y: Any, t: Any) -> float:
    """½ Σ (y - t)² over the last axis; of a batch, the mean over its samples.

    >>> t = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    >>> print(mean_squared_error(np.array([0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0.1, 0, 0]), t))
    0.09750000000000003
    """
    y, t = _targets("mean_squared_error", y, t)
    n_samples = max(math.prod(y.shape[:-1]), 1)
    return float(0.5 * np.sum((y - t) ** 2) / n_samples)


def cross_entropy_error(y: Any, t: Any) -> float:
    """-Σ t · ln(y + 1e-7); of a batch, the mean over its samples. The 1e-7 keeps ln 0 out.

    >>> t = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    >>> print(cross_entropy_error(np.array([0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0.1, 0, 0]), t))
    0.510825457099338
    >>> print(round(cross_entropy_error(np.array([[0.1, 0.9], [0.5, 0.5]]), np.array([1, 0])), 4))
    0.3993
    """
    y, t = _targets("cross_entropy_error", y, t)
    check_one_hot("cross_entropy_error", t, y.shape)
    n_samples = max(math.prod(y.shape[:-1]), 1)
    return float(-np.sum(t * np.log(y + 1e-7)) / n_samples)
