"""The bug zoo: the faults that gradient code is shipped with, each behind a switch, and what is right but looks wrong.

Every entry makes a fresh layer, graph or plain object and its inputs from a seed:

    for fault in zoo.FAULTS:
        layer, inputs = fault.make(0)
        bg.gradcheck(layer, *inputs)  # must fail, and fault.healthy(0) must pass
"""

from . import convolution, engine, large, loss, normalization, plantings, pooling, reduction, state
from .correct import CORRECT
from .entry import FAMILIES, KINDS, Correct, Fault

FAULTS = (
    *reduction.FAULTS,
    *loss.FAULTS,
    *normalization.FAULTS,
    *convolution.FAULTS,
    *pooling.FAULTS,
    *state.FAULTS,
    *plantings.FAULTS,
    *engine.FAULTS,
    *large.FAULTS,
)

__all__ = ["CORRECT", "FAMILIES", "FAULTS", "KINDS", "Correct", "Fault"]
