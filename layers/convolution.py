"""Convolution: the same small kernels laid over every place of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Layer
from .correlation import correlate, correlate_back, correlate_kernels
from .initial import Init, initial_values, make_rng
from .memory import Array
from .precision import float_dtype
from .scalars import is_whole
from .windows import Pad, Windowed, Windows


class Convolution(Windowed, Layer):
    """Kernels laid over every window of an image; as the field has it, they are not turned about (cross-correlation).

        y[n, f, r, c] = b[f] + Σ W[f, k, i, j] · x[n, k, r·stride + i·dilation - pad, c·stride + j·dilation - pad]
        over k, i, j        dW, dx: the same sum, for what dy meets        db = Σ dy over n, r, c

    Parameters
        sizes : (FN, C, FH, FW): kernels, channels in, and a kernel's rows and columns; or (FN, FH, FW), to take C from
            the first input or when a graph is built.
        stride : int or (rows, columns), at least 1, default 1. How far apart the windows lie.
        pad : int, (rows, columns), ((top, bottom), (left, right)), "valid" (0) or "same", default 0. Zeros around the
            image. "same" gives ⌈H / stride⌉ rows, and an odd zero goes below and to the right.
        dilation : int or (rows, columns), at least 1, default 1. How far apart a kernel's entries lie.
        groups : int, default 1. Channels and kernels are cut into so many parts, and each part sees its own channels.
        bias : bool, default True.
        init, rng, dtype : as in Affine; each output sums over n_in = FH · FW · C / groups inputs.
    Shapes       x (N, C, H, W) -> y (N, FN, OH, OW), OH = ⌊(H + pads - dilation·(FH - 1) - 1) / stride⌋ + 1;
                 dy as y; dx as x; W (FN, C / groups, FH, FW), b (FN,)
    Dtype        the output's and the gradients' of x are x's; float16 is summed in float32 and rounded
    Errors       ValueError: no image, other channels than W's, groups that do not divide, a kernel larger than the
                 padded image
    Source       LeCun et al. (1989); groups: Krizhevsky et al. (2012); dilation: Yu & Koltun (2016)
    Example
        >>> edges = Convolution(1, 1, 1, 2, init=lambda rng, shape: np.reshape([-1.0, 1.0], shape))
        >>> edges.forward(np.array([[[[0.0, 0.0, 5.0, 5.0]]]]))
        array([[[[0., 5., 0.]]]])
        >>> edges.backward(np.array([[[[1.0, 1.0, 1.0]]]])), edges.grads["W"].ravel()
        (array([[[[-1.,  0.,  0.,  1.]]]]), array([ 5., 10.], dtype=float32))
    """

    sample_wise = True
    hands_over = ("y", "dx")

    def __init__(
        self,
        *sizes: int,
        stride: int | tuple[int, int] = 1,
        pad: Pad = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        init: Init = "he",
        rng: np.random.Generator | int | None = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if len(sizes) not in (3, 4) or not all(is_whole(size, 1) for size in sizes):
            raise ValueError(
                f"{self.title}: sizes must be (FN, C, FH, FW) or (FN, FH, FW), each at least 1; got {sizes}."
            )
        self.n_out = int(sizes[0])
        self.windows = Windows.read(self.title, sizes[-2:], stride, pad, dilation)
        if not is_whole(groups, 1) or self.n_out % groups:
            raise ValueError(f"{self.title}: groups must divide the {self.n_out} kernels; got {groups!r}.")
        self.groups, self.bias, self.init = int(groups), bias, init
        self.rng = make_rng(self.title, rng)
        self.dtype = None if dtype is None else float_dtype(self.title, dtype)
        if len(sizes) == 4:
            self._make(int(sizes[1]), np.dtype(np.float32))

    def _make(self, channels: int, dtype: np.dtype[Any]) -> None:
        if channels % self.groups:
            raise ValueError(f"{self.title}: groups must divide the {channels} channels; got {self.groups}.")
        dtype = self.dtype or dtype
        shape = (self.n_out, channels // self.groups, *self.windows.size)
        self.add_param("W", initial_values(self.init, shape, int(np.prod(shape[1:])), self.rng, dtype))
        if self.bias:
            self.add_param("b", np.zeros(self.n_out, dtype))

    @property
    def sizes(self) -> tuple[int, ...]:
        """(FN, C, FH, FW); (FN, FH, FW) while C is open."""
        channels = (self.params["W"].shape[1] * self.groups,) if self.sized else ()
        return (self.n_out, *channels, *self.windows.size)

    @property
    def sized(self) -> bool:
        """Whether the number of channels is known."""
        return "W" in self.params

    def forward(self, x: Array) -> Array:
        """Return W ⋆ x + b."""
        grid = self.windows.on(self.title, x.shape)
        if not self.sized:
            if x.shape[1] == 0:
                raise ValueError(f"{self.title}.forward: x must have at least one channel; got {x.shape}.")
            self._make(x.shape[1], x.dtype)
        W = self.params["W"]
        if x.shape[1] != W.shape[1] * self.groups:
            parts = f" in {self.groups} groups" if self.groups > 1 else ""
            raise ValueError(
                f"{self.title}.forward: x must be (N, {W.shape[1] * self.groups}, H, W) to match W {W.shape}{parts}; "
                f"got {x.shape}."
            )
        W = W.astype(x.dtype, copy=False)
        b = self.params["b"].astype(x.dtype, copy=False) if self.bias else None
        y = self.buffer("y", (len(x), self.n_out, *grid.out), x.dtype)
        correlate(x, W, b, grid, self.groups, y, self.buffer)
        self.saved = x, W, grid
        return y

    def multiply_adds(self, inputs: Sequence[tuple[int, ...]], outputs: Sequence[tuple[int, ...]]) -> int:
        """FH · FW · C / groups for each entry of the output; padding counts, for it is multiplied as well."""
        return math.prod(outputs[0]) * math.prod(self.windows.size) * inputs[0][1] // self.groups

    def backward(self, dy: Array) -> Array | None:
        """Return dx; set grads W and b."""
        x, W, grid = self.saved
        if self.bias:
            self.grads["b"] = dy.sum(axis=(0, 2, 3))
        if not self.wants(0):
            self.grads["W"] = correlate_kernels(x, dy, W, grid, self.groups, self.buffer)
            return None
        dx = self.buffer("dx", x.shape, x.dtype)
        self.grads["W"] = correlate_back(x, dy, W, grid, self.groups, dx, self.buffer)
        return dx
