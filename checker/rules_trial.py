"""What the rules are tried on: a candidate layer, private copies of it, and the runs of those copies."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from brickgrad.layers import Array, Layer, Memory

from .places import gradient_names, in_precision, objects_in
from .randomness import Dice
from .results import several
from .rules_compare import Named, difference, upstream

NOT_PARAMETERS = ("x", "y", "t", "out")  # attributes that hold what a run left behind, though dx stands beside x


class Broken(Exception):  # noqa: N818  # a verdict, no error
    """A rule does not hold; the text says what came."""


class NotTested(Exception):  # noqa: N818  # as above
    """A rule cannot be tried on this layer; the text says why."""


@dataclass
class Candidate:
    """What check_layer was given: how to make the layer, and the inputs in float64."""

    make: Callable[[], Any]
    inputs: tuple[Array, ...]
    seed: int
    origin: str  # "instance", "class" or "function"


@dataclass
class Outcome:
    """What one forward and backward were given and gave; `handed` is what backward got, `grads` are copies."""

    inputs: tuple[Array, ...]
    outputs: tuple[Any, ...]
    d_outputs: tuple[Array, ...]
    gradients: tuple[Any, ...]
    grads: dict[str, Any]
    handed: tuple[Array, ...] = ()

    def forward_only(self) -> Named:
        """The outputs with names for people."""
        alone = len(self.outputs) == 1
        return [("the output" if alone else f"output {i}", y) for i, y in enumerate(self.outputs)]

    def backward_only(self) -> Named:
        """The gradients with names for people."""
        alone = len(self.gradients) == 1
        named: Named = [("dx" if alone else f"gradient {i}", dx) for i, dx in enumerate(self.gradients)]
        return named + [(f"the gradient of {key}", grad) for key, grad in self.grads.items()]

    def results(self) -> Named:
        """Both."""
        return self.forward_only() + self.backward_only()


class Bench:
    """One rule's own copy of the layer, and what the rule is doing with it just now, for its report."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.inputs = candidate.inputs
        self.done, self.expected, self.advice = "made the layer", "no error", ""
        self.prototype = candidate.make()
        self._global = np.random.get_state()  # noqa: NPY002  # layers that draw from it are to be told apart, not missed
        self.is_layer = isinstance(self.prototype, Layer)
        self.title = str(getattr(self.prototype, "title", None) or type(self.prototype).__name__)

    def step(self, done: str, expected: str, advice: str = "") -> None:
        """Say what is done next, what should come of it, and what to do if it does not."""
        self.done, self.expected, self.advice = done, expected, advice

    def expect(self, fault: str | None) -> None:
        """The rule is broken if there is a fault."""
        if fault:
            self.fail(fault)

    def fail(self, came: str) -> NoReturn:
        """The rule is broken: this came instead of what was expected."""
        raise Broken(came)

    def trial(self, dtype: Any = np.float64, *, size: bool = True) -> Trial:
        """A fresh copy to run; the copies of one bench start with the same parameters and generators."""
        np.random.set_state(self._global)  # noqa: NPY002
        return Trial(self, np.dtype(dtype), size)

    @cached_property
    def repeatable(self) -> bool:
        """Whether two runs alike, with the generators set back between them, give the same."""
        trial = self.trial()
        return difference(trial.run().results(), trial.run().results()) is None

    def need_repeatable(self) -> None:
        """NotTested unless runs can be repeated."""
        if not self.repeatable:
            raise NotTested("it gives other numbers each time that it is called with the same inputs; see rule 7")

    def need_layer(self, what: str) -> None:
        """NotTested unless it is a bg.Layer."""
        if not self.is_layer:
            raise NotTested(f"{what}; subclass bg.Layer to have it tested")

    def others(self) -> tuple[Array, ...]:
        """Other inputs of the same shapes and from the same domain: the samples in another order."""
        rolled = tuple(np.roll(x, 1, axis=0) if x.ndim else x.copy() for x in self.inputs)
        if all(np.array_equal(x, other) for x, other in zip(self.inputs, rolled, strict=True)):
            return tuple(x * 0.75 if i in self.movable else x.copy() for i, x in enumerate(self.inputs))
        return rolled

    @property
    def movable(self) -> list[int]:
        """The inputs whose values may be changed a little: floats that are no labels."""
        names = self.prototype.input_names if self.is_layer else ()
        exempt = {names.index(name) for name in (self.prototype.integer_inputs if names else ()) if name in names}
        return [i for i, x in enumerate(self.inputs) if x.dtype.kind == "f" and i not in exempt]

    @cached_property
    def shares_batch(self) -> bool:
        """Whether the first axis of all inputs is the batch: it can be cut, and the outputs follow."""
        sizes = {x.shape[0] if x.ndim else -1 for x in self.inputs}
        if len(sizes) != 1 or max(x.ndim for x in self.inputs) < 2 or min(sizes) < 2:
            return False
        n = min(sizes)
        trial = self.trial()
        if not all(np.ndim(y) == 0 or np.shape(y)[0] == n for y in trial.forward()):
            return False
        try:
            shorter = trial.forward([x[:-1] for x in self.inputs])
        except (ValueError, IndexError, TypeError):
            return False
        return all(np.ndim(y) == 0 or np.shape(y)[0] == n - 1 for y in shorter)


