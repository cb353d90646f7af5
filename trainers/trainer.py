"""Trainer: mini-batch gradient descent, epoch by epoch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .batches import Batches, check_batch_size, check_sampling
from .history import History
from .optimizers import Optimizer
from .progress import Progress
from .protocol import TrainableNet


class Callback:
    """What is called during a run; override what you need. A plain function is called after each epoch."""

    def on_start(self, trainer: Trainer) -> None:
        """Before the first batch."""

    def on_batch(self, trainer: Trainer) -> None:
        """After each step; `trainer.history.losses[-1]` is the batch's loss."""

    def on_epoch(self, trainer: Trainer) -> None:
        """After each epoch, when its accuracies are in `trainer.history`."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last epoch, also when an error ends the run."""


class Trainer:
    """Trains a net by mini-batches. One seed makes a run repeat bit for bit on one machine, NumPy and thread count.

    Parameters
        net : what `TrainableNet` asks for.
        optimizer : Optimizer, or anything with `update(params, grads)`.
        batch_size : int >= 1, default 100.
        epochs : int >= 0, default 20. How many a call of `fit` runs.
        seed : int or numpy.random.Generator, default 0. Draws the order of the samples.
        sampling : "shuffle" (default): each sample once an epoch, the last batch what is left; or "replacement".
        callbacks : of Callback, or functions of the trainer that are called after each epoch.
        progress : None (default): a bar on a terminal or notebook, and a line an epoch everywhere; True asks for the
            bar, "lines" for the lines alone, False for silence.
    Attributes
        epoch, history, batches : how many epochs are done, how they went, how the samples are cut up.
    Errors       ValueError: bad settings, no samples, lengths that differ, NaN in the data.
                 TypeError: data that are no numbers, a net or optimizer that is none. FloatingPointError: a loss or
                 gradient that is not finite; the step is not taken, unless it was an epoch's last.
    Example
        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(2, 8, rng=0), bg.Tanh(), bg.Affine(8, 2, rng=1))
        >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        >>> history = bg.Trainer(net, bg.Adam(lr=0.1), epochs=100, progress=False).fit(x, np.array([0, 1, 1, 0]))
        >>> history.train_accuracies[-1]
        1.0
    """

    def __init__(
        self,
        net: TrainableNet,
        optimizer: Optimizer,
        *,
        batch_size: int = 100,
        epochs: int = 20,
        seed: int | np.random.Generator = 0,
        sampling: str = "shuffle",
        callbacks: Sequence[Callback | Callable[[Trainer], None]] = (),
        progress: bool | str | None = None,
    ) -> None:
        check_batch_size("Trainer", batch_size)
        check_sampling("Trainer", sampling)
        if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 0:
            raise ValueError(f"Trainer: epochs must be a whole number of 0 or more; got {epochs!r}.")
        for thing, needs, kind in ((net, "loss_and_gradient", "net"), (optimizer, "update", "optimizer")):
            if not hasattr(thing, needs) or isinstance(thing, type):
                raise TypeError(f"Trainer: {kind} must have {needs}(); got {type(thing).__name__} {str(thing)[:40]}.")
        self.net, self.optimizer = net, optimizer
        self.batch_size, self.epochs, self.sampling = batch_size, epochs, sampling
        self.rng = np.random.default_rng(seed)
        alone = callable(callbacks) or isinstance(callbacks, Callback)
        self.callbacks: tuple[Any, ...] = (callbacks,) if alone else tuple(callbacks)
        self.progress = Progress(progress)
        self.epoch = self.last_epoch = 0
        self.history = History()
        self.batches: Batches | None = None

    def fit(self, x_train: Any, t_train: Any, x_test: Any = None, t_test: Any = None) -> History:
        """Train for `epochs` more epochs; the accuracies of both sets are taken after each. Returns the History."""
        x_train, t_train = _check_set("x_train", x_train, "t_train", t_train)
        test = None if x_test is None and t_test is None else _check_set("x_test", x_test, "t_test", t_test)
        if test is not None and (row := _first_nonfinite(test[0])) is not None:
            raise ValueError(f"Trainer.fit: x_test[{row}] holds NaN or infinity. Clean the data first.")
        self.batches = Batches(len(x_train), self.batch_size, self.rng, self.sampling)
        self.last_epoch = self.epoch + self.epochs
        self.progress.start(self, self.batches)
        try:
            self._call("on_start")
            while self.epoch < self.last_epoch:
                self._run_epoch(x_train, t_train, test)
        finally:
            self.net.eval()
            self.progress.stop()
            self._call("on_end")
        return self.history

    def _run_epoch(self, x: Array, t: Array, test: tuple[Array, Array] | None) -> None:
        start = time.perf_counter()
        assert self.batches is not None
        self.net.train()
        losses = []
        workspace = getattr(self.net, "workspace", contextlib.nullcontext)
        with workspace(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for number, samples in enumerate(self.batches, start=1):
                losses.append(self._step(x[samples], t[samples], samples, number))
                self.history.losses.append(losses[-1])
                self.progress.batch(self, len(samples))
                self._call("on_batch")
        self.net.eval()
        self._check_last_step(x[samples], t[samples])
        with np.errstate(over="ignore", invalid="ignore"):  # of test data alone, no fault of training
            train_accuracy = self.net.accuracy(self._cast(x), t)
            test_accuracy = None if test is None else self.net.accuracy(self._cast(test[0]), test[1])
        self.history.record(losses, train_accuracy, test_accuracy, time.perf_counter() - start)
        self.epoch += 1
        self.progress.epoch(self)
        self._call("on_epoch")

    def _check_last_step(self, x: Array, t: Array) -> None:
        """FloatingPointError where the epoch's last step, which no next one will notice, left the net overflowing."""
        look = getattr(self.net, "loss", None)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss = 0.0 if look is None else look(self._cast(x), t)
        if not np.isfinite(loss) or not all(map(_is_finite, self.net.params.values())):
            raise FloatingPointError(
                f"Trainer.fit: after epoch {self.epoch + 1} loss or parameters are not finite: its last step went too "
                f"far. {self._advice()}"
            )

    def _step(self, x: Array, t: Array, samples: Array, number: int) -> float:
        """One step of the optimizer; an error, and no step, where the loss or the gradient is not finite."""
        x = self._cast(x)
        loss = self.net.loss_and_gradient(x, t)
        grads = self.net.grads
        vector = getattr(self.net, "grad_vector", None)  # all gradients at once, where the net has them so
        if not np.isfinite(loss) or not all(map(_is_finite, grads.values() if vector is None else [vector])):
            self._say_where_not_finite(loss, x, t, samples, f"epoch {self.epoch + 1}, batch {number}")
        self.optimizer.update(self.net.params, grads)
        return loss

    def _cast(self, x: Array) -> Array:
        """Floats in the net's precision; other data as it is."""
        dtype = getattr(self.net, "dtype", None)
        return x.astype(dtype, copy=False) if dtype is not None and x.dtype.kind == "f" else x

    def _say_where_not_finite(self, loss: float, x: Array, t: Array, samples: Array, when: str) -> None:
        """Raise the error for a loss or gradient that is not finite, naming where that began."""
        for name, data in (("x_train", x), ("t_train", t)):
            row = _first_nonfinite(data)
            if row is not None:
                raise ValueError(
                    f"Trainer.fit: the loss is {loss} at {when}: {name}[{samples[row]}] (sample {row} of the batch) "
                    "holds NaN or infinity. Clean the data first."
                )
        find = getattr(self.net, "find_nonfinite", None)
        where = find(x, t) if find is not None else None
        what = f"the loss is {loss}" if not np.isfinite(loss) else "the gradient is not finite"
        raise FloatingPointError(
            f"Trainer.fit: {what} at {when}{f': it begins in {where}' if where else ''}. The step was not taken. "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        return f"A smaller learning rate often helps; it is {getattr(self.optimizer, 'lr', 'unknown')}."

    def _call(self, when: str) -> None:
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                getattr(callback, when)(self)
            elif when == "on_epoch":
                callback(self)


def _is_finite(gradient: Array) -> bool:
    """Whether all entries are finite: one pass through their squares, which is cheap, and a second in doubt."""
    flat = gradient.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())


def _first_nonfinite(data: Array) -> int | None:
    """The first sample that holds NaN or infinity, if one does."""
    if data.dtype.kind != "f" or np.isfinite(data).all():
        return None
    return int(np.argwhere(~np.isfinite(data))[0][0])


def _check_set(x_name: str, x: Any, t_name: str, t: Any) -> tuple[Array, Array]:
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
