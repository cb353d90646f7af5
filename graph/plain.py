"""Values as JSON has them, and back: numbers, texts, tuples, slices, dtypes and arrays, and nothing else."""

from __future__ import annotations

import base64
import binascii
import math
import reprlib
from typing import Any

import numpy as np

_KINDS = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool"
DTYPES = {name: np.dtype(name) for name in _KINDS.split()}
MOST_ENTRIES = 2**31  # of an array, and of one sample
MOST_AXES = 32
_DEEPEST = 4  # lists in lists
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


def brief(value: Any) -> str:
    """The value as errors show it: however long and deep it is, the beginning."""
    return _BRIEF.repr(value)[:80]


def to_plain(what: str, value: Any) -> Any:
    """The value as JSON can hold it, to the last bit; TypeError, which begins with `what`, where it is of another kind.

    >>> to_plain("pad", ((0, 1), "same", float("inf"))), to_plain("key", slice(1, None))
    ([[0, 1], 'same', {'float': 'inf'}], {'slice': [1, None, None]})
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list | tuple):
        return [to_plain(what, part) for part in value]
    if isinstance(value, slice):
        return {"slice": [to_plain(what, part) for part in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, np.dtype) and value.name in DTYPES:
        return value.name
    if isinstance(value, np.ndarray | np.generic) and value.dtype.name in DTYPES:
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape) if isinstance(value, np.ndarray) else None,
            "base64": base64.b64encode(value.astype(value.dtype.newbyteorder("<")).tobytes()).decode(),
        }
    raise TypeError(
        f"{what} must be a number, a text, a list, a slice, a dtype or an array, to be described; got "
        f"{type(value).__name__} {value!r:.60}."
    )


def from_plain(what: str, value: Any, depth: int = 0) -> Any:
    """The value that `to_plain` wrote, lists as tuples; ValueError, which begins with `what`, where it is none.

    >>> from_plain("pad", [[0, 1], "same", {"float": "inf"}]), from_plain("key", {"slice": [1, None, None]})
    (((0, 1), 'same', inf), slice(1, None, None))
    """
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is list and depth < _DEEPEST:
        return tuple(from_plain(what, part, depth + 1) for part in value)
    if type(value) is dict:
        if value.keys() == {"slice"} and type(value["slice"]) is list and len(value["slice"]) == 3:
            return slice(*(whole(what, part, -(2**63)) if part is not None else None for part in value["slice"]))
        if value == {"ellipsis": True}:
            return ...
        if value.keys() == {"float"} and value["float"] in ("inf", "-inf", "nan"):
            return float(value["float"])
        if value.keys() == {"dtype", "shape", "base64"}:
            return _array(what, value)
    raise ValueError(f"{what} must be a number, a text, a list, a slice or an array; got {brief(value)}.")


def whole(what: str, value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    """The value, a whole number from `least` to `most`; else a ValueError."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what} must be a whole number in {least}..{most}; got {brief(value)}.")
    return value


def name_of(what: str, name: Any, *, or_none: bool = True) -> str | None:
    """The value, a text that can be printed or, where that is allowed, None; else a ValueError."""
    if (name is None and or_none) or (type(name) is str and name and name.isprintable()):
        return name
    raise ValueError(f"{what} must be a text that can be printed{' or null' * or_none}; got {brief(name)}.")


def dtype_of(what: str, name: Any) -> np.dtype[Any]:
    """The dtype of a name, one of a few; else a ValueError."""
    if type(name) is not str or name not in DTYPES:
        raise ValueError(f"{what} must be one of {', '.join(DTYPES)}; got {brief(name)}.")
    return DTYPES[name]


def shape_of(what: str, sizes: Any) -> tuple[int, ...]:
    """A shape that NumPy can hold; else a ValueError."""
    if type(sizes) is not list or len(sizes) > MOST_AXES:
        raise ValueError(f"{what} must be a list of at most {MOST_AXES} sizes; got {brief(sizes)}.")
    shape = tuple(whole(what, size, 0, MOST_ENTRIES) for size in sizes)
    if math.prod(size or 1 for size in shape) > MOST_ENTRIES:
        raise ValueError(f"{what} must have at most {MOST_ENTRIES:,} entries; got {shape}.")
    return shape


def _array(what: str, value: dict[str, Any]) -> Any:
    """An array, or a number of NumPy's where its shape is None."""
    dtype = dtype_of(f"{what}: dtype", value["dtype"])
    shape = () if value["shape"] is None else shape_of(f"{what}: shape", value["shape"])
    text = value["base64"]
    due = math.prod(shape) * dtype.itemsize
    try:
        content = base64.b64decode(text, validate=True) if type(text) is str else b""
    except (binascii.Error, ValueError):
        content = b""
    if type(text) is not str or len(content) != due or base64.b64encode(content).decode() != text:
        raise ValueError(f"{what}: base64 must be {due} bytes for {shape} of {dtype.name}; got {brief(text)}.")
    if dtype.kind == "b" and not set(content) <= {0, 1}:
        raise ValueError(f"{what}: base64 must be bytes of 0 and 1 for bool; got {brief(text)}.")
    array = np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    return array[()] if value["shape"] is None else array
