"""How results are held against each other: bit for bit or nearly, and what differs in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array

Named = list[tuple[str, Any]]


def upstream(outputs: Sequence[Any], seed: int = 0) -> tuple[Array, ...]:
    """Gradients for the outputs: none alike, none near 0, of both signs."""
    rng = np.random.default_rng(seed)
    found = []
    for y in map(np.asarray, outputs):
        values = np.asarray(rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape))
        found.append(values.astype(y.dtype if y.dtype.kind == "f" else np.float64))
    return tuple(found)


def difference(actual: Named, expected: Named, rtol: float = 0.0) -> str | None:
    """The first that is not as expected, in words; None where all are, to the last bit unless `rtol` is given."""
    for (name, one), (_, other) in zip(actual, expected, strict=True):
        if one is None or other is None:
            if one is not other:
                return f"{name} is None in one of the two and an array in the other"
            continue
        a, b = np.asarray(one), np.asarray(other)
        if a.shape != b.shape:
            return f"{name} has the shape {a.shape}, not {b.shape}"
        if rtol == 0 and a.dtype != b.dtype:
            return f"{name} is {a.dtype}, not {b.dtype}"
        if rtol == 0 and a.tobytes() == b.tobytes():
            continue
        largest = float(np.max(np.abs(b), initial=0, where=np.isfinite(b)))
        wrong = ~np.isclose(a, b, rtol=rtol, atol=rtol * largest, equal_nan=True)
        if not wrong.any():
            continue
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at {index}" if index else ""
        multiple = _multiple(a, b)
        return f"{name}{at} is {a[index]:.10g}, not {b[index]:.10g}{multiple}"
    return None


def _multiple(a: Array, b: Array) -> str:
    """How many times as large a is as b, where it is so everywhere."""
    live = (b != 0) & np.isfinite(b) & np.isfinite(a)
    if not live.any():
        return ""
    ratios = a[live] / b[live]
    if not np.allclose(ratios, ratios[0], rtol=1e-9, atol=0) or np.any(a[b == 0]):
        return ""
    return f" ({ratios[0]:.6g} times as large, everywhere)"
