"""Embedding: a table of vectors, one for each word of a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Layer
from .initial import Init, initial_values, make_rng
from .memory import Array
from .precision import float_dtype


class Embedding(Layer):
    """Look words up in a table: index i becomes row i of W. What a one-hot row times W gives, without the zeros.

        y = W[x]        dW[i] = Σ dy over all places where x = i

    Parameters
        n_words : int >= 1. How many rows W has.
        size : int >= 1. How long a row is.
        init : name, deviation or function, default "xavier". W's initial values, see `initial_values`, with `size` for
            n_in: "xavier" gives deviation √(1 / size), so that rows are about 1 long whatever their size.
        rng : numpy.random.Generator or seed, optional.
        dtype : float32 (default) or float64. W's, and so the output's: indices have no precision to follow.
    Shapes       x (...), integers in 0..n_words - 1 -> y (..., size); dy as y; no gradient for x; W (n_words, size)
    Dtype        the output's and dW's are W's
    Errors       ValueError: an index out of range, negative ones too. TypeError: indices that are no integers
    Source       Bengio et al. (2003), the matrix C
    Example
        >>> words = Embedding(3, 2)
        >>> words.params["W"] = [[1, 2], [3, 4], [5, 6]]
        >>> words.forward(np.array([2, 0, 2]))
        array([[5., 6.],
               [1., 2.],
               [5., 6.]], dtype=float32)
        >>> words.backward(np.ones((3, 2))), words.grads["W"].tolist()
        (None, [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]])
    """

    sample_wise = True
    integer_inputs = ("x",)

    def __init__(
        self,
        n_words: int,
        size: int,
        *,
        init: Init = "xavier",
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if not all(isinstance(n, int | np.integer) and n > 0 for n in (n_words, size)):
            raise ValueError(f"{self.title}: sizes must be (n_words, size), each at least 1; got {(n_words, size)}.")
        self.init, self.rng = init, make_rng(self.title, rng)
        self.n_words, self.size, self.dtype = int(n_words), int(size), float_dtype(self.title, dtype)
        self.add_param("W", initial_values(init, (self.n_words, self.size), self.size, self.rng, self.dtype))

    def forward(self, x: Array) -> Array:
        """Return the rows of W that x names."""
        W = self.params["W"]
        if x.dtype.kind not in "iu":
            raise TypeError(f"{self.title}.forward: x must hold integers, the rows to take; got {x.dtype}.")
        wrong = (x < 0) | (x >= len(W))
        if np.any(wrong):
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"{self.title}.forward: x must lie in 0..{len(W) - 1}, the rows of W; got {x[place]} at {place}."
            )
        self.saved = np.array(x, np.intp)  # a copy: whoever writes other words into x changes no gradient
        return np.take(W, self.saved, axis=0, out=self.buffer("y", (*x.shape, W.shape[1]), W.dtype), mode="clip")

    def backward(self, dy: Array) -> None:
        """Return None; set grad W."""
        shape = self.params["W"].shape
        # Entry by entry, in the order of x: on one axis np.add.at is four times as fast as on rows.
        places = self.saved[..., None] * shape[1] + np.arange(shape[1])
        dW = np.zeros(shape[0] * shape[1], dy.dtype)
        np.add.at(dW, places.ravel(), dy.ravel())
        self.grads["W"] = dW.reshape(shape)
