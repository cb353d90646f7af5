"""Batch normalization against none, over sixteen scales of the first weights.

Five hidden layers of 100 nodes, 1,000 digits, SGD, 20 epochs. Without batch normalization the net learns at some scales
of the first weights only; with it, it learns at nearly all of them, and faster.

You learn what batch normalization is for: the first weights matter much less.
"""

import contextlib

import numpy as np

import brickgrad as bg
import common

TEXTS = "1.0; below 0.2"


def train_accuracies(scale, with_norm, arguments, x, t):
    """Train a fresh net; return its accuracy on the training set after each epoch."""
    net = bg.MultiLayerNet(
        784, [100] * 5, 10, weight_init_std=float(scale), use_batchnorm=with_norm, rng=arguments.seed
    )
    trainer = bg.Trainer(net, bg.SGD(lr=0.01), epochs=arguments.epochs, seed=arguments.seed, progress=False)
    with contextlib.suppress(FloatingPointError):  # the largest scales overflow: nothing to show from there on
        trainer.fit(x, t)
    found = np.full(arguments.epochs, np.nan)
    found[: len(trainer.history.train_accuracies)] = trainer.history.train_accuracies
    return found


def draw(plt, scales, plain, normed):
    """Draw a panel for each scale."""
    rows = -(-len(scales) // 4)
    figure, panels = plt.subplots(
        rows, 4, figsize=(11, 2.1 * rows + 0.9), layout="constrained", sharex=True, sharey=True, squeeze=False
    )
    epochs = np.arange(1, len(plain[0]) + 1)
    for ax in panels.flat[len(scales) :]:
        ax.set_axis_off()
    for ax, scale, one, other in zip(panels.flat, scales, plain, normed, strict=False):
        ax.plot(epochs, other, color="#1f5fa8", label="batch normalization")
        ax.plot(epochs, one, "--", color="#c2571a", label="none")
        if np.isnan(one[-1]):
            ax.text(epochs.mean(), 0.9, "none: values overflow", color="#c2571a", ha="center", fontsize=8)
        ax.set(title=f"deviation {scale:.2g}", ylim=(0, 1.03))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.supxlabel("epoch")
    figure.supylabel("accuracy on the training set")
    return figure


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--epochs", type=common.whole(1), default=20, metavar="N", help="(default: 20)")
    parser.add_argument(
        "--scales", type=common.whole(1, 16), default=16, metavar="N", help="the N smallest alone (default: 16, all)"
    )
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    x, t = x[:1000], t[:1000]
    scales = np.logspace(0, -4, 16)[-arguments.scales :]
    plain = [train_accuracies(scale, False, arguments, x, t) for scale in scales]
    normed = [train_accuracies(scale, True, arguments, x, t) for scale in scales]
    print(f"deviation   none   batch normalization   (accuracy on 1,000 digits after {arguments.epochs} epochs)")
    for scale, one, other in zip(scales, plain, normed, strict=True):
        print(f"{scale:9.2g}   {'  -  ' if np.isnan(one[-1]) else format(one[-1], '.3f')}  {other[-1]:.3f}")
    if np.isnan([one[-1] for one in plain]).any():
        print("-: the values overflow, and training breaks off")
    ends = [(other[-1], np.nan_to_num(one[-1]), scale) for scale, one, other in zip(scales, plain, normed, strict=True)]
    best, beside, scale = max(ends)
    print()
    common.say(f"best with it, at {scale:.2g}; without it", f"{best:.3f}; {beside:.3f}", TEXTS)
    print()
    common.save(draw(common.pyplot(arguments), scales, plain, normed), arguments, "batch_norm_panels.png")


if __name__ == "__main__":
    main()
