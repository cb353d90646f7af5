"""The digits that a convolution net gets wrong, the surest mistakes first.

After training the test set is looked through for digits that the net takes for others. Above each stands what the net
said and what it is. Many are hard to read for people too; some are not.

You learn to look at mistakes before thinking of a better net.
"""

import numpy as np

import brickgrad as bg
import common


def most_confused(t, found, n=5):
    """Return the pairs (what it is, what the net said) that are mixed up most often, and how often."""
    pairs, counts = np.unique(np.stack([t, found])[:, t != found], axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:n]
    return [(*pairs[:, i], counts[i]) for i in order]


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    common.add_training(parser)
    parser.add_argument("--shown", type=common.whole(1, 1000), default=50, metavar="N", help="(default: 50)")
    parser.set_defaults(limit=20_000)
    arguments = parser.parse_args(argv)
    net, (x, t) = common.train_convolution(arguments, bg.SimpleConvNet(weight_init_std="he", rng=arguments.seed))
    chances = bg.softmax(net.predict(x, batch_size=100))
    found = chances.argmax(axis=1)
    wrong = np.flatnonzero(found != t)
    surest = wrong[np.argsort(-chances[wrong, found[wrong]], kind="stable")][: arguments.shown]
    common.say("test accuracy", f"{100 * np.mean(found == t):.2f} %", "99.35 %, of DeepConvNet and all digits")
    common.say("wrong", f"{len(wrong)} of {len(t)}")
    for truth, guess, count in most_confused(t, found):
        common.say(f"a {truth} taken for a {guess}", f"{count} times")
    if len(surest) == 0:
        print("There is nothing to draw.")
        return
    common.pyplot(arguments)
    title = f"The {len(surest)} surest of {len(wrong)} mistakes"
    common.save(bg.plot_digits(x[surest], t[surest], found[surest], title=title), arguments, "misclassified_digits.png")


if __name__ == "__main__":
    main()
