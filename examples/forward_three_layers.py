"""The forward pass of a net of three layers, 2-3-2-2, with plain functions and with bricks.

Each layer multiplies by a matrix, adds a bias and puts the result through an activation: sigmoid twice, identity last.
The bricks Affine, Sigmoid and Identity do the same, so they give the same numbers. Then softmax, which turns the scores
of a classifier into probabilities, also where exp alone would overflow.

You learn how shapes fit together in a net, and what the last layer is for.
"""

import numpy as np

import brickgrad as bg
import common

X = np.array([1.0, 0.5])
WEIGHTS = [
    np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]),
    np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]),
    np.array([[0.1, 0.3], [0.2, 0.4]]),
]
BIASES = [np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2]), np.array([0.1, 0.2])]


def with_functions():
    """Return z1, z2 and y, from NumPy and the plain functions."""
    z1 = bg.sigmoid(X @ WEIGHTS[0] + BIASES[0])
    z2 = bg.sigmoid(z1 @ WEIGHTS[1] + BIASES[1])
    y = bg.identity_function(z2 @ WEIGHTS[2] + BIASES[2])
    return z1, z2, y


def with_bricks():
    """Return the same from layers."""
    outputs = []
    value = X
    for W, b, activation in zip(WEIGHTS, BIASES, (bg.Sigmoid(), bg.Sigmoid(), bg.Identity()), strict=True):
        affine = bg.Affine(*W.shape, dtype=np.float64)
        affine.params["W"], affine.params["b"] = W, b
        value = activation.forward(affine.forward(value))
        outputs.append(value)
    return outputs


def main(argv=None):
    common.parser(__doc__, random=False).parse_args(argv)
    outputs = with_functions()
    texts = ("[0.57444252 0.66818777 0.75026011]", "[0.62624937 0.7710107 ]", "[0.31682708 0.69627909]")
    for name, ours, theirs in zip(("z1, sigmoid", "z2, sigmoid", "y, identity"), outputs, texts, strict=True):
        print(f"{name:<12} {ours!s:<36} texts: {theirs}")
    same = all(np.array_equal(ours, brick) for ours, brick in zip(outputs, with_bricks(), strict=True))
    print(f"The bricks give {'the same, to the last bit' if same else 'SOMETHING ELSE'}.\n")

    scores = np.array([0.3, 2.9, 4.0])
    y = bg.softmax(scores)
    print(f"softmax({scores}) = {y}, which sums to {y.sum():g}")
    print(f"The largest score keeps the largest probability: entry {np.argmax(scores)} and entry {np.argmax(y)}.")
    with np.errstate(over="ignore"):
        print(
            f"exp(1010) is {np.exp(1010.0)}, but softmax first takes the largest score off all of them, which changes"
        )
    print(f"nothing: softmax([1010. 1000. 990.]) = {bg.softmax(np.array([1010.0, 1000.0, 990.0]))}")


if __name__ == "__main__":
    main()
