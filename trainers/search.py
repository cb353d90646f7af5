"""Random search for settings: many short runs, each with settings drawn anew, and what came of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers.scalars import is_whole

from .batches import check_count
from .distributions import as_distribution
from .history import History
from .sets import check_set, check_share
from .trainer import Trainer

COLUMNS = 5  # of the grid, as in the texts


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Attributes
        number : int from 0. What `Search.repeat` takes.
        settings, seed : what the trainer was made with.
        history : History of the run; of one that failed, up to where it did.
        error : str, why it failed; None if it did not.
    """

    number: int
    settings: dict[str, Any]
    seed: int
    history: History
    error: str | None = None

    @property
    def accuracy(self) -> float:
        """The validation accuracy after the last epoch; nan for a trial that failed."""
        accuracies = self.history.validation_accuracies
        return accuracies[-1] if accuracies and self.error is None else math.nan


class Search:
    """The trials of a random search, the best first; printed, a table. `random_search` makes it.

    Attributes
        trials : list of Trial, by falling validation accuracy, of equal ones the earlier first, those that failed last.
        best : Trial, the first of them.
    """

    def __init__(
        self,
        make_trainer: Callable[..., Trainer],
        space: Mapping[str, Any],
        data: tuple[Any, Any],
        seed: int,
        validation: float,
    ) -> None:
        self.make_trainer, self.data, self.seed, self.validation = make_trainer, data, seed, validation
        self.space = {name: as_distribution("random_search", name, given) for name, given in space.items()}
        self.split_seed = int(np.random.default_rng(seed).integers(2**63))  # all trials hold out the same samples
        self.trials: list[Trial] = []

    @property
    def best(self) -> Trial:
        """The trial of the highest validation accuracy."""
        return self.trials[0]

    def draw(self, number: int) -> tuple[dict[str, Any], int]:
        """The settings and the seed of a trial: they depend on the search's seed, the number and the space alone."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))
        seed = int(rng.integers(2**63))
        drawn = {name: self.space[name].draw(rng) for name in sorted(self.space)}
        return {name: drawn[name] for name in self.space}, seed

    def repeat(self, number: int) -> Trainer:
        """Run one trial again, the same bits; returns its trainer, with its net and history."""
        trainer = self._make(*self.draw(number))
        trainer.fit(*self.data)
        return trainer

    def run(self, number: int) -> Trial:
        """Run a trial and keep it. One that diverges is kept as failed; any other error is raised."""
        settings, seed = self.draw(number)
        trainer, error = self._make(settings, seed), None
        try:
            trainer.fit(*self.data)
        except FloatingPointError as diverged:
            error = str(diverged)
        trial = Trial(number, settings, seed, trainer.history, error)
        self.trials.append(trial)
        self.trials.sort(key=lambda trial: (math.isnan(trial.accuracy), -trial.accuracy, trial.number))
        return trial

    def _make(self, settings: dict[str, Any], seed: int) -> Trainer:
        trainer = self.make_trainer(**settings, seed=seed)
        if not isinstance(trainer, Trainer):
            raise TypeError(f"random_search: make_trainer must return a Trainer; got {type(trainer).__name__}.")
        trainer.validation, trainer.split_seed = self.validation, self.split_seed
        return trainer

    def __str__(self) -> str:
        rows = [["trial", "validation %", "train %", *self.space, ""]]
        for trial in self.trials:
            accuracies = (trial.accuracy, *trial.history.train_accuracies[-1:])
            shown = [f"{100 * accuracy:.2f}" for accuracy in accuracies]
            if trial.error is not None or len(shown) < 2:
                shown = ["failed" if trial.error else "-", "-"]
            settings = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.settings.values()]
            note = "" if trial.error is None else f"after {len(trial.history)} epochs"
            rows.append([str(trial.number), *shown, *settings, note])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def plot(self, top: int = 20) -> Any:
        """Draw the accuracies of the best trials over their epochs, five in a row; return the Figure. No show()."""
        check_count("Search.plot", "top", top)
        try:
            from matplotlib import pyplot as plt
        except ImportError as error:
            raise ImportError(
                "Search.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
            ) from error
        shown = [trial for trial in self.trials if len(trial.history)][:top]
        n_rows = max(-(-len(shown) // COLUMNS), 1)
        figure, axes = plt.subplots(
            n_rows, COLUMNS, sharex=True, sharey=True, squeeze=False, figsize=(11, 2 * n_rows + 1), layout="constrained"
        )
        for ax, trial in zip(axes.flat, shown, strict=False):
            epochs = np.arange(1, len(trial.history) + 1)
            ax.plot(epochs, trial.history.validation_accuracies, label="validation set")
            ax.plot(epochs, trial.history.train_accuracies, linestyle="--", label="training set")
            result = "failed" if trial.error else f"{100 * trial.accuracy:.2f} %"
            ax.set(title=f"trial {trial.number}: {result}", ylim=(0, 1))
            ax.grid(alpha=0.3)
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        if shown:
            axes[0, 0].legend(loc="lower right", fontsize="small")
            figure.supxlabel("epoch")
            figure.supylabel("accuracy")
        return figure


def random_search(
    make_trainer: Callable[..., Trainer],
    space: Mapping[str, Any],
    trials: int,
    x_train: Any,
    t_train: Any,
    *,
    seed: int = 0,
    validation: float = 0.2,
    progress: bool = True,
) -> Search:
    """Try settings at random, and rank them by the accuracy on samples that no trial was trained on.

    Random points cover each setting better than a grid of as many: no two trials share a value.

    Parameters
        make_trainer : function. make_trainer(**settings, seed=...) returns a new Trainer on a new net; few epochs will
            do to tell good ranges from bad ones.
        space : dict. For each setting (low, high), drawn as LogUniform, or Uniform, LogUniform, Choice, or any object
            with draw(rng).
        trials : int >= 1.
        x_train, t_train : arrays. What `Trainer.fit` takes; the test set stays out of it.
        seed : int >= 0, default 0. Draws the settings and seeds of all trials, each from (seed, its number), and the
            samples that all trials hold out.
        validation : float, 0 < share < 1, default 0.2. The share held out; it replaces the trainers' own.
        progress : bool, default True. Print a line for each trial.
    Errors       TypeError, ValueError: bad settings; whatever a trial raises but FloatingPointError: a trial that
                 diverges is listed as failed
    Source       Bergstra & Bengio, "Random search for hyper-parameter optimization" (2012)
    Example
        >>> import brickgrad as bg
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(200, 2)).astype(np.float32)
        >>> t = (x[:, 0] > x[:, 1]).astype(int)
        >>> def make_trainer(lr, seed):
        ...     net = bg.Sequential(bg.Affine(2, 2, rng=0))
        ...     return bg.Trainer(net, bg.SGD(lr=lr), epochs=5, batch_size=20, seed=seed, progress=False)
        >>> search = random_search(make_trainer, {"lr": (1e-4, 10.0)}, 4, x, t, progress=False)
        >>> repeated = search.repeat(search.best.number)
        >>> repeated.history.losses == search.best.history.losses
        True
        >>> print(search)
        trial  validation %  train %         lr
            3         92.50    93.12    0.03603
            0         72.50    67.50   0.003817
            1         70.00    62.50    0.00164
            2         67.50    61.88  0.0002622
    """
    check_count("random_search", "trials", trials)
    check_share("random_search", validation)
    if validation == 0:
        raise ValueError("random_search: validation must be above 0: trials are ranked by the samples held out.")
    if not is_whole(seed, 0):
        raise ValueError(f"random_search: seed must be a whole number of 0 or more; got {seed!r}.")
    if not isinstance(space, Mapping) or not space or "seed" in space:
        raise ValueError(f"random_search: space must name at least one setting, and not 'seed'; got {space!r:.60}.")
    if not callable(make_trainer):
        raise TypeError(
            f"random_search: make_trainer must be a function that returns a Trainer; got {make_trainer!r:.60}."
        )
    data = check_set("x_train", x_train, "t_train", t_train)
    search = Search(make_trainer, space, data, int(seed), float(validation))
    for number in range(trials):
        trial = search.run(number)
        if progress:
            result = "failed" if trial.error else f"validation {100 * trial.accuracy:6.2f} %"
            settings = ", ".join(
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.settings.items()
            )
            print(f"trial {number:3}/{trials}  {result}  {settings}", flush=True)
    return search
