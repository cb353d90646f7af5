"""What the scripts of this folder share: their arguments, errors of one line, numbers beside the texts', pictures."""

import argparse
import math
import os
from pathlib import Path

import numpy as np

import brickgrad as bg

MARKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)  # on a logarithmic axis of losses
NEEDS_MATPLOTLIB = "Pictures need matplotlib. Install it with: pip install 'brickgrad[plot]'"


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line and exits with status 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (--help says more)\n")


def parser(description, *, pictures=False, random=True):
    """Return a parser with --seed, which every script takes, and --out and --show for those that draw."""
    made = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    drawn = "of all random numbers" if random else "accepted by every script; here nothing is random"
    made.add_argument("--seed", type=whole(0), default=0, metavar="N", help=f"{drawn} (default: 0)")
    if pictures:
        made.add_argument(
            "--out",
            type=folder_to_write,
            default="pictures",
            metavar="FOLDER",
            help="for the PNG files (default: pictures)",
        )
        made.add_argument("--show", action="store_true", help="also open a window with each picture")
    return made


def whole(at_least, at_most=math.inf):
    """Return an argument type: a whole number of at least so much, and at most so much."""
    needed = f"of at least {at_least}" if at_most == math.inf else f"from {at_least} to {at_most}"

    def read(text):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not at_least <= number <= at_most:
            raise argparse.ArgumentTypeError(f"must be a whole number {needed}; got {text!r}")
        return number

    return read


def positive(text):
    """Read an argument that is a number above 0."""
    number = as_number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0; got {text!r}")
    return number


def from_zero(text):
    """Read an argument that is a number of 0 or more."""
    number = as_number(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more; got {text!r}")
    return number


def as_number(text):
    """Return the number that a text says; NaN where it says none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def folder_to_be(text):
    """Read an argument that is a folder, or could become one."""
    path = Path(text)
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise argparse.ArgumentTypeError(f"must be a folder; {str(part)!r} is a file")
    return path


def folder_to_write(text):
    """Read an argument that is a folder, or could become one, in which files may be written."""
    path = folder_to_be(text)
    there = next(part for part in (path.absolute(), *path.absolute().parents) if part.exists())
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a folder that can be written to; {str(there)!r} cannot")
    return path


def say(what, ours, texts=None):
    """Print a number, beside the one that the field's texts print where they print one."""
    print(f"{what:<42} {ours!s:<26}{'' if texts is None else f' texts: {texts}'}".rstrip())


def pyplot(arguments):
    """Return matplotlib's pyplot; where matplotlib is missing, end the script with a word on how to get it."""
    try:
        import matplotlib
    except ImportError:
        raise SystemExit(NEEDS_MATPLOTLIB) from None
    if not arguments.show:
        matplotlib.use("Agg")  # only files are wanted: this needs no display
    from matplotlib import pyplot as plt

    return plt


def save(figure, arguments, name):
    """Save a figure as FOLDER/name and print where; with --show, open a window of it too."""
    plt = pyplot(arguments)
    path = arguments.out / name
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise SystemExit(
            f"{path} could not be written: {error.strerror or error}. Take another folder: --out"
        ) from None
    print(f"saved {path}")
    if not arguments.show:
        plt.close(figure)
    elif figure.canvas.manager is None:  # a figure that pyplot did not make has no window: show its file in one
        window = plt.figure(figsize=figure.get_size_inches())
        axes = window.add_axes((0, 0, 1, 1))
        axes.imshow(plt.imread(path))
        axes.axis("off")
    if arguments.show:
        plt.show()


def add_training(made):
    """Add what scripts take that train a convolution net for a minute before they show it."""
    made.add_argument("--epochs", type=whole(0), default=3, metavar="N", help="(default: %(default)s)")
    made.add_argument(
        "--limit", type=whole(1), default=10_000, metavar="N", help="digits to train on (default: %(default)s)"
    )


def train_convolution(arguments, net=None):
    """Train a SimpleConvNet, or another net on images, as the arguments say; return it and the test images, labels."""
    (x, t), test = bg.load_mnist(flatten=False)
    net = bg.SimpleConvNet(rng=arguments.seed) if net is None else net
    trainer = bg.Trainer(net, bg.Adam(), epochs=arguments.epochs, seed=arguments.seed, accuracy_samples=1000)
    trainer.fit(x[: arguments.limit], t[: arguments.limit])
    print()
    return net, test


def compare_losses(description, runs, title, picture, argv=None):
    """The whole of a script that trains nets step by step and draws their losses side by side.

    `runs`: by name a function of the seed, which gives the net and its optimizer, and the loss that the texts print.
    """
    made = parser(description, pictures=True)
    made.add_argument("--steps", type=whole(1), default=2000, metavar="N", help="(default: 2000)")
    arguments = made.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    curves = {
        name: train_steps(*make(arguments.seed), x, t, arguments.steps, arguments.seed)
        for name, (make, _) in runs.items()
    }
    print(f"loss of the batch after the step, in the last {min(100, arguments.steps)} of {arguments.steps} steps:")
    print("the middle one, where the middle half of them lies and, since the texts print the loss of a single batch,")
    print("how many of ours are below that")
    for name, losses in curves.items():
        last, texts = losses[-100:], runs[name][1]
        low, middle, high = np.percentile(last, [25, 50, 75])
        below = f"{np.sum(last < texts)} of {len(last)} below it"
        say(f"  {name}", f"{middle:.3f} ({low:.3f} … {high:.3f})", f"{texts:.3f}, {below}")
    print()
    save(draw_losses(pyplot(arguments), curves, title), arguments, picture)


def train_steps(net, optimizer, x, t, steps, seed, batch_size=128):
    """Train on batches drawn by a seed; return the loss of each batch after its step, as the texts' curves have it."""
    rng = np.random.default_rng(seed)
    losses = []
    with net.workspace():
        for _ in range(steps):
            batch = rng.choice(len(x), batch_size)
            net.loss_and_gradient(x[batch], t[batch])
            optimizer.update(net.params, net.grads)
            losses.append(net.loss(x[batch], t[batch]))
    return np.array(losses)


def draw_losses(plt, curves, title):
    """Draw the loss of every step of several runs, each evened out over some steps."""
    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, losses in curves.items():
        window = max(1, len(losses) // 40)
        smooth = np.convolve(losses, np.full(window, 1 / window), mode="valid")
        ax.plot(np.arange(len(smooth)) + window, smooth, label=name)
    ax.set(xlabel="step", ylabel="loss of the batch, evened out (logarithmic)", title=title, yscale="log")
    low, high = ax.get_ylim()
    ax.set_yticks([mark for mark in MARKS if low <= mark <= high], minor=False)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.grid(alpha=0.3, which="both")
    ax.legend()
    return figure
