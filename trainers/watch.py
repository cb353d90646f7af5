"""Watch: a net seen from inside while it learns."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import Array

from .batches import check_count
from .callbacks import Callback
from .watch_advice import Finding, findings
from .watch_look import Look, look_at_layers, look_at_params, owners
from .watch_plot import draw
from .watch_table import table

if TYPE_CHECKING:
    from .trainer import Trainer


class Watch(Callback):
    """Shows a net learning: activations, gradients and weights, layer by layer, and warnings in plain words.

        update of W = ‖ΔW‖ / ‖W‖        dead = share of a ReLU's units that are 0 for all samples of a batch

    It looks after the first step and then after every `every`-th. What it sees is what that step computed: it runs
    nothing and draws no random numbers, so the net trains to the same bits as without it. A full record is thinned:
    every second look goes, and from then on half as many are made.

    Parameters
        every : int >= 1, default 100. Steps from one look to the next.
        bins : int >= 1, default 40. Of each histogram.
        most : int >= 2, default 100. How many looks the record holds.
    Attributes
        looks : list of Look, the record. Of a net without a Graph as `graph` the looks have parameters only.
        spacing : int, the steps between looks now: `every`, doubled each time that the record was thinned.
        warnings : list of str, what is wrong at the last look, since which step, and what to try. A trouble counts when
            two looks in a row have found it, or the only one there is.
    Errors       ValueError: a setting out of range. ImportError: plot without matplotlib
    Source       share of dead units: Lu et al. (2020), "Dying ReLU and initialization"; the ratio of update to weight:
                 Stanford's CS231n, "Babysitting the learning process", which calls 0.001 usual
    Example
        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(1, 2, init=1.0, rng=0, name="low"), bg.ReLU(), bg.Affine(2, 2, name="top"))
        >>> net.params["low.b"] -= 100.0
        >>> watch = Watch(every=10)
        >>> trainer = bg.Trainer(net, bg.SGD(lr=0.1), callbacks=watch, progress=False)
        >>> history = trainer.fit(np.linspace(-1, 1, 40).reshape(-1, 1), np.arange(40) // 20)
        >>> print(watch.warnings[-1])  # doctest: +ELLIPSIS
        Dead ReLUs, since step 1: 2 of 2 units of relu1 give 0 for every sample of a batch: ...
        >>> watch.steps, watch.series("relu1", "dead")
        ([1, 11], array([1., 1.]))
    """

    def __init__(self, every: int = 100, *, bins: int = 40, most: int = 100) -> None:
        check_count("Watch", "every", every)
        check_count("Watch", "bins", bins)
        check_count("Watch", "most", most)
        if most < 2:
            raise ValueError(f"Watch: most must be at least 2, so that there are looks to compare; got {most}.")
        self.every, self.bins, self.most = int(every), int(bins), int(most)
        self._forget()

    def _forget(self) -> None:
        self.looks: list[Look] = []
        self.spacing = self.every
        self._n_looks = 0  # those thinned out too
        self._found: dict[str, tuple[int, int, Finding]] = {}  # by kind: since which step, at how many looks, the last
        self._said: set[str] = set()
        self._end: str | None = None
        self._seen_losses = 0
        self._before: dict[str, Array] | None = None
        self._kept: list[tuple[Graph, bool]] = []

    # What the trainer calls

    def on_start(self, trainer: Trainer) -> None:
        """Forget another trainer's run; get ready for the first step."""
        if trainer.epoch == 0:
            self._forget()
        self._end = None
        self._get_ready(trainer)

    def on_batch(self, trainer: Trainer) -> None:
        """Look, if it is time; get ready, if it will be after the next step."""
        step = len(trainer.history.losses)
        if self._is_due(step):
            with np.errstate(over="ignore", invalid="ignore"):  # what is too large shows as infinity
                self._look(trainer, step)
            self._let_go()
        self._get_ready(trainer)

    def on_end(self, trainer: Trainer) -> None:
        """Put the graph's settings back; where an error ended the run, keep what it says and when that was."""
        self._let_go()
        error = sys.exception()  # the one that is ending the run: the trainer calls this in its `finally`
        if not trainer.finished and isinstance(error, ArithmeticError | ValueError):
            self._end = _last_words(trainer, error)
        self._say_new(trainer)

    def _is_due(self, step: int) -> bool:
        return (step - 1) % self.spacing == 0

    def _get_ready(self, trainer: Trainer) -> None:
        """Before a step that will be looked at: ask the graph to keep its values, and copy the parameters."""
        if not self._is_due(len(trainer.history.losses) + 1):
            return
        net: Any = trainer.net
        graph = _graph(net)
        if graph is not None and not self._kept:
            self._kept = [(part, part.keep) for part in graph.parts() if isinstance(part, Graph)]
            for part, _ in self._kept:
                part.keep = True
        # A lazily sized net has no parameters before its first step.
        sized = graph is None or graph.sized
        self._before = {name: param.copy() for name, param in net.params.items()} if sized else None

    def _let_go(self) -> None:
        for part, keep in self._kept:
            part.keep = keep
            if not keep and part.memory.saved is not None:
                part.memory.saved.let_go()  # else it stays until the next run
        self._kept, self._before = [], None

    def _look(self, trainer: Trainer, step: int) -> None:
        graph, losses = _graph(trainer.net), trainer.history.losses[self._seen_losses :]
        self._seen_losses = step
        look = Look(
            step=step,
            loss=float(np.mean(losses)),
            lr=float(getattr(trainer.optimizer, "lr", math.nan)),
            layers={} if graph is None else look_at_layers(graph, self.bins),
            params=look_at_params(trainer.net, {} if graph is None else owners(graph), self._before, self.bins),
        )
        if len(self.looks) == self.most:
            self._thin()
        if not self.looks or self._is_due(step):
            self.looks.append(look)
            self._n_looks += 1
            self._judge(step)
            self._say_new(trainer)

    def _thin(self) -> None:
        """Keep every second look: the first stays, so what is left is as far apart as `spacing` then says."""
        self.looks = self.looks[::2]
        self.spacing *= 2

    def _judge(self, step: int) -> None:
        """Note what the rules find; what they no longer find is over."""
        found = {}
        for finding in findings(self.looks):
            since, times, _ = self._found.get(finding.kind, (step, 0, None))
            found[finding.kind] = since, times + 1, finding
        self._found = found

    def _say_new(self, trainer: Trainer) -> None:
        """Tell the user of each kind of trouble once, when it first counts."""
        for kind, text in self._warnings().items():
            if kind not in self._said:
                self._said.add(kind)
                trainer.progress.say(f"Watch: {text}")

    # What the user reads

    @property
    def warnings(self) -> list[str]:
        """What is wrong at the last look; empty where nothing is."""
        return list(self._warnings().values())

    def _warnings(self) -> dict[str, str]:
        counts = min(2, self._n_looks)
        texts = {kind: found.since(since) for kind, (since, times, found) in self._found.items() if times >= counts}
        return {**({} if self._end is None else {"end": self._end}), **texts}

    @property
    def steps(self) -> list[int]:
        """The steps of the looks."""
        return [look.step for look in self.looks]

    def series(self, name: str, what: str) -> Array:
        """One number of a layer or parameter over all looks, such as series("relu1", "dead"); nan where it is missing.

        Of layers: mean, deviation, zeros, dead, saturated, gradient; of parameters: norm, gradient, update.
        """
        entries = [look.layers.get(name) or look.params.get(name) for look in self.looks]
        known = [entry for entry in entries if entry is not None]
        if not known:
            names = ", ".join(dict.fromkeys(n for look in self.looks for n in (*look.layers, *look.params)))
            raise ValueError(
                f"Watch.series: there is no layer or parameter {name!r}; there are: {names or 'none yet'}."
            )
        if not isinstance(getattr(known[0], what, None), float):
            numbers = ", ".join(key for key, value in vars(known[0]).items() if isinstance(value, float))
            raise ValueError(f"Watch.series: {name} has no number {what!r}; it has: {numbers}.")
        return np.array([math.nan if entry is None else getattr(entry, what) for entry in entries])

    def plot(self) -> Any:
        """Draw the record; return the matplotlib Figure. Never calls show()."""
        return draw(self)

    def __str__(self) -> str:
        return table(self)


def _graph(net: Any) -> Graph | None:
    """The net's graph, where it has one that can be looked into."""
    graph = getattr(net, "graph", None)
    return graph if isinstance(graph, Graph) else None


def _last_words(trainer: Trainer, error: Exception) -> str:
    """When the run broke off and why, and how the loss had gone until then."""
    losses = trainer.history.losses
    what = "Loss or gradient not finite" if isinstance(error, FloatingPointError) else "Run broken off"
    text = f"{what}, since step {len(losses) + 1}: {error}"
    if losses:
        later = f" and {losses[-1]:.3g} at step {len(losses)}" if len(losses) > 1 else ""
        text += f" The loss was {losses[0]:.3g} at step 1{later}."
    return text
