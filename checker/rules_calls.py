"""Rules 1 to 5, and 9: what forward and backward may do when they are called, and in which order."""

from __future__ import annotations

import contextlib
import inspect
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brickgrad.layers import Array, Memory

from .rules_compare import Named, difference, upstream
from .rules_trial import Bench, Broken, NotTested, Trial

UPPER_PARTS = ("brickgrad.graph", "brickgrad.checker", "brickgrad.nets", "brickgrad.trainers")


def check_unchanged(bench: Bench) -> None:
    """Rule 1: arrays are handed in that cannot be written to, and compared afterwards."""
    trial = bench.trial()
    inputs = [x.copy() for x in trial.inputs]
    advice = "Make a new array (y = x * mask), or copy first; never write x[...] = or x *= to what you were given."
    bench.step("ran forward on inputs that cannot be written to", "inputs and parameters as they were", advice)
    outputs = _guarded(bench, trial, inputs, lambda: trial.forward(inputs, raw=True), "inputs")
    d_outputs = list(upstream(outputs))
    bench.step(
        "ran backward on upstream gradients that cannot be written to",
        "upstream gradients, inputs and parameters as they were",
        advice.replace("(y = x * mask)", "(dx = dy * mask)").replace("x[...] = or x *=", "dy[...] = or dy *="),
    )
    _guarded(bench, trial, [*inputs, *d_outputs], lambda: trial.backward(d_outputs, raw=True), "arrays handed in")


def _guarded(bench: Bench, trial: Trial, arrays: list[Array], call: Any, what: str) -> Any:
    """Call with the arrays and the parameters locked, and compare them afterwards."""
    before = [(f"one of the {what}", x.copy()) for x in arrays]
    locked = [*arrays, *trial.params.values()]
    params = {name: param.copy() for name, param in trial.params.items()}
    writeable = [array.flags.writeable for array in locked]
    for array in locked:
        array.flags.writeable = False
    try:
        result = call()
    finally:
        for array, could in zip(locked, writeable, strict=True):
            array.flags.writeable = could
    bench.expect(difference([(name, x) for (name, _), x in zip(before, arrays, strict=True)], before))
    after = trial.params
    same = [(f"the parameter {name}", after.get(name)) for name in params]
    bench.expect(difference(same, [(f"the parameter {name}", params[name]) for name in params]))
    return result


def check_saved(bench: Bench) -> None:
    """Rule 2: one layer at two places of a graph has two memories, which are swapped in and out."""
    bench.need_layer("an object that is no bg.Layer has no `saved`, and cannot stand twice in a graph")
    bench.need_repeatable()
    trial = bench.trial()
    second = bench.others()
    if bench.shares_batch:
        second = tuple(x[:-1] for x in second)
    try:
        expected = [trial.run(), trial.run(second)]
    except (ValueError, TypeError, IndexError) as error:
        raise NotTested(f"it refuses its own inputs in another order ({error})") from error

    advice = "Keep all that backward needs in self.saved (self.saved = x), in no other attribute."
    bench.step(
        "ran forward at two places of a graph, each with a `saved` of its own, then backward at both",
        "at both places the gradients that belong there",
        advice,
    )
    memories = [Memory(), Memory()]
    for memory, inputs in zip(memories, (trial.inputs, second), strict=True):
        trial.layer.memory = memory
        trial.forward(inputs)
    for memory, outcome in zip(memories, expected, strict=True):
        trial.layer.memory = memory
        trial.given = outcome.inputs
        bench.expect(difference(trial.back(outcome.d_outputs), outcome.backward_only()))
    trial.layer.memory = Memory()

    bench.step(
        "ran forward at other inputs, then at the first ones again, then backward",
        "the same outputs and gradients as before",
        "Save anew at each forward: something of the earlier call is used again.",
    )
    trial = bench.trial()  # a new one: a layer that keeps its very first x would have kept the right one
    trial.run(second)
    bench.expect(difference(trial.run().results(), expected[0].results()))


def check_order(bench: Bench) -> None:
    """Rule 3: backward before forward, and backward twice."""
    d_outputs = upstream(bench.trial().forward())
    trial = bench.trial()
    bench.step(
        "called backward before any forward",
        "RuntimeError",
        "A bg.Layer that keeps what it needs in self.saved has this for nothing; elsewhere raise it by hand.",
    )
    try:
        trial.backward(d_outputs)
    except RuntimeError as error:
        if type(error) is not RuntimeError:
            bench.fail(f"{type(error).__name__}: {error}")
    except Exception as error:
        bench.fail(f"{type(error).__name__}: {error}")
    else:
        if bench.candidate.origin == "instance" and not bench.is_layer:
            raise NotTested("the instance may have run before it was handed in; pass its class or a lambda instead")
        bench.fail("no error")

    trial = bench.trial()
    trial.forward()
    bench.step(
        "called backward twice in a row with the same upstream gradient",
        "the same gradients, bit for bit",
        "Backward must leave self.saved as it finds it: write into new arrays.",
    )
    first = trial.back(d_outputs)
    bench.expect(difference(trial.back(d_outputs), first))


