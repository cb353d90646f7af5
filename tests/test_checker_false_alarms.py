"""No false alarm: correct layers, ours and the zoo's nasty ones, over shapes, scales and seeds from hypothesis.

The number of checks is small here; `GRADCHECKS=10000 pytest tests/test_checker_false_alarms.py` makes as many as asked.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_table import LAYERS, Case, set_up

import brickgrad as bg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import zoo

CHECKS = int(os.environ.get("GRADCHECKS", "300"))
HALF = settings(
    max_examples=CHECKS // 2, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
SCALED = {
    "Add",
    "Sub",
    "Mul",
    "Neg",
    "Identity",
    "ReLU",
    "Step",
    "Flatten",
    "Reshape",
    "Concat",
    "Affine",
    "Convolution",
    "MaxPooling",
    "AveragePooling",
    "GlobalAveragePooling",
    "LeakyReLU",
    "MatMul",
    "Sum",
    "Mean",
    "Transpose",
    "Tanh",
    "Sigmoid",
}
SIZES = st.integers(1, 9)
CASES = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    batch=st.sampled_from([0, 1, 2, 7, 13]),
    inner=st.tuples(SIZES.filter(lambda n: n > 1), SIZES, SIZES),
    variant=st.integers(0, 3),
)
verdicts = Counter()


def check(subject, inputs, seed, what):
    """One check of something correct; a fail is a false alarm."""
    report = bg.gradcheck(subject, *inputs, rng=seed)
    verdicts[report.verdict] += 1
    assert report.verdict != "fail", f"{what}\n{report}"


@HALF
@given(
    entry=st.sampled_from(LAYERS),
    case=CASES,
    dtype=st.sampled_from([np.float32, np.float64]),
    extreme=st.booleans(),
    power=st.integers(-8, 8),
)
def test_our_layers_raise_no_false_alarm(entry, case, dtype, extreme, power):
    layer, inputs = set_up(entry, case, dtype, extreme=extreme)
    if entry.name.split("[")[0] in SCALED:
        inputs = tuple(x * dtype(10.0**power) if x.dtype.kind == "f" else x for x in inputs)
    check(layer, inputs, case.seed, f"{entry.name} {case} {dtype.__name__} extreme={extreme} 10^{power}")


@HALF
@given(case=st.sampled_from(zoo.CORRECT), seed=st.integers(0, 2**32 - 1))
def test_nasty_correct_cases_raise_no_false_alarm(case, seed):
    subject, inputs = case.make(seed)
    check(subject, inputs, seed, f"{case.name}, seed {seed}")


@pytest.mark.parametrize("share", [0.001])
def test_hardly_any_correct_layer_is_inconclusive(share):
    total = sum(verdicts.values())
    if total < CHECKS // 2:
        pytest.skip("the checks ran in another process")
    print(f"\n{total} checks of correct layers: {dict(verdicts)}")
    assert verdicts["inconclusive"] <= share * total
