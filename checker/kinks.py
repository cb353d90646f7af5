"""Points without a derivative: found by the slopes of the two sides, and judged by what lies between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brickgrad.layers import Array

from .report import PASS_RATIO
from .slope import Line, draw, scale_of

if TYPE_CHECKING:
    from .subject import Block
    from .verdict import Judge, Trial

STEPS = tuple(10.0**-k for k in range(3, 12))
SINGLE = 256  # how many outputs with a kink are looked at one by one, at most
SWEEP = 600  # how many entries are moved one by one, at most, to see which way the kinks bend


@dataclass
class Sides:
    """Each output's slopes to the two sides of x along a line, how exact they are, and which have a kink at x."""

    low: Array
    high: Array
    bar: Array
    at_x: Array  # the two slopes differ however small the step
    near: Array  # they differ at larger steps only: a kink lies near x


@dataclass
class Kinks:
    """What was found of kinks for one block: in how many outputs, and how the outputs without one compare."""

    at_x: bool
    direction: Array
    smooth_trial: Trial | None
    outputs: Array
    of: int

    def note(self, judge: Judge, place: int) -> str:
        """Where the kinks are, in words."""
        if not self.at_x:
            return ""
        index = kink_index(judge, place, self.direction)
        near = f" near index {index}" if index is not None else ""
        count = f"{len(self.outputs)} of {self.of} outputs have no derivative there"
        return f"kink{near}: {count}; backward's lies between the slopes of the two sides"


def sides_of(line: Line, base: Array, noise: Array) -> Sides:
    """The slopes to either side at falling steps: J(h) = D⁺(h) - D⁻(h) halves with h where forward is smooth, stays at
    a kink at x, and vanishes once the step is smaller than the way to a kink near by.
    """
    with np.errstate(all="ignore"):
        floor = np.maximum(noise, 4 * np.finfo(np.float64).eps * np.abs(base))
        slopes = [((line.at(h) - base) / h, (base - line.at(-h)) / h, floor / h) for h in STEPS]
        jumps = np.stack([np.abs(p - m) for p, m, _ in slopes])
        jumps[~np.isfinite(jumps)] = np.inf
        levels = np.stack([level for _, _, level in slopes])
    last = len(STEPS) - 1
    # The smallest step at which the noise is well below the largest jump seen down to there.
    seen = np.where((jumps > 10 * levels) & np.isfinite(jumps), jumps, 0)
    visible = (100 * levels < np.maximum.accumulate(seen, axis=0)) & np.isfinite(jumps)
    chosen = last - np.argmax(visible[::-1], axis=0)
    any_visible = visible.any(axis=0)
    least = np.argmin(np.where(np.isfinite(jumps), jumps, 1e300) + levels, axis=0)
    chosen = np.where(any_visible, chosen, least)
    columns = np.arange(base.size)
    here = jumps[chosen, columns]
    largest = np.max(seen, axis=0)
    larger = jumps[np.maximum(chosen - 1, 0), columns]
    still = jumps[np.maximum(chosen - 2, 0), columns]
    stands = (here > 0.5 * larger) & (here < 2 * larger) & (here > 0.1 * still) & (here < 3 * still)
    at_x = any_visible & stands & (here > 0.1 * largest) & (here > 10 * levels[chosen, columns])
    plus = np.stack([p for p, _, _ in slopes])[chosen, columns]
    minus = np.stack([m for _, m, _ in slopes])[chosen, columns]
    # A near kink: the jump stood still over some steps, then fell away by far more than smoothness explains.
    with np.errstate(all="ignore"):
        fell = jumps[1:] < 0.02 * jumps[:-1]
        stood = jumps[:-1] > 100 * levels[:-1]
    near = ~at_x & np.any(fell & stood & np.isfinite(jumps[:-1]) | ~np.isfinite(jumps[:-1]), axis=0)
    bar = levels[chosen, columns] * 4 + np.where(at_x, 0, here)
    # A jump at x: the difference of the two sides grows as the step falls. No slope can be asked of it.
    jump = (jumps[-1] > 5 * jumps[-2]) & (jumps[-2] > 5 * jumps[-3]) & (jumps[-3] > 100 * levels[-3])
    low = np.where(jump, -np.inf, np.minimum(plus, minus))
    return Sides(low, np.where(jump, np.inf, np.maximum(plus, minus)), bar, at_x | jump, near & ~jump)


def replay_is_honest(judge: Judge, place: int) -> bool:
    """Whether forward with its branches replayed has the slopes of the real one, but for kinks.

    It has not where branch() is given what changes smoothly, a mean say, and not just a choice.
    """
    examined, step = judge.examined, 1e-5
    block = examined.subject.blocks[place]
    direction = judge.direction(block)
    replayed, real = judge.line(block, direction), judge.line(block, direction, frozen=False)
    slope = (replayed.at(step) - replayed.at(-step)) / (2 * step)
    other = (real.at(step) - real.at(-step)) / (2 * step)
    with np.errstate(all="ignore"):
        grain = 100 * np.maximum(judge.rounded(), 4e-16 * np.abs(examined.base)) / step
        differs = np.abs(slope - other) > 1e-3 * (np.abs(slope) + np.abs(other)) + grain
    if not np.any(differs):
        return True
    sides = sides_of(real, examined.base, judge.rounded())
    return not np.any(differs & ~sides.at_x & ~sides.near)


