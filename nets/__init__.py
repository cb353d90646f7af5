"""Nets ready to use, and the class to make one's own from nodes."""

from .evaluation import Evaluation
from .gates import AND, NAND, OR, XOR, logic_gate, perceptron
from .multi_layer import MultiLayerNet, TwoLayerNet
from .net import Net
from .sequential import Sequential

__all__ = [
    "AND",
    "NAND",
    "OR",
    "XOR",
    "Evaluation",
    "MultiLayerNet",
    "Net",
    "Sequential",
    "TwoLayerNet",
    "logic_gate",
    "perceptron",
]
