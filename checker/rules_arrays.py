"""Rules 6, 7, 8 and 10: precision, randomness, batches and layouts, and whose memory the results stand in."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .results import strided
from .rules_compare import difference
from .rules_trial import Bench, NotTested, Outcome, Trial

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "F-ordered": lambda x: x.copy(order="F"),
    "strided": lambda x: strided(x),
    "reversed in memory": lambda x: np.array(np.flip(x))[(slice(None, None, -1),) * x.ndim],
}
RTOL = 1e-12  # BLAS and sums may add in another order


def check_precision(bench: Bench) -> None:
    """Rule 6: everything comes in the precision of the inputs."""
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        bench.step(
            f"ran the layer in {dtype}: inputs, parameters and upstream gradients",
            f"outputs and gradients in {dtype}",
            "Make arrays with dtype=x.dtype, and write constants as float(np.sqrt(2)): a NumPy float64 promotes.",
        )
        outcome = bench.trial(dtype).run()
        for name, result in outcome.results():
            array = isinstance(result, np.ndarray | np.generic)
            if array and result.dtype.kind == "f" and result.dtype != dtype:
                bench.fail(f"{name} is {result.dtype}")


def check_randomness(bench: Bench) -> None:
    """Rule 7: the global generators stand still, and copies of one layer give the same whatever they are."""
    before = _global_state()
    advice = (
        "Take a numpy.random.Generator: self.rng = np.random.default_rng(rng) in __init__, self.rng.random() later."
    )
    if bench.candidate.origin == "class":
        bench.step("made the layer", "the global generators (np.random.*, random) untouched", advice)
        bench.candidate.make()
        if _global_state() != before:
            bench.fail("__init__ draws from them")
    bench.step("ran forward and backward", "the global generators (np.random.*, random) untouched", advice)
    first = bench.trial(size=False).run(raw=True)
    if _global_state() != before:
        bench.fail("they have moved: numbers were drawn from them, or they were seeded")
    bench.step("ran two copies of the layer on the same inputs", "the same outputs and gradients, bit for bit", advice)
    second = bench.trial(size=False)
    np.random.seed(bench.candidate.seed % 2**32 ^ 1)  # noqa: NPY002  # a layer that reads it would give other numbers
    bench.expect(difference(second.run(raw=True).results(), first.results()))


def _global_state() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  # it is what must not be used
    return name, np.asarray(keys).tobytes(), *rest, random.getstate()


def check_batches_and_layouts(bench: Bench) -> None:
    """Rule 8: arrays laid out otherwise give the same, and batches of 1 and 0 work."""
    if bench.shares_batch:
        for size in (1, 0):
            _check_batch(bench, size)
    bench.need_repeatable()
    trial = bench.trial()
    expected = trial.run()
    advice = "Ask for shapes and axes only, never for strides, .data or the order in memory."
    for layout, lay in LAYOUTS.items():
        bench.step(f"ran forward and backward on {layout} inputs", "the same as on C-ordered ones", advice)
        bench.expect(difference(_run_as_given(trial, lay).results(), expected.results(), RTOL))
        bench.step(f"ran backward on a {layout} upstream gradient", "the same as on a C-ordered one", advice)
        laid = [lay(dy) for dy in expected.d_outputs]
        trial.forward()
        trial.clear_grads()
        bench.expect(difference(trial.back(laid, raw=True), expected.backward_only(), RTOL))


def _run_as_given(trial: Trial, lay: Callable[[Array], Array]) -> Outcome:
    """A run on inputs of another layout, which must not be copied on their way in."""
    trial.restart()
    trial.clear_grads()
    trial.dice.replay()
    return trial.run([lay(x) for x in trial.inputs], raw=True)


def _refuses_one_in_training(bench: Bench, inputs: list[Array]) -> bool:
    """Whether it takes a batch of 1 in inference only, as batch normalization does: one value has no variance."""
    trial = bench.trial()
    if not trial.is_layer or not trial.layer.training:
        return False
    try:
        trial.forward(inputs)
    except ValueError:
        trial.layer.eval()
        try:
            return all(np.isfinite(np.asarray(y)).all() for y in trial.forward(inputs))
        except ValueError:
            return False
    return False


def _check_batch(bench: Bench, size: int) -> None:
    """One batch size: it runs, the gradients have the inputs' shapes, and nothing is NaN that was none before."""
    trial = bench.trial()
    finite = all(np.isfinite(np.asarray(y)).all() for y in trial.forward())
    bench.step(
        f"ran forward and backward on a batch of {size}",
        "finite outputs and gradients of the inputs' shapes",
        "Divide by max(N, 1), use reshape(N, size) rather than reshape(N, -1), and no squeeze().",
    )
    inputs = [x[:size] for x in trial.inputs]
    full = trial.forward()
    if size == 1 and _refuses_one_in_training(bench, inputs):
        return
    outcome = trial.run(inputs)
    for (name, y), whole in zip(outcome.forward_only(), full, strict=True):
        due = (size, *np.shape(whole)[1:]) if np.ndim(whole) else ()
        if np.shape(y) != due and np.shape(y)[1:] != due[1:]:
            bench.fail(f"{name} has the shape {np.shape(y)}")
    for x, dx in zip(outcome.inputs, outcome.gradients, strict=True):
        if dx is not None and np.shape(dx) != x.shape:
            bench.fail(f"a gradient of the shape {np.shape(dx)} for an input of the shape {x.shape}")
    for name, result in outcome.results():
        if finite and result is not None and not np.isfinite(np.asarray(result)).all():
            bench.fail(f"{name} is not finite")


