"""What a graph costs beside its layers called by hand: a chain of bricks, in turn in one process, medians of ratios.

By hand means: make the layers, call each one's forward on the last one's output, then each one's backward in reverse
order. The graph does the same, and is built on top: nodes, wiring, checks; without keeping the values on its edges, as
in a net, and keeping them, as in a graph that is to be looked at. The numbers that flow are few (one) or many
(100 x 100), as that decides how much the calls weigh.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import brickgrad as bg


def make_layers(n: int) -> list[bg.Layer]:
    """Bricks that are cheap and keep their input in range."""
    return [bg.Sigmoid() if i % 2 else bg.Tanh() for i in range(n)]


def by_hand(n: int, x: Any, runs: int) -> None:
    """Make the layers; forward and backward through them, `runs` times."""
    layers = make_layers(n)
    for _ in range(runs):
        y = x
        for layer in layers:
            y = layer.forward(y)
        dy = np.ones_like(y)
        for layer in reversed(layers):
            dy = layer.backward(dy)


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
    titles = f"{'by hand, ms':>12} {'graph, ms':>10} {'ratio':>6} {'keeping, ms':>12} {'ratio':>6}"
    print(f"{'numbers that flow':>18} {'runs':>5} {titles}")
    for shape in ((1,), (100, 100)):
        x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        for runs in (1, 10):
            tasks = [
                functools.partial(by_hand, args.nodes, x, runs),
                functools.partial(by_graph, args.nodes, x, runs, False),
                functools.partial(by_graph, args.nodes, x, runs, True),
            ]
            times = np.array([[milliseconds(task) for task in tasks] for _ in range(args.pairs + 1)][1:])
            hand, plain, keeping = np.median(times, axis=0)
            ratios = np.median(times[:, 1:] / times[:, :1], axis=0)
            print(
                f"{'x'.join(map(str, shape)):>18} {runs:5} {hand:12.1f} {plain:10.1f} {ratios[0]:6.2f} "
                f"{keeping:12.1f} {ratios[1]:6.2f}"
            )


if __name__ == "__main__":
    main()
