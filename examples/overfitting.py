"""Overfitting, and two ways to hold it down: weight decay and dropout.

A net of six hidden layers learns 300 digits by heart: nearly all of them right, and far fewer of the test set. Weight
decay (λ = 0.1) keeps the weights small, dropout (0.2) switches nodes off at random; both narrow the gap between the two
accuracies.

You learn to read the gap between training and test, and two ways to close it.
"""

import numpy as np

import brickgrad as bg
import common

NETS = {
    "plain": {"weight_decay_lambda": 0.0},
    "weight decay 0.1": {"weight_decay_lambda": 0.1},
    "dropout 0.2": {"dropout_ratio": 0.2},
}


def history_of(options, arguments, train, test):
    """Train a fresh net; return how it went."""
    net = bg.MultiLayerNet(784, [100] * 6, 10, rng=arguments.seed, **options)
    trainer = bg.Trainer(net, bg.SGD(lr=0.01), epochs=arguments.epochs, seed=arguments.seed, progress=False)
    return trainer.fit(*train, *test)


def draw(plt, histories):
    """Draw the accuracies of training and test, one panel a net."""
    figure, panels = plt.subplots(1, len(histories), figsize=(13, 4.2), layout="constrained", sharey=True)
    for ax, (name, history) in zip(panels, histories.items(), strict=True):
        epochs = np.arange(1, len(history) + 1)
        ax.plot(epochs, history.train_accuracies, color="#1f5fa8", label="training")
        ax.plot(epochs, history.test_accuracies, "--", color="#c2571a", label="test")
        ax.fill_between(epochs, history.test_accuracies, history.train_accuracies, color="0.9")
        gap = history.train_accuracies[-1] - history.test_accuracies[-1]
        ax.set(title=f"{name}: gap {100 * gap:.1f} points", xlabel="epoch", ylim=(0, 1.03))
        ax.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy")
    panels[0].legend(loc="lower right")
    return figure


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--epochs", type=common.whole(1), default=201, metavar="N", help="(default: 201)")
    parser.add_argument("--limit", type=common.whole(1), metavar="N", help="test on the first N digits only")
    arguments = parser.parse_args(argv)
    (x, t), (x_test, t_test) = bg.load_mnist()
    test = x_test[: arguments.limit], t_test[: arguments.limit]
    histories = {name: history_of(options, arguments, (x[:300], t[:300]), test) for name, options in NETS.items()}
    print(f"300 digits, {arguments.epochs} epochs      training      test       gap")
    for name, history in histories.items():
        train, after = history.train_accuracies[-1], history.test_accuracies[-1]
        print(f"{name:<30} {100 * train:6.2f} %  {100 * after:6.2f} %  {100 * (train - after):6.2f} points")
    print()
    common.save(draw(common.pyplot(arguments), histories), arguments, "overfitting.png")


if __name__ == "__main__":
    main()
