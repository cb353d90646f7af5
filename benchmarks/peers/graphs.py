"""A brickgrad net as a list of operations, for peers to rebuild."""

from __future__ import annotations

from dataclasses import dataclass

import brickgrad as bg


@dataclass(frozen=True)
class Operation:
    """A layer's kind, the layer, and the places of its inputs and its output."""

    kind: str
    layer: bg.Layer
    reads: tuple[int, ...]
    writes: int


def operations(net: bg.Net) -> tuple[list[Operation], int, int]:
    """The net's layers in order before the loss, the place of x and the place of the scores."""
    wiring = net.body.wiring
    found = [Operation(type(s.layer).__name__, s.layer, s.reads, s.writes[0]) for s in wiring.steps]
    return found, wiring.inputs[0], wiring.outputs[0]