def find_kinks(judge: Judge, place: int) -> Kinks | None:
    """Whether kinks explain why backward and forward's values disagree; None where there are none at x or near it."""
    from .verdict import ROUNDING, Trial

    examined = judge.examined
    block = examined.subject.blocks[place]
    direction = judge.direction(block)
    line = judge.line(block, direction, frozen=False)
    sides = sides_of(line, examined.base, judge.rounded())
    kinked = sides.at_x | sides.near
    if not np.any(kinked):
        return None
    trial = None
    smooth = ~sides.at_x
    if np.any(smooth):
        slope = judge.slope(place, direction)
        value = np.where(sides.near, (sides.low + sides.high) / 2, slope.value)
        bar = np.where(sides.near, sides.bar, slope.bar)
        weights = examined.weights[0] * smooth
        gradient = examined.subject.backward(weights)[place]
        assert gradient is not None
        analytic, numeric = float(np.sum(gradient * direction)), float(np.sum(weights * value))
        spread = float(np.sum(np.abs(weights) * bar))
        rounding = ROUNDING * float(np.sum(np.abs(gradient * direction))) + 1e-300
        trial = Trial(analytic, numeric, spread, spread + rounding)
    return Kinks(bool(np.any(sides.at_x)), direction, trial, np.flatnonzero(sides.at_x), kinked.size)


def kinked_fault(judge: Judge, place: int, kinks: Kinks) -> str:
    """What is wrong at the kinks, or "": each output's gradient must lie between the slopes of the two sides.

    That is asked only where all kinks of an output bend one way, as in a maximum. Where some bend up and some down, as
    in a sum of ReLUs with weights of either sign, a valid choice need not lie between.
    """
    examined = judge.examined
    block = examined.subject.blocks[place]
    outputs = kinks.outputs
    if len(outputs) > SINGLE:
        outputs = np.sort(judge.rng.choice(outputs, SINGLE, replace=False))
    outputs = outputs[_bend_one_way(judge, place, outputs)]
    one_way = scale_of(block.array)
    lines = [one_way, -one_way] + [one_way * draw(judge.rng, block.array.shape) for _ in range(2)]
    lines += [one_way * judge.rng.uniform(0.5, 1.5, block.array.shape)]
    found = [sides_of(judge.line(block, d, frozen=False), examined.base, judge.rounded()) for d in lines]
    for output in outputs:
        weights = np.zeros_like(examined.base)
        weights[output] = 1.0
        gradient = examined.subject.backward(weights)[place]
        assert gradient is not None
        for direction, sides in zip(lines, found, strict=True):
            slope = float(np.sum(gradient * direction))
            low, high = float(sides.low[output]), float(sides.high[output])
            bar = float(sides.bar[output]) + 1e-9 * float(np.sum(np.abs(gradient * direction)))
            if not low - PASS_RATIO * bar <= slope <= high + PASS_RATIO * bar:
                return (
                    f"ties: at a kink the slope of output {output} is {low:.6g} to one side, {high:.6g} to the other; "
                    f"backward's is {slope:.6g}, which is not between"
                )
    return ""


def _bend_one_way(judge: Judge, place: int, outputs: Array) -> Array:
    """Which of some outputs have kinks that all bend one way, entry by entry."""
    block, base = judge.examined.subject.blocks[place], judge.examined.base
    if block.array.size > SWEEP:
        return np.zeros(len(outputs), bool)
    scale, step = scale_of(block.array), 1e-5
    bends = np.zeros((block.array.size, len(outputs)))
    for entry in range(block.array.size):
        direction = np.zeros(block.array.size)
        direction[entry] = scale.flat[entry]
        line = judge.line(block, direction.reshape(block.array.shape), frozen=False)
        bends[entry] = ((line.at(step) - base) + (line.at(-step) - base))[outputs] / step
    large = 1e-2 * np.max(np.abs(bends), axis=0, initial=0.0)
    return np.asarray(~(np.any(bends > large, axis=0) & np.any(bends < -large, axis=0)))


def kink_index(judge: Judge, place: int, direction: Array) -> tuple[int, ...] | None:
    """One entry whose own movement meets the kink, found by halving."""
    examined = judge.examined
    block = examined.subject.blocks[place]

    def kinked(mask: Array) -> bool:
        line = judge.line(block, direction * mask, frozen=False)
        return bool(np.any(sides_of(line, examined.base, judge.rounded()).at_x))

    return halve(block, kinked)


def halve(block: Block, found: Callable[[Array], bool]) -> tuple[int, ...] | None:
    """An entry of a block for which `found(mask)` holds, by halving the mask; None where it is lost on the way."""
    candidates = np.arange(block.array.size)

    def holds(part: Array) -> bool:
        mask = np.zeros(block.array.size)
        mask[part] = 1.0
        return found(mask.reshape(block.array.shape))

    while len(candidates) > 1:
        middle = len(candidates) // 2
        candidates = candidates[:middle] if holds(candidates[:middle]) else candidates[middle:]
    if not len(candidates) or not holds(candidates):
        return None
    return tuple(int(i) for i in np.unravel_index(candidates[0], block.array.shape))
