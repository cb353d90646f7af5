"""The filters of a convolution net, before it has learned anything and after.

SimpleConvNet has 30 filters of 5 × 5 pixels in its first layer. Drawn at random they are noise; trained on digits many
of them become edges and blobs: light on one side, dark on the other, in this direction or that.

You learn what the first layer of a convolution net looks for, and that nobody told it to.
"""

import numpy as np

import brickgrad as bg
import common


def draw(plt, filters, title):
    """Draw filters side by side, each on a scale of its own."""
    figure, panels = plt.subplots(3, 10, figsize=(10, 3.6), layout="constrained")
    for ax in panels.flat:
        ax.axis("off")
    for ax, kernel in zip(panels.flat, filters, strict=False):
        ax.imshow(kernel[0], cmap="gray")
    figure.suptitle(f"{title}: each filter's largest weight white, its smallest black")
    return figure


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    common.add_training(parser)
    arguments = parser.parse_args(argv)
    net = bg.SimpleConvNet(rng=arguments.seed)
    before = net.params["W1"].copy()
    net, (x, t) = common.train_convolution(arguments, net)
    after = net.params["W1"]
    common.say("test accuracy, on 1,000 digits", f"{100 * net.accuracy(x[:1000], t[:1000]):.1f} %")
    common.say("size of a filter before", f"{np.linalg.norm(before) / len(before) ** 0.5:.3f}")
    common.say("size of a filter after", f"{np.linalg.norm(after) / len(after) ** 0.5:.3f}")
    print()
    plt = common.pyplot(arguments)
    common.save(draw(plt, before, "Filters before training"), arguments, "filters_before.png")
    common.save(draw(plt, after, "Filters after training"), arguments, "filters_after.png")


if __name__ == "__main__":
    main()
