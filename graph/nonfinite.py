"""Where in a run a NaN or an infinity first shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .wiring import Wiring


def where_not_finite(wiring: Wiring, values: Sequence[Any]) -> str | None:
    """The first of a run's values that is not finite: the input, parameter or layer, and the sample; None: all are."""
    arrays = [np.asarray(value) for value in values]
    slot = next((i for i, a in enumerate(arrays) if a.dtype.kind == "f" and not np.isfinite(a).all()), None)
    if slot is None:
        return None
    array = arrays[slot]
    place = f", sample {int(np.argwhere(~np.isfinite(array))[0][0])}" if array.ndim else ""
    step = next((step for step in wiring.steps if slot in step.writes), None)
    if step is None:
        return f"{next(node.title for node, at in wiring.slots.items() if at == slot)}{place}"
    for key, param in step.layer.params.items():
        if not np.isfinite(param).all():
            return f"the parameter {step.name}.{key}"
    return f"the output of {step.title}{place}"
