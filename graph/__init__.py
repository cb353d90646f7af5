"""How bricks are joined and run, and gradients taken from values alone."""

from .graph import Graph
from .node import Input, Node
from .numerical import numerical_diff, numerical_gradient
from .registry import register_layer

__all__ = [
    "Graph",
    "Input",
    "Node",
    "numerical_diff",
    "numerical_gradient",
    "register_layer",
]
