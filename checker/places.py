"""Where the arrays of any object stand: its parameters and their gradients, under the names that people give them."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

GRADIENT_NAMES = ("d{}", "d_{}", "grad_{}", "{}_grad")  # where people keep the gradient of W


def gradient_names(name: str) -> list[str]:
    """The names under which people keep the gradient of what is called `name`.

    >>> gradient_names("W")
    ['dW', 'd_W', 'grad_W', 'W_grad']
    """
    return [form.format(name) for form in GRADIENT_NAMES]


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
        return get(self.owner, self.key)


def places_of(thing: Any, ran: Any) -> list[Place]:
    """Every float array in an object and those that it holds, each once; with its gradient where `ran` has one."""
    places, seen = [], set()
    objects = list(objects_in(thing))
    after = dict(objects_in(ran))
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
    """Attributes, whose gradients are attributes too; and arrays in lists and dicts, which have none here."""
    for name, value in _attributes(held):
        names = gradient_names(name)
        gradient = next(
            (each for each in names if isinstance(getattr(ran, each, None), np.ndarray | np.floating)), None
        )
        if _is_floats(value):
            yield Place(f"{path}{name}", held, name, None if gradient is None else (held, gradient))
        elif isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                if _is_floats(inner):
                    yield Place(f"{path}{name}[{key!r}]", value, key, None)


def get(owner: Any, key: Any) -> Any:
    """What stands in an object, a dict or a list under a key; None where nothing does."""
    if isinstance(key, tuple):
        return get(get(owner, key[0]), key[1])
    if isinstance(owner, dict):
        return owner.get(key)
    if isinstance(owner, list | tuple):
        return owner[key] if key < len(owner) else None
    return getattr(owner, key, None)


def put(owner: Any, key: Any, value: Any) -> None:
    """Set an attribute, or an entry of a dict or list."""
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


def copy_of(thing: Any, who: str, instead: str = "") -> Any:
    """A deep copy; TypeError where an object cannot be copied."""
    try:
        return copy.deepcopy(thing)
    except Exception as error:
        raise TypeError(
            f"{who}: works on copies, and this {type(thing).__name__} cannot be copied "
            f"({type(error).__name__}: {error}).{instead}"
        ) from error


def _is_floats(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind == "f"


def in_precision(value: Any, dtype: np.dtype[Any], memo: dict[int, Any] | None = None) -> Any:
    """Float arrays in `dtype` all through an object's attributes, lists and dicts; what is shared stays shared."""
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, np.ndarray):
        memo[id(value)] = value if value.dtype.kind != "f" else value.astype(dtype)
        memo[id(memo[id(value)])] = memo[id(value)]
        memo.setdefault(-1, []).append(value)  # an id is an array's own only while the array lives
        return memo[id(value)]
    if isinstance(value, np.floating):
        return dtype.type(value)
    if isinstance(value, dict):
        memo[id(value)] = value
        for key, held in value.items():
            value[key] = in_precision(held, dtype, memo)
    elif isinstance(value, list):
        memo[id(value)] = value
        value[:] = [in_precision(held, dtype, memo) for held in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return tuple(in_precision(held, dtype, memo) for held in value)
    elif _has_attributes(value):
        memo[id(value)] = value
        for name, held in _attributes(value):
            changed = in_precision(held, dtype, memo)
            if changed is not held:
                object.__setattr__(value, name, changed)
    return value


def objects_in(value: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
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
        yield from objects_in(held, inner, seen)


def _has_attributes(value: Any) -> bool:
    plain = isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType | np.ndarray | np.generic)
    made = hasattr(value, "__dict__") or any(_names_of_slots(kind) for kind in type(value).__mro__)
    return made and not plain and not isinstance(value, np.random.Generator | np.random.RandomState)
