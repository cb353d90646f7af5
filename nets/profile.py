"""Where the time of training goes: a clock on each layer's forward and backward."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import Array, Layer


@dataclass
class Row:
    """What one layer took in all steps: seconds of its forwards and backwards, bytes of what it gave and kept."""

    name: str
    kind: str
    forward: float = 0.0
    backward: float = 0.0
    bytes: int = 0

    def add(self, other: Row) -> None:
        """Add another row of the same layer."""
        self.forward += other.forward
        self.backward += other.backward
        self.bytes += other.bytes


@dataclass
class Profile:
    """The time and memory of each layer over a number of steps.

    `str` gives a table, `plot` a picture. "The rest" is what lies between the layers: sums where edges meet and, in a
    trainer, gathering batches, the optimizer, callbacks.

    Attributes
        rows : of Row, in the order in which the layers run.
        steps : int, how many forwards of the whole net were timed.
        seconds : float, what they took with all that lies between the layers.
    """

    title: str
    rows: list[Row] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0

    def add(self, other: Profile) -> None:
        """Add another profile of the same net."""
        self.steps, self.seconds = self.steps + other.steps, self.seconds + other.seconds
        if not self.rows:
            self.rows = [Row(row.name, row.kind) for row in other.rows]
        for row, more in zip(self.rows, other.rows, strict=True):
            row.add(more)

    @property
    def rest(self) -> float:
        """The seconds that no layer took."""
        return max(self.seconds - sum(row.forward + row.backward for row in self.rows), 0.0)

    def __str__(self) -> str:
        per_step = 1e3 / max(self.steps, 1)
        head = ("layer", "kind", "forward, ms", "backward, ms", "share", "bytes")
        lines = [head]
        for row in self.rows:
            share = (row.forward + row.backward) / max(self.seconds, 1e-12)
            times = (f"{row.forward * per_step:.3f}", f"{row.backward * per_step:.3f}", f"{share:.1%}")
            lines.append((row.name, row.kind, *times, f"{row.bytes // max(self.steps, 1):,}"))
        lines.append(
            ("the rest", "", f"{self.rest * per_step:.3f}", "", f"{self.rest / max(self.seconds, 1e-12):.1%}", "")
        )
        forward, backward = (sum(getattr(row, way) for row in self.rows) for way in ("forward", "backward"))
        total = sum(row.bytes for row in self.rows) // max(self.steps, 1)
        lines.append(("total", "", f"{forward * per_step:.3f}", f"{backward * per_step:.3f}", "", f"{total:,}"))
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        each = f"{self.seconds * per_step:.3f} ms each"
        return "\n".join([f"{self.title}: {self.steps} step{'s' * (self.steps != 1)}, {each}", *table])

    def plot(self) -> Any:
        """A bar for each layer, its forward and its backward in milliseconds a step. Returns a matplotlib Figure.

        Errors       ImportError: matplotlib is not installed
        """
        try:
            from matplotlib import pyplot as plt
        except ImportError:
            raise ImportError(
                "Profile.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
            ) from None
        per_step = 1e3 / max(self.steps, 1)
        names = [*(row.name for row in self.rows), "the rest"]
        forward = np.array([*(row.forward for row in self.rows), 0.0]) * per_step
        backward = np.array([*(row.backward for row in self.rows), 0.0]) * per_step
        figure, axes = plt.subplots(figsize=(8, 1.2 + 0.28 * len(names)), layout="constrained")
        places = np.arange(len(names))
        axes.barh(places, forward, color="#1f5fa8", label="forward")
        axes.barh(places, backward, left=forward, color="#e07b39", label="backward")
        axes.barh(places[-1:], [self.rest * per_step], color="0.7", label="between the layers")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlabel("milliseconds a step")
        axes.set_title(f"{self.title}: {self.seconds * per_step:.2f} ms a step")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        return figure


@contextlib.contextmanager
def timed(title: str, graphs: Sequence[Graph]) -> Iterator[Profile]:
    """A Profile of all that runs through some graphs inside the block, replicas of one net among them.

    The layers are as before when it ends. What several threads take at once is added up.

    >>> import brickgrad as bg
    >>> x = bg.Input("x")
    >>> graph = bg.Graph(x, bg.Tanh()(x))
    >>> with timed("mine", [graph]) as profile:
    ...     y = graph.forward(np.zeros(3))
    >>> profile.steps, [row.name for row in profile.rows], profile.seconds > 0
    (1, ['tanh1'], True)
    """
    profile = Profile(title)
    clocks = [_Clocks(graph) for graph in graphs]
    start = time.perf_counter()
    try:
        yield profile
    finally:
        profile.seconds = time.perf_counter() - start
        for clock in clocks:
            clock.take_off()
        profile.steps = clocks[0].runs
        profile.rows = clocks[0].rows
        for clock in clocks[1:]:
            for row, more in zip(profile.rows, clock.rows, strict=True):
                row.add(more)


class _Clocks:
    """A clock on each layer of a graph, until they are taken off."""

    def __init__(self, graph: Graph) -> None:
        self.rows: list[Row] = []
        self.runs = 0
        self._layers: list[Layer] = [graph, *graph.leaves()]
        for name, leaf in graph.named_leaves():
            row = Row(name, type(leaf).__name__)
            self.rows.append(row)
            vars(leaf).update(
                forward=_clocked(leaf.forward, row, "forward", leaf),
                backward=_clocked(leaf.backward, row, "backward", leaf),
            )
        run = graph.forward

        def counted(*inputs: Any) -> Any:
            self.runs += 1
            return run(*inputs)

        counted.is_clock = True  # type: ignore[attr-defined]  # so that replicas are made without
        vars(graph)["forward"] = counted

    def take_off(self) -> None:
        """Leave the layers as they were."""
        for layer in self._layers:
            vars(layer).pop("forward", None)
            vars(layer).pop("backward", None)


def _clocked(go: Callable[..., Any], row: Row, way: str, layer: Layer) -> Callable[..., Any]:
    """`go`, with its time added to the row, but for what it waited for other shards of the batch."""

    def clocked(*arrays: Any) -> Any:
        start, waited = time.perf_counter(), getattr(layer._all_reduce, "waited", 0.0)
        results = go(*arrays)
        waited = getattr(layer._all_reduce, "waited", 0.0) - waited
        setattr(row, way, getattr(row, way) + time.perf_counter() - start - waited)
        if way == "forward":
            row.bytes += sum({id(array): array.nbytes for array in _arrays([results, layer.memory.saved])}.values())
        return results

    clocked.is_clock = True  # type: ignore[attr-defined]  # as above
    return clocked


def _arrays(thing: Any) -> Iterator[Array]:
    """All arrays in nested tuples and lists: each as what owns its memory."""
    if isinstance(thing, np.ndarray):
        yield thing.base if isinstance(thing.base, np.ndarray) else thing
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _arrays(part)
