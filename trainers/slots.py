"""The arrays that an optimizer keeps, of parameters that move together: side by side, as the parameters are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from brickgrad.layers import Array

Slots = dict[tuple[str, str], Array]


def in_parts(vector: Array, params: Mapping[str, Array]) -> list[Array]:
    """The parts of a vector that belong to each of the parameters, which lie in it one behind the other.

    >>> in_parts(np.arange(3.0), {"W": np.ones((2, 1)), "b": np.ones(1)})
    [array([0., 1.]), array([2.])]
    """
    ends = list(itertools.accumulate((param.size for param in params.values()), initial=0))
    return [vector[start:end] for start, end in itertools.pairwise(ends)]


def stretches(params: Mapping[str, Array]) -> list[tuple[int, int]]:
    """From where to where, of parameters one behind the other, those of 2 or more axes lie: neighbours as one.

    >>> stretches({"W": np.ones((2, 3)), "V": np.ones((1, 2)), "b": np.ones(2), "U": np.ones((1, 1))})
    [(0, 8), (10, 11)]
    """
    found: list[tuple[int, int]] = []
    end = 0
    for param in params.values():
        start, end = end, end + param.size
        if param.ndim >= 2:
            found.append((found.pop()[0] if found and found[-1][1] == start else start, end))
    return found


class SideBySide:
    """An optimizer's arrays of some parameters, one behind the other; `slots` holds views of them, by name.

    Parameters
        slots : dict by (name, what). What stands in it already is copied to its place, whatever put it there.
        params : the parameters, in the order in which they lie in memory.
    Example
        >>> slots = {("b", "v"): np.array([5.0])}
        >>> SideBySide(slots, {"W": np.ones((2, 1)), "b": np.ones(1)}).vector("v")
        array([0., 0., 5.])
        >>> slots["W", "v"]
        array([[0.],
               [0.]])
    """

    def __init__(self, slots: Slots, params: Mapping[str, Array]) -> None:
        self._slots, self._params = slots, params
        self._vectors: dict[str, Array] = {}

    def vector(self, what: str) -> Array:
        """All arrays called `what`: as they were laid out before, or anew."""
        vector = self._vectors.get(what)
        if vector is None:
            vector = self._vectors[what] = self._laid_out(what)
        return vector

    def _laid_out(self, what: str) -> Array:
        slots, params = self._slots, self._params
        found = [slots.get((name, what)) for name in params]
        size = sum([param.size for param in params.values()])
        bases = [None if slot is None else slot.base for slot in found]
        if bases[0] is not None and bases[0].shape == (size,) and all(base is bases[0] for base in bases):
            return bases[0]
        vector = np.zeros(size, next(iter(params.values())).dtype)
        end = 0
        for (name, param), slot in zip(params.items(), found, strict=True):
            start, end = end, end + param.size
            part = vector[start:end].reshape(param.shape)
            if slot is not None:
                part[...] = slot
            slots[name, what] = part
        return vector
