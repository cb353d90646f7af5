"""The activations by name, for nets that take one."""

from __future__ import annotations

from typing import Any

from .activation import Identity, ReLU, Sigmoid, Tanh
from .rectifiers import ELU, GELU, LeakyReLU, Softplus, Swish

ACTIVATIONS: dict[str, Any] = {
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "identity": Identity,
    "leaky-relu": LeakyReLU,
    "elu": ELU,
    "softplus": Softplus,
    "swish": Swish,
    "gelu": GELU,
}
