"""The bricks: layers with forward and backward, one family a file, and the plain functions behind them."""

from .activation import Identity, ReLU, Sigmoid, Softmax, Step, Tanh
from .affine import Affine
from .arithmetic import Add, Div, Exp, Log, Mul, Neg, Pow, Sub
from .base import Layer
from .convolution import Convolution
from .dropout import Dropout
from .embedding import Embedding
from .functions import (
    cross_entropy_error,
    identity_function,
    mean_squared_error,
    relu,
    sigmoid,
    softmax,
    step_function,
)
from .im2col import col2im, im2col
from .initial import initial_values
from .loss import MeanSquaredLoss, SigmoidWithLoss, SoftmaxWithLoss
from .matmul import MatMul
from .memory import Array, ArrayDict, Memory
from .normalization import BatchNormalization, LayerNormalization
from .pooling import AveragePooling, GlobalAveragePooling, MaxPooling
from .rectifiers import ELU, GELU, LeakyReLU, Softplus, Swish
from .reductions import Mean, Sum
from .shape import Concat, Flatten, Reshape, Slice, Split, Transpose

__all__ = [
    "ELU",
    "GELU",
    "Add",
    "Affine",
    "Array",
    "ArrayDict",
    "AveragePooling",
    "BatchNormalization",
    "Concat",
    "Convolution",
    "Div",
    "Dropout",
    "Embedding",
    "Exp",
    "Flatten",
    "GlobalAveragePooling",
    "Identity",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Log",
    "MatMul",
    "MaxPooling",
    "Mean",
    "MeanSquaredLoss",
    "Memory",
    "Mul",
    "Neg",
    "Pow",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "SigmoidWithLoss",
    "Slice",
    "Softmax",
    "SoftmaxWithLoss",
    "Softplus",
    "Split",
    "Step",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "Transpose",
    "col2im",
    "cross_entropy_error",
    "identity_function",
    "im2col",
    "initial_values",
    "mean_squared_error",
    "relu",
    "sigmoid",
    "softmax",
    "step_function",
]