def check_linear(bench: Bench) -> None:
    """Rule 4: B(v + 2w) = B(v) + 2 B(w), and B(0) = 0."""
    trial = bench.trial()
    outputs = trial.forward()
    v, w = upstream(outputs, 1), upstream(outputs, 2)
    advice = "Multiply by dy exactly once in each gradient; a loss must not leave its upstream gradient out."
    bench.step("called backward with upstream gradients v, w and v + 2·w", "B(v + 2·w) = B(v) + 2·B(w)", advice)

    def back(d_outputs: Sequence[Array]) -> Named:
        if bench.repeatable:  # from a forward each, as a backward that spoils what is saved breaks rule 3 alone
            trial.forward()
        return trial.back(d_outputs)

    of_v, of_w = back(v), back(w)
    of_both = back([a + 2 * b for a, b in zip(v, w, strict=True)])
    due: Named = []
    for (name, one), (_, two) in zip(of_v, of_w, strict=True):
        due.append((name, None if one is None else one + 2 * two))
    bench.expect(difference(of_both, due, 1e-11))
    bench.step("called backward with an upstream gradient of 0", "gradients that are all 0", advice)
    of_none = back([np.zeros_like(a) for a in v])
    zeros: Named = [(name, None if g is None else np.zeros_like(g)) for name, g in of_none]
    bench.expect(difference(of_none, zeros, 1e-300))


def check_set(bench: Bench) -> None:
    """Rule 5: a second run gives what the first gave; the gradients are like the parameters."""
    bench.need_repeatable()
    trial = bench.trial()
    trial.forward()
    outcome = trial.run()
    bench.step(
        "compared the gradients of the parameters with the parameters",
        "one gradient for each parameter, of its shape and dtype",
        "Set grads[key] for each key of params.",
    )
    params = trial.params
    if set(params) != set(outcome.grads):
        bench.fail(f"parameters {sorted(params) or 'none'}, but gradients {sorted(outcome.grads) or 'none'}")
    for key, param in params.items():
        grad = outcome.grads[key]
        if (grad.shape, grad.dtype) != (param.shape, param.dtype):
            bench.fail(f"{key} is {param.dtype} {param.shape}, its gradient {grad.dtype} {grad.shape}")
    bench.step(
        "ran forward and backward twice on the same inputs",
        "the same gradients both times",
        'Write self.grads["W"] = dW and never += ; the graph does the summing.',
    )
    trial.back(outcome.d_outputs)
    for _ in range(2):
        trial.forward()
        grads = trial.back([dy.copy() for dy in outcome.d_outputs], raw=True)
        bench.expect(difference(grads, outcome.backward_only()))


def check_silent(bench: Bench) -> None:
    """Rule 9: nothing is printed; the class's code names nothing from the parts above the layers."""
    trial = bench.trial()
    heard = io.StringIO()
    bench.step("ran forward and backward and listened", "nothing printed", "Take the print out; use a debugger.")
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        trial.run()
    if heard.getvalue():
        bench.fail(f"{heard.getvalue()[:60]!r} was printed")
    bench.step(
        "looked through the code of the class for graphs, nets and trainers",
        "none",
        "A layer works on arrays alone; who joins and trains it stands outside.",
    )
    kind = type(bench.prototype)
    if not kind.__module__.startswith("brickgrad."):
        for name in _upper_names(kind):
            raise Broken(f"its code uses {name}")


def _upper_names(kind: type) -> Iterator[str]:
    """The names in a class's own methods that stand for something of a graph, net or trainer."""
    front = sys.modules["brickgrad"]
    for base in kind.__mro__:
        if base.__module__.startswith("brickgrad.") or base is object:
            continue
        for method in vars(base).values():
            function = inspect.unwrap(method) if callable(method) else None
            code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
            names = code.co_names if code is not None else ()
            through_front = any(known.get(name) is front for name in names)  # bg.Graph: both stand in co_names
            for name in names:
                if _is_upper(known.get(name)) or (through_front and _is_upper(getattr(front, name, None))):
                    yield name


def _is_upper(value: Any) -> bool:
    home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
    return isinstance(home, str) and home.startswith(UPPER_PARTS)
