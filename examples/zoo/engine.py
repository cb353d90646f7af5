"""Faults of the graph engine: every layer is right, and the whole is wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np

import brickgrad as bg
from brickgrad.graph.run import SharedTotals, Sums

from .entry import plant


class FaultySums(Sums):
    """The gradient of every slot, summed as a fault would have it."""

    def __init__(self, n_slots, uses, fault):
        super().__init__(n_slots)
        self.uses, self.fault = uses, fault
        self.met = Counter()
        self.in_step = set()
        self.pool = {}

    def add(self, slot, dx):
        self.met[slot] += 1
        fault, count, uses = self.fault, self.met[slot], self.uses[slot]
        if fault == "node read twice by one layer" and slot in self.in_step:
            return
        self.in_step.add(slot)
        if fault == "branch of a fan-out dropped" and count == 2:
            return
        if fault == f"fan-out of {uses} loses one" and count == uses:
            return
        if fault == "branch of a fan-out doubled" and count == 2:
            dx = 2 * dx
        if fault == "fan-out overwritten" or self.sums[slot] is None:
            self.sums[slot] = self.placed(dx)
        elif fault == "caller's dout added to" or slot in self._owned:
            self.sums[slot] += dx
        else:
            super().add(slot, dx)

    def placed(self, dx):
        """Where a slot's first gradient is put: in its own array, or in one that all of its shape share."""
        if self.fault != "gradients of one shape in one array":
            return dx
        array = self.pool.setdefault(dx.shape, np.empty_like(dx))
        array[...] = dx
        return array


class Engine(bg.Graph):
    """A Graph whose backward has a fault to switch on."""

    def __init__(self, inputs, outputs, fault=None):
        self.fault, self.kept = fault, None
        super().__init__(inputs, outputs)

    def backward(self, *d_outputs):
        plan = self._plan(self.memory.wanted)
        grads = self._sums()
        for slot, dy in zip(self.wiring.outputs, d_outputs, strict=True):
            if self.fault == "engine starts from ones":
                dy = np.ones_like(dy)
            grads.add(slot, dy if self.fault == "caller's dout added to" else dy.copy())
        totals = SharedTotals()
        for step, memory, wanted in self._order(plan):
            grads.in_step = set()
            if self.fault == "second output forgotten":
                for slot in step.writes[1:]:
                    grads.sums[slot] = None
            self._step_back(step, memory, grads, wanted)
            if step.shared and self.fault != "shared layers not summed":
                totals.add(step.layer)
                if self.fault == "shared layers counted twice":
                    totals.add(step.layer)
        totals.write()
        if self.keep:
            self.saved.grads = grads.sums
        results = [grads.sums[slot] if plan.needed[slot] else None for slot in self.wiring.inputs]
        if self.fault == "gradients of the inputs in reverse":
            results.reverse()
        return tuple(results) if len(results) > 1 else results[0]

    def _sums(self):
        """New sums for each backward; the old ones where they are not reset."""
        uses = Counter(slot for step in self.wiring.steps for slot in step.reads)
        if self.fault != "sums of the last backward kept" or self.kept is None:
            self.kept = FaultySums(self.wiring.n_slots, uses, self.fault)
        return self.kept

    def _order(self, plan):
        """The steps from last to first; a fault takes one its turn before all its users have had theirs."""
        turns = [(step, self.saved.memories[index], wanted) for index, step, wanted in plan.turns]
        if self.fault == "backward before all users are through":
            reads = Counter(slot for step, *_ in turns for slot in step.reads)
            early = next(turn for turn in turns if reads[turn[0].writes[0]] > 1)
            slot = early[0].writes[0]
            turns.remove(early)
            first_user = next(i for i, (step, *_) in enumerate(turns) if slot in step.reads)
            turns.insert(first_user + 1, early)
        return turns

    def _memories(self):
        memories = super()._memories()
        if self.fault != "one memory for all uses of a layer":
            return memories
        first = {}
        return [first.setdefault(id(step.layer), m) for step, m in zip(self.wiring.steps, memories, strict=True)]


class Halves(bg.Layer):
    """The sine and the square of x: two outputs."""

    n_outputs = 2

    def forward(self, x):
        self.saved = x
        return np.sin(x), x * x

    def backward(self, d_sine, d_square):
        return d_sine * np.cos(self.saved) + d_square * 2 * self.saved


def encoder(rng, n_in=3, n_out=5, name="enc"):
    """A float64 Affine with a bias that is not 0."""
    affine = bg.Affine(n_in, n_out, rng=rng, dtype=np.float64, name=name)
    affine.params["b"] = rng.normal(size=n_out)
    return affine


