"""Training steps of brickgrad and of every peer that is installed, in turn, on the same data and weights.

All start from the same weights and take the same batches; their first losses must agree. The floor is the step's
matrix products, the gather of the batch and the optimizer's update alone. Where brickgrad's threads are fewer than a
batch has shards, a second row shows it with a shard for each thread. Install the peers with
`pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers import floor, installed, ours
from peers.work import WORKS, Work, load
from report import FLOOR, OURS, Group, write
from turns import in_turn

import brickgrad as bg

PEERS = {"PyTorch": "torch_peer", "JAX": "jax_peer", "scikit-learn": "sklearn_peer"}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [work.name for work in WORKS]
    parser.add_argument("--work", nargs="+", choices=names, default=names, help="what to train (default: all)")
    parser.add_argument("--rounds", type=int, default=11, help="measurements of each, in turn (default: 11)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for every library (default: all)")
    parser.add_argument("--out", type=Path, help="a folder for training.txt, .json and .png")
    args = parser.parse_args()
    head = describe(args.threads, args.rounds)
    print(head)
    libraries, groups = {OURS: ours, FLOOR: floor, **installed(PEERS, args.threads)}, []
    for work in WORKS:
        if work.name in args.work:
            groups.append(measure(work, libraries, args.rounds))
            print(f"\n{groups[-1]}", flush=True)
    if args.out is not None:
        write(groups, args.out, "training", head)


def describe(threads: int, rounds: int) -> str:
    """What is measured with, and how often."""
    versions = f"brickgrad {bg.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    return f"{versions}; {threads} threads; medians of {rounds} rounds in turn"


def measure(work: Work, libraries: dict[str, Any], rounds: int) -> Group:
    """For each library the milliseconds of a step, round by round in turn, and its last loss."""
    data = load(work)
    net = work.make()
    net.loss(data.x[:2], data.t[:2])  # sizes what is sized lazily
    runs = {
        title: module.trainer(work, work.make() if module is ours else net, data) for title, module in libraries.items()
    }
    size = -(-work.batch // bg.get_num_threads())
    if net.shard_size is not None and size > net.shard_size:
        one_each = work.make()
        one_each.shard_size = size
        runs[f"{OURS}, shards of {size}"] = ours.trainer(work, one_each, data)
    losses: dict[str, list[float]] = {title: [] for title in runs}
    turns = {title: turn(run, work.steps, losses[title]) for title, run in runs.items() if run is not None}
    taken = {title: [ms / work.steps for ms in times] for title, times in in_turn(turns, rounds).items()}
    check(work, {title: losses[title][0] for title in turns})
    return Group(work.name, work.title, "ms a step", taken, {title: losses[title][-1] for title in turns})


def turn(run: Callable[[int, int], float], steps: int, losses: list[float]) -> Callable[[], None]:
    """What does so many steps more and notes the last one's loss."""
    first = itertools.count(step=steps)

    def go() -> None:
        start = next(first)
        losses.append(run(start, start + steps))

    return go


def check(work: Work, losses: dict[str, float]) -> None:
    """An error where the libraries did not do the same work, by their losses after the first steps.

    After some hundred steps those of two libraries that round differently may lie a tenth apart.
    """
    known = {title: loss for title, loss in losses.items() if not math.isnan(loss)}
    if not work.random and max(known.values()) > 1.02 * min(known.values()) + 1e-3:
        raise SystemExit(f"{work.title}: the losses do not agree: {known}")


if __name__ == "__main__":
    main()
