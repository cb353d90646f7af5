"""The chain rule for one edge of a graph, in words, with the numbers of the last run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph.node import Constant, Input, Node

from .formulas import backward_of, formulas, input_names, latex, live
from .numbers import describe, number

if TYPE_CHECKING:
    from brickgrad.graph.graph import Graph
    from brickgrad.graph.run import Run
    from brickgrad.graph.wiring import Step


def explain(graph: Graph, run: Run | None, slot: int, node: Node, as_latex: bool) -> str:
    """How the node's value came about, what each brick that reads it hands back, and the sum of that."""
    lines = [_origin(graph, node, slot, run, as_latex)]
    if run is None or run.values is None:
        kept = "There are no values yet: call forward." if graph.keep else "This graph keeps no values: keep=True does."
        return "\n".join([*lines, kept])
    if isinstance(node, Constant):
        return "\n".join([*lines, "It is a constant: it has no gradient."])
    if run.grads is None:
        return "\n".join([*lines, "There is no gradient yet: call backward."])
    if run.grads[slot] is None:
        why = "holds integers" if isinstance(node, Input) and node.takes_integers else "needs none"
        return "\n".join([*lines, f"It has no gradient: it {why}."])
    return "\n".join([*lines, *_chain(graph, slot, run, as_latex)])


def _origin(graph: Graph, node: Node, slot: int, run: Run | None, as_latex: bool) -> str:
    """The node, where it was written, and its formula with numbers."""
    step = next((step for step in graph.wiring.steps if slot in step.writes), None)
    values = None if run is None else run.values
    if step is None:
        value = "" if values is None else f" = {describe(values[slot])}"
        return f"{node.title} ({node.where}){value}"
    names = {} if values is None else names_of(step, values, None)
    said = [live(line, names) for line in formulas(step.layer).forward]
    return f"{step.title}: {'; '.join(latex(line) if as_latex else line for line in said)}"


def _chain(graph: Graph, slot: int, run: Run, as_latex: bool) -> list[str]:
    """A line for each brick that reads the slot, and the chain rule that they make."""
    assert run.values is not None
    assert run.grads is not None
    assert run.handed is not None
    tidy = _plain if as_latex else str
    name_here = tidy(edge_name(graph, slot))
    rows, shares, rule, factors = [], [], [], []
    for index, step in enumerate(graph.wiring.steps):
        handed = run.handed[index]
        for place, read in enumerate(step.reads):
            if read != slot or handed is None or handed[place] is None:
                continue
            name = input_names(step.layer, len(step.reads))[place]
            names = names_of(step, run.values, run.grads) | {f"d{name}": handed[place]}
            said = live(backward_of(step.layer, name), names)
            rows.append(f"  from {step.title}, its {name}: {latex(said) if as_latex else said}")
            shares.append(describe(handed[place]))
            rule.append(f"∂L/∂{tidy(step.name)} · ∂{tidy(step.name)}/∂{name_here}")
            factors.append(_factors(run.grads[step.writes[0]], handed[place]) if len(step.writes) == 1 else None)
    if slot in graph.wiring.outputs:
        rows.append("  from outside: the gradient that backward was given")
        shares.append("what came in")
        rule.append("what came in")
        factors.append(None)
    whole = describe(run.grads[slot])
    if rule == ["what came in"]:
        return [f"its gradient: {whole}, which backward was given, for it is an output"]
    terms = [f"∂L/∂{name_here}", " + ".join(rule)]
    if None not in factors:
        terms.append(" + ".join(map(str, factors)))
    if len(shares) > 1 and "(" not in whole:
        terms.append(" + ".join(map(_in_brackets, shares)))
    chain = " = ".join([*terms, whole])
    return ["its gradient", *rows, f"chain rule: {latex(chain) if as_latex else chain}"]


def _factors(dy: Any, dx: Any) -> str | None:
    """A lone number's share of the gradient as what comes in times the slope, which is what that makes it."""
    if np.size(dy) != 1 or np.size(dx) != 1 or not np.all(dy):
        return None
    came, share = float(np.ravel(dy)[0]), float(np.ravel(dx)[0])
    if not (np.isfinite(came) and np.isfinite(share)):
        return None
    return f"{_in_brackets(number(came))} · {_in_brackets(number(share / came))}"


def _plain(name: str) -> str:
    """A name of letters, digits and dots alone, which LaTeX can set."""
    return re.sub(r"[^\w.]+", "_", name)


def _in_brackets(text: str) -> str:
    """A negative number in brackets, for after a sign."""
    return f"({text})" if text.startswith("-") else text


def edge_name(graph: Graph, slot: int) -> str:
    """What the value in a slot is called in the chain rule: as the input, or as the layer it comes out of."""
    made = next((step.name for step in graph.wiring.steps if slot in step.writes), None)
    if made is not None:
        return made
    return graph.inputs[graph.wiring.inputs.index(slot)].name if slot in graph.wiring.inputs else "constant"


def names_of(step: Step, values: list[Any], grads: list[Any] | None) -> dict[str, Any]:
    """The values of a brick by the names that its formulas know them by; with `grads` the gradient of its output."""
    names = dict(zip(input_names(step.layer, len(step.reads)), (values[slot] for slot in step.reads), strict=False))
    names |= {} if hasattr(step.layer, "wiring") else dict(step.layer.params)
    if len(step.writes) == 1:
        out, (slot,) = formulas(step.layer).output, step.writes
        names[out] = values[slot]
        if grads is not None and grads[slot] is not None:
            names[f"d{out}"] = grads[slot]
    return names
