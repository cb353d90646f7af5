"""What an entry of the zoo says about itself, and the words it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import brickgrad as bg

# A layer, graph or plain object with forward and backward, and the inputs to call it with.
Case = tuple[Any, tuple[Any, ...]]

FAMILIES = ("reduction", "loss", "normalization", "convolution", "state", "values", "engine", "size")

KINDS = frozenset(bg.Guess.KINDS) - {"raised"}  # a fault that only raises needs no guess


@dataclass(frozen=True)
class Fault:
    """A fault that can be switched on: what `make` gives is wrong, what `healthy` gives is the same and right.

    `brick` is the class at fault ("Graph": the engine), `gradients` names what comes out wrong (empty where the values
    are right and something else is not: an array written to or shared), `kinds` the guesses that count as right.
    """

    name: str
    family: str
    make: Callable[[int], Case]
    healthy: Callable[[int], Case]
    brick: str
    gradients: frozenset[str]
    kinds: frozenset[str]
    story: str


@dataclass(frozen=True)
class Correct:
    """A layer that is right, on inputs that make a checker say it is not; `why` says what is nasty."""

    name: str
    make: Callable[[int], Case]
    why: str


def plant(family: str, rows: Iterable[tuple[Any, ...]]) -> tuple[Fault, ...]:
    """The faults of a family from rows (build, name, brick, gradients, kinds, story).

    `build(fault, seed)` makes the case; the fault's name is the switch, and None switches it off.
    """
    return tuple(
        Fault(
            name=name,
            family=family,
            make=partial(build, name),
            healthy=partial(build, None),
            brick=brick,
            gradients=frozenset(gradients.split()),
            kinds=frozenset(kinds.split(", ")),
            story=story,
        )
        for build, name, brick, gradients, kinds, story in rows
    )
