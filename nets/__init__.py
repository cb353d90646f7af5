"""Nets ready to use, and the class to make one's own from nodes."""

from .convolutional import DeepConvNet, SimpleConvNet
from .describe import load_net
from .evaluation import Evaluation
from .gates import AND, NAND, OR, XOR, logic_gate, perceptron
from .multi_layer import MultiLayerNet, TwoLayerNet
from .net import Net
from .profile import Profile
from .residual import ResNet
from .sequential import Sequential
from .threads import get_num_threads, set_num_threads

__all__ = [
    "AND",
    "NAND",
    "OR",
    "XOR",
    "DeepConvNet",
    "Evaluation",
    "MultiLayerNet",
    "Net",
    "Profile",
    "ResNet",
    "Sequential",
    "SimpleConvNet",
    "TwoLayerNet",
    "get_num_threads",
    "load_net",
    "logic_gate",
    "perceptron",
    "set_num_threads",
]
