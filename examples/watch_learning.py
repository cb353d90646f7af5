"""Look inside a net while it learns, and be told in plain words when something is wrong.

Nets of two and of six layers are trained on part of MNIST under bg.Watch, which records each layer's outputs and
gradients and each weight's steps. --case picks what is wrong: sigmoids that begin too small, so that gradients vanish
on their way to the first layers; a learning rate that kills the ReLUs; one that is too small to learn anything. In the
healthy net nothing is wrong.

You learn what the insides of a healthy net look like, and which picture belongs to which mistake.
"""

import contextlib

import brickgrad as bg
import common

# case: (activation, deviation of the first weights or None for the activation's own, hidden sizes, learning rate)
CASES = {
    "healthy": ("relu", None, [100] * 5, 0.1),
    "vanishing": ("sigmoid", 0.01, [100] * 5, 0.1),
    "saturated": ("tanh", 1.0, [100] * 5, 0.1),
    "dead": ("relu", 0.01, [50], 10.0),
    "exploding": ("relu", 1.0, [100] * 5, 0.1),
    "slow": ("relu", None, [50], 1e-6),
}


def watched(case, x, t, arguments):
    """Train the case's net, also one that breaks off; return the Watch."""
    activation, std, hidden, lr = CASES[case]
    net = bg.MultiLayerNet(784, hidden, 10, activation, std, rng=arguments.seed)
    watch = bg.Watch(every=arguments.every)
    trainer = bg.Trainer(
        net,
        bg.SGD(lr=lr),
        epochs=arguments.epochs,
        seed=arguments.seed,
        callbacks=watch,
        progress=False,
        accuracy_samples=1000,
    )
    with contextlib.suppress(FloatingPointError):  # the warnings say it
        trainer.fit(x, t)
    return watch


def main(argv=None):
    made = common.parser(__doc__, pictures=True)
    made.add_argument("--case", choices=[*CASES, "all"], default="all", help="(default: all, one after another)")
    made.add_argument("--epochs", type=common.whole(1), default=2, metavar="N", help="(default: 2)")
    made.add_argument("--limit", type=common.whole(1), default=6000, metavar="N", help="digits (default: 6000)")
    made.add_argument("--every", type=common.whole(1), default=10, metavar="N", help="steps to a look (default: 10)")
    arguments = made.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    x, t = x[: arguments.limit], t[: arguments.limit]
    watches = {}
    for case in CASES if arguments.case == "all" else [arguments.case]:
        watches[case] = watched(case, x, t, arguments)
        print(f"--- {case}")
        print(watches[case])
    print()
    common.pyplot(arguments)
    for case, watch in watches.items():
        common.save(watch.plot(), arguments, f"watch_{case}.png")


if __name__ == "__main__":
    main()
