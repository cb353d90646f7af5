"""From nodes to a plan: the order in which a graph's layers run, checked before anything does."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from brickgrad.layers import Layer

from .node import Call, Constant, Input, Node


@dataclass(slots=True)
class Step:
    """One layer's turn: the slots it reads and writes, its name in the graph and where it was written.

    `shared` says that the layer stands at other steps too; `last_reads` are slots that no later step reads and that are
    no outputs.
    """

    layer: Layer
    name: str
    where: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    shared: bool = field(default=False)
    last_reads: tuple[int, ...] = field(default=())

    @property
    def title(self) -> str:
        """The step as errors name it: `Affine[hidden] (train.py:9)`."""
        return f"{type(self.layer).__name__}[{self.name}] ({self.where})"


@dataclass
class Wiring:
    """A checked graph: its steps in order, and a slot for every value that flows."""

    steps: list[Step]
    slots: dict[Node, int]
    constants: dict[int, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def n_slots(self) -> int:
        """How many values there are: inputs, constants and the steps' outputs."""
        return len(self.slots)

    def first_values(self) -> list[Any]:
        """A list with a place for every value, in which the constants stand."""
        values: list[Any] = [None] * self.n_slots
        for slot, constant in self.constants.items():
            values[slot] = constant
        return values


def wire(title: str, inputs: Sequence[Input], outputs: Sequence[Node], allow_unused: bool = False) -> Wiring:
    """Order the calls that lead from `inputs` to `outputs`, and check that nothing is missing, spare or named twice."""
    _check_ends(title, inputs, outputs)
    calls = _in_order(title, outputs)
    for call in calls:
        if not call.layer.vetted:
            check_holds_no_layers(call.layer, f" ({call.where})")
    slots: dict[Node, int] = {node: slot for slot, node in enumerate(inputs)}
    constants: dict[int, Any] = {}
    names = _names(title, calls)
    steps = []
    for call, name in zip(calls, names, strict=True):
        for node in call.inputs:
            if isinstance(node, Constant):
                constants[slots.setdefault(node, len(slots))] = node.value
            elif node not in slots:
                raise ValueError(
                    f"{title}: {node.title} ({node.where}) feeds {call.layer.title} ({call.where}) but is not "
                    f"among the graph's inputs ({', '.join(x.name for x in inputs)}). Add it to them.{around(call)}"
                )
        reads = tuple([slots[node] for node in call.inputs])
        for node in call.outputs:
            slots[node] = len(slots)
        steps.append(Step(call.layer, name, call.where, reads, tuple([slots[node] for node in call.outputs])))
    for node in outputs:
        if node not in slots:
            given = ", ".join(f"{x.title} ({x.where})" for x in inputs)
            raise ValueError(
                f"{title}: the output {node.title} ({node.where}) depends on none of the graph's inputs, {given}. "
                f"Join it to one, or leave it out.{around(*[call for call in (node.call, *node.readers[:1]) if call])}"
            )
    reached = {node for call in calls for node in call.inputs} | set(outputs)
    for node in inputs:
        if node not in reached:
            raise ValueError(
                f"{title}: {node.title} ({node.where}) reaches no output; leave it out, or join it to one of "
                f"{', '.join(f'{out.title} ({out.where})' for out in outputs)}."
                f"{around(*(call for call in (*node.readers[:1], outputs[0].call) if call is not None))}"
            )
    check_full_names(title, steps)
    if not allow_unused:
        check_nothing_dangles(title, inputs, outputs, calls)
    for node in outputs:
        node.is_output = True
    _mark_shared(steps)
    _mark_last_reads(steps, {slots[node] for node in outputs})
    return Wiring(steps, slots, constants, tuple(slots[x] for x in inputs), tuple(slots[y] for y in outputs))


def _mark_shared(steps: Sequence[Step]) -> None:
    """Say of each step whether a layer of it stands at others too."""
    leaves = [step.layer.leaves() for step in steps]
    uses = Counter([id(leaf) for inside in leaves for leaf in inside])
    if len(uses) < uses.total():
        for step, inside in zip(steps, leaves, strict=True):
            step.shared = any(uses[id(leaf)] > 1 for leaf in inside)


def _mark_last_reads(steps: Sequence[Step], still_read: set[int]) -> None:
    """Say of each step which slots no later one reads; `still_read` are those of the outputs."""
    for step in reversed(steps):
        step.last_reads = tuple(set(step.reads) - still_read)
        still_read.update(step.reads)


def check_full_names(title: str, steps: Sequence[Step]) -> None:
    """No two layers may go by one name, those of graphs inside included: their parameters could not be told apart."""
    owners: dict[str, tuple[Any, Step]] = {}
    for step in steps:
        layer: Any = step.layer
        inside = layer.named_leaves() if hasattr(layer, "named_leaves") else [("", layer)]
        for name, leaf in inside:
            full = f"{step.name}.{name}" if name else step.name
            other, first = owners.setdefault(full, (leaf, step))
            if other is not leaf:
                raise ValueError(
                    f"{title}: two layers have the name {full!r}: {type(other).__name__} of {first.title} and "
                    f"{type(leaf).__name__} of {step.title}. Rename one."
                )


