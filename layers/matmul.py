"""MatMul: the matrix product of two arrays, neither of which is a parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .arithmetic import sum_to
from .base import Layer
from .memory import Array


class MatMul(Layer):
    """The matrix product, over the last two axes; the axes before them broadcast.

        z = x · y        dx = dz · yᵀ        dy = xᵀ · dz

    Where an input was stretched by broadcasting, its gradient is summed back over the stretched axes.

    Shapes       x (..., n, k), y (..., k, m) -> z (..., n, m); each gradient as its input
    Dtype        any float; the output's is the inputs'
    Errors       ValueError: fewer than two axes, k that differ, axes that do not broadcast. TypeError: dtypes differ
    Source       np.matmul, of which the products with a vector are left out: reshape the vector, or use Affine
    Example
        >>> matmul = MatMul()
        >>> matmul.forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
        array([[11.]])
        >>> matmul.backward(np.array([[1.0]]))
        (array([[3., 4.]]), array([[1.],
               [2.]]))
    """

    def forward(self, x: Array, y: Array) -> Array:
        """Return x · y."""
        if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
            raise ValueError(
                f"{self.title}.forward: x and y must be (..., n, k) and (..., k, m); got {x.shape} and {y.shape}."
            )
        try:
            stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        except ValueError:
            raise ValueError(
                f"{self.title}.forward: x and y must have axes before the last two that broadcast; got {x.shape} and "
                f"{y.shape}."
            ) from None
        self.saved = x, y
        z = self.buffer("z", (*stack, x.shape[-2], y.shape[-1]), x.dtype)
        return np.matmul(x, y, out=z)

    def multiply_adds(self, inputs: Sequence[tuple[int, ...]], outputs: Sequence[tuple[int, ...]]) -> int:
        """The length of the axis that is summed over, for each entry of the output."""
        return math.prod(outputs[0]) * inputs[0][-1]

    def backward(self, dz: Array) -> tuple[Array | None, Array | None]:
        """Return (dx, dy)."""
        x, y = self.saved
        dx = sum_to(np.matmul(dz, y.swapaxes(-1, -2)), x.shape) if self.wants(0) else None
        dy = sum_to(np.matmul(x.swapaxes(-1, -2), dz), y.shape) if self.wants(1) else None
        return dx, dy
