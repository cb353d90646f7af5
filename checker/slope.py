"""The derivative of forward along a line, from its values alone, with an error bar that can be believed.

Central differences at a ladder of steps are extrapolated to step 0 by Neville's tableau; each output keeps the entry
of the tableau with the smallest error. A row counts only where successive differences at least halve, or sit at the
level of the noise: without that rule the extrapolation settles at wrong values. The noise of forward is measured, not
assumed: where forward loses digits inside (a mean of 10⁴ taken off), 4ε of the output would be far too little.

Source       Ridders (1982); Moré & Wild (2011) for the noise; see docs/gradient-checking.md
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brickgrad.layers import Array

from .subject import Block, Subject

EPS = float(np.finfo(np.float64).eps)
FIRST_STEP, ROWS, MORE_ROWS = 0.1, 14, 10  # the further rows are for outputs that the first leave open
CONFIRM_STEPS = tuple(EPS ** (1 / 3) * 4.0**-k for k in range(9))  # 6e-6 down to 1e-10, in pairs of neighbours


class Line:
    """The outputs along x + t·d, where x is one block of a subject; the block is put back after each look."""

    def __init__(self, subject: Subject, block: Block, direction: Array, *, frozen: bool = True) -> None:
        self.subject, self.block, self.direction, self.frozen = subject, block, direction, frozen
        self._base, self._moved = block.array.copy(), np.empty_like(direction)

    def at(self, t: float) -> Array:
        """The outputs at x + t·d."""
        array = self.block.array
        if self.frozen and self.subject.astray:
            self.subject.return_to_x()
        try:
            np.multiply(self.direction, t, out=self._moved)
            np.add(self._base, self._moved, out=array)
            return self.subject.forward(frozen=self.frozen)
        finally:
            array[...] = self._base
            self.subject.away, self.subject.astray = True, self.subject.astray or not self.frozen


@dataclass
class Slope:
    """The derivative of each output along a line, its error bar, and central differences at the smallest steps."""

    value: Array
    bar: Array
    steps: list[float]
    central: list[Array]

    def project(self, weights: Array) -> tuple[float, float]:
        """The derivative of Σ v·y, and its bar."""
        return float(np.sum(weights * self.value)), float(np.sum(np.abs(weights) * self.bar))


def scale_of(x: Array) -> Array:
    """How far each entry of a direction goes: the entry's own size, kept between 1e-3 and 1 times the deviation.

    Capped by the deviation because values far from 0 but close to each other (an offset of 10⁴ before batch norm) must
    not be thrown about by their offset; the size itself where all are alike.

    >>> scale_of(np.array([1e4 - 1, 1e4 + 1]))
    array([1., 1.])
    """
    deviation = float(np.std(x)) if x.size else 0.0
    size = np.abs(x)
    if deviation <= 1e-12 * float(np.max(size, initial=0.0)):
        deviation = float(np.sqrt(np.mean(np.square(x)))) if x.size else 0.0
        return np.full(x.shape, deviation or 1.0)
    scale: Array = np.maximum(np.minimum(size, deviation), 1e-3 * deviation)
    return scale


def draw(rng: np.random.Generator, shape: tuple[int, ...] | int) -> Array:
    """Numbers of size 0.5 to 1.5 and either sign: none near 0, none alike."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def rounding_of(subject: Subject, base: Array, rng: np.random.Generator, looks: int = 3) -> Array:
    """What rounding does to each output, seen by moving all that forward depends on by an ulp or two, a few times."""
    subject.return_to_x()
    seen = np.zeros_like(base)
    own = [block.array.copy() for block in subject.blocks]
    for _ in range(looks):
        for block, array in zip(subject.blocks, own, strict=True):
            block.array[...] = array * (1 + 2 * EPS * rng.choice([-1.0, 1.0], array.shape))
        moved = np.abs(subject.forward(frozen=True) - base)
        np.maximum(seen, np.where(np.isfinite(moved), moved, 0), out=seen)
    for block, array in zip(subject.blocks, own, strict=True):
        block.array[...] = array
    subject.away = True
    return seen


