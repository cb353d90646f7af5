"""The gradient checker: quiet on right layers, graphs and nets, loud on planted faults, and without a trace on any."""

import copy
import re

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
SQUARE = RNG.normal(size=(5, 4))


class Planted(bg.Layer):
    """An affine layer with a square W, through whose gradients `fault` may go: fault(layer, dx, dW, db)."""

    def __init__(self, fault=None):
        self.fault = fault
        self.add_param("W", np.random.default_rng(1).normal(size=(4, 4)))
        self.add_param("b", np.random.default_rng(2).normal(size=4))

    def forward(self, x):
        self.saved = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        x = self.saved
        dx, dW, db = dy @ self.params["W"].T, x.T @ dy, dy.sum(axis=0)
        if self.fault is not None:
            dx, dW, db = self.fault(dx, dW, db, dy, x)
        self.grads["W"], self.grads["b"] = dW, db
        return dx


def zeroed(array, index):
    """`array` with a 0 at one place."""
    array = array.copy()
    array[index] = 0
    return array


def spoiled(array, index, error):
    """`array` with an error at one place."""
    array = array.copy()
    array[index] += error
    return array


FAULTS = {
    "x sign": ("x", lambda dx, dW, db, dy, x: (-dx, dW, db)),
    "W sign": ("W", lambda dx, dW, db, dy, x: (dx, -dW, db)),
    "b sign": ("b", lambda dx, dW, db, dy, x: (dx, dW, -db)),
    "x factor": ("x", lambda dx, dW, db, dy, x: (2 * dx, dW, db)),
    "W one in ten thousand": ("W", lambda dx, dW, db, dy, x: (dx, 1.0001 * dW, db)),
    "W over batch": ("W", lambda dx, dW, db, dy, x: (dx, dW / len(dy), db)),
    "W transposed": ("W", lambda dx, dW, db, dy, x: (dx, dW.T.copy(), db)),
    "b mean for sum": ("b", lambda dx, dW, db, dy, x: (dx, dW, dy.mean(axis=0))),
    "b sum missing": ("b", lambda dx, dW, db, dy, x: (dx, dW, dy[0])),
    "b summed over all": ("b", lambda dx, dW, db, dy, x: (dx, dW, np.full(4, dy.sum()))),
    "x rows reversed": ("x", lambda dx, dW, db, dy, x: (dx[::-1].copy(), dW, db)),
    "x shifted": ("x", lambda dx, dW, db, dy, x: (np.roll(dx, 1, axis=1), dW, db)),
    "x last column": ("x", lambda dx, dW, db, dy, x: (zeroed(dx, np.s_[:, -1]), dW, db)),
    "W zero": ("W", lambda dx, dW, db, dy, x: (dx, 0 * dW, db)),
    "W NaN": ("W", lambda dx, dW, db, dy, x: (dx, spoiled(dW, (2, 1), np.nan), db)),
    "x infinite": ("x", lambda dx, dW, db, dy, x: (spoiled(dx, (2, 1), np.inf), dW, db)),
    "upstream ignored": ("b", lambda dx, dW, db, dy, x: (dx, dW, np.full(4, float(len(dy))))),
    "x in float32": ("x", lambda dx, dW, db, dy, x: (dx.astype(np.float32).astype(np.float64) * (1 + 1e-5), dW, db)),
}