def check_fresh(bench: Bench) -> None:
    """Rule 10: what one call returns is the caller's own."""
    trial = bench.trial()
    first = trial.run()
    advice = "Return a new array (x.copy(), self.fresh(x)), or a buffer from self.buffer, which sees to it."
    params = [(f"the parameter {key}", param) for key, param in trial.params.items()]
    inputs = [(f"input {i}" if len(first.inputs) > 1 else "the input", x) for i, x in enumerate(first.inputs)]
    handed = [("the upstream gradient", dy) for dy in first.handed]
    outputs = first.forward_only()
    gradients = first.backward_only()[: len(first.gradients)]
    live = [(f"the gradient of {key}", grad) for key, grad in trial.grads.items()]

    bench.step("compared where in memory the outputs stand", "memory shared with nothing", advice)
    _expect_apart(bench, outputs, [*inputs, *params])
    bench.step("compared where in memory the gradients stand", "memory shared with nothing", advice)
    _expect_apart(bench, gradients, [*handed, *inputs, *params, *live])
    _expect_apart(bench, live, [*handed, *inputs, *params])

    results = [*outputs, *gradients]
    kept = [(name, None if array is None else np.array(array)) for name, array in results]
    bench.step("kept the results of one call and ran the layer again, on other inputs", "the results unchanged", advice)
    try:
        second = trial.run(bench.others())
    except (ValueError, TypeError, IndexError) as error:
        raise NotTested(f"it refuses its own inputs in another order ({error})") from error
    bench.expect(difference(results, kept))
    again = [(f"{name} of the next call", array) for name, array in second.forward_only()]
    _expect_apart(bench, outputs, again)
    back = second.backward_only()[: len(second.gradients)]
    _expect_apart(bench, gradients, [(f"{name} of the next call", array) for name, array in back])


def _expect_apart(bench: Bench, arrays: list[tuple[str, Any]], others: list[tuple[str, Any]]) -> None:
    """No array shares memory with one before it in its own list, nor with one of the others."""
    for place, (name, array) in enumerate(arrays):
        for other_name, other in [*arrays[:place], *others]:
            if isinstance(array, np.ndarray) and isinstance(other, np.ndarray) and np.shares_memory(array, other):
                bench.fail(f"{name} shares memory with {other_name}")