def fan_out(uses):
    """Builds a graph in which one node is used that often, each time differently."""

    def build(fault, seed):
        rng = np.random.default_rng(seed)
        x = bg.Input("x")
        h = encoder(rng)(x)
        total = bg.Sigmoid()(h)
        for factor in np.linspace(0.5, 1.5, uses)[1:]:
            total = total + bg.Tanh()(h * float(factor))
        return Engine(x, total, fault), (rng.normal(size=(7, 3)),)

    return build


def _twice_in_one(fault, seed):
    rng = np.random.default_rng(seed)
    x = bg.Input("x")
    h = encoder(rng)(x)
    return Engine(x, h * h, fault), (rng.normal(size=(7, 3)),)


def _shared(fault, seed):
    rng = np.random.default_rng(seed)
    x = bg.Input("x")
    shared = encoder(rng, 5, 5, "shared")
    return Engine(x, shared(bg.Tanh()(shared(x))), fault), (rng.normal(size=(7, 5)),)


def _two_inputs(fault, seed):
    rng = np.random.default_rng(seed)
    x, y = bg.Input("x"), bg.Input("y")
    total = bg.Tanh()(encoder(rng, 5, 3, "left")(x)) + bg.Sigmoid()(encoder(rng, 5, 3, "right")(y))
    return Engine([x, y], total, fault), (rng.normal(size=(7, 5)), rng.normal(size=(7, 5)))


def _two_outputs(fault, seed):
    rng = np.random.default_rng(seed)
    x = bg.Input("x")
    h = encoder(rng)(x)
    return Engine(x, [h, bg.Tanh()(h)], fault), (rng.normal(size=(7, 3)),)


def _halves(fault, seed):
    rng = np.random.default_rng(seed)
    x = bg.Input("x")
    sine, square = Halves(name="halves")(encoder(rng)(x))
    return Engine(x, sine * square, fault), (rng.normal(size=(7, 3)),)


ALL = "enc enc.W enc.b x"
FAULTS = plant(
    "engine",
    [
        (fan_out(3), "branch of a fan-out dropped", "Graph", ALL, "fan-out, dropped",
         "The second gradient that meets at a node is lost."),
        (fan_out(3), "fan-out overwritten", "Graph", ALL, "fan-out, overwritten",
         "grads[node] = dx for grads[node] += dx: the last branch wins."),
        (fan_out(3), "branch of a fan-out doubled", "Graph", ALL, "fan-out",
         "One branch is walked twice, as by a naive recursion."),
        *((fan_out(uses), f"fan-out of {uses} loses one", "Graph", ALL, "fan-out, dropped",
           "Sums are added up in chunks, and the last chunk is one short: only 5 to 7 uses show it.")
          for uses in (5, 6, 7)),
        (_twice_in_one, "node read twice by one layer", "Graph", ALL, "fan-out, overwritten, dropped, factor",
         "Gradients are kept in a dict by input: h · h has one entry for two."),
        (_shared, "shared layers not summed", "Graph", "shared.W shared.b", "fan-out, overwritten, dropped",
         "A layer at two nodes keeps the gradient of the last one."),
        (_shared, "shared layers counted twice", "Graph", "shared.W shared.b", "fan-out, factor",
         "Each use is added, and the sum of all on top."),
        (_shared, "one memory for all uses of a layer", "Graph", "shared.W", "stale, fan-out",
         "A layer at two nodes goes back twice with what it saved last."),
        (fan_out(3), "backward before all users are through", "Graph", "enc.W enc.b x", "fan-out, dropped, order",
         "The order of the stack, not of the wiring: a node goes back when the first gradient reaches it."),
        (_two_inputs, "gradients of one shape in one array", "Graph", "x y left left.W left.b",
         "aliased, overwritten, fan-out", "A pool of buffers by shape hands out one that is still in use."),
        (_two_inputs, "gradients of the inputs in reverse", "Graph", "x y", "swapped",
         "The list of inputs was built from the end."),
        (_two_outputs, "caller's dout added to", "Graph", "", "mutation, aliased",
         "An output that is used inside as well: the sum is made in the caller's own array."),
        (_halves, "second output forgotten", "Graph", ALL, "dropped, zeroed",
         "Only the first output of a layer gets its gradient."),
        (fan_out(3), "engine starts from ones", "Graph", ALL, "not linear",
         "backward ignores what it is given: right for a loss, wrong for everything else."),
        (fan_out(3), "sums of the last backward kept", "Graph", ALL, "not reset",
         "The sums are an attribute, and nobody empties them."),
    ],
)  # fmt: skip
