"""The convolution nets of the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Affine, Convolution, Dropout, Flatten, Layer, MaxPooling, ReLU
from brickgrad.layers.initial import Init, make_rng

from .multi_layer import numbered
from .sequential import Sequential

ConvParam = Mapping[str, Any]

_DEEP: tuple[ConvParam, ...] = tuple(
    {"filter_num": number, "filter_size": 3, "pad": pad, "stride": 1}
    for number, pad in ((16, 1), (16, 1), (32, 1), (32, 2), (64, 1), (64, 1))
)


class SimpleConvNet(Sequential):
    """The first convolution net of the texts: Convolution, ReLU, MaxPooling 2, Affine, ReLU, Affine; W1, b1, … W3, b3.

    Parameters
        input_dim : (channels, rows, columns), default (1, 28, 28).
        conv_param : dict of filter_num, filter_size, pad and stride; default 30, 5, 0, 1.
        hidden_size, output_size : int, default 100 and 10.
        weight_init_std : deviation or name, default 0.01.
        rng : numpy.random.Generator or seed, for the initial values.
        dtype : float32 (default) or float64.
    Shapes       x (N, *input_dim), t labels (N,) or one-hot (N, output_size)
    Errors       ValueError: what is missing in conv_param or not known there, a filter larger than the image
    Example
        >>> net = SimpleConvNet(rng=0)
        >>> {name: param.shape for name, param in net.params.items() if name.startswith("W")}
        {'W1': (30, 1, 5, 5), 'W2': (4320, 100), 'W3': (100, 10)}
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: ConvParam | None = None,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: Init = 0.01,
        *,
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        check_image(self.title, input_dim)
        param = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1} if conv_param is None else conv_param
        own: dict[str, Any] = {"init": weight_init_std, "rng": make_rng(self.title, rng), "dtype": dtype}
        super().__init__(
            convolution(self.title, param, input_dim[0], name="conv1", **own),
            ReLU(),
            MaxPooling(2),
            Flatten(),
            Affine(hidden_size, name="affine2", **own),
            ReLU(),
            Affine(output_size, name="affine3", **own),
            input_shape=tuple(input_dim),
        )

    def _public_name(self, name: str) -> str:
        return numbered(name)


class DeepConvNet(Sequential):
    """The deep net of the texts: six convolutions in pairs, each pair pooled, and two Affine; W1, b1, … W8, b8.

    Convolution, ReLU, Convolution, ReLU, MaxPooling 2, three times over; then Affine, ReLU, Dropout, Affine, Dropout.

    Parameters
        input_dim : (channels, rows, columns), default (1, 28, 28).
        conv_params : six dicts of filter_num, filter_size, pad and stride; default 16, 16, 32, 32, 64, 64 filters of 3
            with pad 1, the fourth with pad 2.
        hidden_size, output_size : int, default 50 and 10.
        dropout_ratio : float, default 0.5.
        inverted_dropout : bool, default True. False: as the texts' Dropout scales (see Dropout).
        weight_init_std : deviation or name, default "he".
        rng : numpy.random.Generator or seed, for the initial values and the masks.
        dtype : float32 (default) or float64.
    Shapes       x (N, *input_dim), t labels (N,) or one-hot (N, output_size)
    Errors       ValueError: not six of conv_params, and as in SimpleConvNet
    Example
        >>> net = DeepConvNet(rng=0)
        >>> {name: param.shape for name, param in net.params.items() if name in ("W1", "W6", "W7")}
        {'W1': (16, 1, 3, 3), 'W6': (64, 64, 3, 3), 'W7': (1024, 50)}
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_params: Sequence[ConvParam] = _DEEP,
        hidden_size: int = 50,
        output_size: int = 10,
        dropout_ratio: float = 0.5,
        weight_init_std: Init = "he",
        *,
        inverted_dropout: bool = True,
        rng: np.random.Generator | int | None = None,
        dtype: Any = np.float32,
    ) -> None:
        check_image(self.title, input_dim)
        if not isinstance(conv_params, list | tuple) or len(conv_params) != 6:
            raise ValueError(f"{self.title}: conv_params must be six dicts, one a convolution; got {conv_params!r}.")
        for param in conv_params:
            check_param(self.title, param)
        generator = make_rng(self.title, rng)
        own: dict[str, Any] = {"init": weight_init_std, "rng": generator, "dtype": dtype}
        channels = [input_dim[0], *(param["filter_num"] for param in conv_params)]
        layers: list[Layer] = []
        for number, param in enumerate(conv_params, start=1):
            layers += [convolution(self.title, param, channels[number - 1], name=f"conv{number}", **own), ReLU()]
            if number % 2 == 0:
                layers.append(MaxPooling(2))
        layers += [Flatten(), Affine(hidden_size, name="affine7", **own), ReLU()]
        layers += [Dropout(dropout_ratio, inverted=inverted_dropout, rng=generator)]
        layers += [Affine(output_size, name="affine8", **own)]
        layers += [Dropout(dropout_ratio, inverted=inverted_dropout, rng=generator)]
        super().__init__(*layers, input_shape=tuple(input_dim))

    def _public_name(self, name: str) -> str:
        return numbered(name)


def check_image(owner: str, input_dim: Any) -> None:
    """ValueError unless it is the shape of an image: channels, rows, columns."""
    if not isinstance(input_dim, list | tuple) or len(input_dim) != 3:
        raise ValueError(
            f"{owner}: input_dim must be (channels, rows, columns), such as (1, 28, 28); got {input_dim!r}."
        )


def check_param(owner: str, param: Any) -> None:
    """ValueError unless it is a dict that describes a convolution."""
    known = {"filter_num", "filter_size", "pad", "stride"}
    if not isinstance(param, Mapping) or not {"filter_num", "filter_size"} <= set(param) <= known:
        raise ValueError(
            f"{owner}: a conv_param must have filter_num and filter_size, and may have pad and stride; got {param!r}."
        )


def convolution(owner: str, param: ConvParam, channels: int, **own: Any) -> Convolution:
    """The layer that a dict of the texts describes: filter_num, filter_size, and pad and stride where not 0 and 1."""
    check_param(owner, param)
    size = param["filter_size"]
    rows, columns = size if isinstance(size, tuple | list) else (size, size)
    return Convolution(
        param["filter_num"], channels, rows, columns, stride=param.get("stride", 1), pad=param.get("pad", 0), **own
    )
