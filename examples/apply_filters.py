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


def main(argv=None):
    parser = common.parser(__doc__, pictures=True, random=False)
    parser.add_argument(
        "--digit", type=common.whole(0), default=0, metavar="N", help="of the training set (default: 0)"
    )
    arguments = parser.parse_args(argv)
    (x, t), _ = bg.load_mnist(flatten=False)
    picture = x[arguments.digit % len(x), 0]
    found = answers(picture)
    print(f"a {t[arguments.digit % len(x)]}, and how strongly each filter answers to it")
    for name, answer in zip(FILTERS, found, strict=True):
        common.say(f"  {name}", f"{answer.min():.2f} to {answer.max():.2f}")
    print()
    plt = common.pyplot(arguments)
    figure, panels = plt.subplots(1, 1 + len(found), figsize=(12, 2.9), layout="constrained")
    panels[0].imshow(picture, cmap="gray")
    panels[0].set_title("the digit")
    for ax, name, answer in zip(panels[1:], FILTERS, found, strict=True):
        limit = np.abs(answer).max()
        ax.imshow(answer, cmap="gray", vmin=-limit, vmax=limit)
        ax.set_title(name)
    for ax in panels:
        ax.axis("off")
    common.save(figure, arguments, "applied_filters.png")


if __name__ == "__main__":
    main()
