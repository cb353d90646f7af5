"""How the time of a training step grows with the batch, the width and the depth of an MLP, library by library.

An MLP 784-100-10 with batches of 100 trained by SGD, of which one size at a time is changed. All run in turn, on the
same data and weights, as in training.py; the floor is the step's bare matrix products, the gather and the update.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from peers import floor, installed, ours
from peers.work import Work, mlp
from report import FLOOR, OURS, Group, write
from training import describe, measure

PEERS = {"PyTorch": "torch_peer"}  # compiled once for every size, JAX would take minutes
SIZES = {"batch": (1, 10, 100, 1000), "width": (10, 50, 200, 1000), "depth": (1, 2, 4, 8, 16)}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each, in turn (default: 7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for every library (default: all)")
    parser.add_argument("--out", type=Path, help="a folder for growth.txt, .json and .png and growth_curves.png")
    args = parser.parse_args()
    groups = []
    for group in measured(args.rounds, args.threads):
        groups.append(group)
        print(f"{group}\n", flush=True)
    if args.out is not None:
        write(groups, args.out, "growth", describe(args.threads, args.rounds))
        draw_curves(groups, args.out / "growth_curves.png")


def work(what: str, size: int) -> Work:
    """Training the MLP with one of its sizes changed."""
    batch, width, depth = (
        size if what == key else usual for key, usual in (("batch", 100), ("width", 100), ("depth", 1))
    )
    cost = batch * (784 * width + (depth - 1) * width**2)
    steps = int(np.clip(1e9 / cost, 2, 200))
    return Work(f"{what} {size}", f"MLP, {what} {size}", mlp(*[width] * depth), batch, "sgd", 0.01, steps)


def measured(rounds: int, threads: int) -> Iterator[Group]:
    """A group for each size."""
    libraries = {OURS: ours, FLOOR: floor, **installed(PEERS, threads)}
    for what, sizes in SIZES.items():
        for size in sizes:
            yield measure(work(what, size), libraries, rounds)


def draw_curves(groups: Sequence[Group], path: Path) -> None:
    """A panel for each of batch, width and depth, a line for each library."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(SIZES), figsize=(11, 3.6), sharey=True, layout="constrained")
    for axes, (what, sizes) in zip(panels, SIZES.items(), strict=True):
        chosen = [group for group in groups if group.name.split()[0] == what]
        for title in chosen[0].values:
            style = {"color": "0.6", "linestyle": "--"} if title == FLOOR else {"marker": "o"}
            axes.plot(sizes, [np.median(group.values[title]) for group in chosen], label=title, **style)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(what)
        axes.grid(color="0.92")
    panels[0].set_ylabel("ms a training step")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
