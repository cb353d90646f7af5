"""Any object with forward and backward, as the field's books write them, checked as a layer is."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .randomness import Dice
from .subject import Block, Subject

GRADIENT_NAMES = ("d{}", "d_{}", "grad_{}", "{}_grad")  # where people keep the gradient of W


@dataclass
class Place:
    """Where a parameter stands: in an object, a dict or a list; and where its gradient does after backward."""

    name: str
    owner: Any
    key: Any
    gradients: tuple[Any, Any] | None  # owner and key of the gradient

    @property
    def array(self) -> Any:
        """What stands there now."""
        return _get(self.owner, self.key)


class ObjectSubject(Subject):
    """An object of no class of ours. Its parameters are looked for where people put them.

    In `params` and `grads`, two dicts or two lists; else in pairs of attributes such as W and dW, of which the first is
    there before forward and the second after backward; of the object, and of the objects that it holds.
    """

    def __init__(self, thing: Any, inputs: Sequence[Array]) -> None:
        super().__init__(inputs)
        self.title = getattr(thing, "title", None) or type(thing).__name__
        self.thing = _in_float64(copy_of(thing), {})
        self.dice = Dice([held for _, held in _objects_in(self.thing)])
        self.names = _input_names(thing)
        self.places = [place for place in _places(self.thing, self._after_a_run()) if place.gradients is not None]
        self.blocks = [Block(place.name, False, place.array) for place in self.places]
        self.add_input_blocks()

    def _after_a_run(self) -> Any:
        """A copy on which forward and backward have run, as far as they do: the gradients' attributes are there."""
        ran = copy.deepcopy(self.thing)
        try:
            outputs = ran.forward(*self._as_handed([x.copy() for x in self.inputs]))
            ran.backward(np.ones_like(np.asarray(outputs, np.float64))[()])
        except Exception:  # the check itself will meet it, and say so
            pass
        return ran

    def unchecked(self) -> list[str]:
        """The float arrays that forward depends on and that have no gradient anywhere."""
        claimed = {id(place.array) for place in self.places}
        places = _places(self.thing, self.thing)[:64]  # before any forward: what that keeps is no parameter
        base, found = self.forward(), []
        for place in places:
            array = place.array
            if id(array) in claimed or not array.size or place.gradients is not None:
                continue
            own = array.copy()
            array[...] = 1.01 * own + 0.01
            try:
                if not np.array_equal(self.forward(), base, equal_nan=True):
                    found.append(place.name)
            except Exception:  # it does depend on it
                found.append(place.name)
            finally:
                array[...] = own
        return found

    def _as_handed(self, inputs: list[Array]) -> list[Any]:
        return [x if x.ndim else x[()] for x in inputs]

    def run(self, inputs: list[Array]) -> Any:
        """Call forward, on arrays; on numbers where they are single."""
        return self.thing.forward(*self._as_handed(inputs))

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Call backward."""
        return self.thing.backward(*d_outputs)

    def param_gradients(self) -> dict[str, Any]:
        """The parameters' gradients after backward."""
        return {place.name: _get(*place.gradients) for place in self.places if place.gradients is not None}

    def put_back(self) -> None:
        """Put the parameters' own arrays back where a run, an update of the weights say, has set others."""
        for place, block in zip(self.places, self.blocks, strict=False):
            if place.array is not block.array:
                self.replaced.add(block.name)
                _set(place.owner, place.key, block.array)


def _places(thing: Any, ran: Any) -> list[Place]:
    """Every float array in an object and those that it holds, each once; with its gradient where `ran` has one."""
    places, seen = [], set()
    objects = list(_objects_in(thing))
    after = dict(_objects_in(ran))
    for path, held in objects:
        for place in [*_declared(path, held), *_paired(path, held, after.get(path))]:
            array = place.array
            if _is_floats(array) and id(array) not in seen:
                seen.add(id(array))
                places.append(place)
    return places


def _declared(path: str, held: Any) -> Iterator[Place]:
    """Those in `params`, whose gradients stand in `grads` under the same key."""
    params = getattr(held, "params", None)
    if isinstance(params, dict) and hasattr(held, "grads"):
        for key in params:
            yield Place(f"{path}{key}", params, key, (held, ("grads", key)))
    elif isinstance(params, list) and hasattr(held, "grads"):
        for key in range(len(params)):
            yield Place(f"{path}params[{key}]", params, key, (held, ("grads", key)))


def _paired(path: str, held: Any, ran: Any) -> Iterator[Place]:
    """Attributes, whose gradients are attributes too, and entries of `params` where those of no `grads` are."""
    for name, value in _attributes(held):
        names = [form.format(name) for form in GRADIENT_NAMES]
        gradient = next(
            (each for each in names if isinstance(getattr(ran, each, None), np.ndarray | np.floating)), None
        )
        if _is_floats(value):
            yield Place(f"{path}{name}", held, name, None if gradient is None else (held, gradient))


def _get(owner: Any, key: Any) -> Any:
    """What stands in an object, a dict or a list under a key; None where nothing does."""
    if isinstance(key, tuple):
        return _get(_get(owner, key[0]), key[1])
    if isinstance(owner, dict):
        return owner.get(key)
    if isinstance(owner, list | tuple):
        return owner[key] if key < len(owner) else None
    return getattr(owner, key, None)


def _set(owner: Any, key: Any, value: Any) -> None:
    if isinstance(owner, dict | list):
        owner[key] = value
    else:
        object.__setattr__(owner, key, value)


def _attributes(held: Any) -> list[tuple[str, Any]]:
    """An object's attributes, those in slots too."""
    slots = [name for kind in type(held).__mro__ for name in _names_of_slots(kind)]
    found = dict(getattr(held, "__dict__", {}))
    return [*found.items(), *((name, getattr(held, name)) for name in slots if hasattr(held, name))]


def _names_of_slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


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
        for name, held in _attributes(value):
            changed = _in_float64(held, memo)
            if changed is not held:
                object.__setattr__(value, name, changed)
    return value


def _objects_in(value: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """An object and the objects that it holds, each with the path that leads to it, as a prefix of names."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    bare = path.removesuffix(".")
    if isinstance(value, dict):
        inside = [(f"{bare}[{key!r}].", held) for key, held in value.items()]
    elif isinstance(value, list | tuple):
        inside = [(f"{bare}[{place}].", held) for place, held in enumerate(value)]
    elif _has_attributes(value):
        yield path, value
        inside = [(f"{path}{name}.", held) for name, held in _attributes(value)]
    else:
        return
    for inner, held in inside:
        yield from _objects_in(held, inner, seen)


def _has_attributes(value: Any) -> bool:
    plain = isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType | np.ndarray | np.generic)
    made = hasattr(value, "__dict__") or any(_names_of_slots(kind) for kind in type(value).__mro__)
    return made and not plain and not isinstance(value, np.random.Generator | np.random.RandomState)
