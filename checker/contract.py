"""check_layer: the whole contract of a layer as a graded list, and contract_tests: the same as tests for pytest."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import brickgrad.layers

from .randomness import global_generator_kept
from .results import several
from .rules import RULES, Rule
from .rules_inputs import given, made, maker
from .rules_trial import Bench, Broken, Candidate, NotTested

MARKS = {"holds": "✓", "broken": "✗", "not tested": "–"}


class ContractError(AssertionError):
    """A layer breaks a rule of the contract."""


@dataclass(frozen=True)
class RuleResult:
    """One rule: whether it holds.

    Attributes
        number : 1 to 12 as in docs/architecture.md; 13 is the gradient.
        rule : the rule in plain words.
        verdict : "holds", "broken" or "not tested".
        detail : what was done, expected, what came and what to do about it; or why it was not tested; or a remark.
    """

    number: int
    rule: str
    verdict: str
    detail: str = ""

    def __str__(self) -> str:
        head = f"{MARKS[self.verdict]} {self.number:>2}  {self.rule}"
        if not self.detail:
            return head
        if self.verdict != "broken":
            return f"{head}\n      ({self.detail})"
        return "\n".join([head, *(f"      {line}" for line in self.detail.split("\n"))])


@dataclass(frozen=True, repr=False)
class ContractReport:
    """The result of `check_layer`: true where no rule is broken; printed, a table.

    Attributes
        title : the layer.
        inputs : which inputs it was tried on, in words.
        results : a RuleResult for each rule, in order.
    """

    title: str
    inputs: str
    results: tuple[RuleResult, ...]

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that are broken."""
        return tuple(result for result in self.results if result.verdict == "broken")

    @property
    def score(self) -> tuple[int, int]:
        """How many rules hold, of how many that were tested."""
        tested = [result.verdict for result in self.results if result.verdict != "not tested"]
        return tested.count("holds"), len(tested)

    def __bool__(self) -> bool:
        return not self.broken

    def raise_if_bad(self) -> None:
        """Raise ContractError, with the report as its text, if a rule is broken."""
        if self.broken:
            numbers = ", ".join(str(result.number) for result in self.broken)
            raise ContractError(f"{self.title} breaks rule{'s' * (len(self.broken) > 1)} {numbers}.\n{self}")

    def __str__(self) -> str:
        held, of = self.score
        left = len(self.results) - of
        head = f"contract of {self.title}: {held} of {of} rules hold" + (f", {left} not tested" if left else "")
        return "\n".join([head, f"inputs: {self.inputs}", *map(str, self.results)])

    __repr__ = __str__


def check_layer(layer: Any, *inputs: Any, rng: np.random.Generator | int | None = 0) -> ContractReport:
    """Try every rule of the contract on a layer, and its gradient: what holds, what does not, and what to do.

    Each rule is tried on copies of its own, by running them, so one fault does not hide another, and a rule that ends
    in an exception is broken without ending the rest. An instance stays bit for bit as it is.

    Parameters
        layer : a Layer or any object with forward and backward; or its class, or a function that makes one, both
            without arguments.
        inputs : what its forward takes. Without any, each is an array (7, 5) of normal numbers, zeros and ties.
        rng : numpy.random.Generator or seed, default 0. Draws the inputs and what else is drawn.
    Returns      ContractReport: true where nothing is broken; printed, a table
    Errors       TypeError: no such object, or it needs arguments. ValueError: it does not take the inputs made for it
    Source       the rules of docs/architecture.md
    Example
        >>> from brickgrad import Layer
        >>> class Double(Layer):
        ...     def forward(self, x):
        ...         x *= 2
        ...         return x.copy()
        ...     def backward(self, dy):
        ...         return 2 * dy
        >>> report = check_layer(Double)
        >>> [result.number for result in report.broken], report.score
        ([1, 13], (10, 12))
        >>> print(report.results[0].detail)  # doctest: +ELLIPSIS
        done:      ran forward on inputs that cannot be written to
        expected:  inputs and parameters as they were
        came:      ValueError: output array is read-only (<doctest ..., in forward)
        do:        Make a new array (y = x * mask), or copy first; never write x[...] = or x *= to what you were given.
    """
    make, origin = maker(layer)
    generator = np.random.default_rng(rng)
    seed = int(rng) if isinstance(rng, int | np.integer) else int(generator.integers(2**32))
    with _isolated(seed):
        sample = make()
    if not (callable(getattr(sample, "forward", None)) and callable(getattr(sample, "backward", None))):
        raise TypeError(
            f"check_layer: layer must be an object with forward and backward, its class, or a function without "
            f"arguments that makes one; got {sample!r:.60}."
        )
    arrays, words = (given(sample, inputs), "those given") if inputs else (made(sample, generator), "made")
    described = ", ".join(f"{x.dtype} {x.shape}" for x in arrays)
    candidate = Candidate(make, tuple(arrays), seed, origin)
    if not inputs:
        _check_runs(candidate, described)
        words = "normal numbers with zeros and ties, made for it"
    results = tuple(_judge(rule, candidate) for rule in RULES)
    title = str(getattr(sample, "title", None) or type(sample).__name__)
    return ContractReport(title, f"{words}: {described}", results)


