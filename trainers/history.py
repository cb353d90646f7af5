"""What a training run leaves behind: losses, accuracies, times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

# What callbacks can watch, and the attribute it stands in.
WATCHABLE = {
    "train_loss": "epoch_losses",
    "train_accuracy": "train_accuracies",
    "validation_loss": "validation_losses",
    "validation_accuracy": "validation_accuracies",
    "test_accuracy": "test_accuracies",
}


@dataclass
class History:
    """The course of a run.

    Attributes
        losses : float, the loss of each batch, before its step.
        epoch_losses : float, their mean over each epoch, without those that are not finite.
        train_accuracies, test_accuracies : float in 0..1, after each epoch; the latter empty without a test set.
        seconds : float, the time of each epoch, evaluation included.
        validation_accuracies, validation_losses : float, after each epoch, of the samples held out; empty without any,
            the losses also for a net without `evaluate`.
        epoch_batches : int, how many batches each epoch had; fewer where a run was stopped within one.
    Example
        >>> print(History([2.0, 1.0], [1.5], [0.9], [0.8], [0.25]))
        epoch   loss    train %  test %  seconds
            1  1.5000    90.00    80.00     0.25
    """

    losses: list[float] = field(default_factory=list)
    epoch_losses: list[float] = field(default_factory=list)
    train_accuracies: list[float] = field(default_factory=list)
    test_accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    epoch_batches: list[int] = field(default_factory=list)

    def record(
        self,
        losses: list[float],
        train: float,
        test: float | None,
        seconds: float,
        validation: float | None = None,
        validation_loss: float | None = None,
    ) -> None:
        """Add an epoch. What only some epochs measure is nan in the others; losses of skipped batches may be nan."""
        for series, value in (
            (self.test_accuracies, test),
            (self.validation_accuracies, validation),
            (self.validation_losses, validation_loss),
        ):
            if value is not None or series:
                series += [float("nan")] * (len(self) - len(series)) + [float("nan") if value is None else value]
        known = [loss for loss in losses if np.isfinite(loss)]
        self.epoch_losses.append(float(np.mean(known)) if known else float("nan"))
        self.epoch_batches.append(len(losses))
        self.train_accuracies.append(train)
        self.seconds.append(seconds)

    def __len__(self) -> int:
        return len(self.epoch_losses)

    def __str__(self) -> str:
        columns = {"train %": self.train_accuracies}
        if self.validation_accuracies:
            columns["valid %"] = self.validation_accuracies
        columns["test %"] = self.test_accuracies
        lines = ["  ".join(["epoch   loss  ", *columns, "seconds"])]
        for epoch, loss in enumerate(self.epoch_losses):
            cells = (
                f"{100 * accuracies[epoch]:9.2f}" if accuracies and np.isfinite(accuracies[epoch]) else f"{'-':>9}"
                for accuracies in columns.values()
            )
            lines.append(f"{epoch + 1:5}  {loss:.4f}{''.join(cells)} {self.seconds[epoch]:8.2f}")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Draw the accuracies over the epochs; return the Axes. Never calls show()."""
        ax = _axes(ax)
        epochs = np.arange(1, len(self) + 1)
        ax.plot(epochs, self.train_accuracies, marker="o", markersize=3, label="training set")
        if self.validation_accuracies:
            ax.plot(epochs, self.validation_accuracies, marker="^", markersize=3, linestyle=":", label="validation set")
        if self.test_accuracies:
            ax.plot(epochs, self.test_accuracies, marker="s", markersize=3, linestyle="--", label="test set")
        ax.set(xlabel="epoch", ylabel="accuracy", title="Accuracy after each epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend(loc="lower right")
        return ax

    def plot_loss(self, ax: Any = None) -> Any:
        """Draw the loss of each batch, and its mean over each epoch; return the Axes. Never calls show()."""
        ax = _axes(ax)
        ax.plot(np.arange(1, len(self.losses) + 1), self.losses, linewidth=0.5, alpha=0.4, label="each batch")
        if len(self):
            known = len(self.epoch_batches) == len(self)  # a history made by hand may have none
            sizes = self.epoch_batches if known else [len(self.losses) / len(self)] * len(self)
            ends = np.cumsum(sizes)
            ax.plot(ends, self.epoch_losses, marker="o", markersize=3, label="mean of each epoch")
        ax.set(xlabel="batch", ylabel="loss", title="Loss", yscale="log")
        ax.grid(alpha=0.3, which="both")
        ax.legend(loc="upper right")
        return ax


def _axes(ax: Any) -> Any:
    """`ax`, or new Axes on a figure of pyplot's, so that plt.show() shows it."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "History.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
        ) from error
    return plt.subplots(figsize=(6, 4), layout="constrained")[1]
