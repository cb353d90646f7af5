"""Callbacks: what is called during a run, and two that watch how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array

from .batches import check_count
from .history import WATCHABLE

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """What is called during a run; override what you need. A plain function is called after each epoch.

    Any of them may end the run with `trainer.stop(reason)`, and say something with `trainer.progress.say(line)`.

    Attributes
        goes_last : bool. Whether it is called after all others: what saves a run must see what they have done to it.
    Example
        >>> import brickgrad as bg
        >>> class Patience(bg.Callback):
        ...     def on_batch(self, trainer):
        ...         if trainer.history.losses[-1] < 0.5:
        ...             trainer.stop("good enough")
        >>> net = bg.Sequential(bg.Affine(1, 2, rng=0))
        >>> trainer = bg.Trainer(net, bg.SGD(lr=0.5), callbacks=Patience(), progress=False)
        >>> history = trainer.fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> print(trainer.stopped, history.losses[-1] < 0.5, len(history) < 20)
        good enough True True
    """

    goes_last = False

    def on_start(self, trainer: Trainer) -> None:
        """Before the first batch."""

    def on_batch(self, trainer: Trainer) -> None:
        """After each step; `trainer.history.losses[-1]` is the batch's loss."""

    def on_epoch(self, trainer: Trainer) -> None:
        """After each epoch, when its accuracies are in `trainer.history`."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last epoch, also when an error ends the run; then `trainer.finished` is False."""

    def on_interrupt(self, trainer: Trainer) -> None:
        """After the batch or epoch in which Ctrl-C was pressed; then `fit` raises KeyboardInterrupt."""

    def settings(self) -> dict[str, Any]:
        """What a resumed run must be made with again, to go on as it would have: plain values by name."""
        return {}

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What it remembers from epoch to epoch, for a checkpoint: arrays by name, and values that JSON can hold."""
        return {}, {}

    def set_state(self, arrays: dict[str, Array], values: dict[str, Any]) -> None:
        """Remember what `state` gave, as a resumed run begins."""


class _Watch(Callback):
    """Follows one series of the history, and knows its best value; of equal ones the earlier is the best.

    The best is that of all runs of one trainer: a second `fit` goes on where the first ended.
    """

    def __init__(self, watch: str) -> None:
        if watch not in WATCHABLE:
            raise ValueError(f"{type(self).__name__}: watch must be one of {', '.join(WATCHABLE)}; got {watch!r}.")
        self.watch = watch
        self.best_epoch: int | None = None
        self.best_value: float | None = None

    def on_start(self, trainer: Trainer) -> None:
        if self.watch not in trainer.measures:
            wants = {"test": "fit(..., x_test, t_test)", "validation": "Trainer(..., validation=0.1)"}
            kind, _, what = self.watch.partition("_")
            hint = (
                "a net with evaluate(x, t)"
                if what == "loss" and f"{kind}_accuracy" in trainer.measures
                else wants[kind]
            )
            raise ValueError(
                f"{type(self).__name__}: this run does not measure {self.watch}, which needs {hint}; it measures "
                f"{', '.join(trainer.measures)}."
            )
        if trainer.epoch == 0:
            self.best_epoch = self.best_value = None

    def settings(self) -> dict[str, Any]:
        """What is watched."""
        return {"watch": self.watch}

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The best so far."""
        return {}, {"best_epoch": self.best_epoch, "best_value": self.best_value}

    def set_state(self, arrays: dict[str, Array], values: dict[str, Any]) -> None:
        """Take the best so far."""
        self.best_epoch, self.best_value = values["best_epoch"], values["best_value"]

    def improves(self, trainer: Trainer, by: float = 0.0) -> bool:
        """Whether the epoch beats the best by more than `by`; then it is the best. NaN beats nothing."""
        value = getattr(trainer.history, WATCHABLE[self.watch])[-1]
        if self.best_value is None:
            better = not np.isnan(value)
        else:
            gain = self.best_value - value if self.watch.endswith("loss") else value - self.best_value
            better = gain > by
        if better:
            self.best_epoch, self.best_value = trainer.epoch, value
        return bool(better)


