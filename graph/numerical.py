"""Derivatives from function values alone: slow, but with no backward that could be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.layers import Array
from brickgrad.layers.guard import as_array


def numerical_diff(f: Callable[[Any], Any], x: Any, h: float = 1e-4) -> Any:
    """The slope of f at x by the central difference (f(x + h) - f(x - h)) / 2h.

    The central difference is off by about h² f‴/6, the forward one (f(x + h) - f(x)) / h by h f″/2. A smaller h does
    not help for ever: the values' round-off, about 1e-16, is divided by h. With h = 1e-50, x + h is x, and the slope 0.

    Parameters
        f : function of one number (or, entry by entry, of an array).
        x : number, list or array.
        h : float > 0, default 1e-4.
    Shapes       x any -> what f gives for it
    Errors       ValueError: h is not positive. TypeError: x holds no numbers
    Example
        >>> print(numerical_diff(lambda x: 0.01 * x**2 + 0.1 * x, 5))
        0.1999999999990898
    """
    _check_step("numerical_diff", h)
    if not isinstance(x, int | float):
        x = _numbers("numerical_diff", x)
    return (f(x + h) - f(x - h)) / (2 * h)


def numerical_gradient(f: Callable[[Array], Any], x: Any, h: float = 1e-4) -> Array:
    """The gradient of f at x by central differences, one entry at a time.

    f gets x itself, with one entry moved by ±h: so x may be a parameter of the net that f runs. Each entry is put back
    exactly, also when f raises. Integers, lists and arrays that cannot be written to are copied to float64 first, so
    the step is never lost in rounding to a whole number.

    Parameters
        f : function of an array, giving one number.
        x : array with any number of axes.
        h : float > 0, default 1e-4. For float32, f's round-off swamps most of what is seen: use float64.
    Shapes       x any -> gradient as x
    Dtype        float64
    Errors       ValueError: f gives more than one number, h is not positive. TypeError: x holds no numbers
    Example
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0])).round(6)
        array([6., 8.])
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3, 0])).round(6)
        array([6., 0.])
    """
    _check_step("numerical_gradient", h)
    array = _numbers("numerical_gradient", x)
    if array.dtype.kind != "f" or not array.flags.writeable or not isinstance(x, np.ndarray):
        array = array.astype(np.float64)
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        before = array[index]
        try:
            array[index] = before + h
            above, high = _one_number(f(array)), float(array[index])
            array[index] = before - h
            below, low = _one_number(f(array)), float(array[index])
        finally:
            array[index] = before
        if high == low and array.dtype != np.float64:
            raise ValueError(
                f"numerical_gradient: h = {h:g} is lost in rounding beside {float(before):g} in {array.dtype}. Use "
                "float64 or a larger h."
            )
        # In float64 the step is 2h, as the texts have it; in less, x ± h is rounded so much that what it became counts.
        gradient[index] = (above - below) / (2 * h if array.dtype == np.float64 else high - low)
    return gradient


def _numbers(who: str, x: Any) -> Array:
    array = as_array(x)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{who}: x must hold numbers; got {type(x).__name__} {str(x)[:40]}.")
    return array


def _check_step(who: str, h: float) -> None:
    if not h > 0:
        raise ValueError(f"{who}: h must be positive; got {h}.")


def _one_number(value: Any) -> float:
    value = np.asarray(value)
    if value.size != 1:
        raise ValueError(f"numerical_gradient: f must give one number; got an array of shape {value.shape}.")
    return float(value.reshape(())[()])
