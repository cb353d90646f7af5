"""The checker on objects of no class of ours: where their parameters are found, and what they may do."""

import threading

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
W, B = RNG.normal(size=(3, 4)), RNG.normal(size=4)


class Attributes:
    """As the texts write it: W and dW."""

    def __init__(self, scale=1.0):
        self.W, self.b, self.scale = W.copy(), B.copy(), scale

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout * self.scale, dout.sum(axis=0)
        return dout @ self.W.T


class Dicts(Attributes):
    """params and grads by name."""

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.params, self.grads = {"W": self.W, "b": self.b}, {}
        del self.W, self.b

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads = {"W": self.x.T @ dout * self.scale, "b": dout.sum(axis=0)}
        return dout @ self.params["W"].T


class Lists(Attributes):
    """params and grads in order."""

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.params, self.grads = [self.W, self.b], [np.zeros_like(W), np.zeros_like(B)]

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads[0][...], self.grads[1][...] = self.dW, self.db
        return dx


FOUND = {Attributes: ["W", "b"], Dicts: ["W", "b"], Lists: ["params[0]", "params[1]"]}


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_object_parameters_are_found_and_checked(kind):
    report = bg.gradcheck(kind(), X)
    assert report.verdict == "pass", report
    assert [row.name for row in report.rows] == [*FOUND[kind], "x"]


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_object_with_a_wrong_parameter_gradient_fails_there(kind):
    report = bg.gradcheck(kind(scale=0.5), X)
    assert [row.verdict for row in report.rows] == ["fail", "pass", "pass"]
    assert report.guess.kind == "factor"


def test_object_in_float32_is_checked_in_float64_and_left_as_it_is():
    thing = Attributes()
    thing.W, thing.b = thing.W.astype(np.float32), thing.b.astype(np.float32)
    before = thing.W.tobytes(), dict(vars(thing))
    assert bg.gradcheck(thing, X.astype(np.float32))
    assert (thing.W.tobytes(), dict(vars(thing))) == before


def test_object_that_replaces_its_weights_in_backward_fails_by_name():
    class Updating(Attributes):
        def backward(self, dout):
            dx = super().backward(dout)
            self.W = self.W - 0.1 * self.dW
            return dx

    report = bg.gradcheck(Updating(), X)
    assert report.verdict == "fail"
    assert (report.guess.kind, report.guess.where) == ("mutation", ("W",))


def test_object_with_one_gradient_for_two_inputs_has_it_checked_for_the_first():
    class Loss:
        def forward(self, x, t):
            self.x, self.t = x, t
            return np.sum((x - t) ** 2)

        def backward(self, dout=1):
            return 2 * (self.x - self.t) * dout

    report = bg.gradcheck(Loss(), X, np.ones_like(X))
    assert [(row.name, row.verdict) for row in report.rows] == [("x", "pass")]


def test_object_holding_layers_has_their_generators_set_back():
    class Dropout:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def forward(self, x):
            self.mask = self.rng.random(x.shape) > 0.3
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    class Twice:
        def __init__(self):
            self.layers = [Dropout(), Dropout()]

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, dout):
            for layer in reversed(self.layers):
                dout = layer.backward(dout)
            return dout

    thing = Twice()
    state = thing.layers[0].rng.bit_generator.state
    assert bg.gradcheck(thing, X)
    assert thing.layers[0].rng.bit_generator.state == state


def test_object_that_cannot_be_copied_raises_type_error_saying_so():
    thing = Attributes()
    thing.lock = threading.Lock()
    with pytest.raises(TypeError, match="works on copies, and this Attributes cannot be copied"):
        bg.gradcheck(thing, X)


def test_object_whose_gradient_of_a_parameter_is_nowhere_says_what_was_not_checked():
    class Forgetful(Attributes):
        def backward(self, dout):
            dx = super().backward(dout)
            del self.db
            return dx

    report = bg.gradcheck(Forgetful(), X)
    assert [row.name for row in report.rows] == ["W", "x"]
    assert report.notes == ("forward depends on b, but no gradient of it was found: it was not checked",)


def test_object_parameters_of_inner_objects_parents_and_slots_are_found():
    class Child(Attributes):
        def backward(self, dout):
            return super().backward(dout)

    class Net:
        def __init__(self):
            self.layers = [Child(scale=2.0)]

        def forward(self, x):
            return self.layers[0].forward(x)

        def backward(self, dout):
            return self.layers[0].backward(dout)

    class Slotted:
        __slots__ = ("W", "dW", "x")

        def __init__(self):
            self.W = W.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T

    inner = bg.gradcheck(Net(), X)
    assert [(row.name, row.verdict) for row in inner.rows] == [
        ("layers[0].W", "fail"),
        ("layers[0].b", "pass"),
        ("x", "pass"),
    ]
    assert [(row.name, row.verdict) for row in bg.gradcheck(Slotted(), X).rows] == [("W", "pass"), ("x", "pass")]


