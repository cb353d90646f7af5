"""SGD, Momentum, AdaGrad and Adam train the same net on MNIST, from the same weights, on the same batches.

Four hidden layers of 100 nodes, batches of 128, 2,000 steps. All but SGD are quick, and which of them is best depends
on the task and on the learning rate.

You learn how much the way of stepping matters, with all else left alike.
"""

import brickgrad as bg
import common

OPTIMIZERS = {
    "SGD": (lambda: bg.SGD(lr=0.01), 0.150),
    "Momentum": (lambda: bg.Momentum(lr=0.01), 0.050),
    "AdaGrad": (lambda: bg.AdaGrad(lr=0.01), 0.016),
    "Adam": (lambda: bg.Adam(lr=0.001), 0.032),
}


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--steps", type=common.whole(1), default=2000, metavar="N", help="(default: 2000)")
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    curves = {
        name: common.train_steps(
            bg.MultiLayerNet(784, [100] * 4, 10, rng=arguments.seed), make(), x, t, arguments.steps, arguments.seed
        )
        for name, (make, _) in OPTIMIZERS.items()
    }  # fmt: skip
    print(f"loss after the step, mean over the last {min(100, arguments.steps)} of {arguments.steps} steps")
    for name, losses in curves.items():
        common.say(f"  {name}", f"{losses[-100:].mean():.3f}", f"{OPTIMIZERS[name][1]:.3f}")
    print()
    figure = common.draw_losses(common.pyplot(arguments), curves, "Four optimizers on MNIST, from the same weights")
    common.save(figure, arguments, "compare_optimizers.png")


if __name__ == "__main__":
    main()
