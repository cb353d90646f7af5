"""Sequential: layers in a row."""

from __future__ import annotations

from brickgrad.graph import Input
from brickgrad.layers import Layer

from .net import Net


class Sequential(Net):
    """A net of layers in a row, each fed by the one before.

    Parameters
        layers : Layer, one or more; a Graph is a layer too.
        loss : Layer of (scores, t), default SoftmaxWithLoss().
        input_shape : of one sample, without the batch axis. Default: (n_in,) of a first Affine(n_in, n_out), else
            unknown, and lazily sized layers get their sizes from the first batch.
    Errors       TypeError: something that is no layer. ValueError: no layers, shapes that do not fit
    Example
        >>> import numpy as np, brickgrad as bg
        >>> net = Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(3, rng=1))
        >>> net.predict(np.ones((2, 4), np.float32)).shape, list(net.params)
        ((2, 3), ['affine1.W', 'affine1.b', 'affine2.W', 'affine2.b'])
    """

    def __init__(self, *layers: Layer, loss: Layer | None = None, input_shape: tuple[int, ...] | None = None) -> None:
        if not layers:
            raise ValueError(f"{self.title}: needs at least one layer; got none.")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"{self.title}: takes layers, such as ReLU(); got {layer!r:.60}.")
        n_in = getattr(layers[0], "n_in", None)
        shape = input_shape if input_shape is not None or n_in is None else (n_in,)
        x = Input("x", shape, dtype=int if layers[0].integer_inputs else float)
        node = x
        for layer in layers:
            node = layer(node)
        super().__init__(x, node, loss)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in their order, without the loss."""
        return tuple(step.layer for step in self.body.wiring.steps)
