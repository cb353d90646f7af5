"""Nodes: the values that flow through a graph, before there are any. Calling a layer on nodes gives new nodes."""

from __future__ import annotations

import functools
import os
import sys
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Add, Div, Layer, Mul, Neg, Pow, Slice, Sub


class Node:
    """A value in a graph to be: the output of a layer called on other nodes.

    Nodes add, subtract, multiply, divide and take powers with each other and with numbers: `a * b + c`, `x ** 2`; and
    `x[:, 0]` is a part of one.

    Attributes
        call : the Call it comes out of; None for an Input or a Constant.
        where : str, the file and line that made it.
        is_output : bool, whether some graph has it as an output.
    """

    __array_ufunc__ = None  # so that `array * node` asks the node, and not NumPy, what to do
    __slots__ = ("__weakref__", "_readers", "call", "is_output", "where")

    def __init__(self, call: Call | None, where: str) -> None:
        self.call = call
        self.where = where
        self.is_output = False
        self._readers: list[weakref.ref[Call]] = []

    @property
    def readers(self) -> list[Call]:
        """The calls that read it, in whatever graph, as long as anything holds them."""
        return [call for reader in self._readers if (call := reader()) is not None]

    @property
    def title(self) -> str:
        """The node as errors name it."""
        assert self.call is not None
        return self.call.layer.title

    def __repr__(self) -> str:
        return f"<{self.title} at {self.where}>"

    def join_layer(self, layer: Layer, inputs: Sequence[Any]) -> Any:
        """Put `layer` on `inputs`, nodes or numbers; what `layer(node)` calls. A node, or a tuple of all outputs."""
        call = Call(layer, [x if isinstance(x, Node) else Constant(x) for x in inputs], _where())
        return call.outputs[0] if layer.n_outputs == 1 else tuple(call.outputs)

    def __add__(self, other: Any) -> Any:
        return Add()(self, other)

    def __radd__(self, other: Any) -> Any:
        return Add()(other, self)

    def __sub__(self, other: Any) -> Any:
        return Sub()(self, other)

    def __rsub__(self, other: Any) -> Any:
        return Sub()(other, self)

    def __mul__(self, other: Any) -> Any:
        return Mul()(self, other)

    def __rmul__(self, other: Any) -> Any:
        return Mul()(other, self)

    def __truediv__(self, other: Any) -> Any:
        return Div()(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return Div()(other, self)

    def __pow__(self, other: Any) -> Any:
        return Pow()(self, other)

    def __rpow__(self, other: Any) -> Any:
        return Pow()(other, self)

    def __neg__(self) -> Any:
        return Neg()(self)

    def __getitem__(self, key: Any) -> Any:
        return Slice(*(key if isinstance(key, tuple) else (key,)))(self)

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} has no length until its graph runs. Cut it apart with Split(n)(node).")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no value until its graph runs, so it is neither true nor false.")


class Call:
    """One use of a layer: which nodes go in, which come out, and where it was written."""

    __slots__ = ("__weakref__", "inputs", "layer", "outputs", "where")

    def __init__(self, layer: Layer, inputs: Sequence[Node], where: str) -> None:
        fewest, most = layer.arity
        if not fewest <= len(inputs) <= most:
            wanted = f"{most}" if fewest == most else f"{fewest} or more"
            raise TypeError(
                f"{layer.title} ({where}): takes {wanted} inputs ({', '.join(layer.input_names)}); got {len(inputs)}."
            )
        self.layer = layer
        self.inputs = tuple(inputs)
        for node in self.inputs:
            node._readers.append(weakref.ref(self))
        self.outputs = tuple([Node(self, where) for _ in range(layer.n_outputs)])
        self.where = where


class Input(Node):
    """A value that is handed in when the graph runs.

    Parameters
        name : str. Shown in errors; the name of the graph's argument.
        shape : of one sample, without the batch axis; () for one number a sample. Default: unknown, anything goes,
            and shapes behind it are not checked before the graph runs.
        dtype : default float, any precision; int lets integers through, which have no gradient.
        grad : bool, default True. Whether its gradient is wanted; where not (images), it costs nothing.
    Errors       TypeError, ValueError: a name or shape that is none
    Example
        >>> x = Input("x", (784,))
        >>> x.shape, x.grad
        ((784,), True)
    """

    def __init__(self, name: str, shape: tuple[int, ...] | None = None, dtype: Any = float, grad: bool = True) -> None:
        super().__init__(None, _where())
        if not isinstance(name, str) or not name:
            raise TypeError(f"Input: name must be a string that is not empty; got {name!r}.")
        if shape is not None:
            shape = (int(shape),) if isinstance(shape, int | np.integer) else tuple(shape)
            if not all(isinstance(size, int | np.integer) and size >= 0 for size in shape):
                raise ValueError(
                    f"Input[{name}]: shape must be sizes of 0 or more, without the batch axis; got {shape}."
                )
        kind = np.dtype(dtype).kind
        if kind not in "iuf":
            raise TypeError(f"Input[{name}]: dtype must be float or int; got {dtype!r}.")
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)
        self.takes_integers = kind != "f"
        self.grad = grad and kind == "f"

    @property
    def title(self) -> str:
        """The input as errors name it."""
        return f"Input[{self.name}]"


class Constant(Node):
    """A number or array that is written into the graph, as the 2 in `x ** 2`; it has no gradient."""

    def __init__(self, value: Any) -> None:
        super().__init__(None, _where())
        if not isinstance(value, int | float | np.ndarray | np.generic):
            raise TypeError(
                f"Constant ({self.where}): a layer joins nodes, numbers and arrays; got {type(value).__name__} "
                f"{str(value)[:40]}."
            )
        self.value = value.copy() if isinstance(value, np.ndarray) else value

    @property
    def title(self) -> str:
        """The constant as errors name it."""
        return f"Constant[{np.array2string(np.asarray(self.value), threshold=4, precision=4)}]"


def _where() -> str:
    """The file and line, outside the library, that is making a node."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("brickgrad."):
        frame = frame.f_back
    return f"{_file_name(frame.f_code.co_filename)}:{frame.f_lineno}"


@functools.cache
def _file_name(path: str) -> str:
    return os.path.basename(path)
