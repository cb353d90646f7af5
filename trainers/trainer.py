"""Trainer: mini-batch gradient descent, epoch by epoch."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brickgrad.layers import Array
from brickgrad.layers.blas import check_one_thread, one_thread
from brickgrad.layers.scalars import is_whole

from .batches import Batches, check_count, check_sampling
from .callbacks import Callback
from .checkpoint import resume, save
from .health import Health, check_policy
from .history import History
from .interrupt import Interrupt, held_back
from .optimizers import Optimizer
from .progress import Progress
from .protocol import TrainableNet, leaves
from .sets import Augment, Gather, Sets, augmented, check_share


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
        nonfinite : what becomes of the run when a loss or gradient is NaN or infinite; its step is never taken.
            "raise" (default): FloatingPointError. "skip": the run goes on with the next batch and says so; an error is
            raised only where parameters are not finite. "stop": the run ends there in order, `stopped` says why.
        deterministic : bool, default False. Keeps NumPy's matrix library to one thread while `fit` runs, so that its
            number of threads does not show in the last bits; needs threadpoolctl, the extra `threads`.
        profile : bool, default False. Whether the time of each layer in training is taken, for `trainer.profile`.
    Attributes
        epoch, history, batches : how many epochs are done, how they went, how the samples are cut up.
        measures : what the history of this `fit` gets, of "train_loss", "validation_accuracy" and so on.
        held_out : (n,) int, the numbers of the samples held out by `fit`; none without validation.
        split_seed : int, draws them; None takes it from `seed`. Trainers of one split_seed hold out the same samples.
        profile : Profile or None. Where the time of all epochs so far went, without measuring accuracies: `print` it,
            or `profile.plot()`.
        stopped, finished : the reason why `stop` ended the last `fit`, or None; whether it ended without an error.
        skipped : int, how many batches were skipped.
        in_epoch, resumed : whether an epoch is under way; the file of the run that this `fit` goes on with, or None.
        last_saved : the newest file of this run, or None.
    Errors       ValueError: bad settings, no samples, lengths that differ, NaN in the data, a validation share that
                 leaves nothing. TypeError: data that are no numbers, a net, optimizer, callback or augment that is
                 none. FloatingPointError: a loss or gradient that is not finite; the step is not taken, unless it was
                 an epoch's last. ImportError: `deterministic` without threadpoolctl.
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
        nonfinite: str = "raise",
        deterministic: bool = False,
        profile: bool = False,
    ) -> None:
        check_count("Trainer", "batch_size", batch_size)
        check_sampling("Trainer", sampling)
        check_policy(nonfinite)
        if deterministic:
            check_one_thread("Trainer: deterministic=True")
        if accuracy_samples is not None:
            check_count("Trainer", "accuracy_samples", accuracy_samples)
        if not is_whole(epochs, 0):
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
        try:
            self.rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"Trainer: seed must be a whole number of 0 or more, or a numpy.random.Generator; got {seed!r:.60}."
            ) from None
        given: Any = callbacks
        listed = tuple(given) if isinstance(given, Iterable) and not callable(given) else (given,)
        self.callbacks = tuple(sorted(listed, key=lambda callback: getattr(callback, "goes_last", False)))
        for callback in self.callbacks:
            if isinstance(callback, type) or not (callable(callback) or isinstance(callback, Callback)):
                raise TypeError(f"Trainer: each callback must be a Callback or a function; got {callback!r:.60}.")
        self.validation, self.augment = float(validation), augment
        self.split_seed: int | None = None
        self.held_out = np.empty(0, int)
        self.progress = Progress(progress)
        self.nonfinite, self.deterministic, self.skipped = nonfinite, bool(deterministic), 0
        if profile and not hasattr(net, "timed_steps"):
            raise TypeError(f"Trainer: profile=True needs a net with timed_steps(); got {type(net).__name__}.")
        self.profiling = bool(profile)
        self.profile: Any = None
        self.epoch = self.last_epoch = 0
        self.history = History()
        self.batches: Batches | None = None
        self.measures: tuple[str, ...] = ()
        self.stopped: str | None = None
        self.finished = self.in_epoch = False
        self.resumed: Path | None = None
        self.last_saved: Path | None = None
        self.data: Sets | None = None
        self.first_lr = getattr(optimizer, "lr", None)  # as it was given, before callbacks change it
        self._place: tuple[Array | None, Array, int] | None = None  # in the epoch, where a resumed run goes on
        self._saved_data: tuple[int, dict[str, str]] = 0, {}

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

    def resume_from(self, n_samples: int, data: dict[str, str], place: tuple[Array | None, Array, int] | None) -> None:
        """Remember on what data the next `fit` goes on; in an epoch its order, its last batch and how many are done."""
        self._saved_data, self._place = (n_samples, data), place
        self.data = self.batches = None  # of a fit before

    def fit(self, x_train: Any, t_train: Any, x_test: Any = None, t_test: Any = None) -> History:
        """Train for `epochs` more epochs; the accuracies of all sets are taken after each. Returns the History.

        Ctrl-C ends it with a KeyboardInterrupt once the batch is done and callbacks have saved; a second one at once.
        """
        data = Sets(x_train, t_train, x_test, t_test)
        if self.validation:
            if self.split_seed is None:
                self.split_seed = int(self.children[0].integers(2**63))
            data.hold_out(self.validation, self.split_seed)
        self.held_out = data.held_out
        self.measures = "train_loss", "train_accuracy", *(f"{name}_accuracy" for name in data.others)
        if "validation" in data.others and hasattr(self.net, "evaluate"):
            self.measures += ("validation_loss",)
        batches = Batches(len(data.x), self.batch_size, self.rng, self.sampling)
        if self.resumed:
            self._go_on(data, batches)
        else:
            self.last_epoch = self.epoch + self.epochs
            self.stopped = None
        self.data, self.batches, self.finished = data, batches, False
        with (one_thread() if self.deterministic else None) or contextlib.nullcontext():
            self._run(data)
        return self.history

    def _run(self, data: Sets) -> None:
        """All epochs, with all that has to be done before and after."""
        assert self.batches is not None
        net: Any = self.net
        unsized = not all(leaf.sized for _, leaf in leaves(net))
        if unsized and hasattr(net, "predict"):  # what layers keep must be there before a batch can spoil it
            net.predict(self.cast(data.x[:1]))
        self.progress.start(self, self.batches)
        started = False
        try:
            self._call("on_start")
            started = True
            with held_back() as interrupt:
                while self._place is not None or (self.epoch < self.last_epoch and self.stopped is None):
                    self._run_epoch(data, interrupt)
            if self.stopped is not None:
                self.progress.say(f"stopped after epoch {self.epoch}/{self.last_epoch}: {self.stopped}")
            self.finished = True
        finally:
            self.in_epoch = False
            if started:  # else the next fit is still to go on with the run that was saved
                self.resumed = None
            self.net.eval()
            self.progress.stop()
            self._call("on_end")
            data.forget()

    def _go_on(self, data: Sets, batches: Batches) -> None:
        """Take up the epoch that a resumed run was in; ValueError where the data are others."""
        n_samples, digests = self._saved_data
        own = "Trainer.fit: a resumed run must be given its own data"
        if len(data.x) != n_samples:
            raise ValueError(f"{own}: {n_samples} training samples; got {len(data.x)}.")
        if digests and digests != data.digests():
            names = sorted(
                name for name in {**digests, **data.digests()} if digests.get(name) != data.digests().get(name)
            )
            raise ValueError(f"{own}: {', '.join(names)} must be those of the run saved; they differ from them.")
        if self._place is not None:
            batches.order, batches.last, batches.done = self._place

    def _run_epoch(self, data: Sets, interrupt: Interrupt) -> None:
        start = time.perf_counter()
        assert self.batches is not None
        self.net.train()
        batches = iter(self.batches) if self._place is None else self.batches.rest()
        losses = [] if self._place is None else self.history.losses[len(self.history.losses) - self.batches.done :]
        self._place, self.in_epoch = None, True
        workspace = getattr(self.net, "workspace", contextlib.nullcontext)
        gather, health = Gather(data.x), Health(self)
        with workspace(), self._timed(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while self.stopped is None and (samples := next(batches, None)) is not None:
                losses.append(self._step(gather(samples), data.t[samples], samples, health))
                self.history.losses.append(losses[-1])
                self.progress.batch(self, len(samples))
                self._call("on_batch")
                self._heed(interrupt)
        self.in_epoch = False
        self.net.eval()
        health.after_epoch(data.x[self.batches.last], data.t[self.batches.last])
        with np.errstate(over="ignore", invalid="ignore"):  # of data not trained on, no fault of training
            train, _ = self._measure(data.x[: self.accuracy_samples], data.t[: self.accuracy_samples])
            test, _ = self._measure(*data.others["test"]) if "test" in data.others else (None, None)
            held = data.others.get("validation")
            validation = (None, None) if held is None else self._measure(*held, loss=True)
        self.history.record(losses, train, test, time.perf_counter() - start, *validation)
        self.epoch += 1
        self.progress.epoch(self)
        self._call("on_epoch")
        self._heed(interrupt)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Add what the steps inside the block take to `profile`, where one is asked for."""
        if not self.profiling:
            yield
            return
        net: Any = self.net
        assert self.batches is not None
        before = self.batches.done
        with net.timed_steps(self.batches.batch_size) as found:
            yield
        found.steps = self.batches.done - before
        if self.profile is None:
            self.profile = found
        else:
            self.profile.add(found)

    def _heed(self, interrupt: Interrupt) -> None:
        """End the run if Ctrl-C was pressed, now that the batch and all that hangs on it are done."""
        if interrupt.pressed:
            self._call("on_interrupt")
            raise KeyboardInterrupt

    def _measure(self, x: Array, t: Array, loss: bool = False) -> tuple[float, float | None]:
        """The accuracy on a set, and where it is asked for and the net can tell, the loss."""
        x = self.cast(x)
        if loss and hasattr(self.net, "evaluate"):
            found = self.net.evaluate(x, t)
            return found.accuracy, found.loss
        return self.net.accuracy(x, t), None

    def _step(self, x: Array, t: Array, samples: Array, health: Health) -> float:
        """One step of the optimizer, where loss and gradient are finite."""
        assert self.batches is not None
        x = self.cast(x if self.augment is None else augmented(self.augment, x, self.children[1]))
        health.before_batch()
        loss = self.net.loss_and_gradient(x, t)
        if health.may_step(loss, x, t, samples, self.batches.done):
            self.optimizer.update(getattr(self.net, "trained", self.net.params), self.net.grads)
        return loss

    def cast(self, x: Array) -> Array:
        """Floats in the net's precision; other data as it is."""
        dtype = getattr(self.net, "dtype", None)
        return x.astype(dtype, copy=False) if dtype is not None and x.dtype.kind == "f" else x

    def _call(self, when: str) -> None:
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                getattr(callback, when)(self)
            elif when == "on_epoch":
                callback(self)
