"""Dropout: nodes switched off at random in training."""

from __future__ import annotations

import numpy as np

from .base import Layer
from .initial import make_rng
from .memory import Array


class Dropout(Layer):
    """Each value set to 0 with a probability in training, and the others made larger, so that inference needs nothing.

        y = x · mask / (1 - ratio), mask 1 with probability 1 - ratio, else 0        dx = dy · mask / (1 - ratio)
        in inference y = x        dx = dy

    Parameters
        ratio : float in 0..1, 1 left out, default 0.5. The share of values that are dropped.
        rng : numpy.random.Generator or seed, optional. Draws the masks; a replica of the layer has its own.
    Shapes       x any -> y as x; dx as x
    Dtype        that of x
    Errors       ValueError: a ratio out of range
    Source       Srivastava et al. (2014), in the inverted form
    Example
        >>> dropout = Dropout(0.5, rng=0)
        >>> dropout.forward(np.array([1.0, 2.0, 3.0, 4.0])), dropout.backward(np.ones(4))
        (array([2., 4., 6., 0.]), array([2., 2., 2., 0.]))
    """

    sample_wise = True

    def __init__(
        self, ratio: float = 0.5, *, rng: np.random.Generator | int | None = None, name: str | None = None
    ) -> None:
        super().__init__(name)
        if isinstance(ratio, bool) or not isinstance(ratio, int | float | np.number) or not 0 <= ratio < 1:
            raise ValueError(f"{self.title}: ratio must be at least 0 and below 1; got {ratio!r}.")
        self.ratio = float(ratio)
        self.rng = make_rng(self.title, rng)

    def forward(self, x: Array) -> Array:
        """Return x with a part of it dropped; x itself in inference."""
        if not self.training or self.ratio == 0:
            self.saved = (None, x.dtype)
            return self.fresh(x)
        mask = self.branch(lambda: self.rng.random(x.shape, np.float32) >= self.ratio)
        self.saved = mask, x.dtype.type(1 / (1 - self.ratio))
        return self._masked(x, "y")

    def backward(self, dy: Array) -> Array:
        """Return dy, dropped where x was."""
        return self.fresh(dy) if self.saved[0] is None else self._masked(dy, "dx")

    def _masked(self, x: Array, name: str) -> Array:
        mask, scale = self.saved
        y = self.over(x, name)
        np.multiply(x, scale, out=y)
        y *= mask
        return y
