"""Gradient checkers over the bug zoo: what each catches, how often it cries wolf, and what it costs.

brickgrad's own checker, PyTorch's and JAX's where they are installed, and the classic rules re-created in NumPy
(checker_rules.py). All look at the same layers on the same inputs. A checker fails a layer when it says so or when
backward raises under it; what it cannot run is counted apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import checker_rules
import numpy as np
from checker_rules import BlackBox

import brickgrad as bg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import zoo

Case = tuple[Any, tuple[Any, ...]]


class Subject(NamedTuple):
    """A case of the zoo; `role` is "fault", "nasty" (right, but looks wrong) or "healthy" (a fault switched off)."""

    role: str
    family: str
    name: str
    make: Callable[[int], Case]


class Run(NamedTuple):
    """What a checker said of a subject: pass, fail, inconclusive or could not run; and what it cost."""

    role: str
    family: str
    name: str
    seed: int
    verdict: str
    forwards: int
    ms: float
    why: str = ""


def brickgrad_checker(case: Case, seed: int) -> tuple[str, int, str]:
    """bg.gradcheck: a kink is named, and passes."""
    layer, inputs = case
    report = bg.gradcheck(layer, *inputs, rng=seed)
    return "pass" if report.verdict == "kink" else report.verdict, report.forwards, ""


def black_box(rule: Callable[[BlackBox, np.random.Generator], bool]) -> Callable[[Case, int], tuple[str, int, str]]:
    """Make a checker of a rule."""

    def check(case: Case, seed: int) -> tuple[str, int, str]:
        box = BlackBox(*case)
        box.leave_out_what_has_no_gradient()
        try:
            return "pass" if rule(box, np.random.default_rng((seed, 1))) else "fail", box.forwards, ""
        except Exception as error:
            return "fail" if box.raised else "could not run", box.forwards, f"{type(error).__name__}: {error}"

    return check


def torch_rule(box: BlackBox, *, fast: bool) -> bool:
    """torch.autograd.gradcheck, over tensors that share the black box's memory."""
    import torch

    class Wrapped(torch.autograd.Function):
        """The layer as a function of its parameters and inputs."""

        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            y = tuple(torch.tensor(np.array(part, np.float64)) for part in box.outputs())
            ctx.forwards = box.forwards
            return y if len(y) > 1 else y[0]

        @staticmethod
        def backward(ctx: Any, *d_outputs: Any) -> Any:
            if ctx.forwards != box.forwards:  # the layer remembers another forward than this one: run it again
                box.outputs()
                ctx.forwards = box.forwards
            gradients = box.pull_back(*[dy.numpy() for dy in d_outputs])
            return tuple(torch.tensor(g.reshape(a.shape)) for g, a in zip(gradients, box.arrays, strict=True))

    tensors = tuple(torch.from_numpy(array).requires_grad_() for array in box.arrays)
    largest = max((array.size for array in box.arrays), default=0)
    if not fast and largest * sum(np.size(y) for y in box.outputs()) > checker_rules.JACOBIAN_LIMIT:
        raise checker_rules.TooLargeError
    return torch.autograd.gradcheck(Wrapped.apply, tensors, fast_mode=fast, raise_exception=False)


def jax_rule(box: BlackBox, rng: np.random.Generator) -> bool:
    """jax.test_util.check_grads over a custom_vjp whose two halves call back to the black box."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # what backward raises is reported here, in the table
    d_shapes = [jax.ShapeDtypeStruct(array.shape, np.float64) for array in box.arrays]
    shapes = [jax.ShapeDtypeStruct(np.shape(y), np.float64) for y in box.outputs()]

    def forward(*arrays: Any) -> list[np.ndarray]:
        for array, value in zip(box.arrays, arrays, strict=True):
            array[...] = value
        return [np.array(y, np.float64) for y in box.outputs()]

    def backward(arrays: Any, d_outputs: Any) -> list[np.ndarray]:
        forward(*arrays)
        gradients = box.pull_back(*[np.array(dy) for dy in d_outputs])
        return [np.asarray(g, np.float64).reshape(a.shape) for g, a in zip(gradients, box.arrays, strict=True)]

    @jax.custom_vjp
    def function(*arrays: Any) -> Any:
        return jax.pure_callback(forward, shapes, *arrays)

    function.defvjp(
        lambda *arrays: (function(*arrays), arrays),
        lambda arrays, d_outputs: tuple(jax.pure_callback(backward, d_shapes, arrays, d_outputs)),
    )
    try:
        check_grads(function, [array.copy() for array in box.arrays], order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


CHECKERS = {
    "brickgrad": ("brickgrad gradcheck", "brickgrad", brickgrad_checker),
    "torch-slow": ("PyTorch gradcheck, slow", "torch", black_box(lambda box, rng: torch_rule(box, fast=False))),
    "torch-fast": ("PyTorch gradcheck, fast", "torch", black_box(lambda box, rng: torch_rule(box, fast=True))),
    "jax": ("JAX check_grads, rev", "jax", black_box(jax_rule)),
    **{
        f"re-{key}": (f"{title} (re-created)", "brickgrad", black_box(rule))
        for key, (title, rule) in checker_rules.RULES.items()
    },
}


def subjects(families: list[str], large: bool) -> Iterator[Subject]:
    """The zoo's faults, each sort of them switched off once, and its correct layers."""
    healthy = {}
    for fault in zoo.FAULTS:
        if fault.family in families and (large or fault.family != "size"):
            yield Subject("fault", fault.family, fault.name, fault.make)
            healthy.setdefault(fault.healthy.func, Subject("healthy", fault.family, fault.name, fault.healthy))
    yield from healthy.values()
    yield from (Subject("nasty", "", correct.name, correct.make) for correct in zoo.CORRECT)


