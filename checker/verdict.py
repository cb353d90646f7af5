"""One gradient judged: slopes along random directions, backward's beside those of forward's values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from brickgrad.layers import Array

from .examined import Examined
from .kinks import Kinks, find_kinks, kinked_fault
from .report import FAIL_RATIO, MISS, PASS_RATIO, GradcheckRow
from .slope import EPS, Line, Slope, differentiate, draw, grain_of, noise_of, rounding_of, scale_of
from .subject import Block

DIRECTIONS, MORE = 2, 4  # random directions for each block, and further ones where the first leave it open
VAGUE = 0.5  # the share of a slope's size from which on what is allowed proves nothing
ZERO = 1e-8  # the share of the other gradients' size below which a vague one counts as 0
ROUNDING = 200 * EPS  # what backward's own round-off may be, as a share of Σ|g·d|


@dataclass
class Trial:
    """One direction with one of the weights: both slopes, what their difference may be, and its multiple."""

    analytic: float
    numeric: float
    bar: float
    allowed: float
    size: float = 0.0  # of the terms that make up the slope
    order: int = 0

    @property
    def ratio(self) -> float:
        """|analytic - numeric| as a multiple of what is allowed."""
        off = abs(self.analytic - self.numeric)
        return off / self.allowed if off else 0.0


@dataclass
class Judge:
    """Judges the blocks of one examined subject."""

    examined: Examined
    rng: np.random.Generator
    rounding: Array | None = None
    noises: dict[int, Array] = field(default_factory=dict)
    edges: dict[int, int] = field(default_factory=dict)
    backward_noise: dict[int, list[Array]] = field(default_factory=dict)
    sizes: dict[int, float] = field(default_factory=dict)  # of the slopes of blocks that pass
    vague: dict[int, float] = field(default_factory=dict)  # what is allowed where that is as large as the slope

    def line(self, block: Block, direction: Array, *, frozen: bool = True) -> Line:
        """A line through x."""
        return Line(self.examined.subject, block, direction, frozen=frozen)

    def noise(self, place: int, line: Line) -> Array:
        """The noise of forward as one block moves, measured once."""
        if place not in self.noises:
            self.noises[place] = noise_of(line, self.examined.base, self.rounded())
        return self.noises[place]

    def rounded(self) -> Array:
        """What rounding does to the outputs, measured once. A kink does not count as noise here."""
        if self.rounding is None:
            self.rounding = rounding_of(self.examined.subject, self.examined.base, self.rng)
        return self.rounding

    def direction(self, block: Block, mask: Array | None = None) -> Array:
        """A random direction in units of the block's entries; 0 where a mask is off."""
        direction = scale_of(block.array) * draw(self.rng, block.array.shape)
        if not np.all(np.isfinite(self.examined.base)):  # entries of outputs that are not finite are left out
            for given in self.examined.gradients:
                gradient = given[self.examined.subject.blocks.index(block)]
                if gradient is not None:
                    direction[~np.isfinite(gradient)] = 0.0
        return direction if mask is None else direction * mask

    def slope(self, place: int, direction: Array) -> Slope:
        """The derivative of every output along a direction."""
        line = self.line(self.examined.subject.blocks[place], direction)
        return differentiate(line, self.examined.base, self.noise(place, line))

    def gradient(self, which: int, place: int) -> Array:
        """What backward gives for one of the weights."""
        gradient = self.examined.gradients[which][place]
        assert gradient is not None
        if not np.all(np.isfinite(self.examined.base)):
            return np.where(np.isfinite(gradient), gradient, 0.0)
        return gradient

    def trials(self, place: int, direction: Array) -> list[Trial]:
        """One direction, held against backward for each of the weights."""
        slope = self.slope(place, direction)
        clean = np.isfinite(slope.bar)
        if np.all(clean):
            return [self._trial(slope, place, direction, which) for which in range(len(self.examined.weights))]
        # Outputs at the edge of their domain have no value on one side, and are left out.
        self.edges[place] = int(np.sum(~clean))
        slope.value[~clean] = slope.bar[~clean] = 0.0
        pairs = []
        for weights in self.examined.weights:
            gradient = self.examined.subject.backward(weights * clean)[place]
            assert gradient is not None
            pairs.append((gradient, weights * clean))
        return [self._trial(slope, place, direction, which, pair) for which, pair in enumerate(pairs)]

    def is_wrong(self, place: int, mask: Array) -> bool:
        """Whether backward is wrong along a random direction over some entries: one quick look."""
        direction = self.direction(self.examined.subject.blocks[place], mask)
        line = self.line(self.examined.subject.blocks[place], direction)
        slope = differentiate(line, self.examined.base, self.noise(place, line), rows=5, confirm=False, good=1e-9)
        return any(
            self._trial(slope, place, direction, which).ratio > FAIL_RATIO
            for which in range(len(self.examined.weights))
        )

    def _trial(
        self, slope: Slope, place: int, direction: Array, which: int, pair: tuple[Array, Array] | None = None
    ) -> Trial:
        gradient, weights = pair or (self.gradient(which, place), self.examined.weights[which])
        with np.errstate(all="ignore"):
            analytic = float(np.sum(gradient * direction))
            numeric, bar = slope.project(weights)
            rounding = ROUNDING * float(np.sum(np.abs(gradient * direction))) + 1e-300
            if place in self.backward_noise:
                rounding += float(np.sum(self.backward_noise[place][which] * np.abs(direction)))
            size = float(np.sqrt(np.sum(np.square(gradient * direction))))
        trial = Trial(analytic, numeric, bar, bar + rounding, size)
        if trial.ratio > FAIL_RATIO:
            trial.order = _order(slope, weights, analytic, numeric)
        return trial

    def _noise_of_backward(self, place: int) -> list[Array]:
        """What rounding does to backward's gradients, for each of the weights: all numbers moved by an ulp or two.

        The weights are scaled, which must scale the gradients: where large ones cancel, as in x - x, what their sums
        lost does not depend on x.
        """
        examined = self.examined
        examined.subject.return_to_x()
        blocks = examined.subject.blocks
        own = [block.array.copy() for block in blocks]
        seen = [np.zeros(blocks[place].array.shape) for _ in examined.weights]
        for _ in range(4):
            for block, array in zip(blocks, own, strict=True):
                block.array[...] = array * (1 + 2 * EPS * self.rng.choice([-1.0, 1.0], array.shape))
            examined.subject.forward(frozen=True)
            for which, weights in enumerate(examined.weights):
                scale = self.rng.uniform(0.5, 1.0)
                gradient = examined.subject.backward(scale * weights)[place]
                if gradient is not None and gradient.shape == seen[which].shape:
                    seen[which] = np.fmax(seen[which], _round_off(gradient / scale, self.gradient(which, place)))
        for block, array in zip(blocks, own, strict=True):
            block.array[...] = array
        examined.subject.away = True
        return seen

    def judge(self, place: int) -> GradcheckRow:
        """The row of one block, by random directions."""
        block = self.examined.subject.blocks[place]
        if not block.array.size or not self.examined.base.size:
            return GradcheckRow(block.name, block.array.shape, None, 0.0, 0.0, 0.0, 0.0, "pass", note="empty")
        trials = [t for _ in range(DIRECTIONS) for t in self.trials(place, self.direction(block))]
        verdict = _settle([t.ratio for t in trials])
        note = ""
        if verdict != "pass":  # first of all, is the noise larger than was seen?
            line = self.line(block, self.direction(block))
            more = rounding_of(self.examined.subject, self.examined.base, self.rng, looks=12)
            more = np.maximum(more, grain_of(line, self.examined.base))
            self.rounding = np.maximum(self.rounded(), more)  # kinks are looked for above this: none of it is a kink's
            self.noises[place] = np.maximum(self.noises[place], noise_of(line, self.examined.base, more))
            trials = [t for _ in range(DIRECTIONS) for t in self.trials(place, self.direction(block))]
            verdict = _settle([t.ratio for t in trials])
        if verdict != "pass":
            kinks = find_kinks(self, place)
            if kinks is not None:
                return self._judge_kinks(place, kinks, trials)
            self.backward_noise[place] = self._noise_of_backward(place)  # at a kink it would be a jump, and no noise
            trials = []
            per = len(self.examined.weights)
            for _ in range(DIRECTIONS + MORE):
                trials += self.trials(place, self.direction(block))
            good = [max(t.ratio for t in trials[i : i + per]) for i in range(0, len(trials), per)]
            verdict, note = _after_more(good, trials)
        if verdict == "pass":
            self.sizes[place] = max(t.size for t in trials)
            if all(t.allowed > VAGUE * t.size > 0 for t in trials):
                self.vague[place] = max(t.allowed for t in trials)
                verdict, note = "inconclusive", "what round-off and noise allow is as large as the gradient itself"
        if place in self.edges:
            note = f"{note}; " * bool(note) + f"{self.edges[place]} outputs at the edge of their domain were left out"
            if self.edges[place] == self.examined.base.size:
                verdict = "inconclusive"
        worst = max(trials, key=lambda t: t.ratio if np.isfinite(t.ratio) else np.inf)
        return self._row(place, worst, verdict, note)

    def settle_zeros(self, rows: dict[int, GradcheckRow]) -> None:
        """Pass the vague gradients that are 0 beside the others': a bias before batch normalization has such a one."""
        largest = max((size for place, size in self.sizes.items() if place not in self.vague), default=0.0)
        for place, allowed in self.vague.items():
            if allowed <= ZERO * largest:
                note = f"zero: at most {allowed / largest:.0e} of the others"
                rows[place] = replace(rows[place], verdict="pass", finds=allowed / largest, note=note)

    def _judge_kinks(self, place: int, kinks: Kinks, trials: list[Trial]) -> GradcheckRow:
        """Outputs with no kink must agree as ever; those with one must lie between the slopes of its two sides."""
        smooth = kinks.smooth_trial
        if smooth is not None and smooth.ratio > PASS_RATIO:
            return self._row(place, smooth, "fail" if smooth.ratio > FAIL_RATIO else "inconclusive")
        fault = kinked_fault(self, place, kinks)
        if fault:
            return self._row(place, max(trials, key=lambda t: t.ratio), "fail", fault)
        shown = smooth or min(trials, key=lambda t: t.ratio)
        return self._row(place, shown, "kink" if kinks.at_x else "pass", kinks.note(self, place))

    def _row(self, place: int, trial: Trial, verdict: str, note: str = "") -> GradcheckRow:
        block = self.examined.subject.blocks[place]
        finds = np.inf
        gradient = self.gradient(0, place)
        with np.errstate(all="ignore"):
            typical = float(np.sqrt(np.mean(np.square(gradient * scale_of(block.array)))))
        if typical > 0:
            finds = PASS_RATIO * trial.allowed * (2 / MISS ** (1 / DIRECTIONS)) ** 2 / typical
        return GradcheckRow(
            block.name,
            block.array.shape,
            None,
            trial.analytic,
            trial.numeric,
            trial.bar,
            trial.ratio,
            verdict,
            finds,
            note,
        )


