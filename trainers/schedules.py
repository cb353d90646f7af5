"""Learning-rate schedules: the rate as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .settings import described, require, require_above, require_whole

Rate = float | Callable[[int], float]


class Schedule:
    """The base of all schedules: `schedule(step)` is the rate of an optimizer's step, counted from 1.

    It remembers nothing, so a run that is taken up again needs the optimizer's `step` alone. An optimizer takes any
    other function of the step as well.

    Parameters
        lr : float >= 0. The rate from which the schedule starts.
    Errors       ValueError: a setting out of its range; TypeError: a subclass without `__call__`
    Example
        >>> class Hyperbola(Schedule):
        ...     def __call__(self, step):
        ...         return self.lr / step
        >>> Hyperbola(0.1)(4)
        0.025
    """

    def __init__(self, lr: float) -> None:
        require(self, "lr", lr, 0.0, np.inf)
        self.lr = float(lr)

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        raise TypeError(f"{type(self).__name__}: a subclass of Schedule must define __call__(step).")

    def __repr__(self) -> str:
        return described(self, vars(self))


class StepDecay(Schedule):
    """The rate falls at once, each time that so many steps are done.

        rate = lr · factor ^ ⌊(step - 1) / every⌋

    Parameters
        lr : float >= 0.
        every : int >= 1. How many steps have the same rate.
        factor : float above 0, at most 1, default 0.1.
    Source       He, Zhang, Ren & Sun (2016), section 4.2, which divides by 10 at given steps
    Example
        >>> schedule = StepDecay(0.1, every=100, factor=0.5)
        >>> [schedule(step) for step in (1, 100, 101, 201)]
        [0.1, 0.1, 0.05, 0.025]
    """

    def __init__(self, lr: float, every: int, factor: float = 0.1) -> None:
        super().__init__(lr)
        require_whole(self, "every", every)
        require_above(self, "factor", factor, 0.0, 1.0)
        self.every, self.factor = int(every), float(factor)

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        return self.lr * self.factor ** int((step - 1) // self.every)


class ExponentialDecay(Schedule):
    """The rate falls by the same factor at every step.

        rate = lr · decay ^ (step / every)

    Parameters
        lr : float >= 0. The rate before the first step.
        decay : float above 0, at most 1.
        every : int >= 1, default 1. In how many steps the rate falls by `decay`.
    Source       Li & Arora (2020) study it; the formula is that of Keras, which counts steps from 0
    Example
        >>> schedule = ExponentialDecay(0.1, decay=0.25, every=100)
        >>> [schedule(step) for step in (50, 100)]
        [0.05, 0.025]
    """

    def __init__(self, lr: float, decay: float, every: int = 1) -> None:
        super().__init__(lr)
        require_above(self, "decay", decay, 0.0, 1.0)
        require_whole(self, "every", every)
        self.decay, self.every = float(decay), int(every)

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        return float(self.lr * self.decay ** (step / self.every))


class CosineDecay(Schedule):
    """The rate falls along half a cosine, slowly at both ends, and then stays.

        rate = lowest + ½ (lr - lowest) (1 + cos(π · step / steps))        lowest after `steps`

    Parameters
        lr : float >= 0. The rate before the first step.
        steps : int >= 1. The step at which the rate is lowest.
        lowest : float in 0..lr, default 0.
    Source       Loshchilov & Hutter (2017), SGDR, equation 5, without restarts
    Example
        >>> schedule = CosineDecay(0.1, steps=100)
        >>> [round(schedule(step), 4) for step in (1, 50, 75, 100, 500)]
        [0.1, 0.05, 0.0146, 0.0, 0.0]
    """

    def __init__(self, lr: float, steps: int, lowest: float = 0.0) -> None:
        super().__init__(lr)
        require_whole(self, "steps", steps)
        require(self, "lowest", lowest, 0.0, np.inf)
        if lowest > lr:
            raise ValueError(f"{type(self).__name__}: lowest must be at most lr, {lr:g}; got {lowest!r}.")
        self.steps, self.lowest = int(steps), float(lowest)

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        fraction = min(step / self.steps, 1.0)
        return self.lowest + 0.5 * (self.lr - self.lowest) * (1 + math.cos(math.pi * fraction))


class WarmUp(Schedule):
    """The rate grows evenly to its whole size, and then follows a schedule or stays.

        rate = lr · step / steps        while step <= steps
        rate = schedule(step - steps)   afterwards

    Parameters
        schedule : float >= 0, or Schedule, or function of the step. lr is the number, the rate from which the Schedule
            starts, or the function's value at 1.
        steps : int >= 1. The step at which the rate is whole.
    Source       Goyal et al. (2017), section 2.2, gradual warm-up
    Example
        >>> schedule = WarmUp(StepDecay(0.1, every=10, factor=0.5), steps=4)
        >>> [schedule(step) for step in (1, 4, 14, 15)]
        [0.025, 0.1, 0.1, 0.05]
    """

    def __init__(self, schedule: Rate, steps: int) -> None:
        lr = schedule.lr if isinstance(schedule, Schedule) else schedule(1) if callable(schedule) else schedule
        super().__init__(lr)
        require_whole(self, "steps", steps)
        self.schedule, self.steps = schedule, int(steps)

    def __call__(self, step: int) -> float:
        """The rate of a step."""
        if step <= self.steps:
            return self.lr * (step / self.steps)
        return self.schedule(step - self.steps) if callable(self.schedule) else self.lr

    def __repr__(self) -> str:
        return described(self, {"schedule": self.schedule, "steps": self.steps})
