"""Activations: Step, Identity, Sigmoid, Tanh, ReLU, Softmax."""

from __future__ import annotations

import numpy as np

from .base import Layer
from .logistic import sigmoid_of
from .masks import passed_where, positive_part
from .memory import Array


class Step(Layer):
    """1 where x > 0, else 0. Flat everywhere, so its gradient is 0: a net of steps cannot learn by gradients.

        y = [x > 0]        dx = 0

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Source       the perceptron; Rosenblatt (1958)
    Example
        >>> Step().forward(np.array([-1.0, 0.0, 2.0]))
        array([0., 0., 1.])
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return 1 where x > 0, 0 elsewhere, NaN where x is NaN."""
        return self.branch(lambda: np.where(np.isnan(x), x, x > 0).astype(x.dtype)).copy()

    def backward(self, dy: Array) -> Array:
        """Return zeros."""
        return np.zeros_like(dy)


class Identity(Layer):
    """The input as it is: the last layer of a regression.

        y = x        dx = dy

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> Identity().forward(np.array([0.3, 0.7]))
        array([0.3, 0.7])
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return x."""
        return self.fresh(x)

    def backward(self, dy: Array) -> Array:
        """Return dy."""
        return self.fresh(dy)


class Sigmoid(Layer):
    """The logistic function, exact at both ends: no overflow for large -x, and no 1 - 1 for small y.

        y = 1 / (1 + e⁻ˣ)        dx = dy · y · (1 - y)

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> sigmoid = Sigmoid()
        >>> print(sigmoid.forward(0.0), sigmoid.backward(1.0))
        0.5 0.25
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return 1 / (1 + exp(-x))."""
        small = np.exp(-np.abs(x))  # never overflows
        self.saved = small
        return sigmoid_of(x, small, out=self.over(x, "y"))

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        small = self.saved
        dx: Array = dy * (small / np.square(1 + small))  # y · (1 - y), with nothing lost where y is near 1
        return dx


class Tanh(Layer):
    """The hyperbolic tangent.

        y = tanh x        dx = dy · (1 - y²)

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> tanh = Tanh()
        >>> print(tanh.forward(0.0), tanh.backward(2.0))
        0.0 2.0
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return tanh(x)."""
        y = np.tanh(x, out=self.over(x, "y"))
        self.saved = y
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        y = self.saved
        dx: Array = dy * ((1 - y) * (1 + y))  # 1 - y², with less lost where y is near ±1
        return dx


class ReLU(Layer):
    """The rectifier. At x = 0 its gradient is taken as 0. NaN passes through: a fault is not hidden.

        y = max(x, 0)        dx = dy where x > 0, else 0

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Source       Nair & Hinton (2010)
    Example
        >>> relu = ReLU()
        >>> relu.forward(np.array([-1.0, 0.0, 2.0])), relu.backward(np.array([5.0, 5.0, 5.0]))
        (array([0., 0., 2.]), array([0., 0., 5.]))
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array) -> Array:
        """Return x where x > 0, else 0."""
        if not self.memory.forgets:
            self.saved = self.branch(lambda: np.greater(x, 0, out=self.buffer("on", x.shape, bool)))
        y = self.over(x, "y")
        if not self._frozen:
            return positive_part(x, y)
        np.multiply(x, self.saved, out=y)
        return np.add(y, 0, out=y)  # a product with 0 may be -0: make it 0, as maximum does

    def backward(self, dy: Array) -> Array:
        """Return dy where the input was positive, else 0; `dy` itself stays as it is."""
        return passed_where(self.saved, dy, self.over(dy, "dx"))


class Softmax(Layer):
    """Positive outputs that sum to 1, larger where the input is; computed after taking the largest input off.

        yᵢ = e^xᵢ / Σⱼ e^xⱼ        dxᵢ = yᵢ · (dyᵢ - Σⱼ dyⱼ yⱼ)

    Parameters
        axis : int, default -1. The axis that sums to 1.
    Shapes       x any with at least one axis -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Errors       ValueError: x has no such axis
    Example
        >>> print(Softmax().forward(np.array([0.3, 2.9, 4.0])).round(8))
        [0.01821127 0.24519181 0.73659691]
    """

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        self.axis = axis

    def forward(self, x: Array) -> Array:
        """Return exp(x) over its sum along the axis."""
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"{self.title}.forward: x must have an axis {self.axis} to sum over; got shape {x.shape}.")
        y = self.buffer("y", x.shape, x.dtype)
        np.subtract(x, np.max(x, axis=self.axis, keepdims=True, initial=-np.inf), out=y)
        np.exp(y, out=y)
        y /= np.sum(y, axis=self.axis, keepdims=True)
        self.saved = y
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        y = self.saved
        dx: Array = y * (dy - np.sum(dy * y, axis=self.axis, keepdims=True))
        return dx
