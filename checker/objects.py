"""Any object with forward and backward, as the field's books write them, checked as a layer is."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .randomness import Dice
from .subject import Block, Subject


class ObjectSubject(Subject):
    """An object of no class of ours. Its parameters are looked for where people put them.

    In `params` and `grads`, two dicts or two lists; else in pairs of attributes such as W and dW, b and db, of which
    the first is there before forward and the second after backward.
    """

    def __init__(self, thing: Any, inputs: Sequence[Array]) -> None:
        super().__init__(inputs)
        self.title = getattr(thing, "title", None) or type(thing).__name__
        self.thing = _in_float64(copy_of(thing), {})
        self.dice = Dice([held for held in _objects_in(self.thing) if hasattr(held, "__dict__")])
        self.names = _input_names(thing)
        self.blocks = [Block(name, False, array) for name, array in self._params().items()]
        self.add_input_blocks()

    def _params(self) -> dict[str, Array]:
        params = getattr(self.thing, "params", None)
        if isinstance(params, dict):
            return {str(name): array for name, array in params.items() if _is_floats(array)}
        if isinstance(params, list | tuple) and params:
            return {f"params[{place}]": array for place, array in enumerate(params) if _is_floats(array)}
        attributes = vars(self.thing) if hasattr(self.thing, "__dict__") else {}
        return {
            name: array for name, array in attributes.items() if _is_floats(array) and self._may_have_gradient(name)
        }

    def _may_have_gradient(self, name: str) -> bool:
        """Whether dW is an attribute already, or backward is code that sets one."""
        if hasattr(self.thing, f"d{name}"):
            return True
        code = getattr(getattr(type(self.thing), "backward", None), "__code__", None)
        return code is not None and f"d{name}" in code.co_names

    def run(self, inputs: list[Array]) -> Any:
        """Call forward, on arrays; on numbers where they are single."""
        return self.thing.forward(*[x if x.ndim else x[()] for x in inputs])

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Call backward."""
        return self.thing.backward(*d_outputs)

    def param_gradients(self) -> dict[str, Any]:
        """The parameters' gradients after backward."""
        grads = getattr(self.thing, "grads", None)
        if isinstance(getattr(self.thing, "params", None), dict):
            return dict(grads) if isinstance(grads, dict) else self._attributes()
        if isinstance(grads, list | tuple):
            return {f"params[{place}]": array for place, array in enumerate(grads)}
        return self._attributes()

    def _attributes(self) -> dict[str, Any]:
        return {b.name: getattr(self.thing, f"d{b.name}", None) for b in self.blocks if not b.is_input}

    def put_back(self) -> None:
        """Put the parameters' own arrays back where a run, an update of the weights say, has set others."""
        held, params = self._params(), getattr(self.thing, "params", None)
        for block in self.blocks:
            now = held.get(block.name)
            if block.is_input or now is None or now is block.array:
                continue
            self.replaced.add(block.name)
            if isinstance(params, dict):
                params[block.name] = block.array
            elif isinstance(params, list):
                params[int(block.name[len("params[") : -1])] = block.array
            else:
                setattr(self.thing, block.name, block.array)


def copy_of(thing: Any) -> Any:
    """A deep copy; TypeError where an object cannot be copied."""
    try:
        return copy.deepcopy(thing)
    except Exception as error:
        raise TypeError(
            f"gradcheck: works on a copy, and {type(thing).__name__} cannot be copied: {type(error).__name__}: {error}"
        ) from error


def _is_floats(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind == "f"


def _input_names(thing: Any) -> tuple[str, ...]:
    code = getattr(getattr(type(thing), "forward", None), "__code__", None)
    return tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()


def _in_float64(value: Any, memo: dict[int, Any]) -> Any:
    """Float arrays in float64 all through an object's attributes, lists and dicts; what is shared stays shared."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, np.ndarray):
        memo[id(value)] = value if value.dtype.kind != "f" else value.astype(np.float64)
        memo[id(memo[id(value)])] = memo[id(value)]
        memo.setdefault(-1, []).append(value)  # an id is an array's own only while the array lives
        return memo[id(value)]
    if isinstance(value, np.floating):
        return np.float64(value)
    if isinstance(value, dict):
        memo[id(value)] = value
        for key, held in value.items():
            value[key] = _in_float64(held, memo)
    elif isinstance(value, list):
        memo[id(value)] = value
        value[:] = [_in_float64(held, memo) for held in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return tuple(_in_float64(held, memo) for held in value)
    elif _has_attributes(value):
        memo[id(value)] = value
        for name, held in list(vars(value).items()):
            changed = _in_float64(held, memo)
            if changed is not held:
                setattr(value, name, changed)
    return value


def _objects_in(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """An object and the objects that it holds."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        held = list(value.values())
    elif isinstance(value, list | tuple):
        held = list(value)
    elif _has_attributes(value):
        yield value
        held = list(vars(value).values())
    else:
        return
    for inner in held:
        yield from _objects_in(inner, seen)


def _has_attributes(value: Any) -> bool:
    plain = isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType | np.ndarray | np.generic)
    return hasattr(value, "__dict__") and not plain