def test_object_that_gives_nothing_to_compare_is_inconclusive():
    class Silent:
        def forward(self, x):
            return np.sin(x)

        def backward(self, dout):
            pass

    report = bg.gradcheck(Silent(), X)
    assert report.verdict == "inconclusive"
    assert "no gradient" in str(report)


def test_object_with_more_gradients_than_inputs_fails():
    class Doubled:
        def forward(self, x):
            return x * 2.0

        def backward(self, dout):
            return dout * 2.0, dout

    report = bg.gradcheck(Doubled(), X)
    assert report.verdict == "fail"
    assert "2 gradients for 1 inputs" in str(report)


def test_object_with_generators_in_a_list_is_repeated():
    class Noisy:
        def __init__(self):
            self.generators = [np.random.default_rng(0)]

        def forward(self, x):
            self.mask = self.generators[0].random(x.shape) > 0.5
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    assert bg.gradcheck(Noisy(), X).verdict == "pass"


def test_object_with_kinks_that_saves_what_it_derived_is_no_fault():
    """Backward must run on what forward saved at x, not at the last x + t·d that was looked at."""

    class Mixed:
        def forward(self, x):
            self.mask, self.slope = (x > 0).astype(float), 3 * np.cos(3 * x)
            return np.concatenate([np.maximum(x, 0), np.sin(3 * x)], axis=-1)

        def backward(self, dout):
            first, second = np.split(dout, 2, axis=-1)
            return first * self.mask + second * self.slope

    x = X.copy()
    x[0, 0] = x[1, 2] = 0.0
    for seed in range(4):
        assert bg.gradcheck(Mixed(), x, rng=seed).verdict == "kink"


def test_object_with_derived_values_saved_is_guessed_right():
    class TanhOfProduct:
        def __init__(self):
            self.W = np.random.default_rng(1).normal(size=(3, 3))

        def forward(self, x):
            y = np.tanh(x @ self.W)
            self.saved = x.copy(), 1 - y * y
            return y

        def backward(self, dout):
            x, slope = self.saved
            self.dW = x.T @ (dout * slope)
            return (dout * slope) @ self.W  # W.T is due

    assert bg.gradcheck(TanhOfProduct(), X).guess.kind == "transposed"


def test_object_that_gives_none_for_its_first_input_is_linear():
    class Masked:
        def forward(self, mask, a, b):
            self.saved = mask, a, b
            return mask * a * b

        def backward(self, dout):
            mask, a, b = self.saved
            return None, dout * mask * b, dout * mask * a

    assert bg.gradcheck(Masked(), X, X + 1, X + 2)


def test_object_with_two_outputs_and_a_wrong_parameter_gradient_fails():
    class Twice:
        def __init__(self):
            self.W = np.random.default_rng(1).normal(size=(3, 2))

        def forward(self, x):
            self.x = x
            return x @ self.W, 2 * (x @ self.W)

        def backward(self, d_one, d_two):
            self.dW = 7 * self.x.T @ (d_one + 2 * d_two)
            return (d_one + 2 * d_two) @ self.W.T

    report = bg.gradcheck(Twice(), X)
    assert report.verdict == "fail"
    assert report.guess.where == ("W",)


def test_object_with_arrays_in_lists_and_dicts_says_that_they_were_not_checked():
    class Stacked:
        def __init__(self):
            self.weights, self.more = [np.ones(3)], {"b": np.ones(3)}

        def forward(self, x):
            return x * self.weights[0] + self.more["b"]

        def backward(self, dout):
            return dout * self.weights[0]

    text = str(bg.gradcheck(Stacked(), X))
    assert "forward depends on weights[0]" in text
    assert "forward depends on more['b']" in text


def test_object_that_draws_from_the_global_generator_leaves_it_where_it_was():
    class Noisy:
        def forward(self, x):
            self.mask = np.random.rand(*x.shape) > 0.5  # noqa: NPY002  # what people write
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert bg.gradcheck(Noisy(), X)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_object_with_a_factor_too_many_is_told_so():
    class Scaled:
        def __init__(self):
            self.g = np.arange(1.0, 4.0)

        def forward(self, x):
            self.x = x
            return x * self.g

        def backward(self, dout):
            self.dg = (dout * self.x).sum(axis=0)
            return dout * self.g**2

    assert "g is once too often in the gradient of x" in str(bg.gradcheck(Scaled(), X).guess)
