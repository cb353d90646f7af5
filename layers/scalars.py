"""What counts as a number among arguments: Python's and NumPy's own, and no bool, which is an integer to Python."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np


def is_whole(value: Any, least: float = -np.inf) -> TypeGuard[int]:
    """Whether it is a whole number of at least `least`.

    >>> is_whole(3, 1), is_whole(np.int64(0), 1), is_whole(2.0), is_whole(True)
    (True, False, False, False)
    """
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a real number, which may be infinite or NaN.

    >>> is_number(0.5), is_number(np.float32(1)), is_number(2), is_number(True), is_number("1")
    (True, True, True, False, False)
    """
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
