"""What a graph costs beside its layers called by hand: a chain of bricks, in turn in one process, medians of ratios.

By hand means: make the layers, call each one's forward on the last one's output, then each one's backward in reverse
order. The graph does the same, and is built on top: nodes, wiring, checks. As in a net, neither keeps the values and
gradients between layers; as in a graph that is to be looked at, both do, by hand in two lists. The numbers that flow
are few (one) or many (100 x 100), as that decides how much the calls weigh.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import brickgrad as bg


def make_layers(n: int) -> list[bg.Layer]:
    """Bricks that are cheap and keep their input in range."""
    return [bg.Sigmoid() if i % 2 else bg.Tanh() for i in range(n)]


def by_hand(n: int, x: Any, runs: int, keep: bool) -> None:
    """Make the layers; forward and backward through them, `runs` times."""
    layers = make_layers(n)
    for _ in range(runs):
        values, grads = [], []
        y = x
        for layer in layers:
            y = layer.forward(y)
            if keep:
                values.append(y)
        dy = np.ones_like(y)
        for layer in reversed(layers):
            dy = layer.backward(dy)
            if keep:
                grads.append(dy)


def by_graph(n: int, x: Any, runs: int, keep: bool) -> None:
    """The same, through a graph that is built first."""
    first = node = bg.Input("x")
    for layer in make_layers(n):
        node = layer(node)
    graph = bg.Graph(first, node, keep=keep)
    for _ in range(runs):
        y = graph.forward(x)
        graph.backward(np.ones_like(y))


def milliseconds(task: Callable[[], None]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    task()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000, help="length of the chain (default: 1000)")
    parser.add_argument("--pairs", type=int, default=15, help="measured pairs (default: 15)")
    args = parser.parse_args()
    print(f"a chain of {args.nodes} layers, medians of {args.pairs} pairs")
    print(f"{'numbers that flow':>18} {'runs':>5} {'keeping':>8} {'by hand, ms':>12} {'graph, ms':>10} {'ratio':>6}")
    for shape, runs, keep in itertools.product(((1,), (100, 100)), (1, 10), (False, True)):
        x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        tasks = [functools.partial(task, args.nodes, x, runs, keep) for task in (by_hand, by_graph)]
        times = np.array([[milliseconds(task) for task in tasks] for _ in range(args.pairs + 1)][1:])
        hand, graph = np.median(times, axis=0)
        ratio = np.median(times[:, 1] / times[:, 0])
        flow = "x".join(map(str, shape))
        print(f"{flow:>18} {runs:5} {'yes' if keep else 'no':>8} {hand:12.1f} {graph:10.1f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
