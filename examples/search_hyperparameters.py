"""A search for learning rate and weight decay, at random, on a logarithmic scale.

A net of six hidden layers is trained on 500 digits, 50 times, each time with a learning rate drawn from 10^-6 to 10^-2
and a weight decay from 10^-8 to 10^-4; a fifth of the digits is held out to tell which is best. The twenty best are
drawn, best first.

You learn how to look for what cannot be learned, and that it is looked for on digits that are neither trained on nor
tested on.
"""

import brickgrad as bg
import common


def make_trainer(lr, weight_decay, seed, epochs):
    """Return a trainer with these settings."""
    net = bg.MultiLayerNet(784, [100] * 6, 10, weight_decay_lambda=weight_decay, rng=seed)
    return bg.Trainer(net, bg.SGD(lr=lr), epochs=epochs, seed=seed, progress=False)


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--trials", type=common.whole(1), default=50, metavar="N", help="(default: 50)")
    parser.add_argument("--epochs", type=common.whole(1), default=50, metavar="N", help="of each trial (default: 50)")
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist()
    space = {"lr": bg.LogUniform(1e-6, 1e-2), "weight_decay": bg.LogUniform(1e-8, 1e-4)}

    def factory(lr, weight_decay, seed):
        return make_trainer(lr, weight_decay, seed, arguments.epochs)

    found = bg.random_search(factory, space, arguments.trials, x[:500], t[:500], seed=arguments.seed, validation=0.2)
    print(found)
    print()
    rates = [trial.settings["lr"] for trial in found.trials[:5]]
    common.say("best validation accuracy", f"{100 * found.best.accuracy:.0f} %", "83 %")
    common.say(f"learning rates of the {len(rates)} best", f"{min(rates):.2g} … {max(rates):.2g}", "0.0052 … 0.0096")
    print()
    common.pyplot(arguments)
    common.save(found.plot(top=20), arguments, "search.png")


if __name__ == "__main__":
    main()
