"""Faults put into words: which array was written to, what a wrong shape points to, what backward raised and where."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from brickgrad.layers import Array

from .report import Guess
from .subject import Block, Subject


def not_finite(block: Block, gradient: Array) -> Guess:
    """Where a gradient is NaN or infinite."""
    bad = ~np.isfinite(gradient)
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    text = f"the gradient of {block.name} is {gradient[index]} at {index}, though forward is finite"
    if np.all(block.array[bad] == 0):
        text += f"; all such entries are where {block.name} is 0: something is divided by it"
    else:
        text += ": a branch that is not taken may divide by 0; make its argument safe before, not its result"
    return Guess("not finite", text, (block.name,))


def mutation(error: Exception, what: str, make: Callable[[], Subject]) -> Guess:
    """Which array is written to: each alone is locked in turn."""
    subject = make()
    names = [block.name for block in subject.blocks]
    names += [subject.input_name(i) for i, x in enumerate(subject.inputs) if x.dtype.kind != "f"]
    culprits = [name for name in names if _writes(make(), name, what)]
    written = " and ".join(culprits) or "the gradient that comes in"
    text = f"{what} writes into {written}{place_of(error)}; it must make an array of its own"
    return Guess("mutation", text, tuple(culprits))


def _writes(subject: Subject, name: str, what: str) -> bool:
    arrays = {subject.input_name(i): x for i, x in enumerate(subject.inputs)}
    arrays |= {block.name: block.array for block in subject.blocks}
    try:
        if what == "forward":
            arrays[name].flags.writeable = False
        outputs = subject.forward()
        arrays[name].flags.writeable = False
        subject.backward(np.ones_like(outputs))
    except ValueError as error:
        return "read-only" in str(error)
    return False


def raised(error: Exception, subject: Subject) -> Guess:
    """An error that backward raised, or the guard around it, as a fault."""
    text = str(error).split("\n  at ")[0]
    where = tuple(
        b.name for b in subject.blocks if re.search(rf"of {re.escape(b.name)}\b|\['{re.escape(b.name)}'\]", text)
    )
    shapes = re.search(r"must be (\([\d, ]*\)).*(?:returned|got) (\([\d, ]*\))", text)
    if isinstance(error, ValueError) and shapes and where:
        expected, got = (tuple(int(n) for n in re.findall(r"\d+", part)) for part in shapes.groups())
        return shape_guess(where[0], expected, got)
    if isinstance(error, TypeError) and re.search(r"must be float64.*returned float", text):
        return Guess("precision", text, where)
    return Guess("raised", f"backward raised {type(error).__name__}: {text}{place_of(error)}", where)


def shape_guess(name: str, expected: tuple[int, ...], got: tuple[int, ...]) -> Guess:
    """What a gradient of the wrong shape points to.

    >>> print(shape_guess("b", (5,), (7, 5)))
    missing sum: the gradient of b must be (5,); backward gives (7, 5). Sum over axis 0, along which b was stretched.
    """
    text = f"the gradient of {name} must be {expected}; backward gives {got}."
    extra = len(got) - len(expected)
    padded = (1,) * extra + expected
    axes = [axis for axis, (want, have) in enumerate(zip(padded, got, strict=False)) if want != have]
    if extra >= 0 and axes and all(padded[axis] == 1 for axis in axes):
        over = ", ".join(map(str, axes))
        text += f" Sum over ax{'es' if len(axes) > 1 else 'is'} {over}, along which {name} was stretched."
        return Guess("missing sum", text, (name,))
    if extra >= 0 and got[extra:] == expected:
        return Guess(
            "missing sum", f"{text} Sum over the first {extra} axes, along which {name} was stretched.", (name,)
        )
    if sorted(got) == sorted(expected):
        return Guess("transposed", f"{text} Its axes are in another order.", (name,))
    if len(got) == len(expected):
        return Guess("shape", text, (name,))
    return Guess("wrong axis" if len(got) and len(expected) else "summed over all", text, (name,))


def place_of(error: BaseException) -> str:
    """The file and line of the code outside brickgrad and NumPy in which an error arose, as " (file.py:12)"."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__", "").split(".")[0] not in ("brickgrad", "numpy"):
            return f" ({Path(frame.f_code.co_filename).name}:{line})"
    return ""
