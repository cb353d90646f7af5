"""Train a net of layers on the whole of MNIST, offline: 60,000 digits to learn from, 10,000 to be tested on.

Two nets are ready, each with settings of its own:

  two-layer   Affine 784-50, ReLU, Affine 50-10; SGD, learning rate 0.1, 20 epochs: about 97 %
  mlp         hidden layers of 400 and 100; Momentum, learning rate 0.1, times 0.6 an epoch, 8 epochs: above 98 %

Every epoch prints a line. At the end come the learning curves, and a page of test digits with what the net makes of
them. The same seed gives the same parameters, bit for bit: compare the SHA-256 that is printed.
"""

import argparse
import hashlib
import sys
import time

import numpy as np

import brickgrad as bg
import common

DEFAULTS = {
    "two-layer": {"hidden": [50], "optimizer": "sgd", "lr": 0.1, "decay": 1.0, "epochs": 20},
    "mlp": {"hidden": [400, 100], "optimizer": "momentum", "lr": 0.1, "decay": 0.6, "epochs": 8},
}
OPTIMIZERS = {"sgd": bg.SGD, "momentum": bg.Momentum, "adam": bg.Adam}


def sizes(text):
    """Read a list of sizes: 100 or 400,100."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 50 or 400,100; got {text!r}")
    return found


def read_arguments(argv):
    """Read the command line; what is left open comes from the net's own settings."""
    made = common.parser(__doc__, pictures=True)
    made.epilog = "Where two defaults are given, the first is for two-layer and the second for mlp."
    made.add_argument("--net", choices=DEFAULTS, default="two-layer", help="(default: two-layer)")
    made.add_argument("--hidden", type=sizes, metavar="SIZES", help="sizes of the hidden layers (default: 50; 400,100)")
    made.add_argument("--optimizer", choices=OPTIMIZERS, help="(default: sgd; momentum)")
    made.add_argument("--lr", type=common.positive, help="learning rate (default: 0.1; for adam 0.001)")
    made.add_argument("--decay", type=common.positive, help="times this is lr after each epoch (default: 1; 0.6)")
    made.add_argument("--epochs", type=common.whole(0), help="passes over the data (default: 20; 8)")
    made.add_argument("--batch-size", type=common.whole(1), default=100, help="(default: 100)")
    made.add_argument(
        "--sampling", choices=("shuffle", "replacement"), default="shuffle",
        help="each digit once an epoch, or drawn anew each time as the texts do (default: shuffle)",
    )  # fmt: skip
    made.add_argument("--limit", type=common.whole(1), metavar="N", help="train on the first N images only")
    made.add_argument(
        "--data",
        type=common.folder_to_be,
        metavar="FOLDER",
        help="another set in MNIST's format, such as Fashion-MNIST",
    )
    made.add_argument("--quiet", action="store_true", help="print the result alone")
    arguments = made.parse_args(argv)
    own = DEFAULTS[arguments.net]
    if arguments.lr is None and arguments.optimizer == "adam":
        arguments.lr = 0.001
    for name, value in own.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.net == "two-layer" and len(arguments.hidden) != 1:
        made.error(f"argument --hidden: two-layer has one hidden layer; got {len(arguments.hidden)}. Take --net mlp")
    return arguments


def make_net(arguments, n_in, n_out):
    """Return the net that was asked for, its first weights drawn by the seed."""
    if arguments.net == "two-layer":
        return bg.TwoLayerNet(n_in, arguments.hidden[0], n_out, rng=arguments.seed)
    return bg.MultiLayerNet(n_in, arguments.hidden, n_out, rng=arguments.seed)


def draw(arguments, net, history, x, t):
    """Save the learning curves, and a page of test digits: the first 50, and 50 that the net gets wrong."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print(common.NEEDS_MATPLOTLIB)
        return
    plt = common.pyplot(arguments)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    if len(history):
        history.plot(left)
        history.plot_loss(right)
        common.save(figure, arguments, "learning_curves.png")
    found = net.predict(x, batch_size=1000).argmax(axis=1)
    wrong = np.flatnonzero(found != t)
    shown = np.concatenate([np.arange(min(50, len(x))), wrong[:50]])
    title = f"The first 50 test digits, and {len(wrong[:50])} of the {len(wrong)} that the net gets wrong"
    common.save(bg.plot_digits(x[shown], t[shown], found[shown], title=title), arguments, "test_digits.png")


def run(arguments):
    """Load, train, report, draw."""
    (x_train, t_train), (x_test, t_test) = bg.load_idx(arguments.data) if arguments.data else bg.load_mnist()
    x_train, t_train = x_train[: arguments.limit], t_train[: arguments.limit]
    n_classes = int(max(t_train.max(), t_test.max())) + 1
    net = make_net(arguments, x_train.shape[1], n_classes)
    optimizer = OPTIMIZERS[arguments.optimizer](lr=arguments.lr)
    if not arguments.quiet:
        print(f"{net.summary()}\n{optimizer}, seed {arguments.seed}")

    def slow_down(trainer):
        trainer.optimizer.lr *= arguments.decay

    trainer = bg.Trainer(
        net, optimizer, batch_size=arguments.batch_size, epochs=arguments.epochs, seed=arguments.seed,
        sampling=arguments.sampling, callbacks=[slow_down], progress=False if arguments.quiet else None,
    )  # fmt: skip
    start = time.perf_counter()
    history = trainer.fit(x_train, t_train, x_test, t_test)
    seconds = time.perf_counter() - start
    like_the_texts = arguments.net == "two-layer" and arguments.data is None and arguments.limit is None
    train_texts, test_texts = ("   texts: 97.79 %", "   texts: 96.90 %") if like_the_texts else ("", "")
    print(f"train accuracy {100 * net.accuracy(x_train, t_train):.2f} %{train_texts}")
    print(f"test accuracy {100 * net.accuracy(x_test, t_test):.2f} %{test_texts}")
    print(f"{net.vector.size:,} parameters, {arguments.epochs} epochs in {seconds:.1f} s")
    print(f"SHA-256 of the parameters {hashlib.sha256(net.vector.tobytes()).hexdigest()}")
    draw(arguments, net, history, x_test, t_test)


def main(argv=None):
    arguments = read_arguments(argv)
    try:
        run(arguments)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"train_mnist.py: {error}")
    except KeyboardInterrupt:
        sys.exit("train_mnist.py: stopped; nothing was saved.")


if __name__ == "__main__":
    main()
