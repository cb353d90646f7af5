"""Train a net of layers on the whole of MNIST, offline: 60,000 digits to learn from, 10,000 to be tested on.

Five nets are ready, each with settings of its own:

  two-layer    Affine 784-50, ReLU, Affine 50-10; SGD, learning rate 0.1, 20 epochs: about 97 %
  mlp          hidden layers of 400 and 100; Momentum, learning rate 0.1, times 0.6 an epoch, 8 epochs: above 98 %
  simple-conv  one convolution; Adam, a learning rate that falls along half a cosine, 20 epochs: many minutes
  deep-conv    six convolutions, dropout scaled as the texts scale it; Adam, 20 epochs: hours on a small machine
  resnet       convolutions with skips and batch normalization, on digits that are shifted about; Nesterov's momentum
               with weight decay, 10 epochs: hours as well

Every epoch prints a line. At the end come the learning curves, and a page of test digits with what the net makes of
them. The same seed gives the same parameters, bit for bit: compare the SHA-256 that is printed. With --resume a run
that was stopped, by Ctrl-C or a power cut, goes on where it stood and ends with the same SHA-256.
"""

import argparse
import functools
import hashlib
import json
import math
import os
import platform
import sys
from pathlib import Path

import numpy as np

import brickgrad as bg
import common

PLAIN = {
    "hidden": None,
    "decay": 1.0,
    "schedule": "constant",
    "shifts": 0,
    "weight_decay": 0.0,
    "dropout": None,
    "channels": None,
}
DEFAULTS = {
    "two-layer": {**PLAIN, "hidden": [50], "optimizer": "sgd", "lr": 0.1, "epochs": 20},
    "mlp": {**PLAIN, "hidden": [400, 100], "optimizer": "momentum", "lr": 0.1, "decay": 0.6, "epochs": 8},
    "simple-conv": {**PLAIN, "optimizer": "adam", "lr": 0.001, "schedule": "cosine", "epochs": 20},
    "deep-conv": {**PLAIN, "optimizer": "adam", "lr": 0.001, "epochs": 20, "dropout": "texts"},
    "resnet": {
        **PLAIN,
        "channels": [24, 48, 96],
        "optimizer": "nesterov",
        "lr": 0.1,
        "weight_decay": 0.0005,
        "schedule": "cosine",
        "shifts": 2,
        "epochs": 10,
    },
}
CONVOLUTIONAL = {"simple-conv": bg.SimpleConvNet, "deep-conv": bg.DeepConvNet, "resnet": bg.ResNet}
OPTIMIZERS = {
    "sgd": bg.SGD, "momentum": bg.Momentum, "nesterov": bg.Nesterov, "adagrad": bg.AdaGrad, "rmsprop": bg.RMSprop,
    "adam": bg.Adam, "adamw": bg.AdamW,
}  # fmt: skip
NOT_RECORDED = ("record", "resume", "out", "show", "quiet")
TEXTS = {"two-layer": (97.79, 96.90), "simple-conv": (None, 98.90), "deep-conv": (None, 99.35)}


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
    made.epilog = "What is not given here is the net's own setting; the first two nets' defaults are shown."
    made.add_argument("--net", choices=DEFAULTS, default="two-layer", help="(default: two-layer)")
    made.add_argument("--hidden", type=sizes, metavar="SIZES", help="sizes of the hidden layers (default: 50; 400,100)")
    made.add_argument("--channels", type=sizes, metavar="SIZES", help="of resnet's stages (default: 24,48,96)")
    made.add_argument("--optimizer", choices=OPTIMIZERS, help="(default: sgd; momentum; adam; nesterov for resnet)")
    made.add_argument("--lr", type=common.positive, help="learning rate (default: 0.1; with adam 0.001)")
    made.add_argument("--schedule", choices=("constant", "cosine"), help="how lr falls over the whole run")
    made.add_argument(
        "--weight-decay", type=common.from_zero, metavar="L", help="draw weights towards 0 by L (default: 0)"
    )
    made.add_argument("--shifts", type=common.whole(0), metavar="N", help="shift digits by up to N pixels in training")
    made.add_argument(
        "--dropout", choices=("texts", "inverted"), help="how deep-conv's dropout scales what it keeps (default: texts)"
    )
    made.add_argument("--decay", type=common.positive, help="times this is lr after each epoch (default: 1; 0.6)")
    made.add_argument("--epochs", type=common.whole(0), help="passes over the data (default: 20; mlp 8, resnet 10)")
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
    made.add_argument(
        "--resume", type=common.folder_to_be, metavar="FOLDER", help="save there after each epoch, and go on from there"
    )
    made.add_argument("--record", type=Path, metavar="FILE", help="write settings, versions and results there, as JSON")
    made.add_argument("--quiet", action="store_true", help="print the result alone")
    arguments = made.parse_args(argv)
    if arguments.record is not None and not arguments.record.absolute().parent.is_dir():
        made.error(f"argument --record: there is no folder {str(arguments.record.parent)!r}")
    own = DEFAULTS[arguments.net]
    if arguments.lr is None and arguments.optimizer in ("adam", "adamw", "adagrad", "rmsprop"):
        arguments.lr = {"adagrad": 0.01}.get(arguments.optimizer, 0.001)
    if arguments.hidden is not None and arguments.net in CONVOLUTIONAL:
        made.error(f"argument --hidden: {arguments.net} has its own sizes. Take --net mlp")
    if arguments.channels is not None and arguments.net != "resnet":
        made.error(f"argument --channels: {arguments.net} has its own sizes. Take --net resnet")
    if arguments.dropout is not None and arguments.net != "deep-conv":
        made.error(f"argument --dropout: {arguments.net} has none. Take --net deep-conv")
    for name, value in own.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.net == "two-layer" and len(arguments.hidden) != 1:
        made.error(f"argument --hidden: two-layer has one hidden layer; got {len(arguments.hidden)}. Take --net mlp")
    return arguments


