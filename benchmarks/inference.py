"""Predictions by brickgrad and by every peer that is installed, in turn, on the same samples and weights.

Batches of 1, 100 and 10,000. The scores must agree. Install the peers with `pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peers import installed
from report import FLOOR, OURS, Group, write
from training import describe
from turns import in_turn

import brickgrad as bg

PEERS = {"PyTorch": "torch_peer", "JAX": "jax_peer", "onnxruntime": "onnx_peer"}
NETS: dict[str, tuple[Callable[[], bg.Net], bool]] = {
    "mlp": (lambda: bg.MultiLayerNet(784, [50], 10, rng=0), True),
    "middle-mlp": (lambda: bg.MultiLayerNet(784, [512, 512], 10, rng=0), True),
    "simple-conv": (lambda: bg.SimpleConvNet(rng=0), False),
    "deep-conv": (lambda: bg.DeepConvNet(rng=0), False),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", nargs="+", choices=list(NETS), default=list(NETS), help="default: all")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 100, 10_000], help="default: 1 100 10000")
    parser.add_argument("--rounds", type=int, default=11, help="measurements of each, in turn (default: 11)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for every library (default: all)")
    parser.add_argument("--out", type=Path, help="a folder for inference.txt, .json and .png")
    args = parser.parse_args()
    head = describe(args.threads, args.rounds)
    print(head)
    groups = []
    for group in measured(args.net, args.batch, args.rounds, args.threads):
        groups.append(group)
        print(f"\n{group}", flush=True)
    if args.out is not None:
        write(groups, args.out, "inference", head)


def measured(names: Sequence[str], batches: Sequence[int], rounds: int, threads: int) -> Iterator[Group]:
    """Each net on each batch."""
    modules = installed(PEERS, threads)
    for name in names:
        make, flat = NETS[name]
        (_, _), (x, _) = bg.load_mnist(flatten=flat)
        net = make()
        net.predict(x[:2])
        runs = {OURS: net.predict, **({FLOOR: products(net)} if flat else {}), **predictors(net, modules, threads)}
        for batch in batches:
            values = measure(runs, x[:batch], rounds)
            yield Group(f"{name} × {batch}", f"prediction by {name}, batch {batch}", "ms", values)


def predictors(net: bg.Net, modules: dict[str, Any], threads: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What predicts in each peer that can."""
    found = {}
    for title, module in modules.items():
        run = module.predictor(net, threads) if title == "onnxruntime" else module.predictor(net)
        if run is not None:
            found[title] = run
    return found


def products(net: bg.Net) -> Callable[[np.ndarray], np.ndarray]:
    """The net's bare matrix products, without biases and activations, which no NumPy library can be faster than."""
    weights = [layer.params["W"] for layer in net.layers if isinstance(layer, bg.Affine)]

    def run(x: np.ndarray) -> np.ndarray:
        for W in weights:
            x = x @ W
        return x

    return run


def measure(runs: dict[str, Callable[[np.ndarray], np.ndarray]], x: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of a prediction, round by round in turn."""
    expected = runs[OURS](x)
    for title, run in runs.items():
        if title != FLOOR and not np.allclose(run(x), expected, rtol=1e-3, atol=1e-4):
            raise SystemExit(f"the scores of {title} do not agree")
    calls = max(1, 2000 // len(x)) if len(x) < 2000 else 1
    turns = {title: functools.partial(again, run, x, calls) for title, run in runs.items()}
    return {title: [ms / calls for ms in times] for title, times in in_turn(turns, rounds, len(x) < 2000).items()}


def again(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray, calls: int) -> None:
    """Predict so many times."""
    for _ in range(calls):
        run(x)


if __name__ == "__main__":
    main()
