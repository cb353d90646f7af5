"""Gradients cut down to size: entry by entry, and all together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from brickgrad.layers import Array


def limit_values(grads: Mapping[str, Array], limit: float) -> dict[str, Array]:
    """New gradients, each entry brought into -limit..limit."""
    return {name: np.clip(grad, -limit, limit) for name, grad in grads.items()}


def limit_norm(grads: Mapping[str, Array], limit: float, parts: Sequence[Array] | None = None) -> Mapping[str, Array]:
    """The gradients scaled down together, so that the norm of them all is `limit`; as they are where it is no more.

    Their squares are summed up one by one; or part by part, where `parts` are all that they hold, cut up otherwise.

    Source       Pascanu, Mikolov & Bengio (2013), algorithm 1
    """
    largest = max((float(np.abs(grad).max(initial=0.0)) for grad in grads.values()), default=0.0)
    if largest == 0 or not math.isfinite(largest):  # nothing to scale, or trouble that must not be hidden
        return grads
    # In units of the largest entry: squares of large float32 overflow, those of small ones vanish.
    norm = math.sqrt(sum(float(np.sum(np.square(part / largest))) for part in parts or grads.values()))
    if not largest * norm > limit:
        return grads
    return {name: grad / largest * (limit / norm) for name, grad in grads.items()}
