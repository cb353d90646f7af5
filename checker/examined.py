"""A subject that has been examined: its outputs, what was sent back, what came, and what is wrong for certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .report import Guess
from .subject import Block, Subject


@dataclass
class Examined:
    """A subject after the checks: its outputs, what was sent back, the gradients that came, and what is wrong.

    `gradients[i][j]` is the gradient of block j for the weights i; None where a block has none.
    """

    subject: Subject
    base: Array
    weights: list[Array] = field(default_factory=list)
    gradients: list[list[Array | None]] = field(default_factory=list)
    faults: list[Guess] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> list[tuple[int, Block]]:
        """The blocks that have a gradient of the right shape, with their places."""
        found = []
        for place, block in enumerate(self.subject.blocks):
            if self.gradients and all(_fits(given[place], block) for given in self.gradients):
                found.append((place, block))
        return found

    def add(self, kind: str, text: str, name: str) -> None:
        """Note a fault. One of a kind is said once; more gradients of the same join it."""
        for place, fault in enumerate(self.faults):
            if fault.kind == kind:
                if name not in fault.where:
                    self.faults[place] = Guess(kind, fault.text, (*fault.where, name))
                return
        self.faults.append(Guess(kind, text, (name,)))


def _fits(gradient: Array | None, block: Block) -> bool:
    return gradient is not None and gradient.shape == block.array.shape and gradient.dtype.kind == "f"


def together(subject: Subject, *gradients: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Blocks with their gradients from several runs, where all of those are of the block's shape."""
    return [
        (block, *given)
        for block, *given in zip(subject.blocks, *gradients, strict=True)
        if all(gradient is not None and np.shape(gradient) == block.array.shape for gradient in given)
    ]
