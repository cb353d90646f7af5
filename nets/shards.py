"""A batch cut into shards, each run forward and backward on a replica of the net, several at once.

How a batch is cut depends on its size alone, not on the number of threads, and the shards' gradients are added in their
order: so the results do not depend on the number of threads either. A layer that looks across the batch, as batch
normalization does, makes its sums over all shards: they wait for each other there, and it sees the whole batch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.graph.run import Run
from brickgrad.layers import Array, Layer, Memory

from .threads import AllReduce, InOrder, Share, get_num_threads, run_all, share_out

if TYPE_CHECKING:
    from .net import Net

SHARD_SIZE = 25  # samples: few enough for a layer's arrays to stay near the processor, enough for its matrix products
MOST_SHARDS = 64  # of a batch, each with arrays of its own; of larger batches the shards are larger
_SETTINGS = (bool, int, float, str, type(None), np.generic)  # the types of what a replica gets anew at each step


def why_whole(graph: Graph) -> str | None:
    """Why a graph's batches cannot be cut, naming what stands in the way; None where they can."""
    for part in graph.parts():
        if isinstance(part, Graph):
            if any(np.size(value) > 1 for value in part.wiring.constants.values()):
                return f"{part.title} holds an array as a constant, which may be made for a whole batch"
        elif part.sums_over_shards:
            continue
        elif not part.sample_wise:
            return f"{part.title} may look across the batch (its sample_wise is False)"
        elif part.kept:
            return f"{part.title} keeps {part.kept[0]} from batch to batch"
    return None


class Replica:
    """A net like another, on the same parameters, with its layers and graphs in the same order.

    Attributes
        memories : what shards of each size run in, with a workspace; None: they have none, and run in a new one.
    """

    def __init__(self, net: Net) -> None:
        self.net = net.replica()
        self.parts, self.leaves = _parts(self.net), self.net.graph.leaves()
        self.memories: dict[int, Memory] | None = None

    def make_room(self, sizes: set[int], workspace: bool) -> None:
        """Have a workspace, if there is to be one, for shards of these sizes and no others."""
        before = self.memories or {}
        self.memories = {size: before.get(size) or _memory({}) for size in sizes} if workspace else None

    def loss_and_gradient(self, x: Array, t: Array, weight: float) -> float:
        """The loss of a shard; `weight` times its gradient goes into the `grad_vector` of this net."""
        self.net.graph.memory = _memory(None) if self.memories is None else self.memories[len(x)]
        return float(self.net.graph.forward_and_backward(x, t, weight=weight))


def _memory(arrays: dict[str, Any] | None) -> Memory:
    return Memory(wanted=(False, False), arrays=arrays)


@dataclass(frozen=True)
class Batch:
    """A batch as its shards see it: which samples each has, its share in the loss, and a seed from each generator."""

    x: Array
    t: Array
    parts: list[slice]
    weights: list[float]
    seeds: dict[int, int]


