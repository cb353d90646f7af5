"""A graph looked at brick by brick, each on the values and gradients that it has there; then how they are summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.graph.wiring import Step
from brickgrad.layers import Array, Memory

from .check import check_subject
from .report import GradcheckReport, Guess, worst_verdict
from .slope import draw
from .subject import LayerSubject

COMES_IN = "what comes in"


class Bricks:
    """A run of a graph, and the reports on its layers."""

    def __init__(self, graph: Graph, inputs: Sequence[Array], seed: tuple[int, ...]) -> None:
        self.graph = graph.replica(np.float64)
        self.graph.keep = True
        with np.errstate(all="ignore"):
            result = self.graph.forward(*inputs)
            outputs = result if isinstance(result, tuple) else (result,)
            rng = np.random.default_rng(seed)
            self.d_outputs = [np.asarray(draw(rng, np.shape(y))) for y in outputs]
            self.given: Any = None
            try:
                self.given = self.graph.backward(*[dy if dy.ndim else dy[()] for dy in self.d_outputs])
            except Exception:  # the report on the brick at fault, or on the whole, will say
                self.given = None
        self.grads = {name: gradient.copy() for name, gradient in self.graph.grads.items()}
        self.totals: dict[str, Any] = {}
        self.seed = seed

    def check(self, mode: str) -> tuple[GradcheckReport, ...]:
        """A report on each layer."""
        run = self.graph.saved
        reports = []
        for place, step in enumerate(self.graph.wiring.steps):
            values = [np.asarray(run.values[slot]) for slot in step.reads]
            upstream = self._upstream(step)
            seed = (*self.seed, place)
            if isinstance(step.layer, Graph):
                report = check_graph(step.layer, values, seed, mode, step.title)
            else:
                report = check_subject(
                    lambda layer=step.layer, values=values, title=step.title: LayerSubject(  # type: ignore[misc]
                        layer, [_own(value) for value in values], title
                    ),
                    seed,
                    mode,
                    upstream,
                )
            reports.append(report)
        return tuple(reports)

    def _upstream(self, step: Step) -> Array | None:
        """The gradient that the graph sends to a step, as one vector; None where it sends none."""
        grads = self.graph.saved.grads
        if grads is None or any(grads[slot] is None for slot in step.writes):
            return None
        return np.concatenate([np.ravel(np.asarray(grads[slot], np.float64)) for slot in step.writes])

    def engine_guess(self, wrong: Sequence[str]) -> Guess | None:
        """All bricks right and the whole wrong: which uses are not added up, found by adding them up anew.

        None where the sums are right, so that it must be something else that a net adds to its gradient.
        """
        parts = self._parts()
        nodes = {slot: node for node, slot in self.graph.wiring.slots.items()}
        grads = self.graph.saved.grads or [None] * self.graph.wiring.n_slots
        given = self.given if isinstance(self.given, tuple) else (self.given,)
        for slot, gradient in zip(self.graph.wiring.inputs, given, strict=False):
            grads[slot] = gradient
        for slot in sorted(parts, reverse=True):
            uses = parts[slot]
            total = np.asarray(sum(array for _, array in uses))
            if grads[slot] is None:  # none is due where the graph's plan says so; where it is, it counts as zeros
                if slot not in self.graph.wiring.outputs:
                    continue
                grads[slot] = np.zeros_like(total)
            if _close(grads[slot], total):
                continue
            node = nodes[slot]
            others = [other for other in self.graph.wiring.inputs if other != slot and other in parts]
            if any(_close(grads[slot], sum(array for _, array in parts[other])) for other in others):
                text = f"the gradient of {node.title} is that of another input: they are exchanged"
                return Guess("swapped", text, tuple(wrong))
            if uses[0][0] == COMES_IN and _close(grads[slot], total - uses[0][1]):
                text = f"the gradient of {node.title} ({node.where}) lacks what comes in for it as an output"
                return Guess("dropped", text, tuple(wrong))
            text = f"the gradient of {node.title} ({node.where}), used {len(uses)} times, {_how(grads[slot], uses)}"
            return Guess("fan-out", text, tuple(wrong))
        for name, total in self.totals.items():
            if name not in self.grads or not _close(self.grads[name], total):
                text = f"every brick is right, but the gradient of {name} is not the sum over the uses of its layer"
                return Guess("fan-out", text, tuple(wrong))
        return None

    def _parts(self) -> dict[int, list[tuple[str, Array]]]:
        """For each slot what each of its uses gives, all worked out apart from the graph's own backward."""
        wiring, run = self.graph.wiring, self.graph.saved
        parts: dict[int, list[tuple[str, Array]]] = {}
        for slot, dy in zip(wiring.outputs, self.d_outputs, strict=True):
            parts.setdefault(slot, []).append((COMES_IN, dy))
        for step in reversed(wiring.steps):
            if not any(slot in parts for slot in step.writes):
                continue
            own, step.layer.memory = step.layer.memory, Memory()  # not the run's: they may be what is wrong
            try:
                step.layer.forward(*[run.values[slot] for slot in step.reads])
                sums = [
                    np.asarray(sum(array for _, array in parts[slot]))
                    if slot in parts
                    else np.zeros_like(run.values[slot])
                    for slot in step.writes
                ]
                results = step.layer.backward(*[dy if dy.ndim else dy[()] for dy in sums])
                self._add_to_totals(step)
            finally:
                step.layer.memory = own
            for slot, dx in zip(step.reads, results if isinstance(results, tuple) else (results,), strict=True):
                if dx is not None:
                    parts.setdefault(slot, []).append((step.title, np.array(dx)))
        return parts

    def _add_to_totals(self, step: Step) -> None:
        """Add the gradients that a step's backward left in its layers to the sums over all uses."""
        inside = {id(leaf) for leaf in step.layer.leaves()}
        for name, leaf in self.graph.named_leaves():
            for key, gradient in leaf.grads.items() if id(leaf) in inside else ():
                self.totals[f"{name}.{key}"] = self.totals.get(f"{name}.{key}", 0.0) + gradient


