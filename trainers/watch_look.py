"""Look: what stands in a net right after one step, in a few numbers for each layer and each parameter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import Array, Layer, ReLU, Sigmoid, Tanh

MOST_COUNTED = 200_000  # entries in a histogram; of larger outputs the batch's first samples are counted

# An output is called saturated where the activation's slope is below a twentieth of its steepest.
_SLOPES: dict[type[Layer], Callable[[Array], Array]] = {
    Sigmoid: lambda y: 4 * y * (1 - y),
    Tanh: lambda y: 1 - y * y,
}
_FLAT = 0.05


class Histogram(NamedTuple):
    """How many values lie in each of the equal bins between `low` and `high`; those not finite are left out."""

    counts: Array
    low: float
    high: float

    @property
    def edges(self) -> Array:
        """The bins' borders, one more than there are bins."""
        return np.linspace(self.low, self.high, len(self.counts) + 1)


@dataclass(frozen=True)
class LayerLook:
    """One layer's outputs in one batch, and the gradient that came back to them.

    Attributes
        kind : str, the layer's class.
        weights : bool, whether it has parameters of two and more axes, not only biases, gammas and betas.
        inside : bool, whether a layer with weights follows.
        samples, units : int. A unit is a column of (N, n), a channel of (N, C, H, W).
        mean, deviation, zeros : float. Of all values: mean, standard deviation, share that is exactly 0.
        dead : float, of a ReLU: the share of units that are 0 for every sample of the batch; else nan.
        saturated : float, of Sigmoid and Tanh: the share of values where the slope is below a twentieth of the
            steepest; else nan.
        gradient : float, the norm of the loss's gradient by all these values; nan where none was needed.
        histogram : Histogram of the values that are not 0.
    """

    kind: str
    weights: bool
    inside: bool
    samples: int
    units: int
    mean: float
    deviation: float
    zeros: float
    dead: float
    saturated: float
    gradient: float
    histogram: Histogram


@dataclass(frozen=True)
class ParamLook:
    """One parameter after a step.

    Attributes
        axes : int. 2 and more for weights, 1 for biases, gammas and betas.
        layer : str, the name of the layer that holds it; empty where that is not known.
        norm, gradient : float. ‖W‖ and ‖dW‖, the gradient before clipping and decay.
        update : float, ‖ΔW‖ / ‖W‖ of the step, W from before it; nan where that is not known or 0.
        histogram : Histogram of the entries.
        frozen : bool, whether the trainer leaves it alone, as its layer is not trainable.
    """

    axes: int
    layer: str
    norm: float
    gradient: float
    update: float
    histogram: Histogram
    frozen: bool = False


@dataclass(frozen=True)
class Look:
    """What one look has found.

    Attributes
        step : int, the step it was made after; the run's first is 1.
        loss : float, the mean over the steps since the look before.
        lr : float, the optimizer's; nan where it has none.
        layers, params : dict by name, in the order in which the layers run.
    """

    step: int
    loss: float
    lr: float
    layers: dict[str, LayerLook]
    params: dict[str, ParamLook]


def look_at_layers(graph: Graph, bins: int) -> dict[str, LayerLook]:
    """Each layer's outputs and gradients in the graph's last run, if it kept them; of no run, nothing."""
    if graph.memory.saved is None or graph.memory.saved.values is None:
        return {}
    edges = [(name, layer, y, dy) for name, layer, y, dy in _edges(graph) if np.ndim(y) and np.size(y)]
    last = max((at for at, (_, layer, _, _) in enumerate(edges) if _has_weights(layer)), default=-1)
    uses: Counter[str] = Counter()
    looks = {}
    for at, (name, layer, y, dy) in enumerate(edges):
        uses[name] += 1
        title = name if uses[name] == 1 else f"{name} (use {uses[name]})"
        looks[title] = _look_at(layer, y, dy, at < last, bins)
    return looks


