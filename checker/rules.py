"""The rules of the contract as a list: number, short name, plain words, and the function that tries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .rules_arrays import check_batches_and_layouts, check_fresh, check_precision, check_randomness
from .rules_branches import check_frozen, check_gradient, check_sizes
from .rules_calls import check_linear, check_order, check_saved, check_set, check_silent, check_unchanged
from .rules_trial import Bench


@dataclass(frozen=True)
class Rule:
    """One rule. `check` returns None or a remark where it holds, and raises where it does not or cannot be tried."""

    number: int
    slug: str
    words: str
    check: Callable[[Bench], str | None]

    @property
    def id(self) -> str:
        """The rule as the name of a test: rule-01-inputs-unchanged."""
        return f"rule-{self.number:02d}-{self.slug}"


RULES = (
    Rule(1, "inputs-unchanged", "forward changes no input, backward no upstream gradient", check_unchanged),
    Rule(2, "saved", "all that backward needs is in self.saved, so one layer can stand twice in a graph", check_saved),
    Rule(3, "call-order", "backward before forward is a RuntimeError; backward twice gives the same", check_order),
    Rule(4, "linear", "backward is linear: twice the upstream gradient gives twice the gradients", check_linear),
    Rule(5, "grads-set", "backward sets the gradients and never adds to those of the last call", check_set),
    Rule(6, "precision", "float32 in gives float32 out and float32 gradients; float64 likewise", check_precision),
    Rule(7, "randomness", "randomness comes from a generator of its own, never from np.random.*", check_randomness),
    Rule(8, "batches-layouts", "batches of 1 and 0, F-ordered and strided arrays all work", check_batches_and_layouts),
    Rule(9, "silent", "it prints nothing, and knows no graph, net or trainer", check_silent),
    Rule(10, "fresh-arrays", "what it returns is new each time, and the caller's to keep", check_fresh),
    Rule(11, "frozen", "frozen() replays the branches and random masks of the last forward", check_frozen),
    Rule(12, "sizes", "it takes open sizes from its first input, and refuses other widths", check_sizes),
    Rule(13, "gradient", "backward is the derivative of forward", check_gradient),
)
