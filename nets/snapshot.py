"""All that training changes in a net, as copies, and back: parameters, and what layers keep beside them."""

from __future__ import annotations

from collections.abc import Mapping
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
    missing, unexpected = (
        ", ".join(sorted(map(str, names))) or "none"
        for names in (arrays.keys() - snapshot.keys(), snapshot.keys() - arrays.keys())
    )
    if arrays.keys() != snapshot.keys():
        raise ValueError(
            f"{who}: the names must be those of this net's snapshot(); missing: {missing}; unexpected: {unexpected}. "
            "Nothing was changed."
        )
    for name, array in arrays.items():
        value = np.asarray(snapshot[name])
        if (value.shape, value.dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"{who}: {name} must be {array.shape} of {array.dtype}; got {value.shape} of {value.dtype}. Nothing "
                "was changed."
            )
    for name, array in arrays.items():
        array[...] = snapshot[name]
