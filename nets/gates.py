"""Logic gates as nets: one perceptron each for AND, NAND and OR; XOR takes two layers of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.graph import Graph, Input, Node
from brickgrad.layers import Affine, Array, Concat, Step

# Weights and bias of each gate; any that put the line w·x + b = 0 between the right corners would do.
_WEIGHTS = {"AND": ([0.5, 0.5], -0.7), "NAND": ([-0.5, -0.5], 0.7), "OR": ([0.5, 0.5], -0.2)}


def _join(x: Node, w: Sequence[float], b: float, name: str) -> Any:
    affine = Affine(len(w), 1, dtype=np.float64, init=0.0, name=name)
    affine.params["W"] = np.reshape(w, (-1, 1))
    affine.params["b"] = [b]
    return Step()(affine(x))


def perceptron(w: Sequence[float], b: float, name: str = "perceptron") -> Graph:
    """A net of one node that fires: 1 where w·x + b > 0, else 0.

    >>> neuron = perceptron([0.5, 0.5], -0.7)
    >>> neuron.forward(np.array([[0.0, 1.0], [1.0, 1.0]])).ravel()
    array([0., 1.])
    """
    x = Input("x", (len(w),))
    return Graph(x, _join(x, w, b, name), name=name)


def logic_gate(kind: str) -> Graph:
    """The net of a gate, "AND", "NAND", "OR" or "XOR", from x (N, 2) to y (N, 1).

    XOR is AND of NAND and OR: no single line separates its corners, two do.

    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> logic_gate("XOR").forward(corners).ravel()
    array([0., 1., 1., 0.])
    """
    if kind in _WEIGHTS:
        return perceptron(*_WEIGHTS[kind], name=kind)
    if kind != "XOR":
        raise ValueError(f"logic_gate: kind must be AND, NAND, OR or XOR; got {kind!r}.")
    x = Input("x", (2,))
    first = Concat()(_join(x, *_WEIGHTS["NAND"], "NAND"), _join(x, *_WEIGHTS["OR"], "OR"))
    return Graph(x, _join(first, *_WEIGHTS["AND"], "AND"), name=kind)


def _run(kind: str, x1: Any, x2: Any) -> Any:
    inputs: Array = np.stack(np.broadcast_arrays(x1, x2), axis=-1).astype(np.float64)
    y: Array = logic_gate(kind).forward(inputs)[..., 0].astype(int)
    return int(y) if y.ndim == 0 else y


def AND(x1: Any, x2: Any) -> Any:
    """1 where both are 1.

    >>> [AND(0, 0), AND(1, 0), AND(0, 1), AND(1, 1)]
    [0, 0, 0, 1]
    """
    return _run("AND", x1, x2)


def NAND(x1: Any, x2: Any) -> Any:
    """0 where both are 1.

    >>> [NAND(0, 0), NAND(1, 0), NAND(0, 1), NAND(1, 1)]
    [1, 1, 1, 0]
    """
    return _run("NAND", x1, x2)


def OR(x1: Any, x2: Any) -> Any:
    """1 where at least one is 1.

    >>> [OR(0, 0), OR(1, 0), OR(0, 1), OR(1, 1)]
    [0, 1, 1, 1]
    """
    return _run("OR", x1, x2)


def XOR(x1: Any, x2: Any) -> Any:
    """1 where just one is 1.

    >>> XOR(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    array([0, 1, 1, 0])
    """
    return _run("XOR", x1, x2)
