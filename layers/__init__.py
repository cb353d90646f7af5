"""The bricks: layers with forward and backward, one family a file, and the plain functions behind them."""

from .activation import Identity, ReLU, Sigmoid, Softmax, Step, Tanh
from .affine import Affine
from .arithmetic import Add, Div, Exp, Log, Mul, Neg, Pow, Sub
from .base import Layer
from .functions import (
    cross_entropy_error,
    identity_function,
    mean_squared_error,
    relu,
    sigmoid,
    softmax,
    step_function,
)
from .initial import initial_values
from .loss import MeanSquaredLoss, SigmoidWithLoss, SoftmaxWithLoss
from .memory import Array, ArrayDict, Memory
from .shape import Concat, Flatten, Reshape

__all__ = [
    "Add",
    "Affine",
    "Array",
    "ArrayDict",
    "Concat",
    "Div",
    "Exp",
    "Flatten",
    "Identity",
    "Layer",
    "Log",
    "MeanSquaredLoss",
    "Memory",
    "Mul",
    "Neg",
    "Pow",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "SigmoidWithLoss",
    "Softmax",
    "SoftmaxWithLoss",
    "Step",
    "Sub",
    "Tanh",
    "cross_entropy_error",
    "identity_function",
    "initial_values",
    "mean_squared_error",
    "relu",
    "sigmoid",
    "softmax",
    "step_function",
]
