"""Settings of optimizers and schedules: what they may be, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from brickgrad.layers.scalars import is_number, is_whole


def require(owner: object, what: str, value: Any, low: float, high: float) -> None:
    """ValueError unless low <= value < high."""
    if not is_number(value) or not low <= value < high:
        raise ValueError(f"{type(owner).__name__}: {what} must be at least {low:g} and below {high:g}; got {value!r}.")


def require_above(owner: object, what: str, value: Any, low: float, high: float) -> None:
    """ValueError unless low < value <= high."""
    if not is_number(value) or not low < value <= high:
        raise ValueError(f"{type(owner).__name__}: {what} must be above {low:g} and at most {high:g}; got {value!r}.")


def require_whole(owner: object, what: str, value: Any) -> None:
    """ValueError unless value is a whole number of at least 1."""
    if not is_whole(value, 1):
        raise ValueError(f"{type(owner).__name__}: {what} must be a whole number of at least 1; got {value!r}.")


def described(owner: object, settings: Mapping[str, Any]) -> str:
    """The owner as one would write it: `SGD(lr=0.1)`."""
    return f"{type(owner).__name__}({', '.join(f'{key}={_text(value)}' for key, value in settings.items())})"


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:g}"
    return str(getattr(value, "__name__", None) or repr(value))
