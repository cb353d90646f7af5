"""A batch cut into shards, each run forward and backward on a replica of the net, several at once.

How a batch is cut depends on its size alone, not on the number of threads, and the shards' gradients are added in their
order: so the results do not depend on the number of threads either. A layer that looks across the batch, as batch
normalization does, makes its sums over all shards: they wait for each other there, and it sees the whole batch.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.graph.run import Run
from brickgrad.layers import Array, Memory

from .queues import run_queue, run_waves
from .replicas import Replica, Replicas
from .threads import AllReduce, Share, get_num_threads, run_all

if TYPE_CHECKING:
    from .net import Net

SHARD_SIZE = 25  # samples: few enough for a layer's arrays to stay near the processor, enough for its matrix products
MOST_SHARDS = 64  # of a batch, which may each have arrays of its own; of larger batches the shards are larger


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


@dataclass(frozen=True)
class Batch:
    """A batch in shards: which samples each has, its share of the loss, and a seed from each generator.

    Attributes
        x, t : inputs and labels of all samples.
        shards : the samples of each.
        weights : how much of the batch's loss each shard's mean is.
        seeds : by the generator's identity.
    """

    x: Array
    t: Array
    shards: list[slice]
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
    Attributes
        steps : how many batches were trained on.
    """

    def __init__(self, net: Net, size: int) -> None:
        self.net, self.size, self.steps = net, size, 0
        self.replicas = Replicas(net)
        self.meet = any(leaf.sums_over_shards for leaf in self.replicas.leaves)
        self.ours = all(leaf.vetted for leaf in self.replicas.leaves)
        self.gradient_so_far = np.empty_like(net.grad_vector)

    def loss_and_gradient(self, x: Array, t: Array) -> float:
        """The loss of the batch, a mean over its samples; its gradient goes into the net's `grad_vector`."""
        shards = self._cut(len(x), MOST_SHARDS)
        replicas = self.ready_for(len(x))
        sizes, workspace = {size_of(shard) for shard in shards}, self.net.graph.memory.arrays is not None
        for place, twin in enumerate(self.replicas.made):
            twin.make_room(sizes, workspace and place < len(replicas))
        weights = [size_of(shard) / len(x) for shard in shards]
        batch = Batch(x, t, shards, weights, self.replicas.draw_seeds())
        with self._dropped_after_errors():
            losses = (self._one_after_another if self._share_replicas() else self._apart)(batch, replicas)
        self.steps += 1
        return float(sum(weight * loss for weight, loss in zip(weights, losses, strict=True)))

    def predict(self, x: Array) -> Array:
        """The scores of the batch."""
        shards = self._cut(len(x))
        replicas = self.replicas.ready(min(len(shards), get_num_threads() if self.ours else MOST_SHARDS))
        workers = [lambda number, twin=twin: twin.scores(x[shards[number]]) for twin in replicas]
        with self._dropped_after_errors():
            return np.concatenate((run_queue if self.ours else run_waves)(len(shards), workers))

    def ready_for(self, n_samples: int) -> list[Replica]:
        """The replicas that training on a batch of so many samples runs on."""
        number = len(self._cut(n_samples, MOST_SHARDS))
        return self.replicas.ready(min(number, get_num_threads()) if self._share_replicas() else number)

    def _share_replicas(self) -> bool:
        """Whether shards train one after another on the replica of a thread, or each on its own."""
        return self.ours and not self.meet and not self.net.graph.keep

    def _one_after_another(self, batch: Batch, replicas: Sequence[Replica]) -> list[float]:
        """Each replica takes one shard after another, and adds its gradient to those of the shards before that."""

        def take(twin: Replica, number: int) -> tuple[float, Array]:
            return self._step(twin, batch, number), twin.net.grad_vector

        def add(number: int, made: tuple[float, Array]) -> None:
            self._add(number, len(batch.shards), made[1])

        made = run_queue(len(batch.shards), [functools.partial(take, twin) for twin in replicas], then=add)
        return [loss for loss, _ in made]

    def _apart(self, batch: Batch, replicas: Sequence[Replica]) -> list[float]:
        """Each shard runs on a replica of its own, and what they leave is put together when all have run."""
        all_reduce = AllReduce(len(replicas)) if self.meet else None
        tasks = [functools.partial(self._step, twin, batch, k, all_reduce) for k, twin in enumerate(replicas)]
        losses = run_all(tasks, all_reduce)
        self.replicas.take_kept(replicas[0])
        for number, twin in enumerate(replicas):
            self._add(number, len(replicas), twin.net.grad_vector)
        if self.net.graph.keep:
            runs: list[Run] = [twin.net.graph.saved for twin in replicas]
            self.net.graph.saved = _joined(runs, batch.weights)
        return losses

    def _add(self, number: int, count: int, gradient: Array) -> None:
        """Add a shard's gradient to those of the shards before it; with the last of them the net's own is whole."""
        out = self.net.grad_vector if number == count - 1 else self.gradient_so_far
        if number:
            np.add(self.gradient_so_far, gradient, out=out)
        else:
            np.copyto(out, gradient)

    def _cut(self, n: int, most: int | None = None) -> list[slice]:
        """Which samples of a batch of n are in each shard, at most `most`: all as many, or one more or less.

        With the size that nobody chose they are an even number, so that of two threads none runs the last one alone.
        """
        size = self.size if most is None else max(self.size, -(-n // most))
        count = -(-n // size)
        if size == SHARD_SIZE and 1 < count < n:
            count += count % 2
        return [slice(k * n // count, (k + 1) * n // count) for k in range(count)]

    def _step(self, twin: Replica, batch: Batch, number: int, all_reduce: AllReduce | None = None) -> float:
        """One shard's part of the loss and the gradient of the batch, drawn from generators of its own."""
        shard = batch.shards[number]
        self.replicas.give_generators(twin, batch.seeds, number)
        share = None if all_reduce is None else Share(all_reduce, number)
        try:
            for leaf in twin.leaves:
                leaf._all_reduce = share
            return twin.loss_and_gradient(batch.x[shard], batch.t[shard], batch.weights[number])
        except Exception as error:
            error.add_note(f"in the shard of samples {shard.start} to {shard.stop - 1} of the batch")
            raise
        finally:
            for leaf in twin.leaves:
                leaf._all_reduce = None

    @contextlib.contextmanager
    def _dropped_after_errors(self) -> Iterator[None]:
        """After an error or Ctrl-C inside the block the replicas, some of which may be running, are not used again."""
        try:
            yield
        except BaseException:
            self.replicas.drop()
            raise


def size_of(shard: slice) -> int:
    """How many samples it has."""
    return int(shard.stop - shard.start)


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
