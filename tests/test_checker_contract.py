"""check_layer and contract_tests: every breach is found and named, and no right layer is blamed."""

import copy
import pickle
import random
import subprocess
import sys
import threading

import numpy as np
import pytest
from layer_table import Case, bits, over_layers, set_up

import brickgrad as bg
from brickgrad.checker.contract import ContractError, check_layer, contract_tests
from brickgrad.checker.rules import RULES

X = np.random.default_rng(1).normal(size=(7, 5))


def verdicts(report, verdict):
    return {result.number for result in report.results if result.verdict == verdict}


# A right layer, and one planted fault a class -------------------------------------------------------------------------


class Square(bg.Layer):
    def forward(self, x):
        self.saved = x.copy()
        return x * x

    def backward(self, dy):
        return 2 * dy * self.saved


class Linear(bg.Layer):
    """A right one with parameters."""

    def __init__(self, n_in=5, n_out=3):
        self.add_param("W", np.random.default_rng(0).normal(size=(n_in, n_out)))

    def forward(self, x):
        if x.shape[-1] != len(self.params["W"]):
            raise ValueError(f"{self.title}.forward: x must be (N, {len(self.params['W'])}); got {x.shape}.")
        self.saved = x
        return x @ self.params["W"]

    def backward(self, dy):
        self.grads["W"] = self.saved.T @ dy
        return dy @ self.params["W"].T


class Lazy(Linear):
    """A right one that takes its width from its input."""

    def __init__(self):
        pass

    @property
    def sized(self):
        return "W" in self.params

    def forward(self, x):
        if not self.sized:
            self.add_param("W", np.random.default_rng(0).normal(size=(x.shape[-1], 3)).astype(x.dtype))
        return super().forward(x)


class Dropout(bg.Layer):
    """A right one that is random."""

    def __init__(self, rng=None):
        self.rng = np.random.default_rng(rng)

    def draw(self, x):
        return self.rng.random(x.shape) < 0.5

    def forward(self, x):
        self.saved = self.branch(lambda: self.draw(x))
        return x * self.saved

    def backward(self, dy):
        return dy * self.saved


class BatchNorm(bg.Layer):
    """A right one that keeps a running mean."""

    def __init__(self):
        self.add_param("gamma", np.linspace(0.5, 1.5, 5))
        self.running = np.zeros(5)

    def forward(self, x):
        n = max(len(x), 1)
        mean = x.sum(axis=0) / n
        deviation = np.sqrt(((x - mean) ** 2).sum(axis=0) / n + 1e-7)
        self.running = 0.9 * self.running.astype(x.dtype) + 0.1 * mean
        self.saved = (x - mean) / deviation, deviation
        return self.saved[0] * self.params["gamma"]

    def backward(self, dy):
        y, deviation = self.saved
        n = max(len(y), 1)
        self.grads["gamma"] = (dy * y).sum(axis=0)
        d = dy * self.params["gamma"]
        return (d - d.sum(axis=0) / n - y * (d * y).sum(axis=0) / n) / deviation


class Embedding(bg.Layer):
    """A right one whose only input is integers."""

    integer_inputs = ("i",)

    def __init__(self):
        self.add_param("W", np.random.default_rng(0).normal(size=(5, 3)))

    def forward(self, i):
        self.saved = i
        return self.params["W"][i]

    def backward(self, dy):
        dW = np.zeros_like(self.params["W"])
        np.add.at(dW, self.saved, dy)
        self.grads["W"] = dW


class Split(bg.Layer):
    """A right one with two outputs."""

    n_outputs = 2

    def forward(self, x):
        return x[:, :2].copy(), x[:, 2:].copy()

    def backward(self, da, db):
        return np.concatenate([da, db], axis=1)


class Largest(bg.Layer):
    """A right one that chooses, among ties too."""

    def forward(self, x):
        place = self.branch(lambda: x.argmax(axis=1))
        self.saved = x.shape, place
        return x[np.arange(len(x)), place]

    def backward(self, dy):
        shape, place = self.saved
        dx = np.zeros(shape, dy.dtype)
        dx[np.arange(len(place)), place] = dy
        return dx


class MatMul(bg.Layer):
    """A right one whose inputs have first axes of one size that are no batch."""

    def forward(self, a, b):
        self.saved = a, b
        return a @ b

    def backward(self, dy):
        a, b = self.saved
        return dy @ b.T, a.T @ dy


class WritesInput(Square):
    def forward(self, x):
        self.saved = x.copy()
        x *= x
        return x.copy()


class WritesUpstream(Square):
    def backward(self, dy):
        dy *= 2 * self.saved
        return dy.copy()


