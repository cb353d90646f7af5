"""What a guess has to go on: a wrong gradient beside the true one, and the judge to ask for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from brickgrad.layers import Array

from .entries import Entries, describe
from .report import Guess
from .subject import Block
from .verdict import Judge


@dataclass
class Clues:
    """One wrong gradient with the true one, entry by entry, and the judge to ask for more."""

    judge: Judge
    place: int
    entries: Entries

    @property
    def block(self) -> Block:
        """The parameter or input."""
        return self.judge.examined.subject.blocks[self.place]

    @property
    def given(self) -> Array:
        """What backward gives."""
        return self.entries.analytic

    @property
    def true(self) -> Array:
        """What forward's values say."""
        return self.entries.numeric

    def alike(self, one: Array, other: Array, rtol: float = 1e-6) -> bool:
        """Whether two candidates are one array, within the bars, measured by the largest entry."""
        if one.shape != other.shape or not one.size:
            return False
        size = float(np.max(np.abs(other), initial=0.0))
        return bool(np.all(np.abs(one - other) <= 20 * float(np.max(self.entries.bar)) + rtol * size))

    def same(self, one: Array, other: Array, rtol: float = 1e-6) -> bool:
        """Whether two gradients of this block are one, entry by entry: each within its own bar."""
        if one.shape != self.true.shape or other.shape != one.shape or not one.size:
            return False
        return bool(np.all(np.abs(one - other) <= 20 * self.entries.bar + rtol * np.abs(other)))

    def explains(self, candidate: Array) -> bool:
        """Whether a candidate made from backward's gradient is the true one."""
        return self.same(candidate, self.true)

    def say(self, kind: str, text: str) -> Guess:
        """A guess about this gradient."""
        return Guess(kind, f"{text} ({describe(self.entries.wrong)})", (self.block.name,))

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """The parameters and inputs, by name."""
        for block in self.judge.examined.subject.blocks:
            yield block.name, block.array


Mistake = Callable[[Clues], Guess | None]
