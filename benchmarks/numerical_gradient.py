"""Gradients of the default MNIST net from values alone, beside two whole forwards for each parameter: medians, in turn.

Measured are bg.numerical_gradient and bg.gradcheck, whose forward passes in fast mode are counted.

Two whole forwards for every parameter take too long to repeat: they are timed on a sample of the parameters and scaled.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import brickgrad as bg


def compare(what: str, x: np.ndarray, t: np.ndarray, runs: int, sample: int) -> None:
    """Measure both on one batch, in turn, and print."""
    net = bg.TwoLayerNet(784, 50, 10, rng=0)
    size = net.vector.size
    twin = net.replica(np.float64)
    twin.loss(x.astype(np.float64), t)
    entries = np.random.default_rng(0).choice(size, sample, replace=False)

    def plain_in_s() -> float:
        values, h = x.astype(np.float64), 1e-5
        start = time.perf_counter()
        with twin.graph.frozen():
            for entry in entries:
                before = twin.vector[entry]
                twin.vector[entry] = before + h
                above = twin.loss(values, t)
                twin.vector[entry] = before - h
                slope = (above - twin.loss(values, t)) / (2 * h)
                twin.vector[entry] = before
        assert np.isfinite(slope)
        return (time.perf_counter() - start) * size / sample

    def ours_in_s() -> float:
        start = time.perf_counter()
        bg.numerical_gradient(net, x, t)
        return time.perf_counter() - start

    def full_in_s() -> float:
        start = time.perf_counter()
        assert bg.gradcheck(net, x, t, mode="full")
        return time.perf_counter() - start

    ours_in_s(), full_in_s()
    runs_in_s = [(plain_in_s(), ours_in_s(), full_in_s()) for _ in range(runs)]
    plain, ours, full = (statistics.median(column) for column in zip(*runs_in_s, strict=True))
    ratios = [statistics.median(row[0] / row[column] for row in runs_in_s) for column in (1, 2)]
    print(
        f"{what}: two whole forwards for each of {size:,} parameters {plain:.2f} s (timed on {sample:,} of them and "
        f"scaled)\n  numerical_gradient {ours:.3f} s, {ratios[0]:.1f} times faster"
        f"\n  gradcheck, full mode {full:.3f} s, {ratios[1]:.1f} times faster (medians of {runs})"
    )
    fast = bg.gradcheck(net, x, t)
    bricks = sum(brick.forwards for brick in fast.bricks)
    print(
        f"  gradcheck, fast mode: {fast.forwards:.0f} forward passes, {bricks:.0f} runs of single bricks counted as "
        f"{bricks / len(fast.bricks):.0f} of them"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="measured runs of each (default: 7)")
    parser.add_argument("--sample", type=int, default=4000, help="parameters that are moved one by one (default: 4000)")
    arguments = parser.parse_args()
    (x, t), _ = bg.load_mnist()
    compare("3 digits", x[:3], t[:3], arguments.runs, arguments.sample)
    noise = np.random.default_rng(0).normal(size=(3, 784)).astype(np.float32)  # no pixel is 0, so none is left out
    compare("3 rows of noise", noise, t[:3], arguments.runs, arguments.sample)


if __name__ == "__main__":
    main()
