"""Random graphs of 2 to 40 nodes against reverse mode on a tape: fan-out, sharing, nesting, outputs, broadcasting.

GRAPHS=10000 in the environment takes so many; with -s it is told what they were.
"""

import os
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import JOINS, draw, in_brickgrad, layers, on_tape

import brickgrad as bg

N = int(os.environ.get("GRAPHS", "150"))


def many(count, largest):
    """Run a function on `count` random wirings and what it was drawn from; every size and fan-out is as likely."""

    def run(check):
        @settings(max_examples=count, suppress_health_check=list(HealthCheck))
        @given(seed=st.integers(0, 2**32 - 1))
        def drawn(seed):
            rng = np.random.default_rng(seed)
            wiring = draw(rng, int(rng.integers(2, largest + 1)), int(rng.integers(1, 9)))
            check(wiring, rng)
            seen.add(wiring)

        seen = Seen()
        drawn()
        return seen

    return run


class Seen:
    """What random graphs were like."""

    def __init__(self):
        self.graphs, self.with_, self.nodes, self.fan_outs = 0, Counter(), Counter(), Counter()

    def add(self, wiring):
        """Count one in."""
        self.graphs += 1
        self.nodes[wiring.nodes] += 1
        inside = list(wiring.walk())
        calls = [(operation, read, every) for every in inside for operation, read, _ in every.calls]
        operations = Counter(operation for operation, *_ in calls)
        graphs = Counter(id(every) for every in inside[1:])
        self.fan_outs[max(max(every.reads.values()) for every in inside)] += 1
        self.with_ += Counter(
            {
                "a layer at several nodes": max(operations["affine"], operations["other"]) > 1,
                "a graph inside": len(inside) > 1,
                "a graph in a graph inside": any(
                    inner is not None and any(deep is not None for *_, deep in inner.calls)
                    for *_, inner in wiring.calls
                ),
                "a graph at several nodes": max(graphs.values(), default=0) > 1,
                "several outputs": len(wiring.outputs) > 1,
                "a layer with several outputs": operations["split"] > 0,
                "broadcasting": any(
                    operation in JOINS and len({every.known[k] for k in read}) > 1 for operation, read, every in calls
                ),
                "a value joined with itself": any(len(read) > len(set(read)) for _, read, _ in calls),
            }
        )

    def __str__(self):
        fan_outs = ", ".join(f"{most}: {count}" for most, count in sorted(self.fan_outs.items()))
        return "\n".join(
            [
                f"{self.graphs} random graphs of {min(self.nodes)} to {max(self.nodes)} nodes",
                f"most readers of a value: {fan_outs}",
                *(f"with {what}: {count}" for what, count in self.with_.items()),
            ]
        )


def test_random_graphs_are_all_that_they_are_said_to_be():
    seen = Seen()
    for seed in range(390):
        rng = np.random.default_rng(seed)
        seen.add(draw(rng, 2 + seed % 39, 1 + seed % 8))
    assert sorted(seen.nodes) == list(range(2, 41))
    assert sorted(seen.fan_outs) == list(range(1, 9))
    assert len(seen.with_) == 8
    assert min(seen.with_.values()) > 390 / 5, seen
    assert min(seen.fan_outs.values()) > 390 / 20, seen


def test_random_graph_gives_the_tapes_values_and_gradients_in_any_order_of_making():
    print(f"\nagainst the tape, in two orders of making: {many(N, 40)(check_against_tape)}")


def check_against_tape(wiring, rng):
    """Values and gradients as on the tape, in whatever order the nodes are made: the same bits."""
    inputs = [rng.normal(size=shape) for shape in wiring.shapes]
    d_outputs = [rng.normal(size=wiring.known[k]) for k in wiring.outputs]
    params = {f"{name}.{key}": layer.params[key] for name, layer in layers().items() for key in ("W", "b")}
    tape, numbers, own = on_tape(wiring, inputs, params)
    expected = tape.gradients([(numbers[k], dy) for k, dy in zip(wiring.outputs, d_outputs, strict=True)])
    atol = 1e-12 * (max(float(np.abs(gradient).max()) for gradient in expected) + 1)
    found = []
    for order, keep in ((None, True), (rng, bool(rng.integers(2)))):
        bricks = layers()
        graph = in_brickgrad(wiring, bricks, order, keep)
        values, dxs = graph.forward(*inputs), graph.backward(*d_outputs)
        dxs = dxs if isinstance(dxs, tuple) else (dxs,)
        for k, value in zip(wiring.outputs, values, strict=True):
            np.testing.assert_allclose(value, tape.values[numbers[k]], rtol=1e-10, atol=1e-10)
        for number, dx in zip(numbers, dxs, strict=False):
            np.testing.assert_allclose(dx, expected[number], rtol=1e-10, atol=atol)
        used = {id(leaf) for leaf in graph.leaves()}
        for name in own:
            brick, key = bricks[name.split(".")[0]], name.split(".")[1]
            if id(brick) in used:
                np.testing.assert_allclose(brick.grads[key], expected[own[name]], rtol=1e-10, atol=atol)
        found.append([np.asarray(array).tobytes() for array in (*values, *dxs)])
    assert found[0] == found[1]


def test_random_graph_passes_the_gradient_checker():
    def check(wiring, rng):
        graph = in_brickgrad(wiring, layers())
        bg.gradcheck(graph, *(rng.normal(size=shape) for shape in wiring.shapes), rng=0).raise_if_bad()

    print(f"\nby the gradient checker: {many(max(N // 20, 5), 14)(check)}")
