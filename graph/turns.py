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
        read = {slot for step in steps for slot in step.reads}
        self._ends = [all(slot not in read for slot in step.writes) for step in steps]
        self._seen: dict[tuple[Spec, ...], tuple[list[bool], list[bool]]] = {}

    def find(self, inputs: tuple[Spec, ...]) -> list[bool] | None:
        """For each step whether it can do without guards; None where there was no run on such inputs."""
        found = self._seen.get(inputs)
        return None if found is None else found[0]

    def bare(self, inputs: tuple[Spec, ...]) -> list[bool]:
        """As `find`, for a run whose output the graph converts: besides, steps that give lone numbers, read by none."""
        return self._seen[inputs][1]

    def add(self, inputs: tuple[Spec, ...], memories: Sequence[Memory]) -> None:
        """Note what a run on such inputs left behind in the steps' memories."""
        if len(self._seen) > 8:
            self._seen.clear()
        takes = [all(shape for shape, _ in memory.inputs) for memory in memories]
        gives = [all(shape for shape, _ in memory.outputs or ()) for memory in memories]
        steps = list(zip(self._ours, takes, gives, self._ends, strict=True))
        without = [ours and arrays and more for ours, arrays, more, _ in steps]
        self._seen[inputs] = without, [ours and arrays and (more or end) for ours, arrays, more, end in steps]


def say_where(error: Exception, title: str, step: Step) -> None:
    """Add to an error the node it came from."""
    place = f"\n  at {step.title} in {title}"
    if type(error) in (ValueError, TypeError, RuntimeError) and error.args and isinstance(error.args[0], str):
        error.args = (error.args[0] + place, *error.args[1:])
    else:
        error.add_note(place.strip())
