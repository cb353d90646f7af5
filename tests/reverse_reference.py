"""Reverse mode on a tape, in NumPy alone: what gradients through any wiring must be, written apart from the library."""

import numpy as np


class Tape:
    """Values in the order in which they were made, and how each hands a gradient back to those it was made of."""

    def __init__(self):
        self.values = []
        self.backs = []  # for each value: pairs of (an earlier value's number, function of the gradient)

    def new(self, value, *backs):
        self.values.append(np.asarray(value, np.float64))
        self.backs.append(backs)
        return len(self.values) - 1

    def add(self, i, j):
        return self.new(self.values[i] + self.values[j], (i, lambda g: g), (j, lambda g: g))

    def sub(self, i, j):
        return self.new(self.values[i] - self.values[j], (i, lambda g: g), (j, lambda g: -g))

    def mul(self, i, j):
        a, b = self.values[i], self.values[j]
        return self.new(a * b, (i, lambda g: g * b), (j, lambda g: g * a))

    def tanh(self, i):
        y = np.tanh(self.values[i])
        return self.new(y, (i, lambda g: g * (1 - y * y)))

    def columns(self, i):
        """The three columns of an array (2, 3), each (2, 1)."""
        x = self.values[i]

        def padded(column):
            def back(gradient):
                dx = np.zeros(x.shape)
                dx[:, column : column + 1] = gradient
                return dx

            return back

        return [self.new(x[:, column : column + 1], (i, padded(column))) for column in range(3)]

    def affine(self, i, w, b):
        x, W = self.values[i], self.values[w]
        y = np.einsum("ni,io->no", x, W) + self.values[b]
        return self.new(
            y,
            (i, lambda g: np.einsum("no,io->ni", g, W)),
            (w, lambda g: np.einsum("ni,no->io", x, g)),
            (b, lambda g: g.sum(axis=0)),
        )

    def gradients(self, d_outputs):
        """The gradient of every value, from those of some: pairs of (number, gradient)."""
        grads = [np.zeros(value.shape) for value in self.values]
        for number, gradient in d_outputs:
            grads[number] = grads[number] + gradient
        for number in reversed(range(len(self.values))):
            for earlier, back in self.backs[number]:
                handed, shape = back(grads[number]), self.values[earlier].shape
                extra = handed.ndim - len(shape)
                handed = handed.sum(axis=tuple(range(extra))) if extra else handed
                kept = tuple(axis for axis, size in enumerate(shape) if size == 1 and handed.shape[axis] != 1)
                grads[earlier] = grads[earlier] + (handed.sum(axis=kept, keepdims=True) if kept else handed)
        return grads
