"""Dropout: nodes switched off at random in training."""

from __future__ import annotations

import numpy as np

from .base import Layer
from .initial import make_rng
from .memory import Array
from .scalars import is_number


class Dropout(Layer):
    """Each value set to 0 with a probability in training, and the others made larger, so that inference needs nothing.

        y = x · mask / (1 - ratio), mask 1 with probability 1 - ratio, else 0        dx = dy · mask / (1 - ratio)
        in inference y = x        dx = dy
        not inverted: y = x · mask, in inference y = x · (1 - ratio); dx as y, of dy

    Parameters
        ratio : float in 0..1, 1 left out, default 0.5. The share of values that are dropped.
        inverted : bool, default True. False: what is kept stays as it is, and inference makes all smaller, as in the
            first paper and in the texts. Scores and steps then differ in size, not in kind.
        rng : numpy.random.Generator or seed, optional. Draws the masks; a replica of the layer has its own.
    Shapes       x any -> y as x; dx as x
    Dtype        that of x
    Errors       ValueError: a ratio out of range. TypeError: an inverted that is no bool
    Source       Srivastava et al. (2014), section 10 for the inverted form
    Example
        >>> dropout = Dropout(0.5, rng=0)
        >>> dropout.forward(np.array([1.0, 2.0, 3.0, 4.0])), dropout.backward(np.ones(4))
        (array([2., 4., 6., 0.]), array([2., 2., 2., 0.]))
    """

    sample_wise = True

    def __init__(
        self,
        ratio: float = 0.5,
        *,
        inverted: bool = True,
        rng: np.random.Generator | int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if not is_number(ratio) or not 0 <= ratio < 1:
            raise ValueError(f"{self.title}: ratio must be at least 0 and below 1; got {ratio!r}.")
        if not isinstance(inverted, bool):
            raise TypeError(f"{self.title}: inverted must be True or False; got {inverted!r}.")
        self.ratio, self.inverted = float(ratio), inverted
        self.rng = make_rng(self.title, rng)

    def forward(self, x: Array) -> Array:
        """Return x with a part of it dropped; in inference all of it."""
        kept = 1 - self.ratio
        if self.training and self.ratio:
            mask = self.branch(lambda: self.rng.random(x.shape, np.float32) >= self.ratio)
            self.saved = mask, x.dtype.type(1 / kept if self.inverted else 1)
        else:
            self.saved = None, x.dtype.type(1 if self.inverted else kept)
        return self._scaled(x, "y")

    def backward(self, dy: Array) -> Array:
        """Return dy, dropped where x was."""
        return self._scaled(dy, "dx")

    def _scaled(self, x: Array, name: str) -> Array:
        mask, scale = self.saved
        if mask is None and scale == 1:
            return self.fresh(x)
        y = self.over(x, name)
        np.multiply(x, scale, out=y)
        if mask is not None:
            y *= mask
        return y
