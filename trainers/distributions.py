"""What a setting is drawn from in a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from brickgrad.layers.scalars import is_number


class Distribution(Protocol):
    """Anything with `draw(rng)`; one of your own does."""

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every value from low to high alike: for settings whose differences matter, such as a share.

    Errors       ValueError: bounds that are not finite or not in order
    Example
        >>> round(Uniform(0.0, 0.5).draw(np.random.default_rng(0)), 4)
        0.3185
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not is_number(self.low) or not is_number(self.high) or not -math.inf < self.low <= self.high < math.inf:
            raise ValueError(f"Uniform: needs finite low <= high; got {self.low!r} and {self.high!r}.")

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Every power of ten from low to high alike: for settings whose ratios matter, such as a learning rate.

    Errors       ValueError: bounds that are not positive, finite and in order
    Example
        >>> round(LogUniform(1e-6, 1e-2).draw(np.random.default_rng(0)), 6)
        0.000353
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not is_number(self.low) or not is_number(self.high) or not 0 < self.low <= self.high < math.inf:
            raise ValueError(f"LogUniform: needs finite 0 < low <= high; got {self.low!r} and {self.high!r}.")

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)  # exp(log(high)) may be a rounding above high


@dataclass(frozen=True)
class Choice:
    """One of some options, all alike.

    Errors       ValueError: no options
    Example
        >>> Choice(["relu", "tanh"]).draw(np.random.default_rng(0))
        'tanh'
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        listed = isinstance(self.options, Sequence | np.ndarray) and not isinstance(self.options, str)
        if not listed or len(self.options) == 0:
            raise ValueError(f"Choice: needs a list of at least one option; got {self.options!r:.60}.")

    def draw(self, rng: np.random.Generator) -> Any:
        """One option, as it was given."""
        return self.options[int(rng.integers(len(self.options)))]


def as_distribution(who: str, name: str, given: Any) -> Distribution:
    """A pair (low, high) is LogUniform; what has `draw` is itself."""
    if isinstance(given, tuple) and len(given) == 2:
        return LogUniform(*given)
    if not hasattr(given, "draw") or isinstance(given, type):
        raise TypeError(
            f"{who}: space[{name!r}] must be (low, high), for LogUniform, or Uniform(low, high), Choice([...]) or "
            f"another object with draw(rng); got {given!r:.60}."
        )
    distribution: Distribution = given
    return distribution
