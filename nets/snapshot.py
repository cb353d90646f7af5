"""All that training changes in a net, as copies, and back: parameters, and what layers keep beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import Array, ArrayDict


def live_arrays(params: ArrayDict, graph: Graph) -> dict[str, Array]:
    """The arrays themselves: the parameters by name, and as `layer.array` what each layer lists in `kept`."""
    kept = {
        f"{name}.{array}": getattr(leaf, array)
        for name, leaf in graph.named_leaves()
        for array in getattr(leaf, "kept", ())
    }
    return {**params, **kept}


def write_all(who: str, arrays: dict[str, Array], snapshot: Mapping[str, Any]) -> None:
    """Write a snapshot into the arrays, which keep their place; on any error into none of them."""
    if not isinstance(snapshot, Mapping):
        raise TypeError(f"{who}: takes a dict of arrays by name, as snapshot() gives; got {type(snapshot).__name__}.")
    values = {name: np.asarray(value) for name, value in snapshot.items()}
    _check_names(who, arrays, values, "those of this net's snapshot()")
    wrong = [
        f"{name} must be {array.shape} of {array.dtype}; got {values[name].shape} of {values[name].dtype}"
        for name, array in arrays.items()
        if (values[name].shape, values[name].dtype) != (array.shape, array.dtype)
    ]
    if wrong:
        raise ValueError(f"{who}: {'. '.join(wrong)}. Nothing was changed.")
    for name, array in arrays.items():
        array[...] = values[name]


def translated(
    who: str, arrays: dict[str, Array], params: Collection[str], found: Mapping[str, Array], names: Mapping[str, str]
) -> dict[str, Array]:
    """The arrays of another tool's file under our names; floats are widened to ours. What has no name here stays ours.

    Each of `params` must have a name; what layers keep beside them, running statistics say, need not.
    """
    required = {name: array for name, array in arrays.items() if name in names or name in params}
    _check_names(who, required, names, "the keys of names, which must be those of this net's parameters")
    lacking = ", ".join(sorted(repr(theirs) for theirs in names.values() if theirs.removesuffix(".T") not in found))
    if lacking:
        raise ValueError(
            f"{who}: the file must hold what names asks for; it lacks {lacking} and holds "
            f"{', '.join(sorted(found)) or 'nothing'}. Nothing was changed."
        )
    values = dict(arrays)
    for name, theirs in names.items():
        value = found[theirs.removesuffix(".T")]
        value = value.T if theirs not in found else value
        wider = value.dtype.kind == "f" and np.can_cast(value.dtype, arrays[name].dtype)
        values[name] = value.astype(arrays[name].dtype) if wider else value
    return values


def _check_names(who: str, wanted: Mapping[str, Any], given: Mapping[str, Any], what: str) -> None:
    missing, unexpected = (
        ", ".join(sorted(map(str, names))) or "none"
        for names in (wanted.keys() - given.keys(), given.keys() - wanted.keys())
    )
    if wanted.keys() != given.keys():
        raise ValueError(
            f"{who}: the names must be {what}; missing: {missing}; unexpected: {unexpected}. Nothing was changed."
        )
