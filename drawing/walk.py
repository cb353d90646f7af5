"""A walk through a graph: one state a brick forward, then one a brick backward, each with what there is to say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .explain import edge_name, names_of
from .formulas import backward_of, formulas, input_names, live
from .numbers import describe
from .scene import Scene

if TYPE_CHECKING:
    from brickgrad.graph.graph import Graph
    from brickgrad.graph.run import Run
    from brickgrad.graph.wiring import Step


@dataclass
class State:
    """What one stop of the walk shows.

    Attributes
        item : the brick that is lit, "" for none.
        way : "forward", "backward" or "" for a stop between.
        title, place : the brick and where it was written.
        lines : formulas with live numbers, one after another.
    """

    item: str
    way: str
    title: str
    place: str = ""
    lines: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """The state as JSON takes it."""
        return asdict(self)


def walk(graph: Graph, scene: Scene) -> list[State]:
    """The states in order; only the first where the graph has not run, only those forward before its backward."""
    run: Run | None = graph.memory.saved
    if run is None or run.values is None:
        return [State("", "", "No values yet", lines=["Call forward with some numbers, and draw again."])]
    items = {item.step: str(number) for number, item in enumerate(scene.items) if item.step is not None}
    steps = graph.wiring.steps
    begin = f"{graph.title} is given its inputs. Step on to run it, brick by brick."
    states = [State("", "", "The inputs", lines=[begin])]
    for index, step in enumerate(steps):
        states.append(State(items[index], "forward", _name(step), step.where, _forward(step, run)))
    if run.grads is None:
        states.append(State("", "", "No gradients yet", lines=["Call backward, and draw again, to walk back as well."]))
        return states
    outputs = [describe(run.grads[slot]) for slot in graph.wiring.outputs if run.grads[slot] is not None]
    said = f"The gradient that comes in at the output: {', '.join(outputs)}. From here on the walk goes back."
    states.append(State("", "", "The way back", lines=[said]))
    for index, step in reversed(list(enumerate(steps))):
        states.append(State(items[index], "backward", _name(step), step.where, _backward(graph, step, run, index)))
    return states


def _name(step: Step) -> str:
    return step.title.split(" (")[0]


def _forward(step: Step, run: Run) -> list[str]:
    assert run.values is not None
    return [live(line, names_of(step, run.values, None)) for line in formulas(step.layer).forward]


def _backward(graph: Graph, step: Step, run: Run, index: int) -> list[str]:
    """What the brick hands to each edge in front of it, by the chain rule, and to its parameters; and what adds up."""
    assert run.grads is not None
    assert run.values is not None
    handed = run.handed[index] if run.handed is not None else None
    if handed is None:
        return ["No gradient is needed here."]
    names = names_of(step, run.values, run.grads)
    lines = []
    for name, slot, gradient in zip(input_names(step.layer, len(step.reads)), step.reads, handed, strict=False):
        if gradient is None:
            continue
        source = edge_name(graph, slot)
        lines.append(live(backward_of(step.layer, name), names | {f"d{name}": gradient}))
        lines.append(f"    chain rule: ∂L/∂{source} = ∂L/∂{step.name} · ∂{step.name}/∂{source}")
        if not np.array_equal(gradient, run.grads[slot]):
            lines.append(f"    and with what other bricks hand to the same edge: {describe(run.grads[slot])}")
    if not hasattr(step.layer, "wiring"):
        for key, gradient in (run.own or {index: {}})[index].items():
            lines.append(live(backward_of(step.layer, key), names | {f"d{key}": gradient}))
    return lines or ["No gradient is needed here."]
