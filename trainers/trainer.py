"""Trainer: mini-batch gradient descent, epoch by epoch."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .batches import Batches, check_count, check_sampling
from .callbacks import Callback
from .checkpoint import resume, save
from .history import History
from .interrupt import Interrupt, held_back
from .optimizers import Optimizer
from .progress import Progress
from .protocol import TrainableNet
from .sets import Augment, Gather, augmented, check_finite, check_set, check_share, first_nonfinite, split


class Trainer:
    """Trains a net by mini-batches. One seed makes a run repeat bit for bit on one machine, NumPy and thread count.

    Parameters
        net : what `TrainableNet` asks for.
        optimizer : Optimizer, or anything with `update(params, grads)`.
        batch_size : int >= 1, default 100.
        epochs : int >= 0, default 20. How many a call of `fit` runs.
        seed : int or numpy.random.Generator, default 0. Draws the order of the samples.
        sampling : "shuffle" (default): each sample once an epoch, the last batch what is left; or "replacement".
        validation : float, 0 <= share < 1, default 0. This share of the training samples, drawn by the seed, is held
            out of training and measured after each epoch; the same ones in every `fit` on as many samples.
        augment : function of (x of a batch, numpy.random.Generator) that returns a changed x, such as Shifts(2). It is
            called for every batch trained on and for none that is measured. Its draws leave the samples' order alone.
        callbacks : of Callback, or functions of the trainer that are called after each epoch.
        accuracy_samples : int >= 1 or None. Train accuracy is taken on the first so many of the samples that are
            trained on; None (default): on all of them.
        progress : None (default): a bar on a terminal or notebook, and a line an epoch everywhere; True asks for the
            bar, "lines" for the lines alone, False for silence.
    Attributes
        epoch, history, batches : how many epochs are done, how they went, how the samples are cut up.
        measures : what the history of this `fit` gets, of "train_loss", "validation_accuracy" and so on.
        held_out : (n,) int, the numbers of the samples held out by `fit`; none without validation.
        split_seed : int, draws them; None takes it from `seed`. Trainers of one split_seed hold out the same samples.
        stopped, finished : the reason why `stop` ended the last `fit`, or None; whether it ended without an error.
        in_epoch, resumed : whether an epoch is under way; whether this `fit` goes on with a run that was saved.
    Errors       ValueError: bad settings, no samples, lengths that differ, NaN in the data, a validation share that
                 leaves nothing. TypeError: data that are no numbers, a net, optimizer, callback or augment that is
                 none. FloatingPointError: a loss or gradient that is not finite; the step is not taken, unless it was
                 an epoch's last.
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
        validation: float = 0.0,
        augment: Augment | None = None,
        callbacks: Callback | Callable[[Trainer], None] | Sequence[Callback | Callable[[Trainer], None]] = (),
        accuracy_samples: int | None = None,
        progress: bool | str | None = None,
    ) -> None:
        check_count("Trainer", "batch_size", batch_size)
        check_sampling("Trainer", sampling)
        if accuracy_samples is not None:
            check_count("Trainer", "accuracy_samples", accuracy_samples)
        if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 0:
            raise ValueError(f"Trainer: epochs must be a whole number of 0 or more; got {epochs!r}.")
        for thing, needs, kind in ((net, "loss_and_gradient", "net"), (optimizer, "update", "optimizer")):
            if not hasattr(thing, needs) or isinstance(thing, type):
                raise TypeError(f"Trainer: {kind} must have {needs}(); got {type(thing).__name__} {str(thing)[:40]}.")
        check_share("Trainer", validation)
        if augment is not None and (not callable(augment) or isinstance(augment, type)):
            raise TypeError(f"Trainer: augment must be a function of (x, rng), such as Shifts(2); got {augment!r:.60}.")
        self.net, self.optimizer = net, optimizer
        self.batch_size, self.epochs, self.sampling = batch_size, epochs, sampling
        self.accuracy_samples = accuracy_samples
        self.rng = np.random.default_rng(seed)
        given: Any = callbacks
        listed = (given,) if callable(given) or isinstance(given, Callback) else tuple(given)
        self.callbacks = tuple(sorted(listed, key=lambda callback: getattr(callback, "goes_last", False)))
        for callback in self.callbacks:
            if isinstance(callback, type) or not (callable(callback) or isinstance(callback, Callback)):
                raise TypeError(f"Trainer: each callback must be a Callback or a function; got {callback!r:.60}.")
        self.validation, self.augment = float(validation), augment
        self.split_seed: int | None = None
        self.held_out = np.empty(0, int)
        self.progress = Progress(progress)
        self.epoch = self.last_epoch = 0
        self.history = History()
        self.batches: Batches | None = None
        self.measures: tuple[str, ...] = ()
        self.stopped: str | None = None
        self.finished = self.resumed = self.in_epoch = False
        self._n_saved = 0
        self._place: tuple[Array | None, Array, int] | None = None  # in the epoch, where a resumed run goes on
        self._numbers: Array | None = None  # which of the caller's samples are trained on, where some are held out

    @functools.cached_property
    def children(self) -> list[np.random.Generator]:
        """Generators for the split and for augmenting; made when first used, without a draw from the trainer's own."""
        return self.rng.spawn(2)

    def stop(self, reason: str) -> None:
        """End the run after this epoch; from `on_batch`, end the epoch after this batch. The first reason counts."""
        self.stopped = self.stopped or str(reason)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write where the run stands to a file, whole or not at all: what Checkpoint does as a run goes."""
        save(self, path)

    def resume(self, path: str | os.PathLike[str]) -> Path:
        """Go on with a run that was saved: the next `fit` ends where that run would have, to the last bit.

        The trainer must be made as that of the saved run was, and be given the same data.

        Parameters
            path : str or path. A checkpoint, or the folder of a Checkpoint: then its newest that is whole.
        Errors       FileNotFoundError: there is none. FileError: none is whole. ValueError: the run is another one;
                     then nothing was changed.
        """
        return resume(self, path)

    def resume_from(self, n_samples: int, place: tuple[Array | None, Array, int] | None) -> None:
        """Remember where the next `fit` begins: within an epoch its order, its last batch and how many are done."""
        self.resumed, self._n_saved, self._place = True, n_samples, place

    def fit(self, x_train: Any, t_train: Any, x_test: Any = None, t_test: Any = None) -> History:
        """Train for `epochs` more epochs; the accuracies of all sets are taken after each. Returns the History.

        Ctrl-C ends it with a KeyboardInterrupt once the batch is done and callbacks have saved; a second one at once.
        """
        x_train, t_train = check_set("x_train", x_train, "t_train", t_train)
        others = {}
        if x_test is not None or t_test is not None:
            others["test"] = check_set("x_test", x_test, "t_test", t_test)
            check_finite("x_test", others["test"][0])
        self.held_out, self._numbers = np.empty(0, int), None
        if self.validation:
            seed = int(self.children[0].integers(2**63)) if self.split_seed is None else self.split_seed
            self.split_seed = seed
            self._numbers, self.held_out = split(len(x_train), self.validation, seed)
            others["validation"] = x_train[self.held_out], t_train[self.held_out]
            check_finite("x_train", others["validation"][0], self.held_out)
            x_train, t_train = x_train[self._numbers], t_train[self._numbers]
        self.measures = "train_loss", "train_accuracy", *(f"{name}_accuracy" for name in others)
        if "validation" in others and hasattr(self.net, "evaluate"):
            self.measures += ("validation_loss",)
        self.batches = Batches(len(x_train), self.batch_size, self.rng, self.sampling)
        if self.resumed:
            self._go_on(len(x_train))
        else:
            self.last_epoch = self.epoch + self.epochs
            self.stopped = None
        self.finished = False
        self.progress.start(self, self.batches)
        try:
            self._call("on_start")
            with held_back() as interrupt:
                while self.epoch < self.last_epoch and self.stopped is None:
                    self._run_epoch(x_train, t_train, others, interrupt)
            if self.stopped is not None:
                self.progress.say(f"stopped after epoch {self.epoch}/{self.last_epoch}: {self.stopped}")
            self.finished = True
        finally:
            self.in_epoch = self.resumed = False
            self.net.eval()
            self.progress.stop()
            self._call("on_end")
        return self.history

    def _go_on(self, n_samples: int) -> None:
        """Take up the epoch that a resumed run was in."""
        assert self.batches is not None
        if n_samples != self._n_saved:
            raise ValueError(
                f"Trainer.fit: a resumed run must be given its own data: {self._n_saved} training samples; got "
                f"{n_samples}."
            )
        if self._place is not None:
            self.batches.order, self.batches.last, self.batches.done = self._place

    def _run_epoch(self, x: Array, t: Array, others: dict[str, tuple[Array, Array]], interrupt: Interrupt) -> None:
        start = time.perf_counter()
        assert self.batches is not None
        self.net.train()
        batches = iter(self.batches) if self._place is None else self.batches.rest()
        losses = [] if self._place is None else self.history.losses[len(self.history.losses) - self.batches.done :]
        self._place, self.in_epoch = None, True
        workspace = getattr(self.net, "workspace", contextlib.nullcontext)
        gather = Gather(x)
        with workspace(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for number, samples in enumerate(batches, start=len(losses) + 1):
                losses.append(self._step(gather(samples), t[samples], samples, number))
                self.history.losses.append(losses[-1])
                self.progress.batch(self, len(samples))
                self._call("on_batch")
                self._heed(interrupt)
                if self.stopped is not None:
                    break
        self.in_epoch = False
        self.net.eval()
        self._check_last_step(x[self.batches.last], t[self.batches.last])
        with np.errstate(over="ignore", invalid="ignore"):  # of data not trained on, no fault of training
            train, _ = self._measure(x[: self.accuracy_samples], t[: self.accuracy_samples])
            test, _ = self._measure(*others["test"]) if "test" in others else (None, None)
            validation = self._measure(*others["validation"], loss=True) if "validation" in others else (None, None)
        self.history.record(losses, train, test, time.perf_counter() - start, *validation)
        self.epoch += 1
        self.progress.epoch(self)
        self._call("on_epoch")
        self._heed(interrupt)

    def _heed(self, interrupt: Interrupt) -> None:
        """End the run if Ctrl-C was pressed, now that the batch and all that hangs on it are done."""
        if interrupt.pressed:
            self._call("on_interrupt")
            raise KeyboardInterrupt

    def _measure(self, x: Array, t: Array, loss: bool = False) -> tuple[float, float | None]:
        """The accuracy on a set, and where it is asked for and the net can tell, the loss."""
        x = self._cast(x)
        if loss and hasattr(self.net, "evaluate"):
            found = self.net.evaluate(x, t)
            return found.accuracy, found.loss
        return self.net.accuracy(x, t), None

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
        x = self._cast(x if self.augment is None else augmented(self.augment, x, self.children[1]))
        loss = self.net.loss_and_gradient(x, t)
        grads = self.net.grads
        vector = getattr(self.net, "grad_vector", None)  # all gradients at once, where the net has them so
        if not np.isfinite(loss) or not all(map(_is_finite, grads.values() if vector is None else [vector])):
            self._say_where_not_finite(loss, x, t, samples, f"epoch {self.epoch + 1}, batch {number}")
        self.optimizer.update(getattr(self.net, "trained", self.net.params), grads)
        return loss

    def _cast(self, x: Array) -> Array:
        """Floats in the net's precision; other data as it is."""
        dtype = getattr(self.net, "dtype", None)
        return x.astype(dtype, copy=False) if dtype is not None and x.dtype.kind == "f" else x

    def _say_where_not_finite(self, loss: float, x: Array, t: Array, samples: Array, when: str) -> None:
        """Raise the error for a loss or gradient that is not finite, naming where that began."""
        for name, data in (("x_train", x), ("t_train", t)):
            row = first_nonfinite(data)
            if row is not None:
                sample = samples[row] if self._numbers is None else self._numbers[samples[row]]
                changed = ", augmented" if self.augment is not None and x is data else ""
                raise ValueError(
                    f"Trainer.fit: the loss is {loss} at {when}: {name}[{sample}] (sample {row} of the batch{changed}) "
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