def _how(given: Any, uses: list[tuple[str, Array]]) -> str:
    """How a gradient differs from the sum of its uses."""
    total = np.asarray(sum(array for _, array in uses))
    for title, array in uses:
        if _close(given, total - array):
            return f"lacks what comes from {title}"
    for title, array in uses:
        if _close(given, total + array):
            return f"counts twice what comes from {title}"
    for title, array in uses:
        if _close(given, array):
            return f"is only what comes from {title}: overwritten, not added to"
    return "is not the sum of what its uses give"


def _close(one: Any, other: Any) -> bool:
    size = float(np.max(np.abs(other), initial=0.0)) + float(np.max(np.abs(one), initial=0.0))
    return bool(np.shape(one) == np.shape(other) and np.all(np.abs(np.asarray(one) - other) <= 1e-9 * size))


def _own(value: Array) -> Array:
    return np.array(value, np.float64) if value.dtype.kind == "f" else value.copy()


def _say_all_entries(reports: Sequence[GradcheckReport]) -> str:
    """How many entries full mode compared in the bricks, and the one that is furthest off."""
    rows = [(title, row) for report in reports for title, row in report.all_rows() if row.entries is not None]
    count = sum(row.entries[0].size for _, row in rows if row.entries is not None)
    if not rows:
        return "no entries were compared one by one"
    title, worst = max(rows, key=lambda pair: pair[1].ratio)
    furthest = f"{worst.name} of {title} is furthest off, {worst.ratio:.2g} × what is allowed"
    return f"{count:,} entries compared, brick by brick; {furthest}"


def check_graph(
    graph: Graph, inputs: Sequence[Array], seed: tuple[int, ...], mode: str, title: str, whole: Any = None
) -> GradcheckReport:
    """The report on a graph, or on the net whose graph it is: its bricks, then the whole, which `whole` makes."""
    bricks = Bricks(graph, inputs, seed)
    reports = bricks.check(mode)
    make = whole or (lambda: LayerSubject(graph, [_own(x) for x in inputs], title))
    bad = [report for report in reports if report.verdict == "fail"]
    total = check_subject(make, (*seed, len(reports)), closer=False)
    wrong = [row.name for row in total.rows if row.verdict == "fail"]
    found = total.guess
    if bad:
        first = bad[0].guess
        inner = bad[0].worst() is not bad[0]  # the graph inside has named it already
        found = first if inner else first and Guess(first.kind, f"in {bad[0].title}: {first.text}", first.where)
    elif wrong and not total.faults:
        found = bricks.engine_guess(wrong)
        if found is None:
            total = check_subject(make, (*seed, len(reports)))
            found = total.guess
    share = sum(report.forwards for report in reports) / max(len(reports), 1)
    verdict = worst_verdict([total.verdict, *(report.verdict for report in reports)])
    if mode == "full":
        total = replace(total, notes=(*total.notes, _say_all_entries(reports)))
    return replace(total, verdict=verdict, guess=found, bricks=reports, forwards=total.forwards + share + 1, mode=mode)
