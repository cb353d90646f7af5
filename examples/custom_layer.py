"""A brick of your own in ten lines: write it, prove it with the gradient checker, and train with it.

The brick is Swish, y = x · sigmoid(x). `forward` keeps in self.saved what `backward` needs; that is all there is to it.
"""

import numpy as np

import brickgrad as bg
import common


class Swish(bg.Layer):
    """y = x · s, dx = dy · (s + x · s · (1 - s)), with s = sigmoid(x)."""

    def forward(self, x):
        """Return x · sigmoid(x)."""
        s = bg.sigmoid(x)
        self.saved = x, s
        return x * s

    def backward(self, dy):
        """Return dx."""
        x, s = self.saved
        return dy * (s + x * s * (1 - s))


def main(argv=None):
    made = common.parser(__doc__)
    made.add_argument("--limit", type=common.whole(1), default=10_000, help="digits to train on (default: 10000)")
    made.add_argument("--epochs", type=common.whole(0), default=5, help="(default: 5)")
    arguments = made.parse_args(argv)

    rng = np.random.default_rng(arguments.seed)
    print(bg.gradcheck(Swish(), rng.normal(size=(3, 4))))

    (x_train, t_train), (x_test, t_test) = bg.load_mnist()
    rngs = rng.spawn(2)
    net = bg.Sequential(bg.Affine(784, 50, rng=rngs[0]), Swish(), bg.Affine(50, 10, rng=rngs[1]))
    print(net)
    trainer = bg.Trainer(net, bg.Adam(), epochs=arguments.epochs, seed=arguments.seed, progress="lines")
    trainer.fit(x_train[: arguments.limit], t_train[: arguments.limit], x_test, t_test)


if __name__ == "__main__":
    main()