def nets():
    """Nets and graphs with data, by name."""
    labels, bits = np.array([0, 1, 1, 0, 1]), RNG.integers(2, size=(5, 2))
    x, y, z = bg.Input("x", (3,)), bg.Input("y", (3,)), bg.Input("z")
    affine = bg.Affine(3, 3, rng=0)
    relu_block = bg.Graph(z, bg.ReLU()(bg.Affine(3, 3, rng=4)(z)), name="block")
    wide = bg.Input("wide")
    return {
        "relu net": (bg.TwoLayerNet(3, 4, 2, 0.5, rng=0), X, labels),
        "sigmoid net": (bg.TwoLayerNet(3, 4, 2, 0.5, activation="sigmoid", rng=0), X, np.eye(2)[labels]),
        "deep tanh net": (bg.MultiLayerNet(3, [4, 3], 2, "tanh", weight_decay_lambda=0.1, rng=0), X, labels),
        "two classes": (bg.Sequential(bg.Affine(3, 2, rng=0), loss=bg.SigmoidWithLoss()), X, bits),
        "regression": (bg.Sequential(bg.Affine(3, 2, rng=0), loss=bg.MeanSquaredLoss()), X, RNG.normal(size=(5, 2))),
        "lazy net": (bg.Sequential(bg.Affine(4, rng=0), bg.Tanh(), bg.Affine(2, rng=1)), X, labels),
        "one input": (bg.Graph(x, bg.Tanh()(affine(x))), X),
        "tied": (bg.Graph(x, affine(bg.Tanh()(affine(x))) + x), X),
        "two outputs": (bg.Graph([x, y], [x * y, bg.Exp()(x) / (2.0 + y**2)]), X, SQUARE[:, :3]),
        "nested, no branches": (bg.Graph(y, bg.Sigmoid()(bg.Graph(x, affine(x) * x)(y))), X),
        "nested twice with ReLU": (bg.Graph(x, relu_block(bg.Tanh()(relu_block(x)))), X),
        "concat": (bg.Graph([x, wide], bg.Concat()(x, wide, x)), X, SQUARE),
        "images": (bg.Graph(wide, bg.Affine(2, rng=0)(bg.Flatten()(wide))), RNG.normal(size=(3, 1, 2, 3))),
    }


@pytest.mark.parametrize("name", nets())
def test_gradcheck_of_a_right_net_or_graph_passes_with_a_row_for_each_gradient(name):
    subject, *inputs = nets()[name]
    report = bg.gradcheck(subject, *inputs)
    assert report.passed
    assert bool(report)
    graph = getattr(subject, "graph", subject)
    if not graph.sized:
        graph.forward(*inputs)
    floats = [n for n, x in zip(graph.input_names, inputs, strict=True) if x.dtype.kind == "f" and n != "t"]
    expected = [*graph.params, *floats] if isinstance(subject, bg.Graph) else list(subject.params)
    assert [row.name for row in report.rows] == expected
    assert [brick.verdict for brick in report.bricks] == ["pass"] * len(graph.wiring.steps)


def test_gradcheck_of_a_right_layer_passes():
    report = bg.gradcheck(Planted(), SQUARE)
    assert [row.name for row in report.rows] == ["W", "b", "x"]
    assert report.passed


@pytest.mark.parametrize("name", FAULTS)
def test_gradcheck_of_a_planted_fault_raises_gradient_error_naming_the_gradient(name):
    target, fault = FAULTS[name]
    report = bg.gradcheck(Planted(fault), SQUARE)
    assert report.verdict == "fail"
    assert not report
    assert [row.name for row in report.rows if row.verdict == "fail"] == [target]
    with pytest.raises(bg.GradientError, match=rf"^Planted(\.backward)?: .*\b{target}\b"):
        report.raise_if_bad()


@pytest.mark.parametrize(("target", "index"), [("W", (1, 2)), ("W", (3, 3)), ("x", (4, 0)), ("b", (2,))])
def test_gradcheck_of_one_zeroed_entry_names_it_with_both_values(target, index):
    place = {"x": 0, "W": 1, "b": 2}[target]
    kept = []

    def fault(*gradients):
        gradients = list(gradients[:3])
        kept.append(gradients[place][index])
        gradients[place] = zeroed(gradients[place], index)
        return gradients

    with pytest.raises(bg.GradientError, match=re.escape(f"the gradient of {target} at {index} is 0.0")) as caught:
        bg.gradcheck(Planted(fault), SQUARE).raise_if_bad()
    numeric = float(re.search(r"say (\S+)\n", str(caught.value))[1])
    assert min(abs(numeric - true) for true in kept) < 1e-6 * abs(numeric)


def test_gradcheck_of_several_errors_names_the_worst_of_all():
    def fault(dx, dW, db, dy, x):
        dx, dW = spoiled(dx, (0, 0), 0.1 * dx[0, 0]), spoiled(dW, (0, 1), 0.1 * dW[0, 1])
        return dx, spoiled(dW, (2, 3), 5 * dW[2, 3]), db

    with pytest.raises(bg.GradientError, match=r"the gradient of W at \(2, 3\)") as caught:
        bg.gradcheck(Planted(fault), SQUARE).raise_if_bad()
    lines = str(caught.value).splitlines()[1:]
    assert lines[0] == "gradient check of Planted: FAIL"
    assert [line.split()[0] for line in lines[2:5]] == ["W", "b", "x"]
    assert ["FAIL" in line for line in lines[2:5]] == [True, False, True]
    assert "  W: 2 of 16 entries wrong: (0, 1), (2, 3)" in lines