def _fourth(line: Line, base: Array, t: float) -> Array:
    """A fourth difference at x, as noise: a quarter of it."""
    far, near = line.at(2 * t) + line.at(-2 * t), line.at(t) + line.at(-t)
    return np.asarray(np.abs((far - 2 * base) - 4 * (near - 2 * base)) / 4)


def grain_of(line: Line, base: Array) -> Array:
    """Noise that only larger steps show, where forward gives few different values, as 1 - cos x does near 0.

    From a step to its tenth fourth differences fall 10⁴-fold where forward is smooth and 10-fold at a kink; noise does
    not fall.
    """
    seen = np.zeros_like(base)
    with np.errstate(all="ignore"):
        for step in (1e-2, 3e-3, 1e-3):
            far, near = _fourth(line, base, step), _fourth(line, base, 0.1 * step)
            seen = np.where(near > 0.3 * far, np.fmax(seen, np.fmax(far, near)), seen)
    typical = float(np.median(seen)) if seen.size else 0.0
    return np.asarray(np.maximum(seen, typical))


def noise_of(line: Line, base: Array, rounding: Array) -> Array:
    """The noise of each output near x: what rounding does, and what fourth differences show (two: one may be 0)."""
    reach = float(np.max(np.abs(line._base), initial=0.0)) / float(np.max(np.abs(line.direction), initial=1e-300))
    step = max(3e-8, 256 * EPS * reach)
    with np.errstate(all="ignore"):
        seen = np.fmax(rounding, np.fmax(_fourth(line, base, step), _fourth(line, base, 1.37 * step)))
    typical = float(np.median(seen)) if seen.size else 0.0
    return np.asarray(np.maximum(seen, typical))


def differentiate(
    line: Line, base: Array, noise: Array, *, rows: int = ROWS, confirm: bool = True, good: float = 1e-11
) -> Slope:
    """The derivative of every output along a line; `base` are the outputs at x, `noise` as `noise_of` gives it.

    It stops once the error of every output is at the noise, or `good` of the derivative itself.
    """
    value, bar = np.zeros_like(base), np.full(base.shape, np.inf)
    at = np.full(base.shape, FIRST_STEP)  # the smallest step that each value is from
    finite = np.isfinite(base)
    step, up, down, inside = _first_step(line, finite)
    previous: list[Array] = []
    previous_rho: list[Array] = []
    before = np.full(base.shape, np.inf)  # the last difference of two neighbouring rows
    halved = np.zeros(base.shape, bool)
    told = np.zeros(base.shape, bool)  # whether any step has moved the output, beyond noise
    steps, central = [], []
    with np.errstate(all="ignore"):
        for k in range(rows + MORE_ROWS):
            if k:
                step /= 2
                up, down = line.at(step), line.at(-step)
            rho0 = np.maximum(noise, 2 * EPS * (np.abs(up) + np.abs(down))) / step
            row, rho = [(up - down) / (2 * step)], [rho0]
            steps.append(step)
            central.append(row[0])
            told |= np.abs(row[0]) > 4 * rho0
            if k:
                difference = np.abs(row[0] - previous[0])
                halves = (difference <= before / 2) & np.isfinite(before)
                settled = halves & halved | (difference <= 2 * rho0)
                settled &= (row[0] != 0) | ~told  # else forward cannot tell such steps apart any more
                before, halved = difference, halves
                for j in range(1, k + 1):
                    power = 4.0**j
                    row.append((power * row[j - 1] - previous[j - 1]) / (power - 1))
                    rho.append((power * rho[j - 1] + previous_rho[j - 1]) / (power - 1))
                    error = np.maximum(np.abs(row[j] - row[j - 1]), np.abs(row[j] - previous[j - 1])) + rho[j]
                    better = settled & (error < bar)
                    np.copyto(value, row[j], where=better)
                    np.copyto(bar, error, where=better)
                    np.copyto(at, step, where=better)
                largest = float(np.max(np.abs(value[finite]), initial=0.0))
                enough = np.maximum(8 * rho0, np.maximum(good * np.abs(value), 1e-14 * largest))
                if np.all((bar <= enough) | ~inside):
                    break
                if k >= rows - 1 and np.all((bar <= 1e-7 * np.abs(value)) | (bar <= 64 * rho0) | ~inside):
                    break
            previous, previous_rho = row, rho
    slope = Slope(value, bar, steps, central)
    if confirm or not np.all(np.isfinite(bar[inside])):
        noise = _confirm(line, slope, noise, inside, min(step, CONFIRM_STEPS[0]))
        np.maximum(slope.bar, noise / at, out=slope.bar)
    slope.value[~finite], slope.bar[~finite] = 0, 0
    return slope


