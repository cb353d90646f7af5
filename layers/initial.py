"""Initial values of weights: a fixed deviation, Xavier, He, or a function of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .memory import Array

Init = str | float | Callable[["np.random.Generator", tuple[int, ...]], Array]  # quoted: numpy.random loads late

# An activation's name stands for the initial value that suits it, as in the texts.
_GAINS = {"xavier": 1.0, "sigmoid": 1.0, "tanh": 1.0, "identity": 1.0, "he": 2.0, "relu": 2.0}
_GAINS |= dict.fromkeys(("leaky-relu", "elu", "softplus", "swish", "gelu"), 2.0)  # ReLU's family


def initial_values(
    init: Init, shape: tuple[int, ...], n_in: int, rng: np.random.Generator | int | None = None, dtype: Any = np.float32
) -> Array:
    """Draw the first values of a weight.

        "xavier"    normal with deviation √(1 / n_in), for sigmoid and tanh
        "he"        normal with deviation √(2 / n_in), for ReLU and its family
        a number    normal with that deviation
        a function  what init(rng, shape) gives

    Parameters
        init : str, float >= 0 or function. "sigmoid", "tanh" and "identity" mean Xavier's; "relu", "leaky-relu",
            "elu", "softplus", "swish" and "gelu" mean He's.
        shape : the weight's shape.
        n_in : how many inputs each output sums over.
        rng : numpy.random.Generator, or a seed for one; None takes fresh entropy from the system.
    Dtype        the values are drawn in float64 and rounded, so nets of both precisions start from the same weights
    Errors       ValueError: an unknown name, a negative deviation, a function's result of the wrong shape
    Source       Glorot & Bengio (2010), in the texts' form, which leaves n_out out; He et al. (2015), eq. 10
    Example
        >>> print(initial_values("he", (1000, 50), 1000, rng=0).std().round(3))
        0.045
        >>> initial_values(lambda rng, shape: np.full(shape, 0.5), (1, 2), 1)
        array([[0.5, 0.5]], dtype=float32)
    """
    generator = make_rng("initial_values", rng)
    if callable(init):
        values = np.asarray(init(generator, shape))
        if values.shape != shape:
            raise ValueError(f"initial_values: init(rng, shape) must give shape {shape}; got {values.shape}.")
        return values.astype(dtype)
    return (deviation(init, n_in) * generator.standard_normal(shape)).astype(dtype)


def make_rng(who: str, rng: np.random.Generator | int | None) -> np.random.Generator:
    """The generator that is handed in, or a new one from a seed, or from the system's entropy for None.

    >>> print(make_rng("Affine", 0).integers(10, size=3))
    [8 6 5]
    """
    if rng is None or isinstance(rng, int | np.integer | np.random.Generator):
        return np.random.default_rng(rng)
    raise TypeError(f"{who}: rng must be a numpy.random.Generator, a seed or None; got {type(rng).__name__} {rng!r}.")


def deviation(init: str | float, n_in: int) -> float:
    """The standard deviation that a name or number stands for.

    >>> deviation("xavier", 100), deviation(0.01, 100)
    (0.1, 0.01)
    """
    if isinstance(init, str):
        if init.lower() not in _GAINS:
            raise ValueError(
                f"initial_values: init must be one of {', '.join(_GAINS)}, a number or a function; got {init!r}."
            )
        return float(np.sqrt(_GAINS[init.lower()] / max(n_in, 1)))
    if not isinstance(init, int | float | np.number) or not 0 <= init < float("inf"):
        raise ValueError(f"initial_values: init must be a deviation of 0 or more, a name or a function; got {init!r}.")
    return float(init)