def test_gradcheck_of_a_stale_cache_raises_gradient_error():
    class Stale(bg.Layer):
        def forward(self, x):
            if not hasattr(self, "x"):
                self.x = x.copy()
            return x**2

        def backward(self, dy):
            return 2 * self.x * dy

    layer = Stale()
    layer.forward(2 * X)
    with pytest.raises(bg.GradientError, match=r"Stale\.backward: the gradient of x at"):
        bg.gradcheck(layer, X).raise_if_bad()


def test_gradcheck_of_a_loss_that_ignores_what_comes_in_raises_gradient_error():
    class Deaf(bg.Layer):
        def forward(self, x):
            self.saved = x
            return np.sum(x**2)

        def backward(self, dy):
            return 2 * self.saved

    with pytest.raises(bg.GradientError, match=r"^Deaf: backward of zeros must give zeros; the gradient of x is"):
        bg.gradcheck(Deaf(), X).raise_if_bad()


def test_gradcheck_of_a_missing_broadcast_sum_raises_gradient_error():
    class Shift(bg.Layer):
        def forward(self, x, y):
            return x + y

        def backward(self, dy):
            return dy.copy(), dy[:1].copy()

    with pytest.raises(bg.GradientError, match=r"Shift\.backward: the gradient of y at \(0, "):
        bg.gradcheck(Shift(), X, X[:1]).raise_if_bad()
    assert bg.gradcheck(Shift(), X[:1], X[:1])  # at one sample it is right, which is why one sample proves nothing


def test_gradcheck_of_a_fault_deep_in_a_net_names_the_parameter_there():
    net = bg.Sequential(bg.Affine(4, rng=0), Planted(FAULTS["W sign"][1]), bg.Affine(2, rng=1))
    with pytest.raises(bg.GradientError, match=r"^Planted\[planted1\] \(\S+:\d+\)\.backward: the gradient of W at"):
        bg.gradcheck(net, X, np.array([0, 1, 1, 0, 1])).raise_if_bad()


def test_gradcheck_at_kinks_and_ties_is_quiet_on_a_right_relu():
    assert bg.gradcheck(bg.ReLU(), np.array([[0.0, 1e-7, -1e-7, 1.0], [-0.0, 1e-5, -1e-5, -1.0]]))


def test_gradcheck_takes_a_float32_layer_and_checks_it_in_float64():
    assert bg.gradcheck(bg.Affine(3, 2, rng=0), X.astype(np.float32))


def test_gradcheck_takes_numbers():
    report = bg.gradcheck(bg.Mul(), 3, 4.0)
    assert [(row.name, row.index) for row in report.rows] == [("x", None), ("y", None)]


def test_gradcheck_takes_lists_of_whole_numbers_as_forward_does():
    assert bg.gradcheck(bg.Affine(2, 1, rng=0), [[1, 2], [3, 4]])


def test_gradcheck_names_inputs_without_a_name_by_number():
    report = bg.gradcheck(bg.Concat(), X, SQUARE, X)
    assert [row.name for row in report.rows] == ["x", "input 1", "input 2"]


def test_gradcheck_of_integer_inputs_has_no_row_for_them():
    loss = bg.SoftmaxWithLoss()
    assert [row.name for row in bg.gradcheck(loss, X, np.array([0, 1, 2, 0, 1])).rows] == ["x"]
    assert [row.name for row in bg.gradcheck(bg.Pow(), np.abs(X), 3).rows] == ["x"]
    assert [row.name for row in bg.gradcheck(bg.Pow(), np.abs(X), 3.0).rows] == ["x", "y"]


def test_gradcheck_same_rng_gives_the_same_report_and_another_does_not():
    first = bg.gradcheck(Planted(), SQUARE, rng=3)
    assert str(bg.gradcheck(Planted(), SQUARE, rng=3)) == str(first)
    drawn = [bg.gradcheck(Planted(), SQUARE, rng=np.random.default_rng(3)) for _ in range(2)]
    assert str(drawn[0]) == str(drawn[1])
    assert f"rng={drawn[0].seed})" in drawn[0].reproducer
    assert str(bg.gradcheck(Planted(), SQUARE, rng=drawn[0].seed)) == str(drawn[0])
    assert str(bg.gradcheck(Planted(), SQUARE, rng=4)) != str(first)


