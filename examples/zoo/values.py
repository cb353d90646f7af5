"""Faults that only some values show: duplicate indices, zeros, masks, memory orders, precision, squares."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from . import reduction


class Embedding(bg.Layer):
    """Rows of W by index."""

    integer_inputs = ("t",)

    def __init__(self, W, fault=None):
        super().__init__()
        self.fault = fault
        self.add_param("W", W)

    def forward(self, t):
        self.saved = t
        return self.params["W"][t]

    def backward(self, dy):
        dW = np.zeros_like(self.params["W"])
        if self.fault == "duplicate indices overwrite":
            dW[self.saved] += dy  # NumPy adds once for each index, however often it stands there
        else:
            np.add.at(dW, self.saved, dy)
        if self.fault == "indices off by one":
            dW = np.roll(dW, 1, axis=0)
        self.grads["W"] = dW


class Elementwise(bg.Layer):
    """tanh, from an order of memory that is taken for granted, or in a precision that is."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = np.tanh(x)
        return self.saved.copy()

    def backward(self, dy):
        y = self.saved
        if self.fault == "order of dout's memory taken for granted":
            dy = dy.ravel(order="K").reshape(dy.shape)
        if self.fault in ("gradients in float32, cast back", "gradients returned in float32"):
            single = dy.astype(np.float32) * (1 - y.astype(np.float32) ** 2)
            return single if self.fault == "gradients returned in float32" else single.astype(y.dtype)
        return dy * (1 - y) * (1 + y)


class PlainTanh:
    """tanh with no guard to hold its gradient to float64."""

    def __init__(self, fault=None):
        self.fault = fault

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y.copy()

    def backward(self, dy):
        dx = dy * (1 - self.y**2)
        return dx if self.fault is None else dx.astype(np.float32)


class MaskedLog(bg.Layer):
    """log x where x > 0, else 0."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        on = self.branch(lambda: x > 0)
        self.saved = x, on
        return np.log(np.where(on, x, 1.0))

    def backward(self, dy):
        x, on = self.saved
        if self.fault == "NaN on a masked branch":
            with np.errstate(all="ignore"):
                return on * (dy / x)
        return np.where(on, dy, 0.0) / np.where(on, x, 1.0)


class Prod(bg.Layer):
    """The product along the last axis."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        self.saved = x
        return x.prod(axis=-1)

    def backward(self, dy):
        x = self.saved
        if self.fault is None:
            others = np.stack([np.delete(x, i, axis=-1).prod(axis=-1) for i in range(x.shape[-1])], axis=-1)
            return dy[..., None] * others
        product = x.prod(axis=-1, keepdims=True)
        if self.fault == "product at zeros, nothing sent back":
            return dy[..., None] * np.divide(product, x, out=np.zeros_like(x), where=x != 0)
        with np.errstate(all="ignore"):
            return dy[..., None] * (product / x)


class Norm(bg.Layer):
    """The Euclidean norm of each row; its gradient at a row of zeros is taken as 0."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        y = np.sqrt(np.sum(x * x, axis=-1))
        self.saved = x, y
        return y.copy()

    def backward(self, dy):
        x, y = self.saved
        safe = y if self.fault else np.where(y > 0, y, 1.0)
        with np.errstate(all="ignore"):
            return x * (dy / safe)[..., None]


class Dropout(bg.Layer):
    """Keeps each entry with probability 1 - p, enlarged by 1 / (1 - p)."""

    def __init__(self, rng, p=0.4, fault=None):
        super().__init__()
        self.rng, self.p, self.fault = np.random.default_rng(rng), p, fault

    def draw(self, shape):
        return self.rng.random(shape) >= self.p

    def forward(self, x):
        self.saved = self.branch(lambda: self.draw(x.shape))
        return x * self.saved / (1 - self.p)

    def backward(self, dy):
        mask = self.saved
        if self.fault == "dropout's mask not applied":
            mask = 1.0
        if self.fault == "dropout's mask drawn again":
            mask = self.draw(dy.shape)
        dx = dy * mask
        return dx if self.fault == "dropout's 1 / (1 - p) forgotten" else dx / (1 - self.p)


class ReLU(bg.Layer):
    """max(x, 0), clipped from above at 2."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        part = self.branch(lambda: np.where(x > 2, 2, (x > 0).astype(int)))
        self.saved = part
        return np.where(part == 1, x, part.astype(x.dtype))

    def backward(self, dy):
        part = self.saved
        if self.fault == "mask forgotten":
            return dy.copy()
        if self.fault == "mask by dout in place of x":
            return dy * (dy > 0)
        if self.fault == "only the lower bound masked":
            return dy * (part > 0)
        return dy * (part == 1)


class Affine(reduction.Affine):
    """Affine with as many inputs as outputs, so that W and its transpose fit alike."""

    def backward(self, dy):
        dx = super().backward(dy)
        if self.fault == "square weight not transposed":
            return dy @ self.params["W"]
        if self.fault == "dW transposed":
            self.grads["W"] = dy.T @ self.saved
        return dx


class Pair(bg.Layer):
    """x · y, x / y or x joined to y."""

    def __init__(self, what, fault=None):
        super().__init__()
        self.what, self.fault = what, fault

    def forward(self, x, y):
        self.saved = x, y
        if self.what == "join":
            return np.concatenate([x, y], axis=1)
        return x * y if self.what == "times" else x / y

    def backward(self, dz):
        x, y = self.saved
        if self.what == "join":
            parts = np.split(dz, 2, axis=1)
            return tuple(part.copy() for part in (parts[::-1] if self.fault else parts))
        if self.what == "times":
            return (dz * x, dz * y) if self.fault else (dz * y, dz * x)
        dy = dz * x / y**2
        return dz / y, dy if self.fault == "quotient's sign" else -dy if self.fault is None else -dz / y**2


class Delay(bg.Layer):
    """Each row moved down by one; the first is 0."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        y = np.zeros_like(x)
        y[1:] = x[:-1]
        return y

    def backward(self, dy):
        dx = np.zeros_like(dy)
        dx[:-1] = dy[:-1] if self.fault else dy[1:]
        return dx


class Transpose(bg.Layer):
    """The axes turned round in a circle: (0, 1, 2) to (1, 2, 0)."""

    def __init__(self, fault=None):
        super().__init__()
        self.fault = fault

    def forward(self, x):
        return x.transpose(1, 2, 0).copy()

    def backward(self, dy):
        return dy.transpose((1, 2, 0) if self.fault else (2, 0, 1)).copy()