class WritesParameters(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.params["W"][...] -= 0.1 * self.grads["W"]
        return dx


class KeepsElsewhere(Square):
    def forward(self, x):
        self.x = x.copy()
        return x * x

    def backward(self, dy):
        return 2 * dy * self.x


class KeepsTheFirst(bg.Layer):
    def forward(self, x):
        if not hasattr(self, "cache"):
            self.cache = x.copy()
        self.saved = x.copy()
        return x * self.cache

    def backward(self, dy):
        return dy * (self.saved + self.cache)


class SpoilsSaved(Square):
    def backward(self, dy):
        self.saved *= 2 * dy
        return self.saved.copy()


class LeavesUpstreamOut(bg.Layer):
    def forward(self, x):
        self.saved = x
        return (x * x).sum()

    def backward(self, dy):
        return 2 * self.saved


class Affinely(Square):
    def backward(self, dy):
        return 2 * dy * self.saved + 1


class Adds(Linear):
    def backward(self, dy):
        self.grads["W"] += self.saved.T @ dy
        return dy @ self.params["W"].T


class Promotes(Square):
    def forward(self, x):
        self.saved = x
        return x * x + np.zeros(x.shape)


class GlobalRandom(Dropout):
    def draw(self, x):
        return np.random.rand(*x.shape) < 0.5  # noqa: NPY002


class GlobalRandomInInit(Linear):
    def __init__(self):
        self.add_param("W", np.random.randn(5, 3))  # noqa: NPY002


class PythonsRandom(Dropout):
    def draw(self, x):
        return random.random() < 2


class Unseeded(Dropout):
    def draw(self, x):
        return np.random.default_rng().random(x.shape) < 0.5


class FlattensNone(bg.Layer):
    def forward(self, x):
        self.saved = x.shape
        return x.reshape(len(x), -1).copy()

    def backward(self, dy):
        return dy.reshape(self.saved).copy()


class SqueezesOne(Square):
    def forward(self, x):
        self.saved = x.copy()
        return np.squeeze(x * x)

    def backward(self, dy):
        return 2 * dy.reshape(self.saved.shape) * self.saved


class ReadsTheOrder(Square):
    def forward(self, x):
        self.saved = x.ravel(order="K").reshape(x.shape)
        return self.saved * self.saved


class Prints(Square):
    def forward(self, x):
        print("forward", x.shape)
        return super().forward(x)


class KnowsGraph(Square):
    def forward(self, x):
        assert bg.Graph is not None
        return super().forward(x)


class GivesInput(bg.Layer):
    def forward(self, x):
        return x

    def backward(self, dy):
        return dy.copy()


class GivesUpstream(bg.Layer):
    def forward(self, x):
        return x.copy()

    def backward(self, dy):
        return dy


class Reuses(Square):
    def forward(self, x):
        self.saved = x.copy()
        if getattr(self, "out", np.zeros(0)).shape != x.shape or self.out.dtype != x.dtype:
            self.out = np.empty_like(x)
        return np.multiply(x, x, out=self.out)


class Kinked(bg.Layer):
    def forward(self, x):
        self.saved = x > 0
        return x * self.saved

    def backward(self, dy):
        return dy * self.saved


class Jumps(bg.Layer):
    def forward(self, x):
        return (x > 0).astype(x.dtype)

    def backward(self, dy):
        return np.zeros_like(dy)


class NewMask(Dropout):
    def forward(self, x):
        self.saved = self.draw(x)
        return x * self.saved


class LazyUnnamed(Lazy):
    def forward(self, x):
        if not self.sized:
            self.add_param("W", np.random.default_rng(0).normal(size=(x.shape[-1], 3)).astype(x.dtype))
        self.saved = x
        return x @ self.params["W"]


class LazyUntold(Lazy):
    sized = True

    def forward(self, x):
        if "W" not in self.params:
            self.add_param("W", np.random.default_rng(0).normal(size=(x.shape[-1], 3)).astype(x.dtype))
        return Linear.forward(self, x)


class TakesAnyWidth(Linear):
    def forward(self, x):
        self.saved = x
        return x[..., : len(self.params["W"])] @ self.params["W"]


class Halved(Square):
    def backward(self, dy):
        return dy * self.saved


class Book:
    """An object of no class of ours, right but for the order of calls, which nobody asked of it."""

    def __init__(self):
        self.W = np.ones((5, 3))
        self.x = self.dW = None

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class RightBook(Book):
    def backward(self, dout):
        if self.x is None:
            raise RuntimeError("call forward first")
        return super().backward(dout)


class AddingBook(RightBook):
    def __init__(self):
        super().__init__()
        self.params, self.grads = [self.W], [np.zeros_like(self.W)]

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads[0] += self.dW
        return dx


class GradAttributeBook(RightBook):
    """W's gradient is in grad_W, and added to."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grad_W = getattr(self, "grad_W", 0) + self.dW
        del self.dW
        return dx


class KeylessBook(RightBook):
    def __init__(self):
        super().__init__()
        self.params, self.grads = {"W": self.W}, {}


class PromotingBook(RightBook):
    def forward(self, x):
        return super().forward(x) * np.ones(1)


# Some faults are breaches of the gradient too, for gradcheck looks at mutation, state, buffers and linearity: 13.
PLANTED = [
    (WritesInput, {1, 13}),
    (WritesUpstream, {1, 13}),
    (WritesParameters, {1, 13}),
    (KeepsElsewhere, {2}),
    (KeepsTheFirst, {2, 13}),
    (SpoilsSaved, {3, 13}),
    (LeavesUpstreamOut, {4, 13}),
    (Affinely, {4, 13}),
    (Adds, {5, 13}),
    (Promotes, {6}),
    (GlobalRandom, {7}),
    (GlobalRandomInInit, {7}),
    (PythonsRandom, {7}),
    (Unseeded, {7}),
    (FlattensNone, {8}),
    (SqueezesOne, {8}),
    (ReadsTheOrder, {8}),
    (Prints, {9}),
    (KnowsGraph, {9}),
    (GivesInput, {10}),
    (GivesUpstream, {10}),
    (Reuses, {10, 13}),
    (Kinked, {11}),
    (Jumps, {11}),
    (NewMask, {11}),
    (LazyUnnamed, {12}),
    (LazyUntold, {12}),
    (TakesAnyWidth, {12}),
    (Halved, {13}),
    (Book, {3}),
    (AddingBook, {5, 13}),
    (GradAttributeBook, {5, 13}),
    (KeylessBook, {5, 13}),
    (PromotingBook, {6}),
]


@pytest.mark.parametrize(("planted", "broken"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_check_layer_planted_fault_breaks_its_rule_and_no_other(planted, broken):
    report = check_layer(planted)
    assert verdicts(report, "broken") == broken, str(report)
    assert not report


def test_planted_faults_cover_every_rule():
    assert {min(broken) for _, broken in PLANTED} == {rule.number for rule in RULES} == set(range(1, 14))


@pytest.mark.parametrize(
    "layer",
    [Square, Linear, Lazy, Dropout, BatchNorm, Embedding, Split, Largest, RightBook, bg.Mul, bg.Concat],
    ids=lambda layer: layer.__name__,
)
def test_check_layer_right_layer_breaks_nothing(layer):
    report = check_layer(layer)
    assert report, str(report)
    assert report.broken == ()
    report.raise_if_bad()


@over_layers
def test_check_layer_every_layer_of_ours_holds_all_rules(entry):
    for case in (Case(), Case(seed=1, variant=1), Case(seed=2, variant=2), Case(seed=3, variant=3), Case(batch=1)):
        layer, inputs = set_up(entry, case, extreme=False)
        report = check_layer(layer, *inputs, rng=case.seed)
        assert report, str(report)
        assert verdicts(report, "not tested") <= {12}, str(report)


def test_check_layer_inputs_that_share_no_batch_are_not_cut():
    assert check_layer(MatMul, X[:5], X[2:])


def test_check_layer_graph_and_float32_instance_hold_all_rules():
    x = bg.Input("x", (5,))
    graph = bg.Graph([x], bg.Affine(3, rng=1)(bg.ReLU()(bg.Affine(5, 4, rng=0)(x))))
    assert check_layer(graph, X)
    assert check_layer(bg.Affine(5, 3, rng=0), X.astype(np.float32))


# The report -----------------------------------------------------------------------------------------------------------


def test_report_results_are_one_a_rule_with_score_and_marks():
    report = check_layer(Kinked)
    assert [result.number for result in report.results] == list(range(1, 14))
    assert verdicts(report, "not tested") == {12}
    assert report.score == (11, 12)
    text = str(report)
    assert text == repr(report)
    assert text.startswith("contract of Kinked: 11 of 12 rules hold, 1 not tested\ninputs: normal numbers with zeros")
    assert "float64 (7, 5)" in text
    assert [sum(line.startswith(mark) for line in text.split("\n")) for mark in "✓✗–"] == [11, 1, 1]
    with pytest.raises(ContractError, match=r"^Kinked breaks rule 11\.\ncontract of Kinked"):
        report.raise_if_bad()


def test_report_broken_rule_says_done_expected_came_and_do():
    (result,) = (r for r in check_layer(Adds).results if r.number == 5)
    lines = result.detail.split("\n")
    assert [line.split(":")[0] for line in lines] == ["done", "expected", "came", "do"]
    assert "the gradient of W at (0, 0) is " in lines[2]
    assert "(2 times as large, everywhere)" in lines[2]
    assert "+=" in lines[3]


def test_report_exception_names_type_text_and_the_line_of_the_layer():
    class Fails(Square):
        def backward(self, dy):
            raise KeyError("mask")

    line = Fails.backward.__wrapped__.__code__.co_firstlineno + 1
    report = check_layer(Fails)
    broken = verdicts(report, "broken")
    assert broken >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13}
    assert 11 not in broken
    first = report.results[0].detail
    assert "done:      ran backward on upstream gradients that cannot be written to" in first
    assert f"came:      KeyError: 'mask' (test_checker_contract.py:{line}, in backward)" in first


def test_report_read_only_write_names_the_guilty_line():
    line = WritesUpstream.backward.__wrapped__.__code__.co_firstlineno + 1
    assert f"(test_checker_contract.py:{line}, in backward)" in check_layer(WritesUpstream).results[0].detail


def test_check_layer_plain_object_is_not_tested_where_only_a_layer_can_be():
    report = check_layer(RightBook)
    assert verdicts(report, "not tested") == {2, 11, 12}
    assert report.score == (10, 10)
    assert all("bg.Layer" in result.detail for result in report.results if result.verdict == "not tested")


def test_check_layer_plain_instance_that_ran_before_is_not_blamed_for_order():
    thing = Book()
    thing.forward(np.ones((7, 5)))
    report = check_layer(thing)
    assert report.results[2].verdict == "not tested"
    assert report


def test_check_layer_unseeded_randomness_leaves_comparisons_untested():
    report = check_layer(Unseeded)
    assert {2, 5} <= verdicts(report, "not tested")
    assert "rule 7" in report.results[1].detail


def test_check_layer_given_inputs_that_fail_end_in_verdicts():
    report = check_layer(Linear, np.ones((7, 4)))
    assert verdicts(report, "broken") >= {1, 3, 4, 13}
    assert "x must be (N, 5); got (7, 4)" in report.results[0].detail
    assert "those given: float64 (7, 4)" in str(report)


# What it leaves alone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Linear, lambda: Dropout(3), lambda: bg.Affine(5, 2, rng=0), Adds, AddingBook])
def test_check_layer_instance_stays_bit_for_bit_as_it_was(make):
    layer, x = make(), X.astype(np.float32) if make is not AddingBook else X.copy()
    if isinstance(layer, Linear):
        layer = layer.replica(np.float32)
    dy = np.ones_like(layer.forward(x))
    layer.backward(dy)
    grads = layer.grads.values() if isinstance(layer.grads, dict) else layer.grads
    held = {key: value for key, value in vars(layer).items() if not isinstance(value, bg.Layer)}
    before, given, arrays = pickle.dumps(layer), bits([x]), [id(g) for g in grads]
    check_layer(layer, x)
    assert pickle.dumps(layer) == before
    assert bits([x]) == given
    assert [id(g) for g in grads] == arrays
    assert all(vars(layer)[key] is value for key, value in held.items())


def test_check_layer_leaves_generators_and_streams_alone(capsys):
    numpys, pythons, rng = np.random.get_state(), random.getstate(), np.random.default_rng(0)  # noqa: NPY002
    check_layer(GlobalRandom)
    check_layer(PythonsRandom)
    check_layer(Prints)
    layer = Dropout(rng)
    state = copy.deepcopy(rng.bit_generator.state)
    check_layer(layer)
    assert rng.bit_generator.state == state
    assert random.getstate() == pythons
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(after[1], numpys[1])
    assert after[2:] == numpys[2:]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("layer", [GlobalRandom, Halved, GlobalRandomInInit])
def test_check_layer_one_seed_gives_one_report(layer):
    assert str(check_layer(layer, rng=4)) == str(check_layer(layer, rng=4))


# Inputs that are made, and errors -------------------------------------------------------------------------------------


def test_check_layer_made_inputs_have_zeros_and_ties_and_labels_where_due():
    seen = []

    class Spy(Square):
        def forward(self, x, t):
            seen.append((x.copy(), t.copy()))
            return super().forward(x)

        def backward(self, dy):
            return super().backward(dy), None

    Spy.integer_inputs = ("t",)
    check_layer(Spy)
    x, t = seen[0]
    assert x.shape == (7, 5)
    assert (x == 0).sum() > 1
    assert (x == 0.5).sum() > 1
    assert t.shape == (7,)
    assert t.dtype.kind == "i"


def test_check_layer_made_inputs_are_as_wide_as_W():
    report = check_layer(lambda: Linear(4, 2))
    assert report, str(report)
    assert "float64 (7, 4)" in str(report)


def test_check_layer_inputs_that_forward_refuses_say_to_pass_some():
    class Images(Square):
        def forward(self, x):
            return super().forward(x.reshape(x.shape[0], x.shape[1], x.shape[2], x.shape[3]))

    with pytest.raises(ValueError, match=r"Images\.forward does not run on .*float64 \(7, 5\).*Pass inputs"):
        check_layer(Images)
    assert check_layer(Images, np.ones((3, 1, 2, 5)))
    with pytest.raises(ValueError, match=r"Log\.forward gives NaN or infinity .*Pass inputs"):
        check_layer(bg.Log)
    assert check_layer(bg.Log, np.abs(X) + 0.5)


def test_check_layer_class_that_needs_arguments_is_type_error_with_the_way_out():
    class Wide(Linear):
        def __init__(self, n_in, n_out):
            super().__init__(n_in, n_out)

    with pytest.raises(TypeError, match=r"Wide cannot be made without arguments .*lambda: Wide\(3, 2\)"):
        check_layer(Wide)
    with pytest.raises(TypeError, match="without arguments"):
        check_layer(lambda n: Linear(n))
    assert check_layer(lambda: Wide(5, 2))
    assert check_layer(Wide(5, 2))


@pytest.mark.parametrize("thing", [3, "relu", None, lambda: 3, object, np.ones(3)])
def test_check_layer_of_no_layer_is_type_error(thing):
    with pytest.raises(TypeError, match=r"^check_layer: layer must be an object with forward and backward"):
        check_layer(thing)


def test_check_layer_instance_that_cannot_be_copied_is_type_error():
    layer = Square()
    layer.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"this Square cannot be copied .*lambda: Square"):
        check_layer(layer)


# The pytest helper ----------------------------------------------------------------------------------------------------

INNER = """
import numpy as np
import brickgrad as bg
from brickgrad.checker.contract import contract_tests

made = []

class Kinked(bg.Layer):
    def __init__(self):
        made.append(self)
    def forward(self, x):
        self.saved = x > 0
        return x * self.saved
    def backward(self, dy):
        return dy * self.saved

test_kinked = contract_tests(Kinked)
test_affine = contract_tests(lambda: bg.Affine(5, 3, rng=0), np.ones((7, 5)))
test_refused = contract_tests(bg.Affine(4, 3, rng=0), np.ones((7, 5)))

def test_checked_once():
    assert 1 < len(made) < 2 * 13 + 2
"""


def test_contract_tests_in_pytest_are_one_test_a_rule(tmp_path):
    (tmp_path / "test_inner.py").write_text(INNER, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-v", "-p", "no:cacheprovider", "-p", "no:xdist", "test_inner.py"]
    out = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, check=False).stdout
    refused = verdicts(check_layer(bg.Affine(4, 3, rng=0), np.ones((7, 5))), "broken")
    skipped = verdicts(check_layer(bg.Affine(4, 3, rng=0), np.ones((7, 5))), "not tested")
    assert f"{1 + len(refused)} failed, {11 + 13 + 13 - len(refused) - len(skipped) + 1} passed" in out, out
    assert f"{1 + len(skipped)} skipped" in out
    for rule in RULES:
        assert f"test_affine[{rule.id}] PASSED" in out
    assert "test_kinked[rule-01-inputs-unchanged] PASSED" in out
    assert "test_kinked[rule-11-frozen] FAILED" in out
    assert "test_kinked[rule-12-sizes] SKIPPED" in out
    assert "Kinked breaks rule 11: frozen() replays the branches" in out
    assert "do:        Choose through self.branch" in out
    assert "rule 12 is not tested: it has no W" in out


def test_contract_tests_without_pytest_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ImportError, match=r"pip install 'brickgrad\[test\]'"):
        contract_tests(Square)


test_square = contract_tests(Square)


def test_check_layer_lets_a_layer_refuse_a_batch_of_one_in_training_alone():
    class RefusesAlways(bg.BatchNormalization):
        def forward(self, x):
            if len(x) == 1:
                raise ValueError("one sample is too few")
            return super().forward(x)

    assert bg.check_layer(bg.BatchNormalization(5), X)
    assert 8 in [result.number for result in bg.check_layer(RefusesAlways(5), X).broken]
