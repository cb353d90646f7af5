"""Mistakes in what backward is made with: a weight turned, the slope at the wrong point, a term left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from brickgrad.layers import Array

from .clues import Clues
from .report import Guess
from .slope import Line, differentiate, scale_of


def weight_turned(clues: Clues) -> Guess | None:
    """With a weight transposed or mirrored, backward gives the true gradient."""
    for block in clues.judge.examined.subject.blocks:
        if block.is_input or block is clues.block or block.array.ndim < 2:
            continue
        for kind, how, turned in _turns(block.array):
            gradient = _with(clues, block.array, turned, clues.judge.examined.weights[0])
            if gradient is not None and clues.explains(gradient):
                return clues.say(kind, f"the gradient of {clues.block.name} is made with {block.name} {how}")
    return None


def _turns(array: Array) -> Iterator[tuple[str, str, Array]]:
    """An array with two axes of one size exchanged, and mirrored along its axes."""
    for first, second in itertools.combinations(range(array.ndim), 2):
        if array.shape[first] == array.shape[second]:
            yield "transposed", "transposed", np.swapaxes(array, first, second).copy()
    for count in range(1, array.ndim + 1):
        for axes in itertools.combinations(range(array.ndim), count):
            if all(array.shape[axis] > 1 for axis in axes):
                yield "flipped", f"mirrored along axis {', '.join(map(str, axes))}", np.flip(array, axes).copy()


def _with(clues: Clues, array: Array, value: Array, weights: Array) -> Array | None:
    """What backward gives with other values in a parameter."""
    own = array.copy()
    clues.judge.examined.subject.return_to_x()
    try:
        array[...] = value
        return clues.judge.examined.subject.backward(weights)[clues.place]
    except Exception:  # a candidate that backward cannot take is none
        return None
    finally:
        array[...] = own


def at_output(clues: Clues) -> Guess | None:
    """The slope at y is what backward gives for x."""
    examined = clues.judge.examined
    subject, block = examined.subject, clues.block
    if len(subject.shapes) != 1 or subject.shapes[0] != block.array.shape or not block.is_input:
        return None
    own = block.array.copy()
    try:
        block.array[...] = examined.base.reshape(own.shape)
        line = Line(subject, block, scale_of(own))
        there = line.at(0.0)
        slope = differentiate(line, there, np.zeros_like(there), rows=6, confirm=False)
    finally:
        block.array[...] = own
    value = (slope.value * examined.weights[0]).reshape(own.shape) / scale_of(own)
    if clues.same(value, clues.given):
        return clues.say("at the output", f"the derivative is taken at y, not at {block.name}")
    return None


def missing_terms(clues: Clues) -> Guess | None:
    """What is missing is the same along an axis, or goes with x - mean along it: the terms of a normalization."""
    block = clues.block
    if not block.is_input or block.array.ndim < 2:
        return None
    missing, x = clues.true - clues.given, block.array
    size = float(np.max(np.abs(missing), initial=0.0))
    for count in range(1, x.ndim):
        for axes in itertools.combinations(range(x.ndim), count):
            length = int(np.prod([x.shape[axis] for axis in axes]))
            if length < 3 or any(x.shape[axis] < 2 for axis in axes):
                continue
            flat = np.mean(missing, axis=axes, keepdims=True)
            if np.all(np.abs(missing - flat) <= 1e-5 * size):
                return clues.say("mean term", f"what is missing is the same along axis {axes}: the mean's part")
            centred = x - np.mean(x, axis=axes, keepdims=True)
            slope = np.sum(missing * centred, axis=axes, keepdims=True) / np.sum(centred**2, axis=axes, keepdims=True)
            if np.all(np.abs(missing - slope * centred) <= 1e-5 * size):
                return clues.say("variance term", f"what is missing goes with x - mean along axis {axes}")
            if np.all(np.abs(missing - flat - slope * centred) <= 1e-5 * size):
                return clues.say(
                    "mean term", f"what is missing are the mean's and the variance's parts along axis {axes}"
                )
    return None
