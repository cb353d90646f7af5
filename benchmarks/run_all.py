"""Everything that is compared with other libraries, in one run: training, inference, gradient check, growth, sizes.

One table of all, as text, as JSON and as a picture. With --quick each thing is measured three times, and the nets that
take longest are left out: to see that all of it runs. Install the peers with `pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import growth
import inference
import sizes
import training
from peers import floor, installed, ours
from peers.work import WORKS
from report import FLOOR, OURS, Group, write
from turns import in_turn

import brickgrad as bg

LONG = {"deep-conv", "resnet"}
BATCHES = [1, 100, 10_000]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="measurements of each, in turn (default: 11)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for every library (default: all)")
    parser.add_argument("--quick", action="store_true", help="three rounds, without the nets that take longest")
    parser.add_argument("--out", type=Path, default=Path("results"), help="the folder to write to (default: results)")
    args = parser.parse_args()
    rounds = 3 if args.quick else args.rounds
    head = training.describe(args.threads, rounds)
    print(head)
    groups = []
    for group in measured(rounds, args.threads, LONG if args.quick else set()):
        groups.append(group)
        print(f"\n{group}", flush=True)
    write(groups, args.out, "all", head)
    growth.draw_curves(groups, args.out / "growth_curves.png")
    print(f"\nwritten: {', '.join(sorted(str(path) for path in args.out.glob('*')))}")


def measured(rounds: int, threads: int, left_out: set[str]) -> Iterator[Group]:
    """All groups, one after another."""
    libraries = {OURS: ours, FLOOR: floor, **installed(training.PEERS, threads)}
    for work in WORKS:
        if work.name not in left_out:
            yield training.measure(work, libraries, rounds)
    nets = [name for name in inference.NETS if name not in left_out]
    yield from inference.measured(nets, BATCHES, rounds, threads)
    yield checks(rounds, threads)
    yield from growth.measured(rounds, threads)
    yield from sizes.measured(min(rounds, 5))


def checks(rounds: int, threads: int) -> Group:
    """A gradient check of a small MLP, entry by entry, in float64; it must pass."""
    net = bg.MultiLayerNet(64, [32], 10, rng=0)
    (x, t), _ = bg.load_mnist()
    x, t = x[:8, 360:424], t[:8]
    peers = installed({"PyTorch": "torch_peer"}, threads)
    runs = {title: module.checker(net, x, t) for title, module in {OURS: ours, **peers}.items()}
    for title, run in runs.items():
        if not run():
            raise SystemExit(f"the gradient check of {title} did not pass")
    taken = in_turn(runs, rounds)
    return Group("check", "gradient check of an MLP 64-32-10, batch 8, every entry", "ms", taken)


if __name__ == "__main__":
    main()
