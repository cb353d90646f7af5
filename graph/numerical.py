"""Derivatives from function values alone: slow, but with no backward that could be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, overload

import numpy as np

from brickgrad.layers import Array, Layer
from brickgrad.layers.guard import accept_inputs, as_array

from .downstream import Downstream
from .graph import Graph
from .node import Input


def numerical_diff(f: Callable[[Any], Any], x: Any, h: float = 1e-4) -> Any:
    """The slope of f at x by the central difference (f(x + h) - f(x - h)) / 2h.

    The central difference is off by about h² f‴/6, the forward one (f(x + h) - f(x)) / h by h f″/2. A smaller h does
    not help for ever: the values' round-off, about 1e-16, is divided by h. With h = 1e-50, x + h is x, and the slope 0.

    Parameters
        f : function of one number (or, entry by entry, of an array).
        x : number, list or array.
        h : float > 0, default 1e-4.
    Shapes       x any -> what f gives for it
    Errors       ValueError: h is not positive. TypeError: x holds no numbers
    Example
        >>> print(numerical_diff(lambda x: 0.01 * x**2 + 0.1 * x, 5))
        0.1999999999990898
    """
    _check_step("numerical_diff", h)
    if not isinstance(x, int | float):
        x = _numbers("numerical_diff", x)
    return (f(x + h) - f(x - h)) / (2 * h)


class Differentiable(Protocol):
    """A net, as far as it matters here."""

    graph: Graph

    def numerical_gradient(self, x: Any, t: Any, h: float = 1e-5) -> dict[str, Array]:
        """The gradient of its loss."""


@overload
def numerical_gradient(f: Layer | Differentiable, *inputs: Any, h: float = 1e-5) -> dict[str, Array]: ...
@overload
def numerical_gradient(f: Callable[[Any], Any], x: Any, h: float = 1e-4) -> Array: ...
def numerical_gradient(f: Any, *inputs: Any, **options: Any) -> Any:
    """The gradient of f at x by central differences; or that of a net, graph or layer, parameter by parameter.

    A function gets x itself, with one entry moved by ±h: so x may be a parameter of the net that f runs. Each entry is
    put back exactly, also when f raises. Integers, lists and arrays that cannot be written to are copied to float64
    first, so the step is never lost in rounding to a whole number.

    A net's gradient is that of its loss on a batch, by its parameters' names. A graph's or layer's is that of the sum
    of its outputs' entries (of its float outputs), by the names of its parameters and of its float inputs, but for
    those with grad=False. They run on a float64 copy with the branches of one run (a ReLU's, say), in the mode they are
    in, and are left bit for bit as they were. Only what lies behind a moved entry runs again.

    Parameters
        f : function of an array, giving one number; or a net, Graph or Layer.
        x : array with any number of axes; the batch and its targets for a net, all inputs for a graph or layer.
        h : float > 0, default 1e-4; 1e-5, and by name only, for a net, graph or layer. For a float32 array, f's
            round-off swamps most of what is seen: use float64.
    Shapes       x any -> gradient as x; a dict of them for a net, graph or layer
    Dtype        float64
    Errors       ValueError: f gives more than one number, h is not positive, an input has the name of a parameter.
                 TypeError: x holds no numbers, another number of inputs than f takes
    Example
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0])).round(6)
        array([6., 8.])
        >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3, 0])).round(6)
        array([6., 0.])
        >>> from brickgrad import Mul
        >>> {name: gradient.round(6) for name, gradient in numerical_gradient(Mul(), [3.0, 4.0], [5.0, 6.0]).items()}
        {'x': array([5., 6.]), 'y': array([3., 4.])}
    """
    if isinstance(f, Layer):
        return _layer_gradient(f, *inputs, **options)
    if isinstance(getattr(f, "graph", None), Graph):
        return f.numerical_gradient(*inputs, **options)
    return _function_gradient(f, *inputs, **options)


def _layer_gradient(layer: Layer, *inputs: Any, h: float = 1e-5) -> dict[str, Array]:
    """The gradient of a layer's or graph's summed outputs, by the names of its parameters and inputs."""
    _check_step("numerical_gradient", h)
    arrays = accept_inputs(layer, inputs)
    twin = layer.replica(np.float64)
    downstream = Downstream(twin if isinstance(twin, Graph) else _alone(twin, arrays), arrays, h)
    prefix = 0 if isinstance(layer, Graph) else len(downstream.graph.wiring.steps[0].name) + 1
    params = {name[prefix:]: gradient for name, gradient in downstream.of_params().items()}
    by_input = downstream.of_inputs()
    both = [name for name in by_input if name in params]
    if both:
        raise ValueError(
            f"numerical_gradient: gradients are given by name, so each name must stand for one array; in "
            f"{layer.title} {both[0]!r} is a parameter and an input. Rename one."
        )
    return {**params, **by_input}


def _alone(layer: Layer, arrays: Sequence[Array]) -> Graph:
    """A graph of one layer, whose integer inputs are those that come as integers."""
    names = [*layer.input_names, *(f"input {index}" for index in range(len(layer.input_names), len(arrays)))]
    nodes = [Input(name, dtype=float if x.dtype.kind == "f" else int) for name, x in zip(names, arrays, strict=False)]
    outputs = layer(*nodes)
    return Graph(nodes, outputs)


def _function_gradient(f: Callable[[Array], Any], x: Any, h: float = 1e-4) -> Array:
    """The gradient of a function of one array."""
    _check_step("numerical_gradient", h)
    array = _numbers("numerical_gradient", x)
    if array.dtype.kind != "f" or not array.flags.writeable or not isinstance(x, np.ndarray):
        array = array.astype(np.float64)
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        before = array[index]
        try:
            array[index] = before + h
            above, high = _one_number(f(array)), float(array[index])
            array[index] = before - h
            below, low = _one_number(f(array)), float(array[index])
        finally:
            array[index] = before
        if high == low and array.dtype != np.float64:
            raise ValueError(
                f"numerical_gradient: h = {h:g} is lost in rounding beside {float(before):g} in {array.dtype}. Use "
                "float64 or a larger h."
            )
        # In float64 the step is 2h, as the texts have it; in less, x ± h is rounded so much that what it became counts.
        gradient[index] = (above - below) / (2 * h if array.dtype == np.float64 else high - low)
    return gradient


def _numbers(who: str, x: Any) -> Array:
    array = as_array(x)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{who}: x must hold numbers; got {type(x).__name__} {str(x)[:40]}.")
    return array


def _check_step(who: str, h: float) -> None:
    if not h > 0:
        raise ValueError(f"{who}: h must be positive; got {h}.")


def _one_number(value: Any) -> float:
    value = np.asarray(value)
    if value.size != 1:
        raise ValueError(f"numerical_gradient: f must give one number; got an array of shape {value.shape}.")
    return float(value.reshape(())[()])
