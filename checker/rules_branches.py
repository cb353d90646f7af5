"""Rules 11 and 12, and the gradient: branches that are replayed, sizes taken from the first input, and gradcheck."""

from __future__ import annotations

from typing import Any

import numpy as np

from brickgrad.layers import Array

from .gradcheck import gradcheck
from .rules_compare import difference
from .rules_trial import Bench, Broken, NotTested, Trial

STEP = 1e-6  # a kink shows as one-sided slopes that differ and go on differing; a curve's differ by a millionth
ADVICE = (
    "Choose through self.branch, which remembers: mask = self.branch(lambda: x > 0), then y = x * mask; the same for "
    "random masks."
)


def check_frozen(bench: Bench) -> str:
    """Rule 11: frozen, forward gives the same again, and has neither jumps nor kinks."""
    bench.need_layer("an object that is no bg.Layer has no frozen()")
    trial = bench.trial()
    bench.step("ran forward, then forward again inside frozen()", "the same outputs, bit for bit", ADVICE)
    first = _named(trial.forward())
    with trial.layer.frozen():
        for _ in range(2):
            bench.expect(difference(_named(trial.forward([x.copy() for x in trial.inputs], raw=True)), first))

    _expect_smooth(bench, trial, list(trial.inputs))
    tried = "tried at the inputs"
    tied = _with_zeros_and_ties(bench, trial)
    try:
        usable = all(np.isfinite(np.asarray(y)).all() for y in trial.forward(tied))
    except (ValueError, TypeError, IndexError, ZeroDivisionError):
        usable = False
    if usable:
        _expect_smooth(bench, trial, tied)
        tried += ", and with exact zeros and ties put among them"
    return tried


def _named(outputs: tuple[Any, ...]) -> list[tuple[str, Any]]:
    return [("the output" if len(outputs) == 1 else f"output {i}", np.array(y)) for i, y in enumerate(outputs)]


def _with_zeros_and_ties(bench: Bench, trial: Trial) -> list[Array]:
    """The inputs with every third entry 0: zeros, and ties among them."""
    inputs = [x.copy() for x in trial.inputs]
    for index in bench.movable:
        inputs[index].reshape(-1)[::3] = 0.0
    return inputs


def _expect_smooth(bench: Bench, trial: Trial, inputs: list[Array]) -> None:
    """Frozen at `inputs`, the slopes to both sides agree in random directions."""
    bench.step(
        "ran forward, then inside frozen() with the inputs moved a little up and a little down",
        "outputs without jumps or kinks: the branches of the last forward",
        ADVICE,
    )
    rng = np.random.default_rng(bench.candidate.seed)
    for _ in range(3):
        directions = {i: rng.uniform(0.5, 1.5, inputs[i].shape) * _signs(rng, inputs[i].shape) for i in bench.movable}
        trial.forward(inputs)
        with trial.layer.frozen():
            values = {}
            for step in (0.0, STEP, -STEP, 10 * STEP, -10 * STEP):
                moved = [x + step * directions[i] if i in directions else x.copy() for i, x in enumerate(inputs)]
                values[step] = [np.array(y, np.float64) for y in trial.forward(moved, raw=True)]
        for place in range(len(values[0.0])):
            bench.expect(_kink({step: outputs[place] for step, outputs in values.items()}))


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.choice([-1.0, 1.0], shape))


def _kink(values: dict[float, Array]) -> str | None:
    """What is wrong if an output's slopes to both sides differ, and differ no less over a tenth of the step."""
    middle = values[0.0]

    def slopes(step: float) -> tuple[Array, Array]:
        return (values[step] - middle) / step, (middle - values[-step]) / step

    with np.errstate(all="ignore"):
        (right, left), (far_right, far_left) = slopes(STEP), slopes(10 * STEP)
        near, far = np.abs(right - left), np.abs(far_right - far_left)
        size = np.maximum(np.abs(right), np.abs(left))
        noise = 64 * np.finfo(np.float64).eps * np.max(np.abs(middle), initial=0) / STEP
        bent = np.isfinite(near) & np.isfinite(far) & (near > 1e-3 * size + noise) & (near > 0.5 * far)
    if not bent.any():
        return None
    index = tuple(int(i) for i in np.argwhere(bent)[0])
    what = "jumps" if near[index] > 5 * far[index] else "has a kink"  # a jump's slopes grow as the step shrinks
    return f"the output{f' at {index}' if index else ''} {what}: it chose anew between cases (>, max, abs, a mask)"


