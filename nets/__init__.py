"""Nets ready to use, and the class to make one's own from nodes."""

from .gates import AND, NAND, OR, XOR, logic_gate, perceptron
from .multi_layer import MultiLayerNet, TwoLayerNet
from .net import Net
from .sequential import Sequential

__all__ = [
    "AND",
    "NAND",
    "OR",
    "XOR",
    "MultiLayerNet",
    "Net",
    "Sequential",
    "TwoLayerNet",
    "logic_gate",
    "perceptron",
]
