"""Optimizers with a step size of its own for each entry, from the sizes of its gradients so far."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from brickgrad.layers import Array

from .optimizers import Clipping, Optimizer, Options
from .schedules import Rate


class AdaGrad(Optimizer):
    """Steps that grow shorter where gradients have been large.

        h ← h + dW²        W ← W - lr · dW / (√h + ε)

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.01.
        eps : float >= 0, default 1e-7. ε.
    Source       Duchi, Hazan & Singer (2011), the diagonal form; ε stands outside the root, as in the texts
    Example
        >>> params, adagrad = {"W": np.array([1.0, 1.0])}, AdaGrad(lr=0.1)
        >>> for _ in range(2):
        ...     adagrad.update(params, {"W": np.array([5.0, -0.5])})
        >>> params["W"].round(4)
        array([0.8293, 1.1707])
    """

    entrywise = True

    def __init__(self, lr: Rate = 0.01, eps: float = 1e-7, **options: Unpack[Options]) -> None:
        super().__init__(lr, **options)
        self._require("eps", eps, 0.0, np.inf)
        self.eps = eps

    def _move(self, name: str, param: Array, grad: Array) -> None:
        h = self.slot(name, "h", param)
        h += np.square(grad)
        param -= self.lr * grad / (np.sqrt(h) + self.eps)


class RMSprop(Optimizer):
    """AdaGrad that forgets: a running mean of the squares in place of their sum.

        h ← decay_rate · h + (1 - decay_rate) · dW²        W ← W - lr · dW / (√h + ε)

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.01.
        decay_rate : float in 0..1, 1 left out, default 0.99.
        eps : float >= 0, default 1e-7. ε.
    Source       Tieleman & Hinton (2012), lecture 6.5; ε as in the texts
    Example
        >>> params = {"W": np.array([1.0, 1.0])}
        >>> RMSprop(lr=0.01).update(params, {"W": np.array([5.0, -0.5])})
        >>> params["W"].round(4)
        array([0.9, 1.1])
    """

    entrywise = True

    def __init__(
        self, lr: Rate = 0.01, decay_rate: float = 0.99, eps: float = 1e-7, **options: Unpack[Options]
    ) -> None:
        super().__init__(lr, **options)
        self._require("decay_rate", decay_rate, 0.0, 1.0)
        self._require("eps", eps, 0.0, np.inf)
        self.decay_rate, self.eps = decay_rate, eps

    def _move(self, name: str, param: Array, grad: Array) -> None:
        h = self.slot(name, "h", param)
        h += (1 - self.decay_rate) * (np.square(grad) - h)
        param -= self.lr * grad / (np.sqrt(h) + self.eps)


class Adam(Optimizer):
    """Momentum with a step size of its own for each parameter, from running means of the gradient and of its square.

        m ← β₁ m + (1 - β₁) dW        v ← β₂ v + (1 - β₂) dW²
        W ← W - lr · √(1 - β₂ᵏ) / (1 - β₁ᵏ) · m / (√v + ε)        k the step, from 1

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.001.
        beta1, beta2 : floats in 0..1, 1 left out, default 0.9 and 0.999.
        eps : float >= 0, default 1e-8.
    Source       Kingma & Ba (2015), the efficient form at the end of section 2
    Example
        >>> params = {"W": np.array([1.0, 1.0])}
        >>> Adam(lr=0.1).update(params, {"W": np.array([5.0, -0.001])})
        >>> params["W"].round(3)
        array([0.9, 1.1])
    """

    entrywise = True

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(lr, **options)
        self._require("beta1", beta1, 0.0, 1.0)
        self._require("beta2", beta2, 0.0, 1.0)
        self._require("eps", eps, 0.0, np.inf)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def _move(self, name: str, param: Array, grad: Array) -> None:
        m, v = self.slot(name, "m", param), self.slot(name, "v", param)
        rate = self.lr * float(np.sqrt(1 - self.beta2**self.step)) / (1 - self.beta1**self.step)
        work = np.empty_like(param)  # the one new array: a block and it stay in the cache
        wide = np.result_type(grad.dtype, work.dtype)  # a square of float16 may be too large for it
        np.multiply(grad, 1 - self.beta1, out=work, dtype=wide, casting="same_kind")
        m *= self.beta1
        m += work
        np.square(grad, out=work, dtype=wide, casting="same_kind")
        work *= 1 - self.beta2
        v *= self.beta2
        v += work
        np.sqrt(v, out=work)
        work += self.eps
        np.divide(m, work, out=work)
        work *= rate
        param -= work


class AdamW(Adam):
    """Adam with decoupled decay: weights shrink by themselves, not through the gradient and its running means.

        W ← (1 - lr · λ) · W        and then Adam's step

    Parameters   and `Optimizer`'s clip_norm and clip_value
        lr, beta1, beta2, eps : as in Adam.
        weight_decay : float >= 0, default 0.01. λ. Only parameters of 2 or more axes decay: weights, not biases, nor
            the gammas and betas of a normalization.
    Source       Loshchilov & Hutter (2019), algorithm 2; λ is times lr, not times the paper's multiplier η
    Example
        >>> params = {"W": np.array([[1.0]]), "b": np.array([1.0])}
        >>> AdamW(lr=0.1, weight_decay=0.5).update(params, {"W": np.zeros((1, 1)), "b": np.zeros(1)})
        >>> print(params["W"], params["b"])
        [[0.95]] [1.]
    """

    entrywise = True

    def __init__(
        self,
        lr: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        **clipping: Unpack[Clipping],
    ) -> None:
        super().__init__(lr, beta1, beta2, eps, weight_decay=weight_decay, **clipping)
        self.weight_decay = weight_decay  # printed even where it is 0

    def _decay(self, param: Array, grad: Array) -> Array:
        param *= 1 - self.lr * self.weight_decay
        return grad
