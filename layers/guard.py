"""What every call of a layer is checked for, written once for all layers, a user's own included.

`Layer` wraps each `forward` and `backward` in the two guards below. They turn numbers and lists into arrays, refuse
what no layer can work with (text, integers where floats are due, mixed precision, the wrong number of inputs, a
gradient of the wrong shape, backward before forward) and hold the layer to its half of the contract: as many gradients
as inputs, of their shapes, and no promotion from float32 to float64.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .base import Layer
    from .memory import Array, Spec

# Numbers with no precision of their own: they take that of the arrays beside them. np.float64 is here because it is
# what NumPy returns for a single float64 value, and a subclass of Python's float.
_WEAK = (bool, int, float, np.float64)


def guard_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a layer's forward: inputs checked and made arrays, outputs held to the inputs' precision."""

    @functools.wraps(forward)
    def guarded(self: Layer, *inputs: Any, **named: Any) -> Any:
        memory = self.memory
        if memory.running:  # a subclass calls super().forward: its own guard has checked, and will
            return forward(self, *inputs, **named) if named else forward(self, *inputs)
        if named:
            inputs = _in_order(self, inputs, named)
        arrays = accept_inputs(self, inputs)
        specs = [(x.shape, x.dtype) for x in arrays]
        before = memory.saved, memory.branch
        memory.running = True
        try:
            result = forward(self, *arrays)
            dtype = _precision(self, specs)
            many = isinstance(result, tuple)
            outputs = [_accept_output(self, y, dtype) for y in (result if many else (result,))]
            if len(outputs) != self.n_outputs:
                raise TypeError(
                    f"{self.title}.forward: must return {self.n_outputs} output{'s' * (self.n_outputs != 1)}, as its "
                    f"n_outputs says; it returned {len(outputs)}. Say n_outputs = {len(outputs)} in the class."
                )
        except BaseException:
            memory.saved, memory.branch = before
            raise
        finally:
            memory.running = False
        memory.inputs, memory.outputs = specs, [(y.shape, y.dtype) for y in outputs]
        return tuple(outputs) if many else outputs[0]

    guarded.is_guard = True  # type: ignore[attr-defined]  # how Layer knows it
    return guarded


