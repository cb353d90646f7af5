"""Optimizers: how parameters move, given their gradients. Here those with one rate for all entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from brickgrad.layers import Array
from brickgrad.layers.scalars import is_number

from .clipping import limit_norm, limit_values
from .schedules import Rate
from .settings import described, require, require_above
from .slots import SideBySide, Slots, in_parts, stretches

BLOCK = 131_072  # entries moved at a time: few enough for all arrays of a step to stay in a processor's larger cache


class Clipping(TypedDict, total=False):
    """How every optimizer can cut gradients down: see `Optimizer`."""

    clip_norm: float | None
    clip_value: float | None


class Options(Clipping, total=False):
    """What every optimizer takes by keyword: see `Optimizer`."""

    weight_decay: float


class Optimizer:
    """The base of all optimizers: `update(params, grads)` moves each parameter in place.

    A subclass writes `_move(name, param, grad)`; `self.slot(name, what, param)` gives it an array of zeros, of the
    parameter's shape, that it finds again at the next step; `self.step` counts the steps from 1. One in which every
    entry moves by itself, and alike in all parameters, may say `entrywise = True`, beside its `_move` or `_decay`:
    then it gets flat blocks, of one long parameter or of all that a net has laid side by side (and no name), which is
    faster.

    Parameters   every optimizer has these; all but lr by keyword
        lr : float >= 0, or a function of the step, such as a `Schedule`. The learning rate. `optimizer.lr` is always
            the number in use; a number or schedule that is assigned to it takes its place.
        clip_value : float > 0, default None. Each entry of the gradients is brought into -clip_value..clip_value.
        clip_norm : float > 0, default None. Where the norm of all gradients together is larger, they are scaled to it.
        weight_decay : float >= 0, default 0. λ: what is clipped is the loss's gradient; λ · W is added to it after
            that, the slope of a penalty ½ λ Σ W². Only parameters of 2 or more axes decay, so biases do not.
    Errors       ValueError: a setting out of its range, gradients that do not fit. TypeError: parameters of no floats
    Example
        >>> params = {"W": np.array([[1.0]]), "b": np.array([1.0])}
        >>> SGD(lr=0.1, clip_norm=5.0, weight_decay=1.0).update(params, {"W": np.array([[6.0]]), "b": np.array([8.0])})
        >>> print(params["W"].round(4), params["b"].round(4))
        [[0.6]] [0.6]
    """

    weight_decay = 0.0
    entrywise = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if {"_move", "_decay"} & vars(cls).keys() and "entrywise" not in vars(cls):
            cls.entrywise = False  # what holds for the base's need not hold for this one's

    def __init__(
        self,
        lr: Rate,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        self.step = 0
        self.slots: Slots = {}
        self._whole: SideBySide | None = None  # the arrays of the parameters of which a block is being moved
        self._block = slice(0)  # that block
        self.lr = lr
        self._require("weight_decay", weight_decay, 0.0, np.inf)
        for what, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if limit is not None:
                require_above(self, what, limit, 0.0, np.inf)
        self.clip_norm, self.clip_value = clip_norm, clip_value
        if weight_decay:  # what is 0 is not printed
            self.weight_decay = weight_decay

    @property
    def lr(self) -> float:
        """The learning rate in use: that of the last step, or before any that of the first."""
        return self._lr

    @lr.setter
    def lr(self, lr: Rate) -> None:
        self._lr = self._rate(lr, self.step + 1)
        self.schedule = lr if callable(lr) else None

    def _rate(self, lr: Rate, step: int) -> float:
        """The number that lr is at a step; ValueError where that is no learning rate."""
        rate = lr(step) if callable(lr) else lr
        self._require(f"lr at step {step}" if callable(lr) else "lr", rate, 0.0, np.inf)
        return float(rate)

    def _require(self, what: str, value: float, low: float, high: float) -> None:
        """ValueError unless low <= value < high."""
        require(self, what, value, low, high)

    def update(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Move all parameters one step, in place; none where one of the gradients is missing or does not fit."""
        self._check(params, grads)
        if self.schedule is not None:
            self._lr = self._rate(self.schedule, self.step + 1)
        self.step += 1
        vector, slope = getattr(params, "vector", None), getattr(grads, "vector", None)
        if self.entrywise and vector is not None and slope is not None and list(params) == list(grads):
            if self.clip_value is not None:
                slope = limit_values({"": slope}, self.clip_value)[""]
            if self.clip_norm is not None:
                slope = limit_norm({"": slope}, self.clip_norm, in_parts(slope, params))[""]
            self._move_in_blocks("", params, vector, slope)
            return
        if self.clip_value is not None:
            grads = limit_values({name: grads[name] for name in params}, self.clip_value)
        if self.clip_norm is not None:
            grads = limit_norm({name: grads[name] for name in params}, self.clip_norm)
        for name, param in params.items():
            grad = grads[name]
            if self.entrywise and param.size > BLOCK and param.flags.c_contiguous and grad.flags.c_contiguous:
                self._move_in_blocks(name, {name: param}, param.reshape(-1), grad.reshape(-1))
            else:
                decays = bool(self.weight_decay) and param.ndim >= 2
                self._move(name, param, self._decay(param, grad) if decays else grad)

    def _move_in_blocks(self, name: str, params: Mapping[str, Array], vector: Array, slope: Array) -> None:
        """Move `params`, whose entries the vector holds one behind the other, block by block."""
        self._whole = SideBySide(self.slots, params)
        weights = stretches(params) if self.weight_decay else []
        try:
            for start in range(0, vector.size, BLOCK):
                self._block = slice(start, start + BLOCK)
                part, grad = vector[self._block], slope[self._block]
                self._move(name, part, self._decayed(part, grad, start, weights) if weights else grad)
        finally:
            self._whole = None

    def _decayed(self, part: Array, slope: Array, start: int, weights: Sequence[tuple[int, int]]) -> Array:
        """`_decay` of those entries of a block, which begins at `start`, that lie in one of the stretches `weights`."""
        found = slope
        for low, high in weights:
            here = slice(max(low - start, 0), min(high - start, part.size))
            if here.start >= here.stop:
                continue
            decayed = self._decay(part[here], own := slope[here])
            if len(own) == len(slope):
                return decayed
            if decayed is not own:
                found = slope.copy() if found is slope else found
                found[here] = decayed
        return found

    def _check(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """An error unless each parameter can move along its gradient."""
        who = f"{type(self).__name__}.update"
        for name, param in params.items():
            grad = grads.get(name)
            if grad is None:
                raise ValueError(f"{who}: there is no gradient for {name!r}; there are: {', '.join(grads) or 'none'}.")
            if grad.shape != param.shape:
                raise ValueError(f"{who}: the gradient of {name!r} must be {param.shape}; got {grad.shape}.")
            if param.dtype.kind != "f":
                raise TypeError(f"{who}: the parameter {name!r} must hold floats; got {param.dtype}.")
        for (name, _), slot in self.slots.items():
            if name in params and slot.shape != params[name].shape:
                raise ValueError(
                    f"{who}: {name!r} is {params[name].shape}, not as at its first step. Use one optimizer for one net."
                )

    def _decay(self, param: Array, grad: Array) -> Array:
        """The gradient with the penalty's, in a new array: grads are the caller's."""
        return grad + self.weight_decay * param

    def _move(self, name: str, param: Array, grad: Array) -> None:
        raise TypeError(f"{type(self).__name__}: a subclass of Optimizer must define _move(name, param, grad).")

    def slot(self, name: str, what: str, param: Array) -> Array:
        """The parameter's own array called `what`: zeros at first. Of a block, its block."""
        if self._whole is not None:
            return self._whole.vector(what)[self._block]
        slot = self.slots.get((name, what))
        if slot is None:
            slot = self.slots[name, what] = np.zeros(param.shape, param.dtype)
        return slot

    def __repr__(self) -> str:
        numbers = {key: value for key, value in vars(self).items() if is_number(value) and not key.startswith("_")}
        options = {key: numbers.pop(key) for key in Options.__annotations__ if key in numbers}
        del numbers["step"]
        return described(self, {"lr": self.lr if self.schedule is None else self.schedule, **numbers, **options})


class SGD(Optimizer):
    """Stochastic gradient descent.

        W ← W - lr · dW

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.01. The learning rate.
    Source       Robbins & Monro (1951)
    Example
        >>> params = {"W": np.array([1.0, 2.0])}
        >>> SGD(lr=0.1).update(params, {"W": np.array([1.0, -1.0])})
        >>> params["W"]
        array([0.9, 2.1])
    """

    entrywise = True

    def __init__(self, lr: Rate = 0.01, **options: Unpack[Options]) -> None:
        super().__init__(lr, **options)

    def _move(self, name: str, param: Array, grad: Array) -> None:
        param -= self.lr * grad


class Momentum(Optimizer):
    """Gradient descent with a velocity that remembers earlier gradients.

        v ← momentum · v - lr · dW        W ← W + v

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.01.
        momentum : float in 0..1, 1 left out, default 0.9.
    Source       Polyak (1964)
    Example
        >>> params, momentum = {"W": np.array([1.0])}, Momentum(lr=0.1)
        >>> for _ in range(2):
        ...     momentum.update(params, {"W": np.array([1.0])})
        >>> params["W"].round(4)
        array([0.71])
    """

    entrywise = True

    def __init__(self, lr: Rate = 0.01, momentum: float = 0.9, **options: Unpack[Options]) -> None:
        super().__init__(lr, **options)
        self._require("momentum", momentum, 0.0, 1.0)
        self.momentum = momentum

    def _move(self, name: str, param: Array, grad: Array) -> None:
        v = self.slot(name, "v", param)
        v *= self.momentum
        v -= self.lr * grad
        param += v


class Nesterov(Momentum):
    """Momentum that takes the gradient where the velocity is about to lead.

        W ← W + momentum² · v - (1 + momentum) · lr · dW        v ← momentum · v - lr · dW

    W is the point ahead, at which the gradient is taken, not the one that the velocity has reached; so a net's
    parameters serve as they are. With the new v the step reads W ← W + momentum · v - lr · dW.

    Parameters   and `Optimizer`'s
        lr : float >= 0 or schedule, default 0.01.
        momentum : float in 0..1, 1 left out, default 0.9.
    Source       Nesterov (1983), Sutskever et al. (2013); in this form Bengio, Boulanger-Lewandowski & Pascanu (2013)
    Example
        >>> params, nesterov = {"W": np.array([1.0])}, Nesterov(lr=0.1)
        >>> for _ in range(2):
        ...     nesterov.update(params, {"W": np.array([1.0])})
        >>> params["W"].round(4)
        array([0.539])
    """

    entrywise = True

    def _move(self, name: str, param: Array, grad: Array) -> None:
        v = self.slot(name, "v", param)
        step = self.lr * grad
        v *= self.momentum
        v -= step
        param += self.momentum * v
        param -= step
