"""Training steps of brickgrad and of every peer that is installed, in turn, on the same data and weights.

All start from the same weights and take the same batches; their losses must agree at the end. The floor is the step's
matrix products, the gather of the batch and the optimizer's update alone. Install the peers with
`pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from peers import floor, ours
from peers.work import WORKS, Work, load

import brickgrad as bg

PEERS = {"PyTorch": "torch_peer", "JAX": "jax_peer", "scikit-learn": "sklearn_peer"}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [work.name for work in WORKS]
    parser.add_argument("--work", nargs="+", choices=names, default=names, help="what to train (default: all)")
    parser.add_argument("--rounds", type=int, default=11, help="measurements of each, in turn (default: 11)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for every library (default: all)")
    parser.add_argument("--out", type=Path, help="a folder for training.json and training.png")
    args = parser.parse_args()
    peers = installed(args.threads)
    print(
        f"brickgrad {bg.__version__}, numpy {np.__version__}; {args.threads} threads; medians of {args.rounds} rounds"
    )
    results = {}
    for work in WORKS:
        if work.name in args.work:
            results[work.name] = measure(work, peers, args.rounds)
            show(work, results[work.name])
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "training.json").write_text(json.dumps(results, indent=1) + "\n")
        draw(results, args.out / "training.png")


def installed(threads: int) -> dict[str, Any]:
    """The peers that can be imported, told how many threads they may use."""
    found: dict[str, Any] = {"brickgrad": ours, "floor": floor}
    for title, module in PEERS.items():
        try:
            found[title] = importlib.import_module(f"peers.{module}")
        except ImportError as error:
            print(f"{title} is left out: {error}")
    if "PyTorch" in found:
        import torch

        torch.set_num_threads(threads)
    return found


def measure(work: Work, peers: dict[str, Any], rounds: int) -> dict[str, dict[str, Any]]:
    """For each library the seconds of a step, round by round in turn, and its last loss."""
    data = load(work)
    net = work.make()
    net.loss(data.x[:2], data.t[:2])  # sizes what is sized lazily
    runs = {
        title: module.trainer(work, work.make() if module is ours else net, data) for title, module in peers.items()
    }
    runs = {title: run for title, run in runs.items() if run is not None}
    seconds: dict[str, list[float]] = {title: [] for title in runs}
    losses = {}
    for number in range(rounds + 1):
        for title, run in runs.items():
            start = time.perf_counter()
            losses[title] = run(number * work.steps, (number + 1) * work.steps)
            seconds[title].append((time.perf_counter() - start) / work.steps)
    check(work, losses)
    return {title: {"seconds": taken[1:], "loss": losses[title]} for title, taken in seconds.items()}


def check(work: Work, losses: dict[str, float]) -> None:
    """An error where the libraries did not do the same work."""
    known = {title: loss for title, loss in losses.items() if not math.isnan(loss)}
    if not work.random and max(known.values()) > 1.05 * min(known.values()) + 1e-3:
        raise SystemExit(f"{work.title}: the losses do not agree: {known}")


def show(work: Work, result: dict[str, dict[str, Any]]) -> None:
    """A line for each library: median, spread, and the medians of the ratios, round by round."""
    columns = f"{'ms a step':>10} {'middle half':>15} {'to brickgrad':>13} {'to floor':>9} {'loss':>8}"
    print(f"\n{work.title}\n{'':14} {columns}")
    base, bare = (np.array(result[title]["seconds"]) for title in ("brickgrad", "floor"))
    for title, row in result.items():
        taken = np.array(row["seconds"])
        low, high = np.percentile(taken, [25, 75]) * 1e3
        loss = "" if math.isnan(row["loss"]) else f"{row['loss']:.4f}"
        print(
            f"{title:14} {np.median(taken) * 1e3:10.3f} {low:7.3f} …{high:7.3f} {np.median(taken / base):13.2f} "
            f"{np.median(taken / bare):9.2f} {loss:>8}"
        )


def draw(results: dict[str, dict[str, dict[str, Any]]], path: Path) -> None:
    """A bar for each library in each work: its time beside brickgrad's."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    titles = list(dict.fromkeys(title for result in results.values() for title in result))
    figure, axes = pyplot.subplots(figsize=(9, 0.9 * len(results) + 1.5))
    for place, title in enumerate(titles):
        height = 0.8 / len(titles)
        for row, result in enumerate(results.values()):
            if title in result:
                ratio = np.median(np.array(result[title]["seconds"]) / np.array(result["brickgrad"]["seconds"]))
                axes.barh(
                    row + place * height, ratio, height * 0.9, color=f"C{place}", label=title if row == 0 else None
                )
                axes.text(ratio, row + place * height, f" {ratio:.2f}", va="center", fontsize=7)
    axes.set_yticks(np.arange(len(results)) + 0.4 - 0.4 / len(titles), list(results))
    axes.invert_yaxis()
    axes.axvline(1, color="0.6", linewidth=0.8)
    axes.set_xlabel("time of a training step, brickgrad = 1 (longer is slower)")
    axes.legend(loc="lower right", frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