def _check_ends(title: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    """The inputs are Inputs with names of their own; the outputs are nodes; there are some of both."""
    if not inputs or not outputs:
        raise ValueError(f"{title}: needs at least one input and one output; got {len(inputs)} and {len(outputs)}.")
    for node in inputs:
        if not isinstance(node, Input):
            raise TypeError(f"{title}: inputs must be Input nodes; got {node!r}.")
    for node in outputs:
        if not isinstance(node, Node):
            raise TypeError(
                f"{title}: outputs must be nodes, made by calling layers on nodes; got {type(node).__name__} "
                f"{repr(node)[:60]}."
            )
    first: dict[str, Input] = {}
    for node in inputs:
        other = first.setdefault(node.name, node)
        if other is not node:
            raise ValueError(
                f"{title}: two inputs have the name {node.name!r}, at {other.where} and at {node.where}. Rename one."
            )
    twice = [node for node, count in Counter(inputs).items() if count > 1]
    if twice:
        places = ", ".join(str(number + 1) for number, node in enumerate(inputs) if node is twice[0])
        raise ValueError(
            f"{title}: {twice[0].title} ({twice[0].where}) stands twice among the inputs, at places {places}. Leave "
            f"one out; a value may go to several layers.{around(*twice[0].readers[:1])}"
        )


def check_nothing_dangles(title: str, inputs: Sequence[Node], outputs: Sequence[Node], calls: Sequence[Call]) -> None:
    """ValueError for a value that is made of this graph's and read by nothing: something was left unjoined.

    What other graphs read, or have as an output, is none of this one's business; neither is what would need more than
    this graph's inputs.
    """
    if _dangling(inputs, outputs, calls) is None:
        return
    gc.collect()  # what nothing holds any longer is not held against anybody
    found = _dangling(inputs, outputs, calls)
    if found is None:
        return
    call = found.call
    assert call is not None
    several = len(call.outputs) > 1
    which = f"output {call.outputs.index(found) + 1} of {len(call.outputs)} of " if several else ""
    source = next((node for node in call.inputs if not isinstance(node, Constant)), found)
    raise ValueError(
        f"{title}: {which}{found.title} ({found.where}), made from {source.title} ({source.where}), is read by nothing "
        f"and is no output. Join it to {outputs[0].title} ({outputs[0].where}), make it an output, or say that it is "
        f"meant: Graph(..., allow_unused=True).{around(call)}"
    )


def _dangling(inputs: Sequence[Node], outputs: Sequence[Node], calls: Sequence[Call]) -> Node | None:
    """A node at a loose end: made by these calls, or of nothing but what they make."""
    own = set(inputs).union(*[call.outputs for call in calls])
    waiting = list(own)
    while waiting:
        for call in waiting.pop().readers:
            if call.outputs[0] not in own and all(node in own or isinstance(node, Constant) for node in call.inputs):
                own.update(call.outputs)
                waiting += call.outputs
    ends = own.difference(*[call.inputs for call in calls], outputs)
    loose = [node for node in ends if not isinstance(node, Input) and not node.readers and not node.is_output]
    return min(loose, key=lambda node: node.where, default=None)


def around(*calls: Call) -> str:
    """The part of the graph around some calls, a line each: two steps back, the call, and what reads it."""
    lines = []
    for call in calls:
        path, at = [f"{call.layer.title} ({call.where})   <- here"], call
        for _ in range(2):
            source = next((node for node in at.inputs if not isinstance(node, Constant)), None)
            if source is None:
                break
            others = sum(node is not source and not isinstance(node, Constant) for node in at.inputs)
            path.append(f"{source.title} ({source.where}){f' and {others} more' if others else ''}")
            if source.call is None or source.call in calls:
                break
            at = source.call
        lines.append("\n  " + " -> ".join(reversed(path)))
    return "".join(lines)


def check_holds_no_layers(layer: Layer, where: str = "") -> None:
    """TypeError where a layer that is no graph holds layers: their parameters, modes and memories would go unseen."""
    if layer.vetted or len(layer.parts()) > 1:
        return
    for name, value in vars(layer).items():
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        if any(isinstance(thing, Layer) for thing in held):
            raise TypeError(
                f"{layer.title}{where}: holds layers of its own in {name!r}, which nothing outside can see. Join them "
                "in a Graph, which is a layer too."
            )


def _in_order(title: str, outputs: Sequence[Node]) -> list[Call]:
    """The calls that lead to the outputs, each after those it needs, in an order that only the wiring decides."""
    order: list[Call] = []
    state: dict[Call, bool] = {}  # False while a call waits for its inputs, True when it is in order
    stack: list[tuple[Call, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        call = node.call
        if call is None or state.get(call):
            return
        if call in state:
            ring = [waiting for waiting, _ in stack]
            ring = ring[ring.index(call) :]
            path = " -> ".join(f"{c.layer.title} ({c.where})" for c in [*reversed(ring), ring[-1]])
            raise ValueError(f"{title}: the wiring runs in a circle: {path}. A graph must run from inputs to outputs.")
        state[call] = False
        stack.append((call, iter(call.inputs)))

    for output in outputs:
        enter(output)
        while stack:
            call, rest = stack[-1]
            node = next(rest, None)
            if node is not None:
                enter(node)
            else:
                stack.pop()
                state[call] = True
                order.append(call)
    return order


def _names(title: str, calls: Sequence[Call]) -> list[str]:
    """A name for each call: its layer's, or the layer's kind with a number. One name means one layer."""
    owners: dict[str, Call] = {}
    for call in calls:
        if call.layer.name:
            other = owners.setdefault(call.layer.name, call)
            if other.layer is not call.layer:
                raise ValueError(
                    f"{title}: two layers have the name {call.layer.name!r}: {type(other.layer).__name__} at "
                    f"{other.where} and {type(call.layer).__name__} at {call.where}. Rename one, or use one twice."
                )
    given: dict[int, str] = {}
    numbers: Counter[str] = Counter()
    for call in calls:
        layer = call.layer
        if id(layer) in given:
            continue
        name = layer.name
        while name is None or (name in owners and not layer.name):
            kind = type(layer).__name__.lower()
            numbers[kind] += 1
            name = f"{kind}{numbers[kind]}"
        given[id(layer)] = name
    return [given[id(call.layer)] for call in calls]
