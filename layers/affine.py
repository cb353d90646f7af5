"""Affine: the brick that holds most of a net's parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Layer
from .initial import Init, initial_values, make_rng
from .memory import Array
from .precision import float_dtype


class Affine(Layer):
    """A linear map with a bias, over the last axis.

        y = x · W + b        dx = dy · Wᵀ        dW = xᵀ · dy        db = Σ dy

    Parameters
        sizes : (n_in, n_out), or (n_out,) to take n_in from the first input or when a graph is built.
        bias : bool, default True. Whether there is a b.
        init : name, deviation or function, default "he". W's initial values, see `initial_values`; b starts at 0.
        rng : numpy.random.Generator or seed, optional.
        dtype : float32 or float64. The parameters'; default float32, or the first input's where n_in is taken from it.
    Shapes       x (..., n_in) -> y (..., n_out); dy as y; dx as x; W (n_in, n_out), b (n_out,)
    Dtype        the output's and the gradients' of x are x's, whatever the parameters'
    Errors       ValueError: x's last axis is not n_in. TypeError: x holds integers
    Source       Rumelhart, Hinton & Williams (1986)
    Example
        >>> affine = Affine(2, 3, init=0.0)
        >>> affine.params["W"] = [[1, 2, 3], [4, 5, 6]]
        >>> affine.forward(np.array([[1.0, 10.0]])), affine.backward(np.array([[1.0, 0.0, 0.0]]))
        (array([[41., 52., 63.]]), array([[1., 4.]]))
        >>> affine.grads["W"]
        array([[ 1.,  0.,  0.],
               [10.,  0.,  0.]], dtype=float32)
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(
        self,
        *sizes: int,
        bias: bool = True,
        init: Init = "he",
        rng: np.random.Generator | int | None = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if len(sizes) not in (1, 2) or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
            raise ValueError(f"{self.title}: sizes must be (n_in, n_out) or (n_out,), each at least 1; got {sizes}.")
        self.n_out = int(sizes[-1])
        self.bias, self.init = bias, init
        self.rng = make_rng(self.title, rng)
        self.dtype = None if dtype is None else float_dtype(self.title, dtype)
        if len(sizes) == 2:
            self._make(int(sizes[0]), np.dtype(np.float32))

    def _make(self, n_in: int, dtype: np.dtype[Any]) -> None:
        dtype = self.dtype or dtype
        self.add_param("W", initial_values(self.init, (n_in, self.n_out), n_in, self.rng, dtype))
        if self.bias:
            self.add_param("b", np.zeros(self.n_out, dtype))

    @property
    def n_in(self) -> int | None:
        """How many inputs it takes; None while that is open."""
        return len(self.params["W"]) if self.sized else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n_in, n_out); (n_out,) while n_in is open."""
        return (self.n_out,) if self.n_in is None else (self.n_in, self.n_out)

    @property
    def sized(self) -> bool:
        """Whether n_in is known."""
        return "W" in self.params

    def forward(self, x: Array) -> Array:
        """Return x · W + b."""
        params = self.params
        if "W" not in params:
            if x.ndim == 0 or x.shape[-1] == 0:
                raise ValueError(f"{self.title}.forward: x must be (..., n_in) with n_in at least 1; got {x.shape}.")
            self._make(x.shape[-1], x.dtype)
        W = params["W"]
        if x.ndim == 0 or x.shape[-1] != len(W):
            hint = " Flatten the images first." if x.ndim > 2 and np.prod(x.shape[1:]) == len(W) else ""
            raise ValueError(
                f"{self.title}.forward: x must be (N, {len(W)}) to match W {W.shape}; got {x.shape}.{hint}"
            )
        W = W.astype(x.dtype, copy=False)
        y = np.matmul(x, W, out=self.buffer("y", (*x.shape[:-1], self.n_out), x.dtype))
        if self.bias:
            y += params["b"].astype(x.dtype, copy=False)
        self.saved = x, W
        return y

    def multiply_adds(self, inputs: Sequence[tuple[int, ...]], outputs: Sequence[tuple[int, ...]]) -> int:
        """n_in for each entry of the output."""
        return math.prod(outputs[0]) * inputs[0][-1]

    def backward(self, dy: Array) -> Array | None:
        """Return dx; set grads W and b."""
        x, W = self.saved
        rows = x.reshape(-1, x.shape[-1])
        d_rows = dy.reshape(-1, self.n_out)
        np.matmul(rows.T, d_rows, out=self._room_for("W"), casting="same_kind")
        if self.bias:
            np.add.reduce(d_rows, axis=0, out=self._room_for("b"))
        if not self.wants(0):
            return None
        return np.matmul(dy, W.T, out=self.buffer("dx", x.shape, x.dtype))

    def _room_for(self, key: str) -> Array:
        """A parameter's gradient, to be written to; a replica made before there were sizes has none yet."""
        if key not in self.grads:
            self.grads[key] = np.zeros_like(self.params[key])
        return self.grads[key]