def test_gradcheck_report_text_gives_verdict_a_line_for_each_gradient_and_the_line_to_repeat_it():
    report = bg.gradcheck(Planted(), SQUARE, rng=7)
    lines = str(report).splitlines()
    assert lines[0] == "gradient check of Planted: PASS"
    assert lines[1].split() == ["gradient", "of", "backward", "numerical", "±", "bar", "ratio", "verdict", "finds"]
    assert [line.split()[0] for line in lines[2:5]] == ["W", "b", "x"]
    assert all(" ± " in line and " pass " in line for line in lines[2:5])
    assert lines[5].endswith("again with: bg.gradcheck(layer, x, mode='fast', rng=7)")
    assert repr(report) == str(report)


# Without a trace


class Busy(bg.Layer):
    """A layer with parameters, a generator, counters and arrays of its own."""

    def __init__(self, sign=1):
        self.rng = np.random.default_rng(5)
        self.sign, self.runs, self.mean = sign, 0, np.zeros(4, np.float32)
        self.add_param("k", np.arange(1.0, 5.0, dtype=np.float32))

    def forward(self, x):
        self.rng.standard_normal(3)
        self.runs += 1
        self.mean = self.mean + x.mean(axis=0)
        self.saved = x
        return x * self.params["k"]

    def backward(self, dy):
        self.grads["k"] = np.sum(dy * self.saved, axis=0)
        return self.sign * dy * self.params["k"]


def state(layers):
    """Everything of the layers that could change, in bytes, and where it lies."""
    return [
        (
            {key: (id(a), a.tobytes()) for key, a in [*layer.params.items(), *layer.grads.items()]},
            id(layer.memory),
            id(layer.memory.saved),
            copy.deepcopy(layer.memory.saved if isinstance(layer.memory.saved, list) else None),
            np.asarray(layer.memory.saved).tobytes() if isinstance(layer.memory.saved, np.ndarray) else None,
            (layer.memory.inputs, layer.memory.outputs, layer.memory.wanted, layer.memory.arrays),
            layer.training,
            layer._frozen,
            getattr(layer, "runs", None),
            getattr(layer, "mean", np.zeros(0)).tobytes(),
            layer.rng.bit_generator.state if hasattr(layer, "rng") else None,
        )
        for layer in layers
    ]


@pytest.mark.parametrize("sign", [1, -1], ids=["passes", "raises"])
@pytest.mark.parametrize("training", [True, False])
def test_gradcheck_leaves_a_layer_as_it_was(sign, training):
    layer = Busy(sign)
    dx = layer.backward(np.ones_like(layer.forward(SQUARE.astype(np.float32))))
    layer.training = training
    before, x = state([layer]), SQUARE.copy()
    if sign == 1:
        bg.gradcheck(layer, x)
    else:
        with pytest.raises(bg.GradientError):
            bg.gradcheck(layer, x).raise_if_bad()
    assert repr(state([layer])) == repr(before)
    assert x.tobytes() == SQUARE.tobytes()
    np.testing.assert_array_equal(layer.backward(np.ones((5, 4), np.float32)), dx)


@pytest.mark.parametrize("sign", [1, -1], ids=["passes", "raises"])
def test_gradcheck_leaves_a_net_as_it_was(sign):
    net = bg.Sequential(bg.Affine(3, 4, rng=0), Busy(sign), bg.ReLU(), bg.Affine(4, 2, rng=1))
    x, t = X.astype(np.float32), np.array([0, 1, 1, 0, 1])
    net.loss_and_gradient(x, t)
    layers = [*net.graph.leaves(), net.graph, net.body]
    vector, gradient = net.vector, net.grad_vector
    before, bits = state(layers), (vector.tobytes(), gradient.tobytes())
    if sign == 1:
        bg.gradcheck(net, x, t)
    else:
        with pytest.raises(bg.GradientError):
            bg.gradcheck(net, x, t).raise_if_bad()
    assert repr(state(layers)) == repr(before)
    assert net.vector is vector
    assert net.grad_vector is gradient
    assert (vector.tobytes(), gradient.tobytes()) == bits


