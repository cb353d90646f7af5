"""What a record says about the health of a net, in plain words: each rule is a function of the looks so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .watch_look import LayerLook, Look, ParamLook

# The bars. Each was set where healthy runs of the nets of this library on MNIST stay a good way clear of it.
SHRINKS = 1e-3  # of the gradient, from the last layer with weights to the first
GROWS = 1e3
DEAD = 0.7  # of a layer's units
SATURATED = 0.5  # of a layer's values
LARGE_STEP = 0.3  # ‖ΔW‖ / ‖W‖
SMALL_STEP = 1e-4
FALLEN = 0.9  # a loss above this share of the first has not fallen
RISEN = 2.0
FEW_SAMPLES = 30  # in a smaller batch a unit may be 0 for every sample and well


class Finding(NamedTuple):
    """What a rule has found: the kind of trouble, its numbers, and what to try."""

    kind: str
    numbers: str
    advice: str

    def since(self, step: int) -> str:
        """The finding as a sentence or three.

        >>> Finding("Dead ReLUs", "all 50 units of relu1 give 0", "Try a smaller learning rate").since(3)
        'Dead ReLUs, since step 3: all 50 units of relu1 give 0. Try a smaller learning rate.'
        """
        return f"{self.kind}, since step {step}: {self.numbers}. {self.advice}."


def findings(looks: Sequence[Look]) -> list[Finding]:
    """What all the rules find at the last of the looks."""
    return [found for rule in RULES if (found := rule(looks)) is not None]


def vanishing(looks: Sequence[Look]) -> Finding | None:
    """Gradients that are smaller and smaller toward the first layers."""
    ends = _ends_of_the_gradient(looks[-1])
    if ends is None or not ends.first < SHRINKS * ends.last:
        return None
    if ends.first == 0 and dead(looks) is not None:  # which says it better
        return None
    share = f"{ends.first / ends.last:.1g} of" if ends.first > 0 else "0 against"
    return Finding(
        "Vanishing gradients",
        f"the gradient that reaches {ends.names[0]} is {share} that at {ends.names[1]} (norms {ends.first:.2g} and "
        f"{ends.last:.2g}), so the first layers hardly learn",
        "Try initial values made for the activation ('he' for ReLU, 'xavier' for sigmoid and tanh), ReLU in place of "
        "sigmoid, BatchNormalization, or fewer layers",
    )


def exploding(looks: Sequence[Look]) -> Finding | None:
    """Gradients that are larger and larger toward the first layers."""
    ends = _ends_of_the_gradient(looks[-1])
    if ends is None or not ends.first > GROWS * ends.last:
        return None
    return Finding(
        "Exploding gradients",
        f"the gradient that reaches {ends.names[0]} is {_times(ends.first, ends.last)} that at {ends.names[1]} (norms "
        f"{ends.first:.2g} and {ends.last:.2g})",
        "Try smaller initial values ('he' or 'xavier'), BatchNormalization, or an optimizer with clip_norm=1",
    )


def dead(looks: Sequence[Look]) -> Finding | None:
    """ReLUs that give 0 whatever comes in."""
    look = looks[-1]
    bad = {
        name: layer
        for name, layer in look.layers.items()
        if layer.dead >= DEAD and (layer.samples >= FEW_SAMPLES or _all_dead(name, looks))
    }
    if not bad:
        return None
    return Finding(
        "Dead ReLUs",
        _listed(bad, lambda layer: f"{round(layer.dead * layer.units)} of {layer.units} units of")
        + " give 0 for every sample of a batch: no gradient passes them, so they stay as they are",
        f"Try a smaller learning rate (it is {look.lr:g}), initial values 'he', biases that start at 0, or LeakyReLU",
    )


def _all_dead(name: str, looks: Sequence[Look]) -> bool:
    """Whether a layer gave nothing but 0 in several looks: then few samples are enough."""
    last = [look.layers[name].dead for look in looks[-3:] if name in look.layers]
    return len(last) == 3 and min(last) == 1


def saturated(looks: Sequence[Look]) -> Finding | None:
    """Sigmoids and tanhs at the flat ends of their curve. The net's last outputs may lie there: they should be sure."""
    look = looks[-1]
    bad = {name: layer for name, layer in look.layers.items() if layer.saturated > SATURATED and layer.inside}
    if not bad:
        return None
    return Finding(
        "Saturated activations",
        _listed(bad, lambda layer: f"{layer.saturated:.0%} of the values of")
        + " lie where the curve is almost flat, and little gradient passes there",
        f"Try smaller initial values ('xavier'), BatchNormalization, a smaller learning rate (it is {look.lr:g}), or "
        "ReLU",
    )


