"""Which layers a description may name, and their arguments: told from the layer, checked, and made into a layer.

A layer says its arguments by its constructor: each is kept as an attribute of the same name, or with an underscore
before it where the name is taken. Two are left out: `name`, which every layer has, and `rng`, which is the reader's.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

import brickgrad.layers
from brickgrad.layers import Layer

from .plain import brief, dtype_of, from_plain, name_of, to_plain

AnyLayer = TypeVar("AnyLayer", bound=type[Layer])
LAYERS: dict[str, type[Layer]] = {
    name: found
    for name in brickgrad.layers.__all__
    if isinstance(found := getattr(brickgrad.layers, name), type) and issubclass(found, Layer) and found is not Layer
}
_NOTHING = object()
_LEFT_OUT = ("self", "name", "rng")
_ENTRIES: dict[str, Callable[[Mapping[str, Any]], int]] = {
    "Affine": lambda given: math.prod(given["sizes"]),
    "Convolution": lambda given: math.prod(given["sizes"]) // max(given.get("groups", 1), 1),
    "Embedding": lambda given: given["n_words"] * given["size"],
    "BatchNormalization": lambda given: math.prod(given.get("size", ())),
    "LayerNormalization": lambda given: math.prod(given.get("size", ())),
}  # of the largest parameter, from arguments that fit the signature


def register_layer(cls: AnyLayer) -> AnyLayer:
    """Let descriptions name this layer of yours, by its class's name; returns the class, so it serves as a decorator.

    Nothing is ever imported or run because a file names it: a layer that was not registered by hand, in this process,
    is refused. Each argument of the constructor must be kept as an attribute of the same name; those that have types
    written to them are checked for these.

    Errors       TypeError: no layer, or a constructor with **options. ValueError: a brick of the package has the name
    Example
        >>> import brickgrad as bg
        >>> @bg.register_layer
        ... class Scale(bg.Layer):
        ...     def __init__(self, factor: float = 1.0, name: str | None = None):
        ...         self.factor, self.name = factor, name
        ...     def forward(self, x):
        ...         return x * x.dtype.type(self.factor)
        ...     def backward(self, dy):
        ...         return dy * dy.dtype.type(self.factor)
        >>> x = bg.Input("x")
        >>> d = bg.Graph(x, Scale(3.0)(x)).to_dict()
        >>> d["layers"][0]
        {'layer': 'Scale', 'name': None, 'trainable': True, 'arguments': {'factor': 3.0}}
        >>> bg.Graph.from_dict(d).forward(np.array([2.0]))
        array([6.])
    """
    if not isinstance(cls, type) or not issubclass(cls, Layer):
        raise TypeError(f"register_layer: takes a class of layers; got {brief(cls)}.")
    known: Any = cls  # a class hashes, though mypy takes it for one of its instances
    if any(p.kind is p.VAR_KEYWORD for p in _parameters(known).values()):
        raise TypeError(f"register_layer: {cls.__name__} must name each argument of its constructor; it has **options.")
    before = LAYERS.get(cls.__name__)
    if cls.__name__ == "Graph" or (before is not None and before.vetted and before is not cls):
        raise ValueError(f"register_layer: brickgrad itself has a layer {cls.__name__}. Give yours another name.")
    LAYERS[cls.__name__] = cls
    return cls


def describe_layer(layer: Layer) -> dict[str, Any]:
    """The layer as plain values; TypeError where it is not registered, or an argument cannot be told or described."""
    kind: Any = type(layer)
    registered: Any = LAYERS.get(kind.__name__)
    if registered is not kind:
        raise TypeError(
            f"{layer.title}: must be registered, to be described: brickgrad.register_layer({kind.__name__})."
        )
    arguments = {}
    for name in _parameters(kind):
        value = getattr(layer, f"_{name}", getattr(layer, name, _NOTHING))
        if value is _NOTHING:
            raise TypeError(f"{layer.title}: must keep its argument {name!r} as self.{name}, to be described.")
        if name == "dtype" and layer.params:
            value = next(iter(layer.params.values())).dtype
        if callable(value) and not isinstance(value, type):
            raise TypeError(
                f"{layer.title}: its {name} is a function, which cannot be described. Set {name} to a name or number."
            )
        value = value.item() if isinstance(value, np.generic) else value
        arguments[name] = to_plain(f"{layer.title}: its {name}", value)
    own = name_of(f"{kind.__name__}: its name", layer.name)
    return {"layer": kind.__name__, "name": own, "trainable": bool(layer.trainable), "arguments": arguments}


def build_layer(what: str, entry: Mapping[str, Any], rng: np.random.Generator, room: int) -> Layer:
    """The layer that `describe_layer` described; ValueError, which begins with `what`, where it cannot be made.

    `room` is how many numbers its parameters may have at most; it is looked at before they are made.
    """
    if entry.keys() != {"layer", "name", "trainable", "arguments"}:
        raise ValueError(
            f"{what} must have layer, name, trainable and arguments; got {brief(', '.join(map(str, entry)))}."
        )
    kind, name, given = entry["layer"], entry["name"], entry["arguments"]
    if type(kind) is not str or kind not in LAYERS:
        raise ValueError(
            f"{what} must be a layer of brickgrad or one given to brickgrad.register_layer; got {brief(kind)}."
        )
    what = f"{what} ({kind})"
    name_of(f"{what}: name", name)
    if type(entry["trainable"]) is not bool:
        raise ValueError(f"{what}: trainable must be true or false; got {brief(entry['trainable'])}.")
    cls: Any = LAYERS[kind]
    arguments = _checked(what, cls, given)
    entries = _ENTRIES[kind](arguments) if kind in _ENTRIES else 0
    if entries > room:
        raise ValueError(f"{what}: its parameters must have at most {room:,} numbers; got {entries:,}.")
    options: dict[str, Any] = {"name": name, "rng": rng}
    arguments |= {key: value for key, value in options.items() if key in _signature(cls)}
    try:
        with np.errstate(all="ignore"):
            layer = _call(cls, arguments)
    except Exception as error:
        raise ValueError(f"{what}: {error}") from error
    layer.name, layer.trainable = name, entry["trainable"]
    return layer


@functools.cache
def _signature(cls: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls.__init__).parameters


@functools.cache
def _parameters(cls: Any) -> Mapping[str, inspect.Parameter]:
    """The arguments that a description holds."""
    return {name: parameter for name, parameter in _signature(cls).items() if name not in _LEFT_OUT}


@functools.cache
def _types(cls: Any) -> Mapping[str, Any]:
    """The types that are written to the arguments."""
    try:
        return typing.get_type_hints(cls.__init__)
    except Exception:  # of a class made in a function, say; its constructor is all there is to check them
        return {}


def _checked(what: str, cls: Any, given: Any) -> dict[str, Any]:
    """The arguments as values: known ones, all that are needed, each of its type."""
    parameters = _parameters(cls)
    if type(given) is not dict or not given.keys() <= parameters.keys():
        raise ValueError(f"{what}: arguments must be {', '.join(parameters) or 'none'}, by name; got {brief(given)}.")
    lacking = [
        n for n, p in parameters.items() if n not in given and p.default is p.empty and p.kind != p.VAR_POSITIONAL
    ]
    if lacking or (cls.vetted and "sizes" in parameters and "sizes" not in given):
        raise ValueError(f"{what}: arguments must have {', '.join(lacking) or 'sizes'}; got {brief(given)}.")
    arguments = {}
    for name, plain in given.items():
        hint = _types(cls).get(name, Any)
        value = from_plain(f"{what}: {name}", plain)
        if name == "dtype" and value is not None:
            value = dtype_of(f"{what}: dtype", value)
        if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            hint = types.GenericAlias(tuple, (hint, ...))
        if not _fits(value, hint):
            raise ValueError(f"{what}: {name} must be {_words(hint)}; got {brief(value)}.")
        arguments[name] = value
    return arguments


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that is written to an argument."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin in (tuple, list, Sequence):
        if not isinstance(value, tuple):
            return False
        if origin is tuple and parts[1:] != (...,):
            return len(value) == len(parts) and all(map(_fits, value, parts))
        return all(_fits(entry, parts[0]) for entry in value)
    if origin is typing.Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if hint is float:
        return type(value) in (int, float)
    if hint in (list, tuple):
        return isinstance(value, tuple)
    if isinstance(hint, type):
        return type(value) is hint
    return origin is not Callable  # of other kinds of types nothing is known here


def _words(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


def _call(cls: Any, arguments: dict[str, Any]) -> Layer:
    """Call the constructor with arguments by name, those of a *list in their place."""
    arguments, places = dict(arguments), []
    parameters = list(_signature(cls).values())[1:]
    rest = next((p for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    if rest is not None:
        before = [p for p in parameters[: parameters.index(rest)] if p.name in arguments]
        places = [arguments.pop(p.name) for p in before] + list(arguments.pop(rest.name, ()))
    layer: Layer = cls(*places, **arguments)
    return layer