def check_sizes(bench: Bench) -> str | None:
    """Rule 12: an open width is taken from the first input; a known one is held to."""
    bench.need_layer("only a bg.Layer can say that its sizes are open")
    fresh = bench.trial(size=False)
    had = dict(fresh.params)
    trial = bench.trial()
    if fresh.layer.sized:
        bench.step(
            "ran the first forward",
            "no new parameters, as `sized` was True before it",
            'Tell that the size is still open: a property `sized` that returns "W" in self.params.',
        )
        trial.forward()
        if set(trial.params) != set(had):
            bench.fail(f"the parameters {', '.join(sorted(set(trial.params) - set(had)))} appeared")
        return _check_fixed(bench, trial)

    bench.step("ran the first forward", "the parameters are there and `sized` is True", "Make them with add_param.")
    fresh.forward()
    if not fresh.params or not fresh.layer.sized:
        bench.fail(f"sized is {fresh.layer.sized}, parameters: {', '.join(fresh.params) or 'none'}")
    before = [(key, param.copy()) for key, param in fresh.params.items()]
    name = type(fresh.layer).__name__
    refusal = ""
    n_axes = fresh.inputs[0].ndim
    for axis in [*range(n_axes - 1, 0, -1)] or [*range(n_axes)]:  # the first axis is the batch, if there are others
        bench.step(
            f"ran it on inputs {_widened(fresh, axis)[0].shape} after inputs {fresh.inputs[0].shape}",
            f"ValueError with {name} in its message",
            'Compare shapes in forward: raise ValueError(f"{self.title}.forward: x must be (N, 3); got {x.shape}.").',
        )
        try:
            fresh.forward(_widened(fresh, axis))
        except ValueError as error:
            if name not in str(error):
                bench.fail(f"ValueError: {error}")
            refusal = str(error)
            break
    if not refusal:
        bench.fail("no error")
    bench.step("looked at the parameters after the refusal", "as they were", "Check before you change anything.")
    bench.expect(difference([(key, fresh.params[key]) for key, _ in before], before))
    return None


def _check_fixed(bench: Bench, trial: Trial) -> str:
    """A layer sized from the start refuses another width, if it is one that has a width."""
    x: Array = trial.inputs[0] if trial.inputs else np.asarray(0.0)
    widths = [size for param in trial.params.values() if param.ndim == 2 for size in param.shape]
    if x.ndim == 0 or x.dtype.kind != "f" or x.shape[-1] not in widths:
        raise NotTested("it has no W (n_in, n_out) that would fix the width of its input")
    wider = _widened(trial, x.ndim - 1)
    bench.step(
        f"ran it on inputs {wider[0].shape}, wider than its parameters",
        "ValueError",
        "Compare x.shape with W.shape in forward and raise ValueError with both.",
    )
    try:
        trial.forward(wider)
    except ValueError:
        return "sized from the start"
    raise Broken("no error")


def _widened(trial: Trial, axis: int) -> list[Array]:
    """The inputs, the first one longer by 1 along an axis."""
    first = trial.inputs[0]
    return [np.concatenate([first, first.take([0], axis=axis)], axis=axis), *trial.inputs[1:]]


def check_gradient(bench: Bench) -> str | None:
    """Rule 13: gradcheck, on the layer as it is."""
    bench.step(
        "compared every gradient of backward with what the values of forward say (bg.gradcheck)",
        "the same",
        "Work the derivative out by hand for one entry; bg.gradcheck(layer, *inputs) says more.",
    )
    layer = bench.trial().layer
    report = gradcheck(layer, *bench.inputs, rng=bench.candidate.seed)
    if report.verdict == "inconclusive":
        raise NotTested(f"gradcheck cannot tell:\n{report}")
    if not report:
        bench.fail(str(report))
    return None if report.verdict == "pass" else "right, but there are points where there is no derivative (kinks)"
