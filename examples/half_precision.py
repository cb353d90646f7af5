"""Inference in half precision: float16 on every edge, and hardly a digit told differently.

A float16 has three digits and takes half the memory of a float32. A trained net is shown the test set in both, with its
parameters and every value between two layers in that precision; only inside a product are sums kept in float32, as
hardware for half precision does.

You learn how few digits a trained net needs.
"""

import numpy as np

import common


def precisions(net, x):
    """Return the dtypes of all that passes between the layers, from the images to the scores."""
    found = [x.dtype]
    for layer in net.layers:
        x = layer.forward(x)
        found.append(x.dtype)
    return ", ".join(sorted({str(dtype) for dtype in found}))


def main(argv=None):
    parser = common.parser(__doc__)
    common.add_training(parser)
    parser.add_argument(
        "--digits", type=common.whole(1), default=10_000, metavar="N", help="test digits to tell (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    net, (x, t) = common.train_convolution(arguments)
    x, t = x[: arguments.digits], t[: arguments.digits]
    answers = {}
    for name, one, images in (("float32", net, x), ("float16", net.replica(np.float16), x.astype(np.float16))):
        scores = one.predict(images, batch_size=100)
        answers[name] = scores.argmax(axis=1)
        common.say(f"{name}: on the edges", precisions(one, images[:1]))
        common.say(f"{name}: bytes of parameters", f"{one.vector.nbytes:,}")
        common.say(f"{name}: test accuracy", f"{100 * np.mean(answers[name] == t):.2f} %")
    common.say("told alike by both", f"{100 * np.mean(answers['float32'] == answers['float16']):.2f} %")
    lost = 100 * (np.mean(answers["float32"] == t) - np.mean(answers["float16"] == t))
    common.say("accuracy lost by float16", f"{lost:.2f} points", "hardly any")


if __name__ == "__main__":
    main()