def make_net(arguments, n_in, n_out):
    """Return the net that was asked for, its first weights drawn by the seed."""
    if arguments.net in CONVOLUTIONAL:
        more = {} if arguments.dropout is None else {"inverted_dropout": arguments.dropout == "inverted"}
        more |= {} if arguments.channels is None else {"channels": arguments.channels}
        return CONVOLUTIONAL[arguments.net](n_in, output_size=n_out, rng=arguments.seed, **more)
    if arguments.net == "two-layer":
        return bg.TwoLayerNet(n_in, arguments.hidden[0], n_out, rng=arguments.seed)
    return bg.MultiLayerNet(n_in, arguments.hidden, n_out, rng=arguments.seed)


def write_record(arguments, net, history, accuracy, seconds):
    """Write what the run was and what came of it as JSON: the whole file, or none."""
    settings = {name: value for name, value in vars(arguments).items() if name not in NOT_RECORDED}
    found = {
        "settings": settings,
        "versions": {"brickgrad": bg.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "parameters": int(net.vector.size),
        "sha256": digest(net),
        "test_accuracy": accuracy,
        "seconds": round(seconds, 1),
        "epochs": {
            "loss": [round(value, 6) for value in history.epoch_losses],
            "train_accuracy": history.train_accuracies,
            "test_accuracy": history.test_accuracies,
            "seconds": [round(value, 1) for value in history.seconds],
        },
    }
    unfinished = arguments.record.with_name(arguments.record.name + ".unfinished")
    unfinished.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
    os.replace(unfinished, arguments.record)
    print(f"recorded {arguments.record}")


def digest(net):
    """Return the SHA-256 of the parameters: two runs that agree in it agree in every bit."""
    return hashlib.sha256(net.vector.tobytes()).hexdigest()


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
    flat = arguments.net not in CONVOLUTIONAL
    load = functools.partial(bg.load_idx, arguments.data) if arguments.data else bg.load_mnist
    (x_train, t_train), (x_test, t_test) = load(flatten=flat)
    x_train, t_train = x_train[: arguments.limit], t_train[: arguments.limit]
    n_classes = int(max(t_train.max(), t_test.max())) + 1
    net = make_net(arguments, x_train.shape[1] if flat else x_train.shape[1:], n_classes)
    steps = -(-len(x_train) // arguments.batch_size) * max(arguments.epochs, 1)
    rate = bg.CosineDecay(arguments.lr, steps) if arguments.schedule == "cosine" else arguments.lr
    optimizer = OPTIMIZERS[arguments.optimizer](lr=rate, weight_decay=arguments.weight_decay)
    side = math.isqrt(x_train[0].size)
    augment = bg.Shifts(arguments.shifts, image_shape=(side, side) if flat else None) if arguments.shifts else None
    if not arguments.quiet:
        print(f"{net.summary()}\n{optimizer}, seed {arguments.seed}")

    def slow_down(trainer):
        if arguments.decay != 1:
            trainer.optimizer.lr *= arguments.decay

    callbacks = [slow_down, *([bg.Checkpoint(arguments.resume)] if arguments.resume else [])]
    trainer = bg.Trainer(
        net, optimizer, batch_size=arguments.batch_size, epochs=arguments.epochs, seed=arguments.seed,
        sampling=arguments.sampling, callbacks=callbacks, progress=False if arguments.quiet else None,
        augment=augment, accuracy_samples=None if flat else 1000,
    )  # fmt: skip
    if arguments.resume and arguments.resume.is_dir() and any(arguments.resume.glob("*.safetensors")):
        print(f"goes on from {trainer.resume(arguments.resume)}")
    history = trainer.fit(x_train, t_train, x_test, t_test)
    seconds = sum(history.seconds)
    like_the_texts = arguments.data is None and arguments.limit is None
    printed = TEXTS.get(arguments.net, (None, None)) if like_the_texts else (None, None)
    train_texts, test_texts = ("" if value is None else f"   texts: {value:.2f} %" for value in printed)
    print(f"train accuracy {100 * net.accuracy(x_train, t_train):.2f} %{train_texts}")
    accuracy = net.accuracy(x_test, t_test)
    print(f"test accuracy {100 * accuracy:.2f} %{test_texts}")
    print(f"{net.vector.size:,} parameters, {arguments.epochs} epochs in {seconds:.1f} s")
    print(f"SHA-256 of the parameters {digest(net)}")
    if arguments.record is not None:
        write_record(arguments, net, history, accuracy, seconds)
    draw(arguments, net, history, x_test, t_test)


def main(argv=None):
    arguments = read_arguments(argv)
    try:
        run(arguments)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"train_mnist.py: {error}")
    except KeyboardInterrupt:
        saved = "nothing was saved" if arguments.resume is None else "the same command goes on from here"
        sys.exit(f"train_mnist.py: stopped; {saved}.")


if __name__ == "__main__":
    main()
