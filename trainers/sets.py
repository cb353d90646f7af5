"""The data sets of a run: arrays of numbers, as many targets as samples; some held out, some changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.layers import Array
from brickgrad.layers.scalars import is_number

Augment = Callable[[Array, np.random.Generator], Array]


class Sets:
    """The data of one fit.

    Attributes
        x, t : what is trained on.
        others : dict of (x, t), what is measured besides: "test", "validation".
        held_out : (n,) int. The caller's numbers of the samples held out for validation.
    Errors       TypeError, ValueError: data that are none, or NaN where it would only be measured
    """

    def __init__(self, x_train: Any, t_train: Any, x_test: Any = None, t_test: Any = None) -> None:
        self.x, self.t = check_set("x_train", x_train, "t_train", t_train)
        self._given = {"x_train": self.x, "t_train": self.t}
        self._digests: dict[str, str] = {}
        self.others: dict[str, tuple[Array, Array]] = {}
        self.held_out = np.empty(0, int)
        self._numbers: Array | None = None
        if x_test is not None or t_test is not None:
            self.others["test"] = check_set("x_test", x_test, "t_test", t_test)
            check_finite("x_test", self.others["test"][0])
            self._given |= dict(zip(("x_test", "t_test"), self.others["test"], strict=True))

    def hold_out(self, share: float, seed: int) -> None:
        """Take this share of the samples, drawn by the seed, out of training, to be measured as "validation"."""
        self._numbers, self.held_out = split(len(self.x), share, seed)
        self.others["validation"] = self.x[self.held_out], self.t[self.held_out]
        check_finite("x_train", self.others["validation"][0], self.held_out)
        self.x, self.t = self.x[self._numbers], self.t[self._numbers]

    def number(self, sample: int) -> int:
        """The caller's number of a sample that is trained on."""
        return int(sample if self._numbers is None else self._numbers[sample])

    def digests(self) -> dict[str, str]:
        """By name, what tells each array that was given from others; worked out when first asked, before `forget`."""
        if not self._digests:
            self._digests = {name: digest(array) for name, array in self._given.items()}
        return self._digests

    def forget(self) -> None:
        """Let go of the arrays: the fit is over."""
        self.x = self.t = np.empty(0)
        self.others, self._given = {}, {}


def digest(data: Array) -> str:
    """What tells an array from others: another dtype, shape or order of samples, or any one value that is not the same.

    Each sample is summed up as whole numbers, at the speed of memory; the sums, and some samples entire, are hashed.

    >>> x = np.arange(6.0).reshape(3, 2)
    >>> digest(x) == digest(x.copy(order="F")), digest(x) == digest(x[::-1])
    (True, False)
    """
    found = hashlib.sha256(f"{data.dtype.str} {data.shape}".encode())
    size = data.itemsize * int(np.prod(data.shape[1:]))
    if size:
        word = next(bytes_ for bytes_ in (8, 4, 2, 1) if size % bytes_ == 0)
        for start in range(0, len(data), 4096):
            rows = np.ascontiguousarray(data[start : start + 4096]).reshape(-1).view(f"<u{word}")
            found.update(rows.reshape(-1, size // word).sum(axis=1, dtype=np.uint64))
        found.update(data[:: -(-len(data) // 256)].tobytes())
    return found.hexdigest()


def check_set(x_name: str, x: Any, t_name: str, t: Any) -> tuple[Array, Array]:
    """A data set as arrays: numbers, at least one sample, as many targets."""
    arrays = []
    for name, data in ((x_name, x), (t_name, t)):
        try:
            array = np.asarray(data)
        except ValueError:
            array = np.asarray(None)
        if array.dtype.kind not in "iubf" or array.ndim == 0:
            raise TypeError(
                f"Trainer.fit: {name} must be an array of numbers; got {type(data).__name__} {str(data)[:40]}."
            )
        arrays.append(array)
    x, t = arrays
    if len(x) == 0:
        raise ValueError(f"Trainer.fit: {x_name} must hold at least one sample; it is empty, {x.shape}.")
    if len(x) != len(t):
        raise ValueError(
            f"Trainer.fit: {t_name} must hold one target for each sample of {x_name}, {len(x)}; got {len(t)}."
        )
    return x, t


def check_finite(name: str, x: Array, numbers: Array | None = None) -> None:
    """ValueError for NaN or infinity, naming the sample; by `numbers`, where x is a part of the set."""
    if (row := first_nonfinite(x)) is not None:
        number = row if numbers is None else numbers[row]
        raise ValueError(f"Trainer.fit: {name}[{number}] holds NaN or infinity. Clean the data first.")


def first_nonfinite(data: Array) -> int | None:
    """The first sample that holds NaN or infinity, if one does."""
    if data.dtype.kind != "f" or np.isfinite(data).all():
        return None
    return int(np.argwhere(~np.isfinite(data))[0][0])


def check_share(who: str, share: float) -> None:
    """ValueError unless a share of samples to hold out is in 0..1, without 1."""
    if not is_number(share) or not 0 <= share < 1:
        raise ValueError(f"{who}: validation must be a share of the samples, 0 <= share < 1; got {share!r}.")


def split(n_samples: int, share: float, seed: int) -> tuple[Array, Array]:
    """Which samples to train on, and which `share` of them to hold out: both in rising order, drawn by the seed.

    >>> split(10, 0.2, seed=0)
    (array([0, 1, 2, 3, 5, 7, 8, 9]), array([4, 6]))
    """
    n_held_out = round(n_samples * share)
    if not 0 < n_held_out < n_samples:
        raise ValueError(
            f"Trainer.fit: validation={share:g} of {n_samples} samples would be {n_held_out}: there must be at least "
            "one to validate on and one to train on."
        )
    order = np.random.default_rng(seed).permutation(n_samples)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


class Gather:
    """Batches of samples, each in the memory of the one before it.

    >>> gather = Gather(np.arange(8.0).reshape(4, 2))
    >>> gather(np.array([3, 0])).tolist(), gather(np.array([1])).tolist()
    ([[6.0, 7.0], [0.0, 1.0]], [[2.0, 3.0]])
    """

    def __init__(self, x: Array) -> None:
        self._x, self._room = x, np.empty((0, *x.shape[1:]), x.dtype)

    def __call__(self, samples: Array) -> Array:
        """The samples of these numbers."""
        if len(samples) > len(self._room):
            self._room = np.empty((len(samples), *self._x.shape[1:]), self._x.dtype)
        # "clip" is for NumPy to write at once into the room; the numbers are all within range
        return np.take(self._x, samples, axis=0, out=self._room[: len(samples)], mode="clip")


def augmented(augment: Augment, x: Array, rng: np.random.Generator) -> Array:
    """A batch as `augment` changes it; TypeError where it returns no batch of as many samples."""
    y = augment(x, rng)
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iubf" or y.shape[:1] != x.shape[:1]:
        got = f"{y.shape} of {y.dtype}" if isinstance(y, np.ndarray) else type(y).__name__
        raise TypeError(
            f"Trainer.fit: augment must return an array of numbers for the {len(x)} samples it is given, of shape "
            f"{x.shape}; got {got}."
        )
    return y
