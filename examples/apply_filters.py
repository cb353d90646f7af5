"""Filters laid over a picture: what an edge looks like to a convolution.

A filter that is dark on the left and light on the right answers where a picture is, and one turned by 90 degrees
answers to edges that lie the other way; a filter of equal numbers blurs. A convolution layer is nothing but a row of
such filters, with numbers that are learned.

You learn to read the output of a convolution, a picture again, as an answer to the filter's question.
"""

import numpy as np

import brickgrad as bg
import common

FILTERS = {
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "blur": [[1 / 9] * 3] * 3,
    "all edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}


def answers(picture):
    """Return what each filter makes of a picture, which keeps its size."""
    kernels = np.array(list(FILTERS.values()), np.float32)[:, np.newaxis]
    layer = bg.Convolution(len(kernels), 1, 3, 3, pad="same", bias=False, init=lambda rng, shape: kernels)
    return layer.forward(picture[np.newaxis, np.newaxis])[0]


def draw(plt, picture, found):
    """Draw the digit, and beside it each filter with its answer beneath."""
    figure, panels = plt.subplots(
        2, 1 + len(found), figsize=(12, 4.6), layout="constrained", height_ratios=[1, 2.4], squeeze=False
    )
    panels[1, 0].imshow(picture, cmap="gray")
    panels[1, 0].set_title("the digit")
    for (top, below), (name, kernel), answer in zip(panels.T[1:], FILTERS.items(), found, strict=True):
        for ax, shown in ((top, np.array(kernel)), (below, answer)):
            limit = np.abs(shown).max()
            ax.imshow(shown, cmap="gray", vmin=-limit, vmax=limit)
        for (row, column), weight in np.ndenumerate(np.array(kernel)):
            colour = "white" if weight < 0 else "black"
            top.text(column, row, f"{weight:.2g}", ha="center", va="center", fontsize=8, color=colour)
        top.set_title(f"filter: {name}")
        below.set_title("its answer")
    panels[0, 0].axis("off")
    for ax in panels.flat:
        ax.set(xticks=[], yticks=[])
    figure.suptitle("Filters and their answers: light is positive, grey 0, dark negative")
    return figure


def main(argv=None):
    parser = common.parser(__doc__, pictures=True, random=False)
    parser.add_argument(
        "--digit", type=common.whole(0, 59_999), default=0, metavar="N", help="of the training set (default: 0)"
    )
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist(flatten=False)
    picture = x[arguments.digit, 0]
    found = answers(picture)
    print(f"a {t[arguments.digit]}, and how strongly each filter answers to it")
    for name, answer in zip(FILTERS, found, strict=True):
        common.say(f"  {name}", f"{answer.min():.2f} to {answer.max():.2f}")
    print()
    common.save(draw(common.pyplot(arguments), picture, found), arguments, "applied_filters.png")


if __name__ == "__main__":
    main()