class EarlyStopping(_Watch):
    """Ends a run when it no longer gets better: after `patience` epochs in a row without improvement.

    Each `fit` waits anew. To go on with the best epoch's parameters, add BestWeights.

    Parameters
        patience : int >= 1, default 5. How many epochs without improvement end the run.
        watch : str, default "validation_accuracy": what should improve. Also "validation_loss", "train_loss",
            "train_accuracy", "test_accuracy"; accuracies should grow and losses fall. What decides when to stop has
            been learned from: take the test set for it, and its accuracy is no longer that on data never seen.
        min_change : float >= 0, default 0. Only what exceeds the best by more than this is an improvement.
    Attributes
        best_epoch, best_value : the last improvement; None before the first epoch.
        waited : int, how many epochs have passed since.
    Errors       ValueError: a bad setting; at the start of a run, one that does not measure what is watched
    Source       Prechelt, "Early stopping - but when?" (1998), criterion UP
    Example
        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(1, 2, init=0.0))
        >>> stopping = EarlyStopping(patience=2, watch="train_accuracy")
        >>> trainer = bg.Trainer(net, bg.SGD(lr=0.1), callbacks=stopping, progress=False)
        >>> history = trainer.fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> print(len(history), trainer.stopped)
        3 train_accuracy has not improved for 2 epochs; its best is 1 after epoch 1
    """

    def __init__(self, patience: int = 5, *, watch: str = "validation_accuracy", min_change: float = 0.0) -> None:
        super().__init__(watch)
        check_count("EarlyStopping", "patience", patience)
        if not isinstance(min_change, int | float | np.number) or not 0 <= min_change < np.inf:
            raise ValueError(f"EarlyStopping: min_change must be a finite number of 0 or more; got {min_change!r}.")
        self.patience, self.min_change, self.waited = patience, min_change, 0

    def on_start(self, trainer: Trainer) -> None:
        """Wait anew."""
        super().on_start(trainer)
        if not trainer.resumed:
            self.waited = 0

    def settings(self) -> dict[str, Any]:
        """What is watched, and when it is enough."""
        return {**super().settings(), "patience": int(self.patience), "min_change": float(self.min_change)}

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The best so far, and how long ago it was."""
        arrays, values = super().state()
        return arrays, {**values, "waited": self.waited}

    def set_state(self, arrays: dict[str, Array], values: dict[str, Any]) -> None:
        """Take the best so far, and how long ago it was."""
        super().set_state(arrays, values)
        self.waited = values["waited"]

    def on_epoch(self, trainer: Trainer) -> None:
        """Count, and stop the run when patience is at its end."""
        self.waited = 0 if self.improves(trainer, self.min_change) else self.waited + 1
        if self.waited >= self.patience:
            best = (
                "" if self.best_value is None else f"; its best is {self.best_value:.4g} after epoch {self.best_epoch}"
            )
            epochs = "epoch" if self.waited == 1 else f"{self.waited} epochs"
            trainer.stop(f"{self.watch} has not improved for {epochs}{best}")


class BestWeights(_Watch):
    """Keeps a copy of the best epoch's parameters, and puts them back when a run has come to its end.

    With them come running statistics and whatever else `net.snapshot()` holds; of a net of one's own without it, the
    parameters. An error that ends the run leaves the net as it is; `best` is there all the same.

    Parameters
        watch : str, default "validation_accuracy". What decides; as in EarlyStopping.
    Attributes
        best : dict of arrays, the copy; None before the first epoch.
        best_epoch, best_value : when that was, and what was watched. Of equal epochs the earlier.
    Errors       ValueError: as EarlyStopping's
    Example
        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(1, 2, init=0.0))
        >>> keep = BestWeights(watch="train_accuracy")
        >>> trainer = bg.Trainer(net, bg.SGD(lr=0.1), epochs=9, callbacks=keep, progress=False)
        >>> history = trainer.fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> print(keep.best_epoch, keep.best_value, net.params["affine1.W"])  # all nine are right: the first is kept
        1 1.0 [[-0.05  0.05]]
    """

    def __init__(self, *, watch: str = "validation_accuracy") -> None:
        super().__init__(watch)
        self.best: dict[str, Array] | None = None

    def on_start(self, trainer: Trainer) -> None:
        """Forget what was another trainer's."""
        super().on_start(trainer)
        if self.best_epoch is None:
            self.best = None

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The best so far, with its copy."""
        return {} if self.best is None else dict(self.best), super().state()[1]

    def set_state(self, arrays: dict[str, Array], values: dict[str, Any]) -> None:
        """Take the best so far, with its copy."""
        super().set_state(arrays, values)
        self.best = arrays or None

    def on_epoch(self, trainer: Trainer) -> None:
        """Copy the parameters, if the epoch is the best so far."""
        if self.improves(trainer):
            net: Any = trainer.net
            own = getattr(net, "snapshot", None)
            self.best = own() if own else {name: param.copy() for name, param in net.params.items()}

    def on_end(self, trainer: Trainer) -> None:
        """Put the best back."""
        if self.best is None or not trainer.finished:
            return
        net: Any = trainer.net
        if hasattr(net, "restore"):
            net.restore(self.best)
        else:
            for name, param in net.params.items():
                param[...] = self.best[name]
        trainer.progress.say(f"the net is that of epoch {self.best_epoch}: {self.watch} {self.best_value:.4g}")