def contract_tests(layer: Any, *inputs: Any, rng: np.random.Generator | int | None = 0) -> Callable[..., None]:
    """The contract as tests for pytest, one for each rule: a test function to give a name that begins with test_.

        test_my_layer = bg.contract_tests(MyLayer)

    A rule that is broken fails, with what was done, expected, what came and what to do; one that cannot be tried skips.
    The layer is checked once, when the first of the tests runs.

    Parameters   as of `check_layer`
    Returns      a function, parametrized by rule: test_my_layer[rule-01-inputs-unchanged] and so on
    Errors       ImportError: pytest is not installed
    Example
        >>> from brickgrad import ReLU
        >>> test_relu = contract_tests(ReLU)
        >>> test_relu(RULES[0])
    """
    try:
        import pytest
    except ImportError as error:
        raise ImportError(
            "contract_tests: needs pytest, which is not installed. Get it with: pip install 'brickgrad[test]'"
        ) from error

    @functools.cache
    def report() -> ContractReport:
        return check_layer(layer, *inputs, rng=rng)

    @pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
    def test_contract(rule: Rule) -> None:
        __tracebackhide__ = True
        checked = report()
        result = checked.results[rule.number - 1]
        if result.verdict == "not tested":
            pytest.skip(f"rule {result.number} is not tested: {result.detail}")
        if result.verdict == "broken":
            pytest.fail(f"{checked.title} breaks rule {result.number}: {result.rule}\n{result.detail}", pytrace=False)

    return test_contract


def _check_runs(candidate: Candidate, described: str) -> None:
    """ValueError where the layer can do nothing with the inputs made for it: its rules could not be tried."""
    hint = "Pass inputs that it takes: bg.check_layer(layer, x)."
    with _isolated(candidate.seed):
        bench = Bench(candidate)
        try:
            outputs = bench.trial().forward()
        except Exception as error:
            raise ValueError(
                f"check_layer: {bench.title}.forward does not run on the inputs made for it ({described}): "
                f"{_describe(error)}. {hint}"
            ) from error
        if not all(np.isfinite(np.asarray(y, np.float64)).all() for y in several(outputs)):
            raise ValueError(
                f"check_layer: {bench.title}.forward gives NaN or infinity on the inputs made for it ({described}). "
                f"{hint}"
            )


def _judge(rule: Rule, candidate: Candidate) -> RuleResult:
    """Try one rule. Whatever it ends in is a verdict."""
    bench = None
    with _isolated(candidate.seed):
        try:
            bench = Bench(candidate)
            return RuleResult(rule.number, rule.words, "holds", rule.check(bench) or "")
        except NotTested as why:
            return RuleResult(rule.number, rule.words, "not tested", str(why))
        except Broken as fault:
            came = str(fault)
        except (Exception, SystemExit) as error:
            came = _describe(error)
    done, expected, advice = (bench.done, bench.expected, bench.advice) if bench else ("made the layer", "a layer", "")
    lines = [f"done:      {done}", f"expected:  {expected}", "came:      " + came.replace("\n", "\n           ")]
    if advice:
        lines.append(f"do:        {advice}")
    return RuleResult(rule.number, rule.words, "broken", "\n".join(lines))


@contextlib.contextmanager
def _isolated(seed: int) -> Iterator[None]:
    """Run a layer with nothing printed, nothing warned, and the global generators set, and put back."""
    state, heard = random.getstate(), io.StringIO()
    with (
        global_generator_kept(),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(heard),
        contextlib.redirect_stderr(heard),
    ):
        warnings.simplefilter("ignore")
        np.random.seed(seed % 2**32)  # noqa: NPY002  # a layer that draws from it is then checked the same every time
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)


def _describe(error: BaseException) -> str:
    """An exception with the place in the layer's own code that it came from."""
    text = f"{type(error).__name__}: {error}"
    ours = str(Path(__file__).parent)
    base = Path(brickgrad.layers.__file__).parent
    machinery = {str(base / name) for name in ("base.py", "guard.py", "memory.py")}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        inside = frame.filename.startswith((ours, str(Path(np.__file__).parent))) or frame.filename in machinery
        if not inside and "<frozen" not in frame.filename:
            return f"{text} ({os.path.basename(frame.filename)}:{frame.lineno}, in {frame.name})"
    return text
