"""What is probably wrong: known mistakes tried in turn, and the first that explains the gradient named."""

from __future__ import annotations

import numpy as np

from .clues import Clues, Mistake
from .guess_backward import at_output, missing_terms, weight_turned
from .guess_factors import (
    factor,
    factor_by_slice,
    factor_inside,
    missing_factor,
    nothing,
    precision,
    small_constant,
    statistic,
)
from .guess_outputs import contributions, wrong_axis
from .guess_places import border, exchanged, mask, partly_wrong, shifted, summed_over_all, swapped, turned, wrong_order
from .report import Guess

# From the most particular to the most general: a later one would also explain much of what an earlier one does.
MISTAKES: tuple[Mistake, ...] = (
    nothing,
    factor,
    precision,
    swapped,
    turned,
    shifted,
    wrong_order,
    weight_turned,
    at_output,
    missing_factor,
    factor_inside,
    summed_over_all,
    mask,
    missing_terms,
    exchanged,
    border,
    contributions,
    wrong_axis,
    partly_wrong,
    statistic,
    factor_by_slice,
    small_constant,
)


def guess(clues: Clues) -> Guess | None:
    """The first mistake that explains a wrong gradient; None where none does."""
    with np.errstate(all="ignore"):
        return next((found for mistake in MISTAKES if (found := mistake(clues)) is not None), None)