def _round_off(one: Array, other: Array) -> Array:
    """How far two gradients that should be equal are apart; what is too much for round-off is a fault, and left out."""
    apart: Array = np.abs(one - other)
    apart[~(apart <= 1e-6 * np.max(np.abs(other)))] = 0.0
    return apart


def _settle(ratios: list[float]) -> str:
    worst = max((r if np.isfinite(r) else np.inf for r in ratios), default=0.0)
    return "pass" if worst <= PASS_RATIO else "fail" if worst > FAIL_RATIO else "inconclusive"


def _after_more(worst_of_each: list[float], trials: list[Trial]) -> tuple[str, str]:
    """The verdict once more directions were tried: a fault shows in nearly all, a bar that was too short in one.

    A fail is confirmed by the remainder |F(h) - F(-h) - 2ha|: it falls with the first power of h where backward is
    wrong, with the third where it is right.
    """
    failed = sum(not ratio <= FAIL_RATIO for ratio in worst_of_each)
    passed = sum(ratio <= PASS_RATIO for ratio in worst_of_each)
    orders = [t.order for t in trials if t.order]
    if failed * 2 > len(worst_of_each):
        if orders and sum(order == 3 for order in orders) * 2 > len(orders):
            return "inconclusive", "slopes differ, but the remainder falls as it does where backward is right"
        return "fail", ""
    if passed == len(worst_of_each):
        return "pass", ""
    return "inconclusive", f"of {len(worst_of_each)} directions {passed} agree and {failed} differ"


def _order(slope: Slope, weights: Array, analytic: float, numeric: float) -> int:
    """The order in h of the remainder: 3 where slopes at small steps close in on backward's, 1 where they stay away."""
    offs = [abs(float(np.sum(weights * central)) - analytic) for central in slope.central]
    small = [off for off in offs[-2:] if np.isfinite(off)]
    return 3 if small and max(small) < 0.3 * abs(numeric - analytic) else 1
