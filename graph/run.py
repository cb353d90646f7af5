"""What a graph keeps while it runs, and how gradients that meet are summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Array, ArrayDict, Layer, Memory
from brickgrad.layers.memory import Spec

from .wiring import Step


@dataclass(slots=True)
class Plan:
    """The way back: for each slot whether its gradient is needed, and the steps that it leads through, last first.

    A turn is a step's place among the steps, the step, and which of the slots it reads need a gradient.
    """

    needed: list[bool]
    turns: list[tuple[int, Step, tuple[bool, ...]]]

    @classmethod
    def make(cls, steps: Sequence[Step], needed: list[bool]) -> Plan:
        """Go on from what is needed of the inputs: what parameters or a needed gradient stand before is needed too."""
        for step in steps:
            if any(needed[slot] for slot in step.reads) or any(leaf.params for leaf in step.layer.leaves()):
                for slot in step.writes:
                    needed[slot] = True
        turns = [
            (index, step, tuple([needed[slot] for slot in step.reads]))
            for index, step in enumerate(steps)
            if needed[step.writes[0]]
        ]
        return cls(needed, turns[::-1])


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

    def let_go(self) -> None:
        """Drop what is kept only to be looked at; backward can still run."""
        self.values = self.grads = self.handed = self.own = None

    def keep(self, kept: Kept | None, grads: Sums) -> None:
        """Take what a backward that came to its end leaves to be looked at; None: nothing."""
        self.grads = None if kept is None else grads.sums
        self.handed = None if kept is None else kept.handed
        self.own = None if kept is None else kept.own


class Kept:
    """For each step what its backward handed to each of its inputs, and copies of the gradients of its parameters."""

    def __init__(self, n_steps: int) -> None:
        self.handed: list[Any] = [None] * n_steps
        self.own: list[dict[str, Array]] = [{}] * n_steps

    def add(self, index: int, layer: Layer, handed: tuple[Any, ...]) -> None:
        """Note what a step handed back. A graph has no parameters of its own: it keeps those of its layers itself."""
        self.handed[index] = handed
        if layer._grads:
            self.own[index] = {key: gradient.copy() for key, gradient in layer._grads.items()}


class Sums:
    """The gradient of every slot. Sums stand in arrays of their own: no array of a layer's is written to."""

    __slots__ = ("_owned", "sums")

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

    def take(self, slots: Sequence[int], specs: Sequence[Spec] | None) -> list[Any]:
        """The gradients of what a step wrote, which are done with then; zeros for an output that nothing reads."""
        sums, taken = self.sums, []
        for place, slot in enumerate(slots):
            dy, sums[slot] = sums[slot], None
            if dy is None:
                assert specs is not None
                dy = np.zeros(*specs[place])
            taken.append(dy)
        return taken


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