def test_gradcheck_leaves_a_lazily_sized_layer_unsized():
    affine = bg.Affine(2, rng=0)
    drawn = affine.rng.bit_generator.state
    assert bg.gradcheck(affine, X)
    assert (affine.sized, affine.rng.bit_generator.state) == (False, drawn)


@pytest.mark.parametrize(("when", "what"), [("forward", "x"), ("backward", "the gradient that comes in")])
def test_gradcheck_of_a_layer_that_writes_into_what_it_is_given_names_it_and_the_line(when, what):
    class Careless(bg.Layer):
        def forward(self, x):
            if when == "forward":
                x *= 2
            self.saved = x.copy()
            return self.saved * 1.0

        def backward(self, dy):
            if when == "backward":
                dy *= 1
            return dy * 1.0

    x = X.copy()
    with pytest.raises(
        bg.GradientError, match=rf"^Careless: {when} writes into {what} \(test_checker_gradcheck.py:\d+\)"
    ):
        bg.gradcheck(Careless(), x).raise_if_bad()
    np.testing.assert_array_equal(x, X)


def test_gradcheck_of_two_gradients_in_one_array_raises_gradient_error():
    class Shared(bg.Layer):
        def forward(self, x, y):
            return x + y

        def backward(self, dy):
            dx = dy.copy()
            return dx, dx

    with pytest.raises(bg.GradientError, match=r"^Shared: the gradients of x and y share memory"):
        bg.gradcheck(Shared(), X, X).raise_if_bad()


def test_gradcheck_of_a_backward_that_raises_fails_with_the_error_and_its_line():
    class Picky(bg.Layer):
        def forward(self, x):
            return x * 1.0

        def backward(self, dy):
            raise ValueError("not today")

    report = bg.gradcheck(Picky(), X)
    assert report.verdict == "fail"
    assert report.guess.kind == "raised"
    assert re.search(r"backward raised ValueError: not today \(test_checker_gradcheck.py:\d+\)", str(report))


def test_gradcheck_of_large_inputs_takes_a_step_that_is_seen_beside_them():
    assert bg.gradcheck(bg.Mul(), 1e7 * X, 1e7 * X[::-1])
    with pytest.raises(bg.GradientError, match=r"the gradient of W at"):
        bg.gradcheck(Planted(FAULTS["W one in ten thousand"][1]), 1e6 * SQUARE).raise_if_bad()


def test_gradcheck_of_a_parameter_and_an_input_of_one_name_checks_both():
    class Same(bg.Layer):
        def __init__(self, wrong):
            self.wrong = wrong
            self.add_param("x", np.array([2.0, 3.0, 4.0]))

        def forward(self, x):
            self.saved = x
            return x * self.params["x"]

        def backward(self, dy):
            self.grads["x"] = (2 if self.wrong else 1) * (dy * self.saved).sum(axis=0)
            return dy * self.params["x"]

    assert [row.name for row in bg.gradcheck(Same(wrong=False), X).rows] == ["x", "x"]
    with pytest.raises(bg.GradientError, match="the gradient of x at"):
        bg.gradcheck(Same(wrong=True), X).raise_if_bad()


@pytest.mark.parametrize("thing", [bg.ReLU, "relu", None, np.ones(3)], ids=["class", "text", "none", "array"])
def test_gradcheck_of_what_is_no_layer_raises_type_error_saying_what_came(thing):
    with pytest.raises(TypeError, match=r"gradcheck: layer must be a Layer, a Graph or a net.*; got"):
        bg.gradcheck(thing, X)


def test_gradcheck_of_inputs_that_do_not_fit_raises_the_layers_own_error():
    with pytest.raises(ValueError, match=r"Affine\.forward: x must be"):
        bg.gradcheck(bg.Affine(4, 2, rng=0), X)


@pytest.mark.parametrize("seed", range(20))
def test_large_weights_that_cancel_in_backward_are_no_fault(seed):
    """x - x is 0, so its output weighs a million times more than others; what its gradients lose is no fault."""
    x, y = bg.Input("x"), bg.Input("y")
    graph = bg.Graph([x, y], [x - x, y * x, bg.Sub()(x, x), y + x])
    rng = np.random.default_rng(seed)
    assert bg.gradcheck(graph, rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng=seed).passed
