"""Three ways to draw the first weights of one net, trained alike on MNIST.

Four hidden layers of 100 nodes with ReLU, SGD, 2,000 steps. With a deviation of 0.01 next to nothing reaches the last
layer, and the net learns nothing; Xavier's and He's deviation let it learn, He's, made for ReLU, faster.

You learn that a net can stand still for no other reason than its first weights.
"""

import brickgrad as bg
import common

INITIAL = {"std 0.01": (0.01, 2.305), "Xavier": ("xavier", 0.377), "He": ("he", 0.286)}


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--steps", type=common.whole(1), default=2000, metavar="N", help="(default: 2000)")
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    curves = {
        name: common.train_steps(
            bg.MultiLayerNet(784, [100] * 4, 10, weight_init_std=init, rng=arguments.seed),
            bg.SGD(lr=0.01), x, t, arguments.steps, arguments.seed,
        )
        for name, (init, _) in INITIAL.items()
    }  # fmt: skip
    print(f"loss after the step, mean over the last {min(100, arguments.steps)} of {arguments.steps} steps")
    for name, losses in curves.items():
        common.say(f"  {name}", f"{losses[-100:].mean():.3f}", f"{INITIAL[name][1]:.3f}")
    print()
    figure = common.draw_losses(common.pyplot(arguments), curves, "First weights: the same net, drawn in three ways")
    common.save(figure, arguments, "compare_initial_values.png")


if __name__ == "__main__":
    main()
