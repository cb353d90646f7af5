"""Three ways to draw the first weights of one net, trained alike on MNIST.

Four hidden layers of 100 nodes with ReLU, SGD, 2,000 steps. With a deviation of 0.01 next to nothing reaches the last
layer, and the net learns nothing; Xavier's and He's deviation let it learn, He's, made for ReLU, faster.

You learn that a net can stand still for no other reason than its first weights.
"""

import brickgrad as bg
import common


def drawn(deviation):
    """Return a function of a seed that makes the net with weights drawn so, and its optimizer."""
    return lambda seed: (bg.MultiLayerNet(784, [100] * 4, 10, weight_init_std=deviation, rng=seed), bg.SGD(lr=0.01))


RUNS = {"std 0.01": (drawn(0.01), 2.305), "Xavier": (drawn("xavier"), 0.377), "He": (drawn("he"), 0.286)}


def main(argv=None):
    title = "First weights: the same net, drawn in three ways"
    common.compare_losses(__doc__, RUNS, title, "compare_initial_values.png", argv)


if __name__ == "__main__":
    main()