def look_at_params(
    net: Any, owners: Mapping[int, str], before: Mapping[str, Array] | None, bins: int
) -> dict[str, ParamLook]:
    """Each parameter's size, gradient and last step; `before` are copies from before the step."""
    params, grads, trained = net.params, net.grads, getattr(net, "trained", net.params)
    looks = {}
    for name, param in params.items():
        old = None if before is None else before.get(name)
        moved = math.nan if old is None else norm(param - old)
        size = math.nan if old is None else norm(old)
        looks[name] = ParamLook(
            axes=param.ndim,
            layer=owners.get(param.ctypes.data, ""),
            norm=norm(param),
            gradient=norm(grads[name]) if name in grads else math.nan,
            update=moved / size if size > 0 else math.nan,
            histogram=histogram(param, bins),
            frozen=name not in trained,
        )
    return looks


def owners(graph: Graph) -> dict[int, str]:
    """Which layer holds the parameter at an address: nets give parameters names of their own."""
    return {param.ctypes.data: name for name, leaf in graph.named_leaves() for param in leaf.params.values()}


def norm(array: Array) -> float:
    """√Σa². Where the squares leave float32's range, taken again in float64."""
    flat = np.ravel(array)
    square = float(np.dot(flat, flat))
    if (square < 1e-30 or math.isinf(square)) and flat.dtype.itemsize < 8:
        wide = flat.astype(np.float64)
        square = float(np.dot(wide, wide))
    return math.sqrt(square) if square >= 0 else math.nan


def histogram(array: Array, bins: int) -> Histogram:
    """Counts in `bins` equal bins from the smallest value to the largest.

    >>> histogram(np.array([0.0, 0.1, 1.0]), 2)
    Histogram(counts=array([2, 1]), low=0.0, high=1.0)
    """
    flat = np.ravel(array)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        flat = flat[np.isfinite(flat)]
        low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    # np.histogram is several times slower, for the sake of exact borders, which a picture does not need. Halves and
    # products before differences, so that the largest floats do not overflow.
    half = high / 2 - low / 2
    scale = flat.dtype.type(bins / half / 2 if half > 1e-30 else 0)
    places = (flat * scale - flat.dtype.type(low) * scale).astype(np.intp)
    counts = np.bincount(np.minimum(places, bins - 1, out=places), minlength=bins)
    return Histogram(counts, low, high)


def _look_at(layer: Layer, y: Array, dy: Array | None, inside: bool, bins: int) -> LayerLook:
    fires = y != 0
    units = 1 if y.ndim == 1 else y.shape[1] if y.ndim == 4 else y.shape[-1]
    dead = saturated = math.nan
    if isinstance(layer, ReLU) and y.ndim > 1:
        axis = 1 if y.ndim == 4 else y.ndim - 1
        dead = float(1 - fires.any(axis=tuple(i for i in range(y.ndim) if i != axis)).mean())
    for kind, slope in _SLOPES.items():
        if isinstance(layer, kind):
            saturated = float(np.mean(slope(y) < _FLAT))
    first = max(1, MOST_COUNTED // max(1, y.size // len(y)))
    return LayerLook(
        kind=type(layer).__name__,
        weights=_has_weights(layer),
        inside=inside,
        samples=len(y),
        units=units,
        mean=float(y.mean()),
        deviation=float(y.std()),
        zeros=1 - np.count_nonzero(fires) / y.size,
        dead=dead,
        saturated=saturated,
        gradient=math.nan if dy is None else norm(dy),
        histogram=histogram(y[:first][fires[:first]], bins),
    )


def _has_weights(layer: Layer) -> bool:
    return any(param.ndim > 1 for param in layer.params.values())


def _edges(graph: Graph, before: str = "") -> Iterator[tuple[str, Layer, Any, Any]]:
    """Name, layer, value and gradient of every output of every layer in a run that kept them; graphs inside opened."""
    run = graph.saved
    for step, memory in zip(graph.wiring.steps, run.memories, strict=True):
        name = before + step.name
        if isinstance(step.layer, Graph):
            own, step.layer.memory = step.layer.memory, memory
            try:
                yield from _edges(step.layer, f"{name}.")
            finally:
                step.layer.memory = own
            continue
        for at, slot in enumerate(step.writes):
            title = name if len(step.writes) == 1 else f"{name}[{at}]"
            yield title, step.layer, run.values[slot], None if run.grads is None else run.grads[slot]
