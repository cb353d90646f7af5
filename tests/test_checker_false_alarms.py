"""No false alarm: correct layers, ours and the zoo's nasty ones, over shapes, scales and seeds from hypothesis.

The number of checks is small here; `GRADCHECKS=10000 pytest tests/test_checker_false_alarms.py` makes as many as asked.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_table import LAYERS, Case, set_up

import brickgrad as bg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import zoo

CHECKS = int(os.environ.get("GRADCHECKS", "200"))
OPTIONS = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
# Where no number is asked for, few of the nasty ones: test_checker_zoo.py checks each of them at three seeds.
FEW = CHECKS // 2 if "GRADCHECKS" in os.environ else 50
OURS, NASTY = settings(OPTIONS, max_examples=CHECKS - FEW), settings(OPTIONS, max_examples=FEW)
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


@OURS
@given(
    entry=st.sampled_from(LAYERS),
    case=CASES,
    dtype=st.sampled_from([np.float32, np.float64]),
    extreme=st.booleans(),
    power=st.integers(-8, 8),
)
def check_our_layers(entry, case, dtype, extreme, power):
    layer, inputs = set_up(entry, case, dtype, extreme=extreme)
    if entry.name.split("[")[0] in SCALED:
        inputs = tuple(x * dtype(10.0**power) if x.dtype.kind == "f" else x for x in inputs)
    check(layer, inputs, case.seed, f"{entry.name} {case} {dtype.__name__} extreme={extreme} 10^{power}")


@NASTY
@given(case=st.sampled_from(zoo.CORRECT), seed=st.integers(0, 2**32 - 1))
def check_nasty_correct_cases(case, seed):
    subject, inputs = case.make(seed)
    check(subject, inputs, seed, f"{case.name}, seed {seed}")


def test_correct_layers_raise_no_false_alarm_and_hardly_any_is_inconclusive():
    check_our_layers()
    check_nasty_correct_cases()
    total = sum(verdicts.values())
    print(f"\n{total} checks of correct layers: {dict(verdicts)}")
    assert total >= CHECKS // 2
    assert verdicts["inconclusive"] <= 0.001 * total
