"""Learning by numerical gradients, beside backpropagation from the same start: the same path, and how much slower.

A net needs only the gradient of its loss; where that comes from makes no difference to where it goes. Both nets below
start from the same weights and see the same batches. Each numerical gradient takes two forward passes a parameter.
"""

import time

import numpy as np

import brickgrad as bg
import common


def train(net, gradient, x, t, steps, seed):
    """Take steps of SGD by gradients that `gradient(x, t)` gives; return the losses and the seconds."""
    optimizer, rng = bg.SGD(lr=0.5), np.random.default_rng(seed)
    losses, start = [], time.perf_counter()
    for _ in range(steps):
        batch = rng.integers(len(x), size=20)
        optimizer.update(net.params, gradient(x[batch], t[batch]))
        losses.append(net.loss(x, t))
    return losses, time.perf_counter() - start


def main(argv=None):
    made = common.parser(__doc__)
    made.add_argument("--steps", type=common.whole(1), default=30, help="(default: 30)")
    arguments = made.parse_args(argv)

    # Digits made small, so that the numerical gradients end today: 28 × 28 pixels averaged in blocks of 4 × 4.
    (x, t), _ = bg.load_mnist()
    x = x[:500].reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49).astype(np.float64)
    t = t[:500]

    nets = [bg.TwoLayerNet(49, 10, 10, 0.1, rng=arguments.seed, dtype=np.float64) for _ in range(2)]
    backprop, numerical = nets
    print(f"TwoLayerNet(49, 10, 10), {backprop.vector.size} parameters, {arguments.steps} steps of 20 digits")
    losses, seconds = train(backprop, backprop.gradient, x, t, arguments.steps, arguments.seed)
    slow_losses, slow_seconds = train(numerical, numerical.numerical_gradient, x, t, arguments.steps, arguments.seed)

    print("step   loss by backprop   loss by differences")
    for step in sorted({0, arguments.steps // 2, arguments.steps - 1}):
        print(f"{step + 1:4}   {losses[step]:.12f}     {slow_losses[step]:.12f}")
    difference = np.abs(backprop.vector - numerical.vector).max()
    print(f"largest difference of a parameter at the end: {difference:.2g}")
    print(f"times: {seconds:.3f} s and {slow_seconds:.2f} s, {slow_seconds / seconds:.0f} times slower")


if __name__ == "__main__":
    main()
