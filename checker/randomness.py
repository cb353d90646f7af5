"""Random layers made repeatable: every forward of a check draws the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

_START: Any = np.random.RandomState(0).get_state(
    legacy=True
)  # where the global generator stands at the start of every forward

LOOKS = 6  # how many forwards are looked at for whether they draw


class Dice:
    """The generators that some objects hold, and NumPy's global one, set back before every forward.

    So a dropout that draws its mask anew at each forward has one mask all through a check, and can be differentiated.
    Nothing is set back until one of the first forwards is seen to have drawn something: looking takes time.
    """

    def __init__(self, owners: Sequence[Any]) -> None:
        self._held = [
            g for owner in owners for value in getattr(owner, "__dict__", {}).values() for g in _generators(value)
        ]
        self._states = [_state(generator) for generator in self._held]
        self.rolled = False
        self._looks = LOOKS

    def replay(self) -> None:
        """Put all generators back to where they were at first."""
        if not self.rolled:
            self._looks -= 1
            if self._looks < 0 or not self.used():
                return
        self.rolled = True
        for generator, state in zip(self._held, self._states, strict=True):
            _set_state(generator, state)
        np.random.set_state(_START)  # noqa: NPY002

    def used(self) -> bool:
        """Whether anything was drawn since they were set back."""
        if any(_state(g) != state for g, state in zip(self._held, self._states, strict=True)):
            return True
        name, keys, *rest = np.random.get_state()  # noqa: NPY002
        return bool(np.any(keys != _START[1])) or (name, *rest) != (_START[0], *_START[2:])


@contextmanager
def global_generator_kept() -> Iterator[None]:
    """Let NumPy's global generator start from one place, and leave it as it was."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.set_state(_START)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _generators(value: Any) -> list[Any]:
    """The generators that a value is, or that a list or dict of it holds."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return [each for each in held if _is_generator(each)]


def _is_generator(value: Any) -> bool:
    return hasattr(value, "bit_generator") or isinstance(value, np.random.RandomState)


def _state(generator: Any) -> Any:
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    name, keys, *rest = generator.get_state()
    return (name, keys.tobytes(), *rest)


def _set_state(generator: Any, state: Any) -> None:
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = state
    else:
        name, keys, *rest = state
        generator.set_state((name, np.frombuffer(keys, np.uint32), *rest))
