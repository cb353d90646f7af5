"""Optimizers: how parameters move, given their gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brickgrad.layers import Array


class Optimizer:
    """The base of all optimizers: `update(params, grads)` moves each parameter in place.

    A subclass writes `_move(name, param, grad)`; `self.slot(name, what, param)` gives it an array of zeros, of the
    parameter's shape, that it finds again at the next step; `self.step` counts the steps from 1.
    """

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.step = 0
        self.slots: dict[tuple[str, str], Array] = {}
        self._require("lr", lr, 0.0, np.inf)

    def _require(self, what: str, value: float, low: float, high: float) -> None:
        """ValueError unless low <= value < high."""
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value < high:
            raise ValueError(
                f"{type(self).__name__}: {what} must be at least {low:g} and below {high:g}; got {value!r}."
            )

    def update(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Move all parameters one step, in place; none where one of the gradients is missing or does not fit."""
        who = f"{type(self).__name__}.update"
        for name, param in params.items():
            if name not in grads:
                raise ValueError(f"{who}: there is no gradient for {name!r}; there are: {', '.join(grads) or 'none'}.")
            if grads[name].shape != param.shape:
                raise ValueError(f"{who}: the gradient of {name!r} must be {param.shape}; got {grads[name].shape}.")
            if any(key[0] == name and slot.shape != param.shape for key, slot in self.slots.items()):
                raise ValueError(
                    f"{who}: {name!r} is {param.shape}, not as at its first step. Use one optimizer for one net."
                )
            if param.dtype.kind != "f":
                raise TypeError(f"{who}: the parameter {name!r} must hold floats; got {param.dtype}.")
        self.step += 1
        for name, param in params.items():
            self._move(name, param, grads[name])

    def _move(self, name: str, param: Array, grad: Array) -> None:
        raise TypeError(f"{type(self).__name__}: a subclass of Optimizer must define _move(name, param, grad).")

    def slot(self, name: str, what: str, param: Array) -> Array:
        """The parameter's own array called `what`: zeros at first."""
        if (name, what) not in self.slots:
            self.slots[name, what] = np.zeros_like(param)
        return self.slots[name, what]

    def __repr__(self) -> str:
        settings = {key: value for key, value in vars(self).items() if isinstance(value, float | int) and key != "step"}
        return f"{type(self).__name__}({', '.join(f'{key}={value:g}' for key, value in settings.items())})"


class SGD(Optimizer):
    """Stochastic gradient descent.

        W ← W - lr · dW

    Parameters
        lr : float >= 0, default 0.01. The learning rate.
    Source       Robbins & Monro (1951)
    Example
        >>> params = {"W": np.array([1.0, 2.0])}
        >>> SGD(lr=0.1).update(params, {"W": np.array([1.0, -1.0])})
        >>> params["W"]
        array([0.9, 2.1])
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def _move(self, name: str, param: Array, grad: Array) -> None:
        param -= self.lr * grad


class Momentum(Optimizer):
    """Gradient descent with a velocity that remembers earlier gradients.

        v ← momentum · v - lr · dW        W ← W + v

    Parameters
        lr : float >= 0, default 0.01.
        momentum : float in 0..1, 1 left out, default 0.9.
    Source       Polyak (1964)
    Example
        >>> params, momentum = {"W": np.array([1.0])}, Momentum(lr=0.1)
        >>> for _ in range(2):
        ...     momentum.update(params, {"W": np.array([1.0])})
        >>> params["W"].round(4)
        array([0.71])
    """

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self._require("momentum", momentum, 0.0, 1.0)
        self.momentum = momentum

    def _move(self, name: str, param: Array, grad: Array) -> None:
        v = self.slot(name, "v", param)
        v *= self.momentum
        v -= self.lr * grad
        param += v


class Adam(Optimizer):
    """Momentum with a step size of its own for each parameter, from running means of the gradient and of its square.

        m ← β₁ m + (1 - β₁) dW        v ← β₂ v + (1 - β₂) dW²
        W ← W - lr · √(1 - β₂ᵏ) / (1 - β₁ᵏ) · m / (√v + ε)        k the step, from 1

    Parameters
        lr : float >= 0, default 0.001.
        beta1, beta2 : floats in 0..1, 1 left out, default 0.9 and 0.999.
        eps : float >= 0, default 1e-8.
    Source       Kingma & Ba (2015), the efficient form at the end of section 2
    Example
        >>> params = {"W": np.array([1.0, 1.0])}
        >>> Adam(lr=0.1).update(params, {"W": np.array([5.0, -0.001])})
        >>> params["W"].round(3)
        array([0.9, 1.1])
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        super().__init__(lr)
        self._require("beta1", beta1, 0.0, 1.0)
        self._require("beta2", beta2, 0.0, 1.0)
        self._require("eps", eps, 0.0, np.inf)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def _move(self, name: str, param: Array, grad: Array) -> None:
        m, v = self.slot(name, "m", param), self.slot(name, "v", param)
        m += (1 - self.beta1) * (grad - m)
        v += (1 - self.beta2) * (np.square(grad) - v)
        rate = self.lr * float(np.sqrt(1 - self.beta2**self.step)) / (1 - self.beta1**self.step)
        param -= rate * m / (np.sqrt(v) + self.eps)
