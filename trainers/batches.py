"""Which samples make up which batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brickgrad.layers import Array
from brickgrad.layers.scalars import is_whole


class Batches:
    """The batches of an epoch, as arrays of sample numbers.

    sampling "shuffle": every sample once an epoch, in a new random order; the last batch holds what is left.
    sampling "replacement": as many batches, of samples drawn anew each; an epoch may miss some and repeat others.

    Parameters
        n_samples : int >= 1.
        batch_size : int >= 1.
        rng : numpy.random.Generator.
    Attributes
        order, done : the samples' order in this epoch, None with replacement; how many of its batches were given out.
        last : the batch given out last.
    Errors       ValueError: no samples, a batch size below 1, another sampling
    Example
        >>> batches = Batches(5, 2, np.random.default_rng(0))
        >>> print(batches)
        5 samples in 3 batches of 2, the last of 1
        >>> sorted(np.concatenate(list(batches)).tolist())
        [0, 1, 2, 3, 4]
    """

    def __init__(self, n_samples: int, batch_size: int, rng: np.random.Generator, sampling: str = "shuffle") -> None:
        if n_samples < 1:
            raise ValueError(f"Batches: the data set must hold at least one sample; got {n_samples}.")
        check_count("Batches", "batch_size", batch_size)
        check_sampling("Batches", sampling)
        self.n_samples, self.batch_size = n_samples, min(batch_size, n_samples)
        self.rng, self.sampling = rng, sampling
        self.order: Array | None = None
        self.done = 0
        self.last: Array = np.empty(0, int)

    def __len__(self) -> int:
        return -(-self.n_samples // self.batch_size)

    @property
    def n_drawn(self) -> int:
        """How many samples an epoch trains on, those drawn twice counted twice."""
        return self.n_samples if self.sampling == "shuffle" else len(self) * self.batch_size

    def __iter__(self) -> Iterator[Array]:
        self.order = self.rng.permutation(self.n_samples) if self.sampling == "shuffle" else None
        self.done = 0
        return self.rest()

    def rest(self) -> Iterator[Array]:
        """What is left of the epoch: all batches after the first `done`."""
        for start in range(self.done * self.batch_size, self.n_samples, self.batch_size):
            self.done += 1
            if self.order is None:
                self.last = self.rng.integers(self.n_samples, size=self.batch_size)
            else:
                self.last = self.order[start : start + self.batch_size]
            yield self.last

    def __str__(self) -> str:
        text = f"{self.n_samples} samples in {len(self)} batch{'es' * (len(self) > 1)} of {self.batch_size}"
        left = self.n_samples % self.batch_size
        if self.sampling == "replacement":
            return f"{text}, drawn with replacement"
        return f"{text}, the last of {left}" if left else text


def check_count(who: str, name: str, count: int) -> None:
    """ValueError unless it is a whole number of at least 1."""
    if not is_whole(count, 1):
        raise ValueError(f"{who}: {name} must be a whole number of at least 1; got {count!r}.")


def check_sampling(who: str, sampling: str) -> None:
    """ValueError unless there is such a sampling."""
    if sampling not in ("shuffle", "replacement"):
        raise ValueError(f"{who}: sampling must be 'shuffle' or 'replacement'; got {sampling!r}.")
