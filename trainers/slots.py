"""The arrays that an optimizer keeps, of parameters that move together: side by side, as the parameters are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brickgrad.layers import Array

Slots = dict[tuple[str, str], Array]


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
