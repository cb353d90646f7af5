"""Faults that hide in size: one entry in a million, a few percent everywhere, one brick in thirty."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from .engine import encoder
from .entry import plant


class Sine(bg.Layer):
    """The sine of x, and a gradient that is nearly right."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = x
        return np.sin(x)

    def backward(self, dy):
        dx = dy * np.cos(self.saved)
        last = dx.reshape(-1, dx.shape[-1])
        at = int(0.37 * dx.size)
        match self.fault:
            case "one entry in a million zeroed" | "one entry in a hundred zeroed":
                dx.flat[at] = 0.0
            case "one sign in a thousand flipped":
                dx.flat[at] *= -1
            case "ten percent too much everywhere":
                dx *= 1.1
            case "a thousandth too much everywhere":
                dx *= 1.001
            case "last column left out":
                last[:, -1] = 0.0
        return dx


class Scale(bg.Layer):
    """y = c · x, where some of c is tiny."""

    def __init__(self, c, fault=None):
        super().__init__()
        self.c, self.fault = c, fault

    def forward(self, x):
        return self.c * x

    def backward(self, dy):
        dx = self.c * dy
        return np.where(np.abs(self.c) < 1e-3, -dx, dx) if self.fault else dx


class Tanh(bg.Layer):
    """The hyperbolic tangent."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = np.tanh(x)
        return self.saved.copy()

    def backward(self, dy):
        dx = dy * (1 - self.saved**2)
        return -dx if self.fault else dx


def _sines(shape):
    """Builds a Sine on inputs whose cosines stay clear of 0, so that no error hides in a small gradient."""

    def build(fault, seed):
        return Sine(fault), (np.random.default_rng(seed).uniform(-1, 1, size=shape),)

    return build


def _scale(fault, seed):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.5, 2.0, size=(7, 5))
    c[2, 3] = c[5, 1] = 1e-6
    return Scale(c, fault), (rng.normal(size=(7, 5)),)


def chain(fault, seed, length=30, at=16):
    """Affine and Tanh in turn, `length` layers in all, with the faulty Tanh in the middle."""
    rng = np.random.default_rng(seed)
    node = x = bg.Input("x")
    for index in range(length // 2):
        affine = encoder(rng, 5, 5, f"a{index}")
        # A rotation, and small biases: the gradient neither dies nor grows on its way through thirty layers.
        affine.params["W"] = 1.2 * np.linalg.qr(rng.normal(size=(5, 5)))[0]
        affine.params["b"] *= 0.1
        node = Tanh(fault if index == at // 2 else None)(affine(node))
    return bg.Graph(x, node), (rng.normal(size=(7, 5)),)


BEFORE = " ".join(["x", *(f"a{i}.{key}" for i in range(9) for key in "Wb")])
FAULTS = plant(
    "size",
    [
        (_sines((1000, 1000)), "one entry in a million zeroed", "Sine", "x", "zeroed",
         "A loop that ends one block early; the sum over a million entries does not notice."),
        (_sines((20, 5)), "one entry in a hundred zeroed", "Sine", "x", "zeroed",
         "The same among a hundred: enough to pass a checker that projects on one random direction."),
        (_sines((100, 100)), "ten percent too much everywhere", "Sine", "x", "factor",
         "A checker whose tolerance grows with the number of entries lets it pass."),
        (_sines((100, 100)), "a thousandth too much everywhere", "Sine", "x", "factor",
         "A constant with too few digits."),
        (_sines((40, 25)), "one sign in a thousand flipped", "Sine", "x", "sign, zeroed",
         "One wrong entry among a thousand right ones."),
        (_sines((100, 101)), "last column left out", "Sine", "x", "zeroed, border",
         "Work is done in blocks of columns, and the odd one at the end is nobody's."),
        (_scale, "sign of tiny gradients flipped", "Scale", "x", "sign",
         "Entries of 1e-6 beside entries of 1: below every absolute tolerance."),
        (chain, "one sign in a chain of thirty", "Tanh", BEFORE, "sign",
         "All before it learns backwards, and nothing points at the culprit."),
    ],
)  # fmt: skip
