"""Predictions by brickgrad and by every peer that is installed, in turn, on the same samples and weights.

Batches of 1, 100 and 10,000. The scores must agree. Install the peers with `pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import brickgrad as bg

PEERS = {"PyTorch": "torch_peer", "JAX": "jax_peer", "onnxruntime": "onnx_peer"}
NETS: dict[str, tuple[Callable[[], bg.Net], bool]] = {
    "mlp": (lambda: bg.MultiLayerNet(784, [50], 10, rng=0), True),
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
    args = parser.parse_args()
    modules = installed(args.threads)
    print(
        f"brickgrad {bg.__version__}, numpy {np.__version__}; {args.threads} threads; medians of {args.rounds} rounds"
    )
    for name in args.net:
        make, flat = NETS[name]
        (_, _), (x, _) = bg.load_mnist(flatten=flat)
        net = make()
        net.predict(x[:2])
        runs = {"brickgrad": net.predict, **predictors(net, modules, args.threads)}
        for batch in args.batch:
            show(name, batch, measure(runs, x[:batch], args.rounds))


def installed(threads: int) -> dict[str, Any]:
    """The peers that can be imported."""
    found = {}
    for title, module in PEERS.items():
        try:
            found[title] = importlib.import_module(f"peers.{module}")
        except ImportError as error:
            print(f"{title} is left out: {error}")
    if "PyTorch" in found:
        import torch

        torch.set_num_threads(threads)
    return found


def predictors(net: bg.Net, modules: dict[str, Any], threads: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What predicts in each peer that can."""
    found = {}
    for title, module in modules.items():
        run = module.predictor(net, threads) if title == "onnxruntime" else module.predictor(net)
        if run is not None:
            found[title] = run
    return found


def measure(runs: dict[str, Callable[[np.ndarray], np.ndarray]], x: np.ndarray, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of a prediction, round by round in turn; each round of at least some milliseconds."""
    expected = runs["brickgrad"](x)
    calls = max(1, 2000 // len(x)) if len(x) < 2000 else 1
    seconds: dict[str, list[float]] = {title: [] for title in runs}
    for number in range(rounds + 1):
        for title, run in runs.items():
            if number == 0 and not np.allclose(run(x), expected, rtol=1e-3, atol=1e-4):
                raise SystemExit(f"the scores of {title} do not agree")
            start = time.perf_counter()
            for _ in range(calls):
                run(x)
            seconds[title].append((time.perf_counter() - start) / calls)
    return {title: np.array(taken[1:]) for title, taken in seconds.items()}


def show(name: str, batch: int, result: dict[str, np.ndarray]) -> None:
    """A line for each library."""
    print(f"\n{name}, batch {batch}\n{'':14} {'ms':>10} {'to brickgrad':>13}")
    for title, seconds in result.items():
        print(f"{title:14} {np.median(seconds) * 1e3:10.3f} {np.median(seconds / result['brickgrad']):13.2f}")


if __name__ == "__main__":
    main()
