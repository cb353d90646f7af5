"""Bricks of arithmetic, with NumPy's broadcasting: Add, Sub, Mul, Div, Neg, Pow, Exp, Log.

Where an input was stretched by broadcasting, its gradient is summed back over the stretched axes.
"""

from __future__ import annotations

import numpy as np

from .base import Layer
from .memory import Array


def sum_to(dy: Array, shape: tuple[int, ...]) -> Array:
    """Sum `dy` over the axes along which an array of `shape` was broadcast to get its shape.

    >>> sum_to(np.ones((2, 3)), (3,))
    array([2., 2., 2.])
    >>> sum_to(np.ones((2, 3)), (2, 1))
    array([[3.],
           [3.]])
    """
    if dy.shape == shape:
        return dy
    extra = dy.ndim - len(shape)
    stretched = tuple(extra + axis for axis, size in enumerate(shape) if size == 1 and dy.shape[extra + axis] != 1)
    total: Array = np.sum(dy, axis=(*range(extra), *stretched), keepdims=True)
    return total.reshape(shape)


class _Pair(Layer):
    """Two inputs that broadcast against each other."""

    def _together(self, x: Array, y: Array) -> tuple[int, ...]:
        try:
            return np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            raise ValueError(
                f"{self.title}.forward: x and y must have shapes that broadcast; got {x.shape} and {y.shape}."
            ) from None