class Trial:
    """A copy of the layer in one precision, run by hand.

    Each call gets copies of its arguments, the parameters and generators of the start and grads of zero, so that the
    breach of one rule does not show as a breach of another. With `raw` all is left as it stands.
    """

    def __init__(self, bench: Bench, dtype: np.dtype[Any], size: bool) -> None:
        prototype = bench.prototype
        self.is_layer = bench.is_layer
        self.dtype = dtype
        self.inputs = tuple(x.astype(dtype) if x.dtype.kind == "f" else x.copy() for x in bench.inputs)
        self.layer = prototype.replica(dtype) if self.is_layer else in_precision(copy.deepcopy(prototype), dtype)
        self.given: tuple[Array, ...] = ()
        self.handed: tuple[Array, ...] = ()
        if size and self.is_layer and not self.layer.sized:
            self.layer.forward(*self.inputs)
            self.layer.memory = Memory()
        owners = self.layer.leaves() if self.is_layer else [self.layer]
        self.dice = Dice([held for owner in owners for _, held in objects_in(owner)])
        self.start = {name: (param, param.copy()) for name, param in self.params.items()}

    @property
    def params(self) -> dict[str, Array]:
        """The parameters: `params`, a dict or list; else attributes such as W, with dW beside it or in backward."""
        held = getattr(self.layer, "params", None)
        if isinstance(held, dict | list | tuple):
            return {str(k): p for k, p in _items(held) if isinstance(p, np.ndarray) and p.dtype.kind == "f"}
        code = getattr(inspect.unwrap(type(self.layer).backward), "__code__", None)
        names = code.co_names if code is not None else ()
        return {
            name: value
            for name, value in vars(self.layer).items()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and name not in NOT_PARAMETERS
            if any(hasattr(self.layer, each) or each in names for each in gradient_names(name))
        }

    @property
    def grads(self) -> dict[str, Any]:
        """The parameters' gradients, from where the parameters are."""
        held = getattr(self.layer, "grads", None)
        if isinstance(held, dict | list | tuple) and (held or isinstance(getattr(self.layer, "params", None), dict)):
            return {str(key): grad for key, grad in _items(held)}
        found = {name: [getattr(self.layer, each, None) for each in gradient_names(name)] for name in self.params}
        return {name: grad for name, held in found.items() for grad in held if grad is not None}

    def restart(self) -> None:
        """Put the parameters back to their start."""
        for name, (param, value) in self.start.items():
            if param.flags.writeable:
                param[...] = value
            if self.params.get(name) is not param and name in vars(self.layer):
                setattr(self.layer, name, param)

    def clear_grads(self) -> None:
        """Put the gradients to 0, so that a layer that adds to them gives the right ones."""
        for grad in self.grads.values():
            if isinstance(grad, np.ndarray) and grad.flags.writeable:
                grad[...] = 0

    def forward(self, inputs: Sequence[Any] | None = None, *, raw: bool = False) -> tuple[Any, ...]:
        """Run forward; the outputs as a tuple."""
        given = self.inputs if inputs is None else tuple(inputs)
        if not raw:
            self.restart()
            self.dice.replay()
            given = tuple(np.array(x) for x in given)
        self.given = given
        return several(self.layer.forward(*(x if self.is_layer or np.ndim(x) else x[()] for x in given)))

    def backward(self, d_outputs: Sequence[Array], *, raw: bool = False) -> tuple[Any, ...]:
        """Run backward; the gradients as a tuple, one for each input."""
        if not raw:
            self.restart()
            d_outputs = [np.array(dy) for dy in d_outputs]
            self.clear_grads()
        self.handed = tuple(d_outputs)
        gradients = several(self.layer.backward(*self.handed))
        # Many a loss gives one gradient for its scores, and none for the targets.
        return (*gradients, *[None] * (len(self.given) - len(gradients)))

    def run(self, inputs: Sequence[Any] | None = None, seed: int = 0, *, raw: bool = False) -> Outcome:
        """Forward, then backward on gradients drawn from `seed`."""
        outputs = self.forward(inputs, raw=raw)
        given, d_outputs = self.given, upstream(outputs, seed)
        gradients = self.backward(d_outputs, raw=raw)
        return Outcome(given, outputs, d_outputs, gradients, self.grads_now(), self.handed)

    def back(self, d_outputs: Sequence[Array], *, raw: bool = False) -> Named:
        """Backward alone; copies of all gradients, with names for people."""
        gradients = tuple(None if dx is None else np.array(dx) for dx in self.backward(d_outputs, raw=raw))
        return Outcome((), (), (), gradients, self.grads_now()).backward_only()

    def grads_now(self) -> dict[str, Any]:
        """Copies of the parameters' gradients."""
        return {key: np.array(grad) for key, grad in self.grads.items()}


def _items(held: Any) -> Any:
    return held.items() if isinstance(held, dict) else enumerate(held)
