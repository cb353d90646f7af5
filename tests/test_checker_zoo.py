"""The checker over the bug zoo: every planted fault caught, named and placed; every correct case let through."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import brickgrad as bg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import zoo

SMALL = [fault for fault in zoo.FAULTS if fault.family != "size"]
LARGE = [fault for fault in zoo.FAULTS if fault.family == "size"]
FULL = bool(os.environ.get("FULL"))  # every fault at a second seed, not a quarter of the small ones; ties at 40 seeds
# The faults whose guess is none, or another: the report still names brick and gradient.
UNGUESSED = {
    "one of two stretched axes summed",
    "softmax over the wrong axis in the loss",
    "sigmoid differentiated twice",
    "softmax taken for exp",
    "dgamma from x itself",
    "stride ignored after the first group",
    "groups exchanged in dx",
    "average not divided",
    "max pool overwrites overlaps",
    "place of the max read across before down",
    "last window of the pool left out",
    "second output forgotten",
}


def names_in(report):
    """The gradients that a report calls wrong."""
    rows = [row for part in (report, report.worst()) for row in part.rows if row.verdict == "fail"]
    faults = [fault for part in (report, report.worst()) for fault in part.faults]
    return {row.name for row in rows} | {name for fault in faults for name in fault.where}


def assert_caught(fault, seed):
    """The fault fails the check, at the right brick and gradient, and the guess is right where it is known to be."""
    subject, inputs = fault.make(seed)
    report = bg.gradcheck(subject, *inputs, rng=seed)
    assert report.verdict == "fail", report
    worst = report.worst()
    assert worst is report if fault.brick == "Graph" else worst.title.startswith(fault.brick), report
    assert not fault.gradients or names_in(report) & fault.gradients, report
    if fault.name not in UNGUESSED:
        assert report.guess is not None, report
        assert report.guess.kind in fault.kinds, report


@pytest.mark.parametrize("fault", SMALL, ids=lambda fault: fault.name)
def test_planted_fault_is_caught_named_and_guessed(fault):
    assert_caught(fault, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("fault", zoo.FAULTS if FULL else SMALL[::4], ids=lambda fault: fault.name)
def test_planted_fault_is_caught_at_another_seed(fault):
    assert_caught(fault, seed=1)


@pytest.mark.parametrize("fault", LARGE, ids=lambda fault: fault.name)
def test_planted_fault_of_size_is_caught(fault):
    assert_caught(fault, seed=2)


@pytest.mark.parametrize("fault", SMALL, ids=lambda fault: fault.name)
def test_healthy_twin_of_a_fault_passes(fault):
    subject, inputs = fault.healthy(3)
    report = bg.gradcheck(subject, *inputs, rng=3)
    assert report.passed, report


@pytest.mark.parametrize("case", [case for case in zoo.CORRECT if "ties" in case.name], ids=lambda case: case.name)
def test_ties_pass_at_any_seed(case):
    for seed in (107375, *range(40 if FULL else 10)):
        subject, inputs = case.make(seed)
        assert bg.gradcheck(subject, *inputs, rng=seed).passed, seed


@pytest.mark.parametrize("case", zoo.CORRECT, ids=lambda case: case.name)
def test_nasty_correct_case_passes(case):
    for seed in range(3):
        subject, inputs = case.make(seed)
        report = bg.gradcheck(subject, *inputs, rng=seed)
        assert report.passed, report


def test_at_least_nine_in_ten_faults_are_guessed():
    assert {fault.name for fault in SMALL} >= UNGUESSED
    assert len(UNGUESSED) <= len(zoo.FAULTS) / 10


def test_zoo_holds_every_family_and_leaves_numpys_global_generator_alone():
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002  # it must not be drawn from
    assert {fault.family for fault in zoo.FAULTS} == set(zoo.FAMILIES)
    assert len({fault.name for fault in zoo.FAULTS}) == len(zoo.FAULTS)
    for fault in SMALL:
        fault.make(0)
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002
