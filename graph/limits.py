"""How large a description may be, looked at before anything is made of it."""

from __future__ import annotations

from typing import Any

from brickgrad.layers import Layer

from .plain import brief

MOST_LAYERS = 20_000
MOST_VALUES = 200_000  # that the steps of all graphs read and give, those of a graph inside at each of its places
MOST_DEPTH = 32  # graphs in graphs


class Size:
    """How large the layers of a description are: looked at before graphs are made of them."""

    def __init__(self) -> None:
        self._values: list[int] = []  # of each layer, those that it gives; of a graph, all those in it
        self._depths: list[int] = []
        self._total = 0

    def add_layer(self, what: str, layer: Layer) -> None:
        """Count a layer that is no graph."""
        self._add(what, layer.n_outputs, 0)

    def add_graph(self, what: str, steps: list[tuple[int, int]]) -> None:
        """Count a graph by the place of each step's layer and how many values it reads."""
        depth = 1 + max((self._depths[place] for place, _ in steps), default=0)
        values = sum(self._values[place] + reads for place, reads in steps)
        self._total += values
        self._add(what, values, depth)

    def _add(self, what: str, values: int, depth: int) -> None:
        if len(self._values) >= MOST_LAYERS or max(values, self._total) > MOST_VALUES or depth > MOST_DEPTH:
            raise ValueError(
                f"{what}: a description must have at most {MOST_LAYERS:,} layers, {MOST_VALUES:,} values that they "
                f"read and give, and {MOST_DEPTH} graphs in each other; got {len(self._values) + 1:,}, "
                f"{max(values, self._total):,} and {depth}."
            )
        self._values.append(values)
        self._depths.append(depth)


def listed(what: str, value: Any, most: int = MOST_VALUES) -> list[Any]:
    """The value, a list that is not too long; else a ValueError."""
    if type(value) is not list or len(value) > most:
        got = f"{len(value):,}" if type(value) is list else brief(value)
        raise ValueError(f"{what} must be a list of at most {most:,}; got {got}.")
    return value
