"""Replicas of a net on its parameters, each with memory of its own, set as the net is when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array, Layer, Memory

if TYPE_CHECKING:
    from .net import Net

_SETTINGS = (bool, int, float, str, type(None), np.generic)  # the types of what a replica gets anew at each step


class Replica:
    """A net like another, on the same parameters.

    Attributes
        pieces, leaves : its layers and graphs, in the same order as the other's.
        memories : what batches of each size run in, with a workspace; None: they have none, and run in a new one.
    """

    def __init__(self, net: Net) -> None:
        self.net = net.replica()
        self.pieces, self.leaves = pieces_of(self.net), self.net.graph.leaves()
        self.memories: dict[int, Memory] | None = None

    def make_room(self, sizes: set[int], workspace: bool) -> None:
        """Have a workspace, if there is to be one, for batches of these sizes and no others; let go of all else."""
        before = self.memories or {}
        self.memories = {size: before.get(size) or _memory({}) for size in sizes} if workspace else None
        self.net.graph.memory = _memory(None)

    def loss_and_gradient(self, x: Array, t: Array, weight: float) -> float:
        """The loss of a batch; `weight` times its gradient goes into the `grad_vector` of this net."""
        self.net.graph.memory = _memory(None) if self.memories is None else self.memories[len(x)]
        return float(self.net.graph.forward_and_backward(x, t, dy=weight))

    def scores(self, x: Array) -> Array:
        """The scores of a batch. Nothing is kept for a backward: a layer takes memory that is still in the cache."""
        scores: Array = self.net._scores(x)
        self.net.body.memory.saved = None
        return scores


class Replicas:
    """As many replicas of a net as are asked for, which all that is put on the net's layers reaches.

    Parameters
        net : Net, with all sizes known.
    Attributes
        made : the replicas that there are.
    """

    def __init__(self, net: Net) -> None:
        self.net, self.made = net, list[Replica]()
        self.pieces, self.leaves = pieces_of(net), net.graph.leaves()
        self._held: list[dict[str, Any]] = []  # what else the layers held, and how, when the replicas were made

    def ready(self, number: int) -> list[Replica]:
        """So many replicas, whose layers are set as the net's are; new ones where more than a setting has changed."""
        held = [_held(leaf) for leaf in self.leaves]
        if held != self._held:
            self.made, self._held = [], held
        while len(self.made) < number:
            self.made.append(Replica(self.net))
        replicas, settings = self.made[:number], [_settings(own) for own in self.pieces]
        for twin in replicas:
            for own, other, found in zip(self.pieces, twin.pieces, settings, strict=True):
                vars(other).update(found)
                for name in own.kept:
                    np.copyto(getattr(other, name), getattr(own, name))
        return replicas

    def drop(self) -> None:
        """Use none of them again: some may be running still."""
        self.made = []

    def draw_seeds(self) -> dict[int, int]:
        """A seed for this batch from each generator that the net's layers hold, by its identity."""
        held = {id(value): value for leaf in self.leaves for value in _generators(leaf).values()}
        return {key: int(generator.integers(2**63)) for key, generator in held.items()}

    def give_generators(self, twin: Replica, seeds: dict[int, int], number: int) -> None:
        """Generators for a shard of this number in place of those that the net's layers hold."""
        drawn = {key: np.random.default_rng([seed, number]) for key, seed in seeds.items()}
        for own, other in zip(self.leaves, twin.leaves, strict=True):
            for name, generator in _generators(own).items():
                vars(other)[name] = drawn[id(generator)]

    def take_kept(self, twin: Replica) -> None:
        """What a replica's layers keep from batch to batch, running statistics, for the net's own."""
        for own, other in zip(self.pieces, twin.pieces, strict=True):
            for name in own.kept:
                np.copyto(getattr(own, name), getattr(other, name))


def pieces_of(net: Net) -> list[Layer]:
    """All layers and graphs of a net."""
    return [*net.graph.parts(), *net.body.parts()]


def _memory(arrays: dict[str, Any] | None) -> Memory:
    return Memory(wanted=(False, False), arrays=arrays)


def _generators(layer: Layer) -> dict[str, np.random.Generator]:
    """What a layer draws from while it runs: of a brick with parameters nothing, its generator made those."""
    if layer.vetted and layer.params:
        return {}
    return {name: value for name, value in vars(layer).items() if isinstance(value, np.random.Generator)}


def _settings(layer: Layer) -> dict[str, Any]:
    """What is set on a layer: its mode, a dropout's ratio and so on."""
    return {name: value for name, value in vars(layer).items() if isinstance(value, _SETTINGS)}


def _held(layer: Layer) -> dict[str, Any]:
    """What else is put on a layer, such as a tuple, a function or an array, that replicas have copies of, as it is."""
    apart = {"memory", "_params", "_grads", "forward", "backward", *layer.kept}  # each replica's own, or clocks
    kinds = (*_SETTINGS, np.random.Generator)
    return {
        name: (id(value), value, _content(value))
        for name, value in vars(layer).items()
        if name not in apart and not isinstance(value, kinds)
    }


def _content(value: Any) -> Any:
    """What is to be compared to see whether an array, list or dict was changed in place; of all else the object."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.shape, value.dtype, value.tobytes()
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    if isinstance(value, dict):
        return {key: _content(item) for key, item in value.items()}
    return id(value), value  # the number first: where that is another, == never gets to the object