def guard_backward(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a layer's backward: after forward only, gradients like the outputs in, gradients like the inputs out."""

    @functools.wraps(backward)
    def guarded(self: Layer, *d_outputs: Any) -> Any:
        memory = self.memory
        if memory.running:
            return backward(self, *d_outputs)
        if memory.outputs is None:
            raise RuntimeError(
                f"{self.title}.backward: there is nothing to go back from. Call forward first, then backward with the "
                "gradient of its output."
            )
        accepted = _accept_d_outputs(self, d_outputs, memory.outputs)
        memory.running = True
        try:
            result = backward(self, *accepted)
        finally:
            memory.running = False
        if len(self._grads) < len(self._params):
            missing = ", ".join(key for key in self.params if key not in self.grads)
            raise TypeError(f"{self.title}.backward: must set grads of every parameter; it set none of {missing}.")
        if isinstance(result, tuple):
            return _accept_gradients(self, result, memory.inputs)
        return _accept_gradients(self, (result,), memory.inputs)[0]

    guarded.is_guard = True  # type: ignore[attr-defined]  # how Layer knows it
    return guarded


def accept_inputs(layer: Layer, inputs: Sequence[Any]) -> Sequence[Array]:
    """The inputs as arrays of one float precision (integers where the layer takes them); TypeError for all else."""
    if _as_last_time(layer.memory.inputs, inputs):
        return inputs
    fewest, most = layer.arity
    if not fewest <= len(inputs) <= most:
        names = ", ".join(layer.input_names)
        wanted = f"{most} input{'s' * (most != 1)} ({names})" if most < 99 else f"at least {fewest} inputs"
        raise TypeError(f"{layer.title}.forward: takes {wanted}; got {len(inputs)}.")
    dtype: Any = None
    owner = ""
    arrays: list[Any] = []
    weak: list[int] = []
    for index, x in enumerate(inputs):
        if layer.integer_inputs and _name(layer, index) in layer.integer_inputs:
            arrays.append(_as_numbers(layer, index, x))
            continue
        if type(x) is np.ndarray and x.dtype.kind == "f" and x.dtype.isnative:
            array = x
        else:
            array = _as_floats(layer, index, x)
            if type(x) in _WEAK:
                weak.append(index)
                arrays.append(array)
                continue
        if dtype is None:
            dtype, owner = array.dtype, _name(layer, index)
        elif array.dtype is not dtype and array.dtype != dtype:
            raise TypeError(
                f"{layer.title}.forward: {owner} is {dtype} but {_name(layer, index)} is {array.dtype}, and nothing is "
                "promoted in silence. Convert one of them with .astype()."
            )
        arrays.append(array)
    for index in weak:
        if dtype is not None:
            arrays[index] = arrays[index].astype(dtype)
    return arrays


def _as_last_time(known: list[Spec], inputs: Sequence[Any]) -> bool:
    """Whether the inputs are arrays of the dtypes that were accepted in the last forward."""
    if not known or len(known) != len(inputs):
        return False
    for x, (_, dtype) in zip(inputs, known, strict=True):
        if type(x) is not np.ndarray or x.dtype is not dtype:
            return False
    return True


def _name(layer: Layer, index: int) -> str:
    return layer.input_names[index] if index < len(layer.input_names) else f"input {index}"


def _in_order(layer: Layer, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Inputs given by name put behind those given by place."""
    expected = layer.input_names[len(inputs) : len(inputs) + len(named)]
    if set(named) != set(expected) or len(inputs) + len(named) < layer.arity[0]:
        raise TypeError(
            f"{layer.title}.forward: takes the inputs ({', '.join(layer.input_names)}); got {len(inputs)} by place and "
            f"{', '.join(named)} by name."
        )
    return (*inputs, *(named[name] for name in expected))


def _describe(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"an array of {x.dtype} with shape {x.shape}"
    text = repr(x)
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def _as_numbers(layer: Layer, index: int, x: Any) -> Array:
    """`x` as an array of integers or floats, its kind kept."""
    array = as_array(x)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{layer.title}.forward: {_name(layer, index)} must hold numbers; got {_describe(x)}.")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_array(x: Any) -> Array:
    """`x` as an array; rows of unequal length, which make none, as an array of objects.

    >>> as_array([[1.0, 2.0], [3.0]]).dtype
    dtype('O')
    """
    try:
        return np.asarray(x)
    except ValueError:
        return np.asarray(None)


def _as_floats(layer: Layer, index: int, x: Any) -> Array:
    """`x` as an array of floats. Python's own integers are numbers like any other; arrays of integers are refused."""
    array = _as_numbers(layer, index, x)
    if array.dtype.kind == "f":
        return array
    if isinstance(x, np.ndarray | np.generic):
        name = _name(layer, index)
        raise TypeError(
            f"{layer.title}.forward: {name} must hold floats; got {_describe(x)}. Convert it first, for images with "
            f"{name}.astype(np.float32) / 255."
        )
    return array.astype(np.float64)


def _precision(layer: Layer, inputs: list[Spec]) -> Any:
    """The dtype that the outputs must have if they are floats: that of the float inputs; None if there are none."""
    integers = layer.integer_inputs
    for index, (_, dtype) in enumerate(inputs):
        if dtype.kind == "f" and not (integers and _name(layer, index) in integers):
            return dtype
    return None


def _accept_output(layer: Layer, y: Any, dtype: Any) -> Any:
    """The output as an array (a single value as NumPy's scalar), in the precision that is due."""
    if type(y) is np.ndarray and y.dtype is dtype and y.ndim:
        return y
    if not isinstance(y, np.ndarray | np.generic):
        if not isinstance(y, float | int):
            raise TypeError(f"{layer.title}.forward: must return an array; it returned {_describe(y)}.")
        y = (dtype or np.dtype(np.float64)).type(y)
    if dtype is not None and y.dtype.kind == "f" and y.dtype != dtype:
        if not y.ndim:  # NumPy before 2.0 makes float64 of nearly every operation on float32 scalars
            return dtype.type(y)
        others = [name for name, param in layer.params.items() if param.dtype != dtype]
        hint = (
            f"Its parameter {others[0]} is {layer.params[others[0]].dtype}: use W.astype(x.dtype, copy=False)."
            if others
            else "A constant such as np.sqrt(2) is a float64: write float(np.sqrt(2))."
        )
        raise TypeError(
            f"{layer.title}.forward: took {dtype} and gave {y.dtype}; the output must be in the input's precision. "
            f"{hint}"
        )
    return y if y.ndim else y[()]


def _accept_d_outputs(layer: Layer, d_outputs: tuple[Any, ...], outputs: list[Spec]) -> list[Array]:
    """The outputs' gradients, one for each output, in its shape and dtype; 1 for a lone number where none is given."""
    if not d_outputs and len(outputs) == 1 and outputs[0][0] == ():
        d_outputs = (1.0,)
    if len(d_outputs) != len(outputs):
        raise TypeError(
            f"{layer.title}.backward: takes {len(outputs)} gradient{'s' * (len(outputs) != 1)}, one for each output; "
            f"got {len(d_outputs)}."
        )
    accepted = []
    for dy, (shape, dtype) in zip(d_outputs, outputs, strict=True):
        if type(dy) is np.ndarray and dy.dtype is dtype and dy.shape == shape:
            accepted.append(dy)
            continue
        array = dy if type(dy) is np.ndarray else as_array(dy)
        if array.dtype.kind not in "iubf":
            raise TypeError(f"{layer.title}.backward: the gradient dy must hold numbers; got {_describe(dy)}.")
        if array.shape != shape:
            raise ValueError(
                f"{layer.title}.backward: the gradient dy must be {shape}, as the output y; got {array.shape}."
            )
        accepted.append(array if array.dtype == dtype or dtype.kind != "f" else array.astype(dtype))
    return accepted


def _accept_gradients(layer: Layer, gradients: tuple[Any, ...], inputs: list[Spec]) -> tuple[Any, ...]:
    """The inputs' gradients, one for each input, in its shape and dtype; None only where the layer says so."""
    if len(gradients) != len(inputs):
        raise TypeError(
            f"{layer.title}.backward: must return one gradient for each of its {len(inputs)} inputs; "
            f"it returned {len(gradients)}."
        )
    accepted = []
    for index, (dx, (shape, dtype)) in enumerate(zip(gradients, inputs, strict=True)):
        if dx is None:
            exempt = layer.may_give_none or not layer.wants(index) or _name(layer, index) in layer.integer_inputs
            if not exempt and dtype.kind == "f":
                raise TypeError(
                    f"{layer.title}.backward: returned None for the gradient of {_name(layer, index)}; it must be an "
                    f"array of shape {shape}."
                )
        elif type(dx) is np.ndarray and dx.dtype is dtype and dx.shape == shape and shape:
            pass
        elif np.shape(dx) != shape:
            raise ValueError(
                f"{layer.title}.backward: the gradient of {_name(layer, index)} must be {shape}, as "
                f"{_name(layer, index)}; it returned {np.shape(dx)}."
            )
        else:
            if not isinstance(dx, np.ndarray | np.generic):
                dx = dtype.type(dx)
            if dtype.kind == "f" and dx.dtype != dtype and not dx.ndim:
                dx = dtype.type(dx)  # as for outputs
            if dtype.kind == "f" and dx.dtype != dtype:
                raise TypeError(
                    f"{layer.title}.backward: the gradient of {_name(layer, index)} must be {dtype}, as "
                    f"{_name(layer, index)}; it returned {dx.dtype}."
                )
            if not dx.ndim:
                dx = dx[()]
        accepted.append(dx)
    return tuple(accepted)


def read_signature(forward: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[int, int]]:
    """The names of forward's inputs, and how few and how many it takes."""
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    fewest = sum(p.default is p.empty for p in places)
    most = 10**6 if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(places)
    return tuple(p.name for p in places), (fewest, most)
