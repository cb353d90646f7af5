"""What a graph keeps while it runs, and how gradients that meet are summed."""

from __future__ import annotations

from typing import Any

from brickgrad.layers import Array, ArrayDict, Layer, Memory


class Run:
    """What one forward through a graph leaves behind: a memory for each step; and if they are kept, for each slot its
    value and its gradient, and for each step what its backward handed to each of its inputs and the gradients of its
    own parameters. `overwritten` says that a later forward on the same memories has begun.
    """

    __slots__ = ("grads", "handed", "memories", "overwritten", "own", "values")

    def __init__(self, memories: list[Memory]) -> None:
        self.memories = memories
        self.values: list[Any] | None = None
        self.grads: list[Any] | None = None
        self.handed: list[Any] | None = None
        self.own: list[dict[str, Array]] | None = None
        self.overwritten = False


class Sums:
    """The gradient of every slot. Sums stand in arrays of their own: no array of a layer's is written to."""

    def __init__(self, n_slots: int) -> None:
        self.sums: list[Any] = [None] * n_slots
        self._owned: set[int] = set()

    def add(self, slot: int, dx: Any) -> None:
        """Add a gradient to a slot's."""
        if self.sums[slot] is None:
            self.sums[slot] = dx
        elif slot in self._owned:
            self.sums[slot] += dx
        else:
            self.sums[slot] = self.sums[slot] + dx
            self._owned.add(slot)


class SharedTotals:
    """The gradients of layers that stand at several nodes: each backward overwrites the last, so they add up here."""

    def __init__(self) -> None:
        self._totals: dict[int, tuple[ArrayDict, dict[str, Array]]] = {}

    def add(self, layer: Layer) -> None:
        """Add what a layer's last backward left in its `grads`."""
        for leaf in layer.leaves():
            grads, total = self._totals.setdefault(id(leaf), (leaf.grads, {}))
            for key, value in grads.items():
                if key in total:
                    total[key] += value
                else:
                    total[key] = value.copy()

    def write(self) -> None:
        """Put the totals into the layers' `grads`."""
        for grads, total in self._totals.values():
            for key, value in total.items():
                grads[key] = value
