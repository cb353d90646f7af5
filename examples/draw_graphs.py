"""Computation graphs drawn with their values and gradients, and pages that step through them in a browser.

Six graphs are run forward and backward and drawn: buying apples, buying apples and oranges, (x + y)², a residual block,
a graph inside a graph, and a two-layer net on real digits. Values stand in blue above the edges, or left of them;
gradients in orange below, or right of them. Where an edge goes on to several bricks its gradient is the sum of theirs.

You learn to read backpropagation off a picture: at every brick, the gradient that comes in from behind becomes one for
each edge in front of it.
"""

import numpy as np

import brickgrad as bg
import common


def apples():
    """Two apples at 100 with 10 % tax."""
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    return bg.Graph([apple, count, tax], apple * count * tax), (100.0, 2.0, 1.1), 1.0


def fruit():
    """Two apples at 100 and three oranges at 150, with 10 % tax."""
    apple, n_apples, orange, n_oranges, tax = map(bg.Input, ("apple", "apples", "orange", "oranges", "tax"))
    total = (apple * n_apples + orange * n_oranges) * tax
    return bg.Graph([apple, n_apples, orange, n_oranges, tax], total), (100.0, 2.0, 150.0, 3.0, 1.1), 1.0


def square():
    """(x + y)² at x = 2, y = 3."""
    x, y = bg.Input("x"), bg.Input("y")
    return bg.Graph([x, y], (x + y) ** 2), (2.0, 3.0), 1.0


def residual(rng):
    """A block of a residual net: what comes in is added to what two layers make of it."""
    x = bg.Input("x", (6,))
    h = bg.ReLU()(bg.Affine(6, 6, rng=rng)(x))
    y = bg.ReLU()(bg.Affine(6, 6, rng=rng)(h) + x)
    return bg.Graph(x, y), (rng.normal(size=(4, 6)),), np.ones((4, 6))


def nested(rng):
    """A graph with a graph in it, the encoder."""
    u, x = bg.Input("u", (6,)), bg.Input("x", (6,))
    encoder = bg.Graph(u, bg.Tanh()(bg.Affine(6, 3, rng=rng)(u)), name="encoder")
    y = bg.Affine(3, 6, name="decoder", rng=rng)(encoder(x))
    return bg.Graph(x, y), (rng.normal(size=(4, 6)),), np.ones((4, 6))


def main(argv=None):
    parser = common.parser(__doc__)
    parser.add_argument(
        "--out",
        type=common.folder_to_be,
        default="pictures",
        metavar="FOLDER",
        help="for the files (default: pictures)",
    )
    arguments = parser.parse_args(argv)
    rng = np.random.default_rng(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    named = {"apples": apples(), "fruit": fruit(), "square": square(), "residual": residual(rng), "nested": nested(rng)}
    for name, (graph, inputs, gradient) in named.items():
        value, grads = graph.forward(*inputs), graph.backward(gradient)
        if np.ndim(value) == 0:
            grads = grads if isinstance(grads, tuple) else (grads,)
            common.say(f"{name}: value", f"{value:.10g}")
            common.say(f"{name}: gradients", ", ".join(f"{grad:.10g}" for grad in grads))
        for kind in ("svg", "html"):
            graph.draw(arguments.out / f"{name}.{kind}")
            print(f"saved {arguments.out / f'{name}.{kind}'}")
    (x, t), _ = bg.load_mnist()
    net = bg.TwoLayerNet(784, 50, 10, rng=arguments.seed)
    for kind in ("svg", "html"):
        net.draw(arguments.out / f"two_layer_net.{kind}", x[:20], t[:20])
        print(f"saved {arguments.out / f'two_layer_net.{kind}'}")


if __name__ == "__main__":
    main()
