"""A training step of the default MNIST net beside its bare matrix products, in turn in one process, medians.

The floor is the step's products, the gather of the mini-batch and the parameter update; the rest is the library's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import brickgrad as bg


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="measured runs of 100 steps each (default: 15)")
    runs = parser.parse_args().runs
    (x, t), (x_test, t_test) = bg.load_mnist()
    net = bg.TwoLayerNet(784, 50, 10, rng=0)
    optimizer = bg.SGD(lr=0.1)
    order = np.random.default_rng(0).permutation(len(x))
    W1, W2 = net.params["W1"].copy(), net.params["W2"].copy()
    dW1, dW2 = np.zeros_like(W1), np.zeros_like(W2)

    def step(samples: np.ndarray) -> None:
        net.loss_and_gradient(x[samples], t[samples])
        optimizer.update(net.params, net.grads)

    def floor(samples: np.ndarray) -> None:
        batch = x[samples]
        hidden = batch @ W1
        scores = hidden @ W2
        np.matmul(hidden.T, scores, out=dW2)
        np.matmul(batch.T, scores @ W2.T, out=dW1)
        np.multiply(dW1, 0.0, out=dW1)
        np.subtract(W1, dW1, out=W1)

    def steps_in_us(run: Callable[[np.ndarray], None]) -> float:
        start = time.perf_counter()
        for first in range(0, 10_000, 100):
            run(order[first : first + 100])
        return (time.perf_counter() - start) / 100 * 1e6

    with net.workspace():
        steps_in_us(step), steps_in_us(floor)
        pairs = [(steps_in_us(step), steps_in_us(floor)) for _ in range(runs)]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"a step: {ours:.0f} us, its products alone {bare:.0f} us, ratio {ratio:.2f} (medians of {runs})")

    net = bg.TwoLayerNet(784, 50, 10, rng=0)
    trainer = bg.Trainer(net, bg.SGD(lr=0.1), epochs=8, progress=False)
    seconds = trainer.fit(x, t, x_test, t_test).seconds
    print(f"an epoch, both accuracies included: {statistics.median(seconds):.3f} s (median of {len(seconds)})")


if __name__ == "__main__":
    main()