def _first_step(line: Line, finite: Array) -> tuple[float, Array, Array, Array]:
    """The first step, forward's values there, and the outputs that have some: 0.1, or less where one leaves its domain.

    An output at the very edge of its domain is beyond it at any step: the others need not follow it down.
    """
    step, inside = FIRST_STEP, finite
    while True:
        up, down = line.at(step), line.at(-step)
        if step < 1e-9 or np.all(np.isfinite(up[inside]) & np.isfinite(down[inside])):
            return step, up, down, inside
        if step == FIRST_STEP:
            inside = finite & np.isfinite(line.at(1e-9)) & np.isfinite(line.at(-1e-9))
            if np.all(np.isfinite(up[inside]) & np.isfinite(down[inside])):
                return step, up, down, inside
        step /= 8


def _confirm(line: Line, slope: Slope, noise: Array, finite: Array, first: float) -> Array:
    """Look again at small steps; where that disagrees with the tableau, it is right, and its larger bar counts.

    A pair of steps is enough where all outputs agree; further ones follow while some do not. Where a smaller step
    brings two neighbours no closer, that is noise, and all steps are granted as much. Returns the noise seen.
    """
    value, bar = slope.value.copy(), np.full(slope.bar.shape, np.inf)
    at = np.full(slope.bar.shape, first)  # the step that each value is from
    last: Array | None = None
    gap_before = np.zeros_like(value)
    noise = noise.copy()
    with np.errstate(all="ignore"):
        for count, step in enumerate(step for step in CONFIRM_STEPS if step <= first * 1.001):
            up, down = line.at(step), line.at(-step)
            now = (up - down) / (2 * step)
            slope.steps.append(step)
            slope.central.append(now)
            if last is not None:
                gap = np.abs(now - last)
                if count == 1:  # a smooth forward's neighbours differ by 1e-17 of its third derivative here
                    np.maximum(noise, np.median(gap[finite] * step) if np.any(finite) else 0.0, out=noise)
                else:
                    np.maximum(noise, np.where(gap > gap_before / 2, gap * step, 0), out=noise)
                error = gap + np.maximum(noise, 2 * EPS * (np.abs(up) + np.abs(down))) / step
                better = (error < bar) & np.isfinite(error)
                for array, new in ((value, now), (bar, error), (at, step)):
                    np.copyto(array, new, where=better)
                np.maximum(bar, noise / at, out=bar, where=np.isfinite(bar))
                gap_before = gap
                differs = np.abs(value - slope.value) > bar + slope.bar
                unknown = ~np.isfinite(slope.bar) & (bar > 1e-6 * np.abs(value))
                if not np.any((differs | unknown) & finite):
                    break
            last = now
        wrong = (np.abs(value - slope.value) > bar + slope.bar) | ~np.isfinite(slope.bar)
    np.copyto(slope.value, value, where=wrong)
    np.copyto(slope.bar, bar, where=wrong)
    return noise