def run(check: Callable[[Case, int], tuple[str, int, str]], subject: Subject, seed: int) -> Run:
    """Let one checker look at one subject."""
    case = subject.make(seed)
    np.random.seed(seed)  # noqa: NPY002 — some of the zoo's layers draw from the global generator
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        verdict, forwards, why = check(case, seed)
        ms = (time.perf_counter() - start) * 1e3
    return Run(subject.role, subject.family, subject.name, seed, verdict, forwards, ms, why)


def failed_percent(runs: list[Run], role: str) -> str:
    """How many of the runs on correct layers ended in a failure."""
    failed = [r.verdict == "fail" for r in runs if r.role == role and r.verdict != "could not run"]
    return f"{100 * statistics.mean(failed):.1f} %" if failed else "-"


def median_of(runs: list[Run], what: str, faulty: bool) -> float:
    """What the runs on faults, or those on correct layers, cost in the middle."""
    return statistics.median([getattr(r, what) for r in runs if (r.role == "fault") == faulty] or [0])


def row(title: str, runs: list[Run]) -> list[str]:
    """A checker's line in the table."""
    faults: dict[tuple[str, str], list[bool]] = {}
    for r in runs:
        if r.role == "fault":
            faults.setdefault((r.family, r.name), []).append(r.verdict == "fail")
    always, never = sum(map(all, faults.values())), sum(not any(caught) for caught in faults.values())
    return [
        title,
        f"{always}/{len(faults)}",
        str(len(faults) - always - never),
        str(never),
        failed_percent(runs, "nasty"),
        failed_percent(runs, "healthy"),
        str(sum(r.verdict == "inconclusive" for r in runs)),
        str(len({(r.role, r.name) for r in runs if r.verdict == "could not run"})),
        *(
            f"{median_of(runs, 'forwards', faulty):.0f}, {median_of(runs, 'ms', faulty):.1f}"
            for faulty in (False, True)
        ),
    ]


HEAD = ["rule", "caught always", "at times", "missed", "false alarms: nasty", "healthy"]
HEAD += ["inconclusive", "could not run", "right: forwards, ms", "faulty: forwards, ms"]


def print_table(rows: list[list[str]]) -> None:
    """The rows in Markdown, in columns."""
    rows = [line + [""] * (len(HEAD) - len(line)) for line in [HEAD, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for line in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")


RULES_HELP = "default: all, but no re-creation of a checker that is installed"


def installed(key: str) -> bool:
    """Whether a checker's library is there."""
    return importlib.util.find_spec(CHECKERS[key][1]) is not None


def default_rules() -> list[str]:
    """The checkers, with re-creations only where the original is missing."""
    originals = {key for key in CHECKERS if installed(key)}
    return [key for key in CHECKERS if key.removeprefix("re-") == key or key.removeprefix("re-") not in originals]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="seeds for each subject (default: 1)")
    parser.add_argument("--rules", nargs="+", choices=CHECKERS, default=default_rules(), help=RULES_HELP)
    families = sorted(zoo.FAMILIES)
    parser.add_argument("--family", nargs="+", choices=families, default=families, help="of faults (default: all)")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--large", action="store_true", help="with the faults that hide in size: up to 10^6 entries")
    return parser.parse_args()


def main() -> None:
    """Run the checkers and print the table."""
    options = arguments()
    chosen = list(subjects(options.family, options.large))
    rows, results = [], {}
    for key in options.rules:
        title, _, check = CHECKERS[key]
        if not installed(key):
            rows.append([title, "not installed"])
            continue
        check(chosen[-1].make(0), 0)  # warm up
        results[key] = runs = [run(check, subject, seed) for subject in chosen for seed in range(options.seeds)]
        rows.append(row(title, runs))
        print(f"{title}: {sum(r.ms for r in runs) / 1e3:.1f} s", file=sys.stderr)
    print_table(rows)
    if options.json:
        options.json.write_text(json.dumps({key: [r._asdict() for r in runs] for key, runs in results.items()}))


if __name__ == "__main__":
    main()
