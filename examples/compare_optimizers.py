"""SGD, Momentum, AdaGrad and Adam train the same net on MNIST, from the same weights, on the same batches.

Four hidden layers of 100 nodes, batches of 128, 2,000 steps. All but SGD are quick, and which of them is best depends
on the task and on the learning rate. The loss of a single batch says little: for SGD from He's first weights the texts
print 0.150 here, and 0.286 where they compare first weights.

You learn how much the way of stepping matters, with all else left alike.
"""

import brickgrad as bg
import common


def stepped_by(make_optimizer):
    """Return a function of a seed that makes the net and this optimizer."""
    return lambda seed: (bg.MultiLayerNet(784, [100] * 4, 10, rng=seed), make_optimizer())


RUNS = {
    "SGD": (stepped_by(lambda: bg.SGD(lr=0.01)), 0.150),
    "Momentum": (stepped_by(lambda: bg.Momentum(lr=0.01)), 0.050),
    "AdaGrad": (stepped_by(lambda: bg.AdaGrad(lr=0.01)), 0.016),
    "Adam": (stepped_by(lambda: bg.Adam(lr=0.001)), 0.032),
}


def main(argv=None):
    title = "Four optimizers on MNIST, from the same weights"
    common.compare_losses(__doc__, RUNS, title, "compare_optimizers.png", argv)


if __name__ == "__main__":
    main()