class Add(_Pair):
    """The sum of two arrays; the gradient passes through to both.

        z = x + y        dx = dz        dy = dz

    Shapes       x, y any that broadcast -> z their common shape; each gradient as its input
    Dtype        float32 or float64; the output's is the inputs'
    Errors       ValueError: the shapes do not broadcast. TypeError: the dtypes differ
    Example
        >>> add = Add()
        >>> print(add.forward(200.0, 450.0), *add.backward(1.3))
        650.0 1.3 1.3
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def forward(self, x: Array, y: Array) -> Array:
        """Return x + y."""
        z = self.buffer("z", self._together(x, y), x.dtype)
        self.saved = x.shape, y.shape
        return np.add(x, y, out=z)

    def backward(self, dz: Array) -> tuple[Array, Array]:
        """Return (dx, dy)."""
        shape_x, shape_y = self.saved
        return sum_to(dz.copy(), shape_x), sum_to(dz.copy(), shape_y)


class Sub(_Pair):
    """The difference of two arrays.

        z = x - y        dx = dz        dy = -dz

    Shapes       x, y any that broadcast -> z their common shape; each gradient as its input
    Dtype        float32 or float64; the output's is the inputs'
    Errors       ValueError: the shapes do not broadcast. TypeError: the dtypes differ
    Example
        >>> sub = Sub()
        >>> print(sub.forward(5.0, 3.0), *sub.backward(1.0))
        2.0 1.0 -1.0
    """

    sample_wise = True

    def forward(self, x: Array, y: Array) -> Array:
        """Return x - y."""
        z = self.buffer("z", self._together(x, y), x.dtype)
        self.saved = x.shape, y.shape
        return np.subtract(x, y, out=z)

    def backward(self, dz: Array) -> tuple[Array, Array]:
        """Return (dx, dy)."""
        shape_x, shape_y = self.saved
        return sum_to(dz.copy(), shape_x), sum_to(-dz, shape_y)


class Mul(_Pair):
    """The product of two arrays, entry by entry; the gradient of each is the other's value times what comes in.

        z = x · y        dx = dz · y        dy = dz · x

    Shapes       x, y any that broadcast -> z their common shape; each gradient as its input
    Dtype        float32 or float64; the output's is the inputs'
    Errors       ValueError: the shapes do not broadcast. TypeError: the dtypes differ
    Example
        >>> mul = Mul()
        >>> print(mul.forward(10.0, 5.0), *mul.backward(1.3))
        50.0 6.5 13.0
    """

    sample_wise = True

    def forward(self, x: Array, y: Array) -> Array:
        """Return x · y."""
        z = self.buffer("z", self._together(x, y), x.dtype)
        self.saved = x, y
        return np.multiply(x, y, out=z)

    def backward(self, dz: Array) -> tuple[Array | None, Array | None]:
        """Return (dx, dy)."""
        x, y = self.saved
        dx = sum_to(dz * y, x.shape) if self.wants(0) else None
        return dx, sum_to(dz * x, y.shape) if self.wants(1) else None


class Div(_Pair):
    """The quotient of two arrays, entry by entry.

        z = x / y        dx = dz / y        dy = -dz · x / y²

    Shapes       x, y any that broadcast -> z their common shape; each gradient as its input
    Dtype        float32 or float64; the output's is the inputs'
    Errors       ValueError: the shapes do not broadcast. TypeError: the dtypes differ
    Example
        >>> div = Div()
        >>> print(div.forward(6.0, 4.0), *div.backward(1.0))
        1.5 0.25 -0.375
    """

    sample_wise = True

    def forward(self, x: Array, y: Array) -> Array:
        """Return x / y."""
        z = self.buffer("z", self._together(x, y), x.dtype)
        self.saved = x, y
        return np.divide(x, y, out=z)

    def backward(self, dz: Array) -> tuple[Array, Array | None]:
        """Return (dx, dy)."""
        x, y = self.saved
        dx = dz / y
        dy = sum_to(-dx * (x / y), y.shape) if self.wants(1) else None
        return sum_to(dx, x.shape), dy


class Neg(Layer):
    """The negative.

        y = -x        dx = -dy

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> neg = Neg()
        >>> print(neg.forward(2.0), neg.backward(3.0))
        -2.0 -3.0
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return -x."""
        return np.negative(x, out=self.buffer("y", x.shape, x.dtype))

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        return -dy


class Pow(_Pair):
    """One array to the power of another, entry by entry.

        z = xʸ        dx = dz · y · xʸ⁻¹        dy = dz · xʸ · ln x

    An exponent of integers (`x ** 2`) needs no gradient and gets None; one of floats has none where x < 0, and NaN
    says so. At x = 0 the gradient of y is taken as 0, its limit for y > 0.

    Shapes       x, y any that broadcast -> z their common shape; each gradient as its input
    Dtype        x float32 or float64, y as x or integers; the output's is x's
    Errors       ValueError: the shapes do not broadcast. TypeError: the dtypes differ
    Example
        >>> pow = Pow()
        >>> print(pow.forward(3.0, 2), *pow.backward(1.0))
        9.0 6.0 None
    """

    sample_wise = True
    integer_inputs = ("y",)

    def forward(self, x: Array, y: Array) -> Array:
        """Return x ** y."""
        if y.dtype.kind == "f" and y.ndim and y.dtype != x.dtype:
            raise TypeError(
                f"{self.title}.forward: x is {x.dtype} but y is {y.dtype}, and nothing is promoted in silence. Convert "
                "one of them with .astype()."
            )
        z = self.buffer("z", self._together(x, y), x.dtype)
        exponent = y.astype(x.dtype, copy=False)
        self.saved = x, exponent, y.dtype
        np.power(x, exponent, out=z)
        return z

    def backward(self, dz: Array) -> tuple[Array, Array | None]:
        """Return (dx, dy)."""
        x, y, y_dtype = self.saved
        power = np.power(x, np.where(y == 0, y, y - 1))  # y = 0: x⁰ is 1 at every x, 0 too, and its slope 0
        dx = sum_to(dz * y * power, x.shape)
        if y_dtype.kind != "f" or not self.wants(1):
            return dx, None
        slope = np.log(np.where(x > 0, x, np.where(x == 0, 1, np.nan)).astype(x.dtype)) * np.power(x, y)
        return dx, sum_to(dz * slope, y.shape).astype(y_dtype)


class Exp(Layer):
    """The exponential.

        y = eˣ        dx = dy · y

    Shapes       x any -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> exp = Exp()
        >>> print(exp.forward(0.0), exp.backward(3.0))
        1.0 3.0
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return exp(x)."""
        y = np.exp(x, out=self.buffer("y", x.shape, x.dtype))
        self.saved = y
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        dx: Array = dy * self.saved
        return dx


class Log(Layer):
    """The natural logarithm. At 0 and below NumPy warns and gives -inf and NaN.

        y = ln x        dx = dy / x

    Shapes       x any, > 0 -> y as x; dx as x
    Dtype        float32 or float64; the output's is the input's
    Example
        >>> log = Log()
        >>> print(log.forward(1.0), log.backward(3.0))
        0.0 3.0
    """

    sample_wise = True

    def forward(self, x: Array) -> Array:
        """Return log(x)."""
        self.saved = x
        return np.log(x, out=self.buffer("y", x.shape, x.dtype))

    def backward(self, dy: Array) -> Array:
        """Return dx."""
        dx: Array = dy / self.saved
        return dx
