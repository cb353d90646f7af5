"""Which values and gradients of a graph nobody reads again once a layer has them, so that it may write over them."""

from __future__ import annotations

from collections import Counter

from brickgrad.layers import Layer

from .wiring import Step, Wiring


def spare_values(wiring: Wiring) -> list[bool]:
    """For each step, whether it alone reads its one input, and the layer that made that does not read it again."""
    reads = Counter(slot for step in wiring.steps for slot in step.reads)
    made = {slot for step in wiring.steps if "y" in step.layer.hands_over for slot in step.writes}
    return [
        len(step.reads) == 1
        and reads[step.reads[0]] == 1
        and step.reads[0] in made
        and step.reads[0] not in wiring.outputs
        for step in wiring.steps
    ]


def spare_gradients(wiring: Wiring) -> list[bool]:
    """For each step, whether the gradient of its one output is made by layers that do not read it again."""
    readers: dict[int, list[Step]] = {}
    for step in wiring.steps:
        for slot in step.reads:
            readers.setdefault(slot, []).append(step)
    return [
        len(step.writes) == 1
        and step.writes[0] not in wiring.outputs
        and all("dx" in reader.layer.hands_over for reader in readers.get(step.writes[0], ()))
        for step in wiring.steps
    ]


def has_own_way(layer: Layer) -> bool:
    """Whether somebody has put a forward or backward on it, who may keep what passes, as a profile's clock does not."""
    own = vars(layer)
    return any(way in own and not hasattr(own[way], "is_clock") for way in ("forward", "backward"))
