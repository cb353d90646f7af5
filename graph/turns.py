"""The layers' turns in a graph's run: which need no guards any more, and where one failed."""

from __future__ import annotations

from collections.abc import Sequence

from brickgrad.layers import Memory
from brickgrad.layers.memory import Spec

from .wiring import Step


class Proven:
    """What the guards have seen: for the kinds of inputs that a graph ran on, which steps can do without them.

    Bricks of this package keep their contract, as its tests prove. So where one has passed the guards on arrays of some
    shapes and dtypes, it takes and gives the same kinds again, and its guards can be left out. Those of other layers
    stay, and those of all that hangs on them, for they may give something else the next time; and so do those of lone
    numbers, which guards convert.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._ours: list[bool] = []  # whether a step and all before it are bricks of this package
        others: set[int] = set()
        for step in steps:
            ours = others.isdisjoint(step.reads) and all(leaf.vetted for leaf in step.layer.leaves())
            self._ours.append(ours and step.layer.vetted)
            if not ours:
                others.update(step.writes)
        self._seen: dict[tuple[Spec, ...], list[bool]] = {}

    def find(self, inputs: tuple[Spec, ...]) -> list[bool] | None:
        """For each step whether it can do without guards; None where there was no run on such inputs."""
        return self._seen.get(inputs)

    def add(self, inputs: tuple[Spec, ...], memories: Sequence[Memory]) -> None:
        """Note what a run on such inputs left behind in the steps' memories."""
        if len(self._seen) > 8:
            self._seen.clear()
        self._seen[inputs] = [
            ours and all(shape for shape, _ in (*memory.inputs, *(memory.outputs or ())))
            for ours, memory in zip(self._ours, memories, strict=True)
        ]


def say_where(error: Exception, title: str, step: Step) -> None:
    """Add to an error the node it came from."""
    place = f"\n  at {step.title} in {title}"
    if type(error) in (ValueError, TypeError, RuntimeError) and error.args and isinstance(error.args[0], str):
        error.args = (error.args[0] + place, *error.args[1:])
    else:
        error.add_note(place.strip())
