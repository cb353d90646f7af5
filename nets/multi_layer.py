"""The fully connected nets of the texts, with their parameters under the texts' names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Affine, Array, ArrayDict, BatchNormalization, Dropout, Layer
from brickgrad.layers.activations import ACTIVATIONS
from brickgrad.layers.initial import Init, make_rng

from .sequential import Sequential


class MultiLayerNet(Sequential):
    """Affine layers with an activation between them, and SoftmaxWithLoss: parameters W1, b1, W2, b2, …

    With batch normalization before each activation (gamma1, beta1, …) and dropout after it, where asked for.

        loss = cross entropy + ½ λ Σ W²

    Parameters
        input_size, output_size : int.
        hidden_size_list : ints, the number of nodes of each hidden layer; may be empty.
        activation : "relu" (default), "sigmoid", "tanh", "identity", "leaky-relu", "elu", "softplus",
            "swish" or "gelu".
        weight_init_std : deviation or name, default "he" for ReLU and its family, "xavier" for
            sigmoid, tanh and identity; see `initial_values`.
        weight_decay_lambda : float >= 0, default 0. λ; biases, gammas and betas are not decayed.
        use_batchnorm : bool, default False.
        dropout_ratio : float in 0..1, 1 left out, default 0. The share of hidden nodes that are dropped in training.
        rng : numpy.random.Generator or seed, for the initial values and the masks.
        dtype : float32 (default) or float64.
    Shapes       x (N, input_size), t labels (N,) or one-hot (N, output_size)
    Errors       ValueError: an unknown activation, a size below 1, a negative λ
    Example
        >>> net = MultiLayerNet(784, [100, 100], 10, rng=0)
        >>> {name: param.shape for name, param in net.params.items() if name.startswith("W")}
        {'W1': (784, 100), 'W2': (100, 100), 'W3': (100, 10)}
    """

    settings = ("weight_decay_lambda",)

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: Init | None = None,
        weight_decay_lambda: float = 0.0,
        *,
        use_batchnorm: bool = False,
        dropout_ratio: float = 0.0,
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"{self.title}: activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}.")
        if not isinstance(weight_decay_lambda, int | float | np.number) or not 0 <= weight_decay_lambda < np.inf:
            raise ValueError(f"{self.title}: weight_decay_lambda must be 0 or more; got {weight_decay_lambda!r}.")
        if not isinstance(hidden_size_list, list | tuple):
            raise TypeError(
                f"{self.title}: hidden_size_list must be a list of sizes, such as [100, 100]; got {hidden_size_list!r}."
            )
        init: Init = weight_init_std if weight_init_std is not None else activation
        generator = make_rng(self.title, rng)
        sizes = [input_size, *hidden_size_list, output_size]
        layers: list[Layer] = []
        for n_in, n_out in itertools.pairwise(sizes[:-1]):
            layers.append(Affine(n_in, n_out, init=init, rng=generator, dtype=dtype))
            if use_batchnorm:
                layers.append(BatchNormalization(n_out, dtype=dtype))
            layers.append(ACTIVATIONS[activation]())
            if dropout_ratio:
                layers.append(Dropout(dropout_ratio, rng=generator))
        layers.append(Affine(*sizes[-2:], init=init, rng=generator, dtype=dtype))
        self.weight_decay_lambda = weight_decay_lambda
        super().__init__(*layers)

    def _public_name(self, name: str) -> str:
        return numbered(name)

    def _penalty(self, into: ArrayDict | None = None) -> float:
        if not self.weight_decay_lambda:
            return 0.0
        weights: dict[str, Array] = {name: param for name, param in self.params.items() if name.startswith("W")}
        if into is not None:
            for name, W in weights.items():
                into[name] += self.weight_decay_lambda * W
        return 0.5 * self.weight_decay_lambda * sum(float(np.sum(np.square(W))) for W in weights.values())


def numbered(name: str) -> str:
    """The texts' name of a parameter, from the graph's.

    >>> numbered("affine1.W")
    'W1'
    """
    return re.sub(r"^\D+(\d+)\.(\w+)$", r"\2\1", name)


class TwoLayerNet(MultiLayerNet):
    """The first net of the texts: Affine, ReLU, Affine, SoftmaxWithLoss; parameters W1, b1, W2, b2.

    Parameters
        input_size, hidden_size, output_size : int.
        weight_init_std : float, default 0.01. The deviation of the weights' first values; or a name.
        activation : as in MultiLayerNet, default "relu"; the texts' first version has "sigmoid".
        rng : numpy.random.Generator or seed, for the initial values.
        dtype : float32 (default) or float64.
    Shapes       x (N, input_size), t labels (N,) or one-hot (N, output_size)
    Errors       ValueError: a size below 1, an unknown activation
    Example
        >>> net = TwoLayerNet(input_size=784, hidden_size=50, output_size=10, rng=0)
        >>> x, t = np.zeros((3, 784), np.float32), np.array([5, 0, 4])
        >>> print(round(net.loss(x, t), 4), list(net.gradient(x, t)))
        2.3026 ['W1', 'b1', 'W2', 'b2']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: Init = 0.01,
        *,
        activation: str = "relu",
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(input_size, [hidden_size], output_size, activation, weight_init_std, rng=rng, dtype=dtype)
