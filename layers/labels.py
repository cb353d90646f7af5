"""Targets: labels 0, 1, 2, … or one-hot rows, told apart by their shape, and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import Array


def is_labels(t: Array, shape: tuple[int, ...]) -> bool:
    """Whether `t` holds one label for each sample of scores of `shape`, rather than a row of targets.

    >>> is_labels(np.array([3, 1]), (2, 10)), is_labels(np.eye(10)[[3, 1]], (2, 10))
    (True, False)
    """
    return t.shape != shape and (t.ndim < len(shape) or t.dtype.kind != "f")


def check_labels(who: str, t: Array, shape: tuple[int, ...]) -> None:
    """Raise unless `t` holds integers in 0..classes-1, one for each sample."""
    n_classes = shape[-1]
    if t.shape != shape[:-1]:
        hint = " Use t.ravel()." if t.size == int(np.prod(shape[:-1])) and t.ndim > 1 else ""
        raise ValueError(
            f"{who}: t must hold one label for each sample, {shape[:-1]}, or one-hot rows, {shape}; got {t.shape}."
            f"{hint}"
        )
    if t.dtype.kind not in "iu":
        raise TypeError(f"{who}: t must hold labels as integers; got {t.dtype}. Convert them with t.astype(int).")
    negative = t.dtype.kind == "i" and t.size and np.minimum.reduce(t, axis=None) < 0
    if negative or (t.size and np.maximum.reduce(t, axis=None) >= n_classes):
        where = int(np.argmax((t < 0) | (t >= n_classes)))
        raise ValueError(f"{who}: t must hold labels 0..{n_classes - 1}; got {t.flat[where]} at sample {where}.")


def check_one_hot(who: str, t: Array, shape: tuple[int, ...]) -> None:
    """Raise unless the rows of `t` are probabilities: of the scores' shape, nowhere negative, each of sum 1."""
    if t.shape != shape:
        raise ValueError(f"{who}: t must hold labels, {shape[:-1]}, or one-hot rows, {shape}; got {t.shape}.")
    sums = t.sum(axis=-1, dtype=np.float64)
    wrong = ~(np.abs(sums - 1) < 1e-3) | (t < 0).any(axis=-1)
    if wrong.any():
        where = int(np.argmax(wrong))
        raise ValueError(
            f"{who}: each row of t must be one-hot or probabilities that sum to 1; got "
            f"{t.reshape(-1, shape[-1])[where]} at sample {where}."
        )


def one_hot(t: Array, n_classes: int, dtype: Any = np.float32) -> Array:
    """Labels as rows with a 1 at the label.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    rows: Array = np.eye(n_classes, dtype=dtype)[t]
    return rows


def as_labels(t: Array, shape: tuple[int, ...]) -> Array:
    """Targets of either kind, for scores of `shape`, as labels.

    >>> as_labels(np.array([[0, 0, 1], [1, 0, 0]]), (2, 3))
    array([2, 0])
    """
    t = np.asarray(t)
    if t.shape == shape:
        t = np.argmax(t, axis=-1)
    return t
