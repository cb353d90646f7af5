"""All that training changes in a net, as copies, and back: parameters, and what layers keep beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
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
    _write(who, arrays, values, _wrong_names(arrays, values, "those of this net's snapshot()"))


def write_translated(
    who: str,
    arrays: dict[str, Array],
    params: Collection[str],
    found: Mapping[str, Array],
    names: Mapping[str, str],
    ignore: Collection[str],
) -> None:
    """Write the arrays of another tool's file under our names, floats widened to ours; on any error none of them.

    Each of `params` must have a name; what layers keep beside them, running statistics say, need not. Each array of the
    file must be asked for, or fit one of the patterns in `ignore`.
    """
    required = {name: array for name, array in arrays.items() if name in names or name in params}
    wrong = _wrong_names(required, names, "the keys of names, which must be those of this net's parameters")
    lacking = ", ".join(sorted(repr(theirs) for theirs in names.values() if _source(theirs, found) is None))
    if lacking:
        held = ", ".join(sorted(map(_shown, found))) or "nothing"
        wrong.append(f"the file must hold what names asks for; it lacks {lacking} and holds {held}")
    asked = {_source(theirs, found) for theirs in names.values()}
    spare = [name for name in found if name not in asked and not any(fnmatchcase(name, each) for each in ignore)]
    if spare:
        wrong.append(
            f"each array of the file must be in names or in ignore; in neither: {', '.join(sorted(map(_shown, spare)))}"
        )
    values = {}
    for name, theirs in names.items():
        source = _source(theirs, found)
        if source is None or name not in arrays:
            continue
        value = found[source] if theirs == source else found[source].T
        wider = value.dtype.kind == "f" and np.can_cast(value.dtype, arrays[name].dtype)
        values[name] = value.astype(arrays[name].dtype) if wider else value
    _write(who, {name: arrays[name] for name in values}, values, wrong)


def _source(theirs: str, found: Mapping[str, Array]) -> str | None:
    """The array of the file that a name stands for, which may end in ".T"; None where there is none."""
    return next((name for name in (theirs, theirs.removesuffix(".T")) if name in found), None)


def _write(who: str, arrays: Mapping[str, Array], values: Mapping[str, Array], wrong: list[str]) -> None:
    """Write values, if nothing is wrong with them; else say all that is in one ValueError."""
    wrong = wrong + [
        f"{name} must be {array.shape} of {array.dtype}; got {values[name].shape} of {values[name].dtype}"
        for name, array in arrays.items()
        if name in values and (values[name].shape, values[name].dtype) != (array.shape, array.dtype)
    ]
    if wrong:
        raise ValueError(f"{who}: {'. '.join(wrong)}. Nothing was changed.")
    for name, array in arrays.items():
        array[...] = values[name]


def _shown(name: object) -> str:
    """A name, which may come from a file, as errors can print it."""
    return name if isinstance(name, str) and name.isprintable() else repr(name)


def _wrong_names(wanted: Mapping[str, Any], given: Mapping[str, Any], what: str) -> list[str]:
    """What is wrong with the names, in at most one sentence."""
    missing, unexpected = (
        ", ".join(sorted(map(_shown, names))) or "none"
        for names in (wanted.keys() - given.keys(), given.keys() - wanted.keys())
    )
    if wanted.keys() == given.keys():
        return []
    return [f"the names must be {what}; missing: {missing}; unexpected: {unexpected}"]
