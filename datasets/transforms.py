"""Transforms that are fitted on the training set and then done to every set alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .idx import Array

_ROWS = 4096  # samples at a time in float64, so that a float32 set is never doubled as a whole


def standardize(x_train: Array, *others: Array) -> tuple[Array, ...]:
    """Shift and scale each feature to mean 0 and standard deviation 1, as measured on the training set.

        y = (x - μ) / σ        μ = Σ x_train / N        σ² = Σ (x_train - μ)² / N

    A feature that is constant over the training set has nothing to tell: it becomes 0, in the other sets too.

    Parameters
        x_train : array. The set that μ and σ come from, and the first to be transformed.
        others : arrays, any number. Transformed with the same μ and σ: validation and test sets.
    Shapes       (N, ...) -> the same, with the same features (...) in every set; N at least 1 in x_train
    Dtype        float32 or float64; each output's is its input's. μ and σ are computed in float64
    Errors       TypeError: not an array of float32 or float64. ValueError: an empty training set, sets of different
                 features, or NaN or infinity
    Source       LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.3
    Example
        >>> train, test = standardize(np.array([[1.0, 7.0], [3.0, 7.0]]), np.array([[4.0, 9.0]]))
        >>> train, test
        (array([[-1.,  0.],
               [ 1.,  0.]]), array([[2., 0.]]))
    """
    sets = _check("standardize", x_train, others)
    mean, varies = _mean(sets[0])
    variance = sum(np.square(rows).sum(axis=0) for _, rows in _centred(sets[0], mean, varies)) / len(x_train)
    deviation = np.sqrt(variance)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return tuple(_transform(x, mean, varies, lambda rows: rows * scale) for x in sets)


def whiten(x_train: Array, *others: Array, epsilon: float = 1e-5) -> tuple[Array, ...]:
    """Zero-phase (ZCA) whitening: features of mean 0, variance 1 and no correlation, and images still look like images.

        y = (x - μ) · U · diag(1 / √(λ + ε)) · Uᵀ        C = (x_train - μ)ᵀ · (x_train - μ) / N = U · diag(λ) · Uᵀ

    The covariance of the whitened training set is U · diag(λ / (λ + ε)) · Uᵀ: the identity on the directions in which
    the set varies by much more than ε. Directions in which it does not vary at all become 0, in the other sets too.

    Parameters
        x_train : array. The set that μ and C come from, and the first to be transformed.
        others : arrays, any number. Transformed alike: validation and test sets.
        epsilon : float at least 0, default 1e-5. Added to each variance λ, in the square of x's unit, so that
            directions of little but noise are not blown up; larger values (0.01 to 0.1 for pixels in 0..1) smooth more.
    Shapes       (N, ...) -> the same, with the same features (...) in every set; N at least 1 in x_train. Memory and
                 time go with the square and the cube of the number of features
    Dtype        float32 or float64; each output's is its input's. μ, C and y are computed in float64
    Errors       TypeError: not an array of float32 or float64. ValueError: an empty training set, sets of different
                 features, NaN or infinity, or a bad epsilon
    Source       Bell & Sejnowski, "The 'independent components' of natural scenes are edge filters" (1997);
                 Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009), appendix A, for ε. There
                 the sum is divided by N - 1
    Example
        >>> x = np.array([[2.0, 1.0], [-2.0, -1.0], [1.0, 2.0], [-1.0, -2.0]])
        >>> (y,) = whiten(x, epsilon=0.0)
        >>> (y.T @ y / 4).round(6) + 0.0
        array([[1., 0.],
               [0., 1.]])
    """
    sets = _check("whiten", x_train, others)
    try:
        usable = 0 <= epsilon < math.inf
    except TypeError:
        raise TypeError(f"whiten: epsilon must be a number; got {epsilon!r}.") from None
    if not usable:
        raise ValueError(f"whiten: epsilon must be a finite number, at least 0; got {epsilon!r}.")
    mean, varies = _mean(sets[0])
    covariance = np.zeros((mean.size, mean.size))
    for _, rows in _centred(sets[0], mean, varies):
        covariance += rows.T @ rows
    variances, directions = np.linalg.eigh(covariance / len(x_train))
    # What eigh leaves of a variance of 0 is rounding, at most about this much (the cut-off of numpy's matrix_rank).
    real = variances > variances[-1] * mean.size * np.finfo(np.float64).eps
    scale = np.zeros_like(variances)
    scale[real] = 1.0 / np.sqrt(variances[real] + epsilon)
    matrix = (directions * scale) @ directions.T
    return tuple(_transform(x, mean, varies, lambda rows: rows @ matrix) for x in sets)


def _check(who: str, x_train: Any, others: tuple[Any, ...]) -> list[Array]:
    """The sets, each once it is an array of floats with x_train's features."""
    named = {"x_train": x_train} | {f"others[{index}]": x for index, x in enumerate(others)}
    for name, x in named.items():
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{who}: {name} must be an array of float32 or float64; got {type(x).__name__}.")
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(
                f"{who}: {name} must be float32 or float64; got {x.dtype}. Convert it first: {name}.astype(np.float32)."
            )
        if x.ndim == 0:
            raise ValueError(f"{who}: {name} must be (N, ...), a row for each sample; got a single number.")
        if x.shape[1:] != x_train.shape[1:]:
            wanted = str(("N", *x_train.shape[1:])).replace("'", "")
            raise ValueError(f"{who}: {name} must have the features of x_train, {wanted}; got {x.shape}.")
        if not np.isfinite(x).all():
            raise ValueError(
                f"{who}: {name} must be finite; {np.count_nonzero(~np.isfinite(x))} of its values are not."
            )
    if x_train.size == 0:
        raise ValueError(f"{who}: x_train must hold at least one sample and one feature; got {x_train.shape}.")
    return list(named.values())


def _mean(x: Array) -> tuple[Array, Array]:
    """The mean of each feature, in float64, and whether the feature varies at all; both (features,)."""
    # Asked of the values themselves: the mean of a constant such as 0.1 is off by a rounding, which σ would blow up.
    varies = x.max(axis=0) != x.min(axis=0)
    return x.mean(axis=0, dtype=np.float64).reshape(-1), np.asarray(varies).reshape(-1)


def _centred(x: Array, mean: Array, varies: Array) -> Iterator[tuple[slice, Array]]:
    """Some samples at a time: which they are, and x - μ in float64, (n, features), 0 where a feature is constant."""
    for start in range(0, len(x), _ROWS):
        part = slice(start, start + _ROWS)
        rows = x[part].reshape(-1, mean.size)
        yield part, np.subtract(rows, mean, dtype=np.float64) * varies


def _transform(x: Array, mean: Array, varies: Array, change: Any) -> Array:
    """`change` done to the centred samples, in x's shape and dtype."""
    y = np.empty(x.shape, x.dtype)
    for part, rows in _centred(x, mean, varies):
        y[part] = change(rows).reshape(y[part].shape)
    return y
