"""How bricks are joined, run, and checked against numerical gradients."""

from .gradcheck import GradcheckReport, GradientError, gradcheck
from .graph import Graph
from .node import Input, Node
from .numerical import numerical_diff, numerical_gradient

__all__ = [
    "GradcheckReport",
    "GradientError",
    "Graph",
    "Input",
    "Node",
    "gradcheck",
    "numerical_diff",
    "numerical_gradient",
]