def large_steps(looks: Sequence[Look]) -> Finding | None:
    """Steps that are not small beside the weights they change."""
    weights = _weights(looks[-1])
    name = max(weights, key=lambda name: weights[name].update, default=None)
    if name is None or not weights[name].update > LARGE_STEP:
        return None
    return Finding(
        "Updates too large",
        f"one step changes {_titled(name, weights[name])} by {weights[name].update:.2g} of its norm; about 0.001 to "
        "0.01 is usual",
        f"Try a learning rate ten times smaller (it is {looks[-1].lr:g})",
    )


def small_steps(looks: Sequence[Look]) -> Finding | None:
    """Steps too small to see, while the loss stays where it began."""
    weights = _weights(looks[-1])
    name = max(weights, key=lambda name: weights[name].update, default=None)
    first, last = looks[0].loss, looks[-1].loss
    if name is None or len(looks) < 2 or not weights[name].update < SMALL_STEP or not last > FALLEN * first:
        return None
    if vanishing(looks) is not None or dead(looks) is not None:  # then they are small for a reason of its own
        return None
    return Finding(
        "Updates too small",
        f"one step changes no weights by more than {weights[name].update:.1g} of their norm "
        f"({_titled(name, weights[name])}); about 0.001 to 0.01 is usual, and the loss is {last:.3g} after {first:.3g} "
        "at the start",
        f"Try a learning rate ten times larger (it is {looks[-1].lr:g})",
    )


def rising_loss(looks: Sequence[Look]) -> Finding | None:
    """A loss that is higher than where it began."""
    first, last = looks[0].loss, looks[-1].loss
    if not last > RISEN * first > 0:
        return None
    return Finding(
        "A loss that grows",
        f"it is {last:.3g} after {first:.3g} at step {looks[0].step}",
        f"Try a smaller learning rate (it is {looks[-1].lr:g}), or an optimizer with clip_norm=1",
    )


RULES: tuple[Callable[[Sequence[Look]], Finding | None], ...] = (
    rising_loss,
    vanishing,
    exploding,
    dead,
    saturated,
    large_steps,
    small_steps,
)


class _Ends(NamedTuple):
    """The gradient at the first and at the last layer with weights."""

    names: tuple[str, str]
    first: float
    last: float


def _ends_of_the_gradient(look: Look) -> _Ends | None:
    """Of the layers' outputs; of a net that shows none, of its weights. None without two, or where the last has none.

    Outputs tell more: where values shrink on their way up as gradients do on their way down, the products of the two,
    which are the weights' gradients, are equally small in all layers.
    """
    found = {name: layer.gradient for name, layer in look.layers.items() if layer.weights}
    found = found or {_titled(name, param): param.gradient for name, param in look.params.items() if param.axes > 1}
    found = {name: gradient for name, gradient in found.items() if not math.isnan(gradient)}
    if len(found) < 2:
        return None
    names = list(found)
    first, last = found[names[0]], found[names[-1]]
    return _Ends((names[0], names[-1]), first, last) if last > 0 else None


def _weights(look: Look) -> dict[str, ParamLook]:
    """The weights whose last step is known; biases start at 0, so any step is large beside them."""
    return {
        name: param
        for name, param in look.params.items()
        if param.axes > 1 and not param.frozen and not math.isnan(param.update)
    }


def _titled(name: str, param: ParamLook) -> str:
    """A parameter, and its layer where the name does not begin with it."""
    return name if not param.layer or name.startswith(param.layer) else f"{name} ({param.layer})"


def _times(large: float, small: float) -> str:
    return f"{large / small:.2g} times" if math.isfinite(large / small) else "beyond all measure of"


def _listed(layers: dict[str, LayerLook], number: Callable[[LayerLook], str], most: int = 3) -> str:
    """The first few layers, each with its number."""
    parts = [f"{number(layer)} {name}" for name, layer in list(layers.items())[:most]]
    more = len(layers) - len(parts)
    return ", ".join(parts) + (f" and of {more} more layer{'s' * (more > 1)}" if more else "")