class Shards:
    """Replicas of a net on its parameters, which run the shards of a batch.

    Each thread has one, and takes one shard after another in the same memory. But each shard has its own where all that
    they leave is needed when all have run: where they wait for each other's sums, or somebody looks at all values. So
    too where a user's layer might carry something from one shard into the next.

    Parameters
        net : Net, with all sizes known.
        size : int >= 1, the samples in a shard, at most.
    """

    def __init__(self, net: Net, size: int) -> None:
        self.net, self.size = net, size
        self.replicas: list[Replica] = []
        self.held: list[dict[str, Any]] = []  # what else the net's layers held, and how, when the replicas were made
        self.parts, self.leaves = _parts(net), net.graph.leaves()
        self.meet = any(leaf.sums_over_shards for leaf in self.leaves)
        self.ours = all(leaf.vetted for leaf in self.leaves)
        self.sums = np.empty_like(net.grad_vector)

    def loss_and_gradient(self, x: Array, t: Array) -> float:
        """The loss of the batch, a mean over its samples; its gradient goes into the net's `grad_vector`."""
        parts = self._cut(len(x), MOST_SHARDS)
        replicas = self.ready(parts, self._train_in_turns())
        weights = [(part.stop - part.start) / len(x) for part in parts]
        batch = Batch(x, t, parts, weights, self._draw_seeds())
        try:
            losses = (self._in_turns if self._train_in_turns() else self._each_apart)(batch, replicas)
        except BaseException:  # after an error or Ctrl-C some may still be running: their replicas are not used again
            self.replicas = []
            raise
        return float(sum(weight * loss for weight, loss in zip(weights, losses, strict=True)))

    def predict(self, x: Array) -> Array:
        """The scores of the batch."""
        parts = self._cut(len(x))
        replicas = self.ready(parts, self.ours)
        scores: list[Array] = []
        try:
            if self.ours:
                scores = share_out(len(parts), [functools.partial(_scores, twin.net, x, parts) for twin in replicas])
            for first in range(0, len(parts) - len(scores), len(replicas)):  # as many at a time as there are replicas
                some = zip(replicas, range(first, len(parts)), strict=False)
                scores += run_all([functools.partial(_scores, twin.net, x, parts, number) for twin, number in some])
        except BaseException:
            self.replicas = []
            raise
        return np.concatenate(scores)

    def ready_for(self, n_samples: int) -> list[Replica]:
        """The replicas that training on a batch of so many samples runs on."""
        return self.ready(self._cut(n_samples, MOST_SHARDS), self._train_in_turns())

    def _train_in_turns(self) -> bool:
        """Whether a replica trains on one shard after another."""
        return self.ours and not self.meet and not self.net.graph.keep

    def _in_turns(self, batch: Batch, replicas: Sequence[Replica]) -> list[float]:
        """Each replica takes one shard after another, and adds its gradient to those of the shards before that."""
        in_order = InOrder()

        def take(twin: Replica, number: int) -> float:
            try:
                loss = self._step(twin, batch, number)
                in_order.do(number, lambda: self._add(number, len(batch.parts), twin.net.grad_vector))
            except BaseException:
                in_order.give_up()
                raise
            return loss

        try:
            return share_out(len(batch.parts), [functools.partial(take, twin) for twin in replicas])
        finally:
            in_order.give_up()  # after Ctrl-C some may still be running

    def _each_apart(self, batch: Batch, replicas: Sequence[Replica]) -> list[float]:
        """Each shard runs on a replica of its own, and what they leave is put together when all have run."""
        all_reduce = AllReduce(len(replicas)) if self.meet else None
        tasks = [functools.partial(self._step, twin, batch, k, all_reduce) for k, twin in enumerate(replicas)]
        losses = run_all(tasks, all_reduce)
        for own, other in zip(self.parts, replicas[0].parts, strict=True):
            for name in own.kept:
                np.copyto(getattr(own, name), getattr(other, name))
        for number, twin in enumerate(replicas):
            self._add(number, len(replicas), twin.net.grad_vector)
        if self.net.graph.keep:
            runs: list[Run] = [twin.net.graph.saved for twin in replicas]
            self.net.graph.saved = _joined(runs, batch.weights)
        return losses

    def _add(self, number: int, count: int, gradient: Array) -> None:
        """Add a shard's gradient to those of the shards before it; with the last of them the net's own is whole."""
        out = self.net.grad_vector if number == count - 1 else self.sums
        if number:
            np.add(self.sums, gradient, out=out)
        else:
            np.copyto(out, gradient)

    def _cut(self, n: int, most: int | None = None) -> list[slice]:
        """Which samples of a batch of n are in each shard, of which there are `most`.

        They are as large as each other, and an even number of them, so that no thread of two or more waits for long.
        """
        size = self.size if most is None else max(self.size, -(-n // most))
        count = -(-n // size)
        count += count % 2 if 1 < count < n else 0
        return [slice(k * n // count, (k + 1) * n // count) for k in range(count)]

    def ready(self, parts: Sequence[slice], in_turns: bool) -> list[Replica]:
        """A replica for each thread or for each shard, set as the net is; new ones where more than settings changed."""
        number = min(len(parts), get_num_threads() if in_turns else MOST_SHARDS)
        held = [_held(leaf) for leaf in self.leaves]
        if held != self.held:
            self.replicas, self.held = [], held
        while len(self.replicas) < number:
            self.replicas.append(Replica(self.net))
        replicas, settings = self.replicas[:number], [_settings(own) for own in self.parts]
        sizes = {part.stop - part.start for part in parts}
        for twin in replicas:
            for own, other, found in zip(self.parts, twin.parts, settings, strict=True):
                vars(other).update(found)
                for name in own.kept:
                    np.copyto(getattr(other, name), getattr(own, name))
            twin.make_room(sizes, self.net.graph.memory.arrays is not None)
        return replicas

    def _draw_seeds(self) -> dict[int, int]:
        """A seed for this batch from each generator that layers hold, by its identity."""
        held = {id(value): value for leaf in self.leaves for value in _generators(leaf).values()}
        return {key: int(generator.integers(2**63)) for key, generator in held.items()}

    def _step(self, twin: Replica, batch: Batch, number: int, all_reduce: AllReduce | None = None) -> float:
        """One shard's share of the loss and the gradient of the batch, drawn from generators of its own."""
        part = batch.parts[number]
        drawn = {key: np.random.default_rng([seed, number]) for key, seed in batch.seeds.items()}
        for own, other in zip(self.leaves, twin.leaves, strict=True):
            for attribute, generator in _generators(own).items():
                vars(other)[attribute] = drawn[id(generator)]
        share = None if all_reduce is None else Share(all_reduce, number)
        try:
            for leaf in twin.leaves:
                leaf._all_reduce = share
            return twin.loss_and_gradient(batch.x[part], batch.t[part], batch.weights[number])
        except Exception as error:
            error.add_note(f"in the shard of samples {part.start} to {part.stop - 1} of the batch")
            raise
        finally:
            for leaf in twin.leaves:
                leaf._all_reduce = None


def _scores(twin: Net, x: Array, parts: Sequence[slice], number: int) -> Array:
    """The scores of a shard. Nothing is kept for a backward: the next layer takes memory that is still in the cache."""
    scores: Array = twin._scores(x[parts[number]])
    twin.body.memory.saved = None
    return scores


def _parts(net: Net) -> list[Layer]:
    """All layers and graphs of a net."""
    return [*net.graph.parts(), *net.body.parts()]


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


def _joined(runs: Sequence[Run], weights: Sequence[float]) -> Run:
    """The runs of all shards as one of the whole batch: rows one below the other, lone numbers averaged."""
    first = runs[0]
    joined = Run([_joined_memory([run.memories[i] for run in runs], weights) for i in range(len(first.memories))])
    if first.values is not None:
        joined.values = [
            _joined_value(values, weights) for values in zip(*(run.values or () for run in runs), strict=True)
        ]
    if first.grads is not None:
        joined.grads = [_joined_value(grads, None) for grads in zip(*(run.grads or () for run in runs), strict=True)]
    return joined


def _joined_memory(memories: Sequence[Memory], weights: Sequence[float]) -> Memory:
    joined = Memory(memories[0].wanted)
    if all(isinstance(memory.saved, Run) for memory in memories):
        joined.saved = _joined([memory.saved for memory in memories], weights)
    return joined


def _joined_value(values: Sequence[Any], weights: Sequence[float] | None) -> Any:
    """Arrays below one another; of lone numbers the weighted mean, or without weights the sum."""
    if values[0] is None:
        return None
    if np.ndim(values[0]):
        return np.concatenate(values)
    total = np.sum(values) if weights is None else np.dot(values, weights)
    return np.asarray(total, np.asarray(values[0]).dtype)[()]
