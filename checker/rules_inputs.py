"""What check_layer was handed: how to make the layer, and the inputs, given or made up."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array, Layer

from .places import copy_of

BATCH, WIDTH = 7, 5


def maker(layer: Any) -> tuple[Callable[[], Any], str]:
    """A function that makes a fresh layer, and what was given; TypeError where a class or function needs arguments."""
    is_class = isinstance(layer, type)
    if not is_class and hasattr(layer, "forward"):
        instead = f" Pass a function that makes it: lambda: {type(layer).__name__}(...)."
        pristine = copy_of(layer, "check_layer", instead)
        return functools.partial(copy_of, pristine, "check_layer"), "instance"
    if not callable(layer):
        raise TypeError(
            f"check_layer: layer must be an object with forward and backward, its class, or a function without "
            f"arguments that makes one; got {layer!r:.60}."
        )
    name = getattr(layer, "__name__", type(layer).__name__)
    try:  # of a class, __init__: Layer has a __new__ that takes whatever comes
        inspect.signature(layer.__init__ if is_class else layer).bind(*[None] * is_class)
    except TypeError as error:
        raise TypeError(
            f"check_layer: {name} cannot be made without arguments ({error}). Pass a function that makes it, "
            f"lambda: {name}(3, 2), or an instance, {name}(3, 2), with your own arguments."
        ) from error
    except ValueError:  # no signature to be had; then calling it will tell
        pass
    return layer, "class" if is_class else "function"


def _names(layer: Any) -> tuple[list[str], int]:
    """The names of forward's inputs, and how many inputs to make: those without a default; of any number, two."""
    if isinstance(layer, Layer):
        fewest, most = layer.arity
        return list(layer.input_names), fewest or min(most, 2)
    parameters = inspect.signature(layer.forward).parameters.values()
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    fewest = sum(p.default is p.empty for p in places)
    return [p.name for p in places], fewest or (2 if any(p.kind is p.VAR_POSITIONAL for p in parameters) else 1)


def given(layer: Any, inputs: Sequence[Any]) -> list[Array]:
    """The inputs as arrays of our own, floats in float64; Python's numbers count as floats, but for labels."""
    whole = layer.integer_inputs if isinstance(layer, Layer) else ()
    names = _names(layer)[0] if whole else []
    arrays = []
    for place, x in enumerate(inputs):
        array = np.array(x)
        label = place < len(names) and names[place] in whole
        plain = not isinstance(x, np.ndarray | np.generic) and array.dtype.kind in "iub" and not label
        arrays.append(array.astype(np.float64) if array.dtype.kind == "f" or plain else array)
        name = names[place] if place < len(names) else f"input {place}"
        if not array.size or (array.dtype.kind == "f" and not np.all(np.isfinite(array))):
            what = "NaN or infinities" if array.size else f"nothing, its shape is {array.shape}"
            raise ValueError(f"check_layer: {name} holds {what}; pass numbers, or no rule can be tried on it.")
    return arrays


def made(layer: Any, rng: np.random.Generator) -> list[Array]:
    """An array for each required input, as wide as W asks for: normal numbers, some of them 0 or 0.5; or labels."""
    names, count = _names(layer)
    params = getattr(layer, "params", None)
    W = params.get("W") if isinstance(params, dict) else getattr(layer, "W", None)
    width = len(W) if isinstance(W, np.ndarray) and W.ndim == 2 else WIDTH
    whole = layer.integer_inputs if isinstance(layer, Layer) else ()
    arrays: list[Array] = []
    for place in range(count):
        if place < len(names) and names[place] in whole:
            arrays.append(rng.integers(0, width, BATCH))
            continue
        x = rng.normal(size=(BATCH, width))
        arrays.append(np.where(rng.random(x.shape) < 0.3, rng.choice([0.0, 0.5], size=x.shape), x))
    return arrays
