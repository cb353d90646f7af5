"""ResNet: a small net with skips and batch normalization, what came after the nets of the texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.graph import Input, Node
from brickgrad.layers import Affine, BatchNormalization, Convolution, GlobalAveragePooling, ReLU
from brickgrad.layers.initial import make_rng

from .convolutional import check_image
from .net import Net


class ResNet(Net):
    """Residual blocks, each two convolutions whose result is added to what came in; every stage halves the image.

        block: y = relu(x + norm(conv(relu(norm(conv(x))))))

    Where a stage changes the number of channels or the size of the image, x goes through a 1 × 1 convolution and a norm
    of its own.

    Parameters
        input_dim : (channels, rows, columns), default (1, 28, 28).
        channels : ints, default (16, 32, 64). Of each stage; the first keeps the image's size.
        blocks : int, default 1. Of each stage.
        output_size : int, default 10.
        rng : numpy.random.Generator or seed, for the initial values.
        dtype : float32 (default) or float64.
    Shapes       x (N, *input_dim), t labels (N,) or one-hot (N, output_size)
    Errors       ValueError: no stages, no blocks
    Source       He, Zhang, Ren & Sun (2016), figure 2
    Example
        >>> net = ResNet(channels=(4, 8), rng=0)
        >>> net.predict(np.zeros((2, 1, 28, 28), np.float32)).shape, [name for name in net.params if "skip" in name]
        ((2, 10), ['stage2.block1.skip.W', 'stage2.block1.skip.norm.gamma', 'stage2.block1.skip.norm.beta'])
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        channels: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        output_size: int = 10,
        *,
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        check_image(self.title, input_dim)
        stages = isinstance(channels, list | tuple) and len(channels) > 0
        if not stages or not isinstance(blocks, int | np.integer) or blocks < 1:
            raise ValueError(
                f"{self.title}: needs a list with the channels of each stage, and at least one block; got "
                f"{channels!r} and {blocks!r}."
            )
        self._rng, self._dtype = make_rng(self.title, rng), dtype
        x = Input("x", tuple(input_dim))
        n_in = channels[0]
        h = ReLU()(self._convolve(x, input_dim[0], n_in, 3, 1, "stem"))
        for stage, n_out in enumerate(channels, start=1):
            for block in range(1, blocks + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                h = self._block(h, n_in, n_out, stride, f"stage{stage}.block{block}")
                n_in = n_out
        scores = Affine(n_in, output_size, rng=self._rng, dtype=dtype, name="head")(GlobalAveragePooling()(h))
        super().__init__(x, scores)

    def _block(self, x: Node, n_in: int, n_out: int, stride: int, name: str) -> Node:
        h = ReLU()(self._convolve(x, n_in, n_out, 3, stride, f"{name}.conv1"))
        h = self._convolve(h, n_out, n_out, 3, 1, f"{name}.conv2")
        if stride != 1 or n_in != n_out:
            x = self._convolve(x, n_in, n_out, 1, stride, f"{name}.skip")
        y: Node = ReLU()(x + h)
        return y

    def _convolve(self, x: Node, n_in: int, n_out: int, size: int, stride: int, name: str) -> Node:
        """Convolution and norm; beta stands in for a bias."""
        convolution = Convolution(
            n_out,
            n_in,
            size,
            size,
            stride=stride,
            pad=size // 2,
            bias=False,
            rng=self._rng,
            dtype=self._dtype,
            name=name,
        )
        y: Node = BatchNormalization(n_out, dtype=self._dtype, name=f"{name}.norm")(convolution(x))
        return y
