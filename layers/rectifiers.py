"""The rectifiers that came after ReLU: LeakyReLU, ELU, Softplus, Swish, GELU."""

from __future__ import annotations

import numpy as np

from .base import Layer
from .erf import bell, normal_cdf
from .logistic import sigmoid
from .memory import Array
from .scalars import is_number


class LeakyReLU(Layer):
    """ReLU that lets a little of the negative inputs through, so that no node stops learning for good.

        y = x where x > 0, else slope · x        dx = dy where x > 0, else slope · dy

    Parameters
        slope : float >= 0, default 0.01. The slope at and below 0.
    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Errors       ValueError: a slope out of range
    Source       Maas, Hannun & Ng (2013)
    Example
        >>> leaky = LeakyReLU(0.1)
        >>> leaky.forward(np.array([-1.0, 0.0, 2.0])), leaky.backward(np.array([5.0, 5.0, 5.0]))
        (array([-0.1,  0. ,  2. ]), array([0.5, 0.5, 5. ]))
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(self, slope: float = 0.01, name: str | None = None) -> None:
        super().__init__(name)
        if not is_number(slope) or not 0 <= slope < np.inf:
            raise ValueError(f"{self.title}: slope must be a finite number of 0 or more; got {slope!r}.")
        self.slope = float(slope)

    def forward(self, x: Array) -> Array:
        """Return x where x > 0, else slope · x."""
        self.saved = self.branch(lambda: np.greater(x, 0, out=self.buffer("on", x.shape, bool)))
        return self._scaled(x, "y")

    def backward(self, dy: Array) -> Array:
        """Return dy where the input was positive, else slope · dy."""
        return self._scaled(dy, "dx")

    def _scaled(self, x: Array, name: str) -> Array:
        y = self.buffer(name, x.shape, x.dtype)
        if self.slope:
            np.multiply(x, self.slope, out=y)
        else:  # 0 · inf would be NaN; a NaN itself must stay one
            y[...] = np.where(np.isnan(x), x, 0)
        np.copyto(y, x, where=self.saved)
        return y


class ELU(Layer):
    """A rectifier that bends smoothly to -alpha, so that the outputs' mean stays near 0.

        y = x where x > 0, else alpha · (eˣ - 1)        dx = dy where x > 0, else dy · alpha · eˣ

    Parameters
        alpha : float > 0, default 1. How far below 0 it goes.
    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Errors       ValueError: an alpha out of range
    Source       Clevert, Unterthiner & Hochreiter (2016)
    Example
        >>> elu = ELU()
        >>> print(elu.forward(np.array([-1.0, 0.0, 2.0])).round(4), elu.backward(np.ones(3)).round(4))
        [-0.6321  0.      2.    ] [0.3679 1.     1.    ]
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(self, alpha: float = 1.0, name: str | None = None) -> None:
        super().__init__(name)
        if not is_number(alpha) or not 0 < alpha < np.inf:
            raise ValueError(f"{self.title}: alpha must be a finite number above 0; got {alpha!r}.")
        self.alpha = float(alpha)

    def forward(self, x: Array) -> Array:
        """Return x where x > 0, else alpha · (exp(x) - 1)."""
        on = self.branch(lambda: np.greater(x, 0, out=self.buffer("on", x.shape, bool)))
        self.saved = x, on
        y = self.buffer("y", x.shape, x.dtype)
        np.expm1(np.where(on, 0, x), out=y)  # 0 where it is not needed, and could overflow
        np.multiply(y, self.alpha, out=y)
        np.copyto(y, x, where=on)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        x, on = self.saved
        dx = self.buffer("dx", dy.shape, dy.dtype)
        np.exp(np.where(on, 0, x), out=dx)  # not y + alpha, which keeps nothing of a small slope
        np.multiply(dx, self.alpha, out=dx)
        np.multiply(dx, dy, out=dx)
        np.copyto(dx, dy, where=on)
        return dx


class Softplus(Layer):
    """ReLU made smooth: its slope is the logistic function. Exact at both ends, without overflow.

        y = log(1 + eˣ)        dx = dy / (1 + e⁻ˣ)

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Source       Dugas et al. (2001)
    Example
        >>> softplus = Softplus()
        >>> print(softplus.forward(0.0).round(4), softplus.backward(1.0))
        0.6931 0.5
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array) -> Array:
        """Return log(1 + exp(x))."""
        self.saved = x
        y = self.buffer("y", x.shape, x.dtype)
        np.log1p(np.exp(-np.abs(x)), out=y)
        return np.add(y, np.maximum(x, 0), out=y)

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        dx: Array = dy * sigmoid(self.saved)
        return dx


class Swish(Layer):
    """The input times its logistic function, also called SiLU: smooth, and with a dip below 0.

        y = x · σ(x)        dx = dy · σ(x) · (1 + x · σ(-x))        σ(x) = 1 / (1 + e⁻ˣ)

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Source       Ramachandran, Zoph & Le (2017)
    Example
        >>> swish = Swish()
        >>> print(swish.forward(np.array([-1.0, 0.0, 2.0])).round(4), swish.backward(np.ones(3)).round(4))
        [-0.2689  0.      1.7616] [0.0723 0.5    1.0908]
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array) -> Array:
        """Return x / (1 + exp(-x))."""
        self.saved = x
        # -1000 is as good as -inf, for σ is 0 there, and -inf · 0 would be NaN
        return np.multiply(np.maximum(x, -1000.0), sigmoid(x), out=self.buffer("y", x.shape, x.dtype))

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        x = np.clip(self.saved, -1000.0, 1000.0)  # as above, at both ends
        dx: Array = dy * (sigmoid(x) * (1 + x * sigmoid(-x)))  # σ(-x), not 1 - σ(x), which is 0 too soon
        return dx


class GELU(Layer):
    """The input times the probability that a normal number lies below it; exact, not the tanh approximation.

        y = x · Φ(x)        dx = dy · (Φ(x) + x · φ(x))        Φ(x) = ½ erfc(-x / √2), φ(x) = e^(-x²/2) / √(2π)

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64, computed in float64; the output's is the input's
    Source       Hendrycks & Gimpel (2016)
    Example
        >>> gelu = GELU()
        >>> print(gelu.forward(np.array([-1.0, 0.0, 2.0])).round(4), gelu.backward(np.ones(3)).round(4))
        [-0.1587  0.      1.9545] [-0.0833  0.5     1.0852]
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array) -> Array:
        """Return x · Φ(x)."""
        self.saved = x
        wide = np.asarray(x, np.float64)
        y = self.buffer("y", x.shape, x.dtype)
        # -40 is as good as -inf, for Φ is 0 there, and -inf · 0 would be NaN
        return np.multiply(np.maximum(wide, -40), normal_cdf(wide), out=y, casting="same_kind")

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        x = np.clip(np.asarray(self.saved, np.float64), -40, 40)  # as above, at both ends
        slope = normal_cdf(x) + x * bell(x) / np.sqrt(2 * np.pi)
        dx: Array = dy * slope.astype(dy.dtype)
        return dx
