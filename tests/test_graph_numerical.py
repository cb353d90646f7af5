"""Numerical derivatives: the texts' numbers to the last digit, and every entry put back as it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import brickgrad as bg


def line(x):
    """The texts' 0.01 x² + 0.1 x."""
    return 0.01 * x**2 + 0.1 * x


def bowl(x):
    """The texts' x₀² + x₁²."""
    return np.sum(x**2)


@pytest.mark.parametrize(
    ("x", "expected"),
    [(5, 0.1999999999990898), (10, 0.2999999999986347), (15, 0.4000000000026205), (-10, -0.0999999999995449)],
)
def test_numerical_diff_of_the_texts_function_gives_the_texts_digits(x, expected):
    assert bg.numerical_diff(line, x) == expected
    assert bg.numerical_diff(line, float(x)) == expected


def test_numerical_diff_of_partial_functions_gives_the_texts_digits():
    assert bg.numerical_diff(lambda x0: x0 * x0 + 4.0**2.0, 3.0) == 6.00000000000378
    assert bg.numerical_diff(lambda x1: 3.0**2.0 + x1 * x1, 4.0) == 7.999999999999119


def test_numerical_diff_of_an_array_goes_entry_by_entry():
    x = np.array([5.0, 10.0, 15.0])
    np.testing.assert_array_equal(bg.numerical_diff(line, x), [bg.numerical_diff(line, v) for v in x])
    np.testing.assert_array_equal(x, [5.0, 10.0, 15.0])


def test_numerical_diff_with_a_step_that_vanishes_gives_zero():
    assert np.float32(1e-50) == 0.0
    assert bg.numerical_diff(line, 5.0, h=1e-50) == 0.0


def test_numerical_diff_is_central_and_beats_the_forward_difference():
    h, true = 1e-2, 3 * 2.0**2
    central = bg.numerical_diff(lambda x: x**3, 2.0, h=h)
    assert central == pytest.approx(true + h**2, rel=1e-10)  # off by h² f‴ / 6; the forward one by 6h
    assert abs(central - true) < abs(((2.0 + h) ** 3 - 8.0) / h - true) / 100


@pytest.mark.parametrize("h", [0, 0.0, -1e-4, float("nan")])
@pytest.mark.parametrize("derive", [bg.numerical_diff, bg.numerical_gradient])
def test_numerical_step_that_is_not_positive_raises_value_error_naming_it(derive, h):
    with pytest.raises(ValueError, match=rf"{derive.__name__}: h must be positive; got {h}"):
        derive(lambda x: 0.0, np.array(1.0), h)


@pytest.mark.parametrize(
    ("x", "expected"), [((3.0, 4.0), (6.0, 8.0)), ((0.0, 2.0), (0.0, 4.0)), ((3.0, 0.0), (6.0, 0.0))]
)
@pytest.mark.parametrize("kind", [np.array, list, tuple])
def test_numerical_gradient_of_the_bowl_gives_the_texts_values(x, expected, kind):
    np.testing.assert_allclose(bg.numerical_gradient(lambda v: np.sum(np.square(v)), kind(x)), expected, atol=1e-10)


def test_numerical_gradient_of_the_bowl_at_3_4_gives_the_partial_derivatives_digits():
    np.testing.assert_array_equal(
        bg.numerical_gradient(bowl, np.array([3.0, 4.0])), [6.00000000000378, 7.999999999999119]
    )


@pytest.mark.parametrize(
    "x", [np.array([3, 4]), [3, 4], np.array([3, 4], np.uint8), np.array([3, 4], np.int8)], ids=str
)
def test_numerical_gradient_at_integers_does_not_lose_the_step(x):
    before = np.array(x)
    np.testing.assert_allclose(bg.numerical_gradient(bowl, x), [6.0, 8.0], atol=1e-10)
    np.testing.assert_array_equal(x, before)


def test_numerical_gradient_at_truth_values_takes_them_for_numbers():
    np.testing.assert_allclose(bg.numerical_gradient(bowl, np.array([True, False])), [2.0, 0.0], atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=4, max_side=3), elements=st.floats(-3, 3)))
def test_numerical_gradient_of_any_shape_is_each_entrys_and_leaves_the_bits_alone(x):
    before = x.tobytes()
    factors = np.arange(1.0, x.size + 1).reshape(x.shape)  # so that no two entries can be mixed up
    gradient = bg.numerical_gradient(lambda v: np.sum(factors * v**2), x)
    assert (gradient.shape, gradient.dtype) == (x.shape, np.dtype(np.float64))
    np.testing.assert_allclose(gradient, 2 * factors * x, rtol=1e-6, atol=1e-6)  # atol: round-off of the sum over 2h
    assert x.tobytes() == before


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_numerical_gradient_of_no_entries_is_empty(shape):
    assert bg.numerical_gradient(bowl, np.zeros(shape)).shape == shape


@pytest.mark.parametrize(
    "x", [np.arange(6.0).reshape(2, 3).T, np.arange(12.0).reshape(3, 4)[:, ::2], np.asfortranarray(np.ones((2, 3)))]
)
def test_numerical_gradient_of_strided_arrays_moves_the_right_entry(x):
    factors = np.arange(1.0, x.size + 1).reshape(x.shape)
    np.testing.assert_allclose(bg.numerical_gradient(lambda v: np.sum(factors * v), x), factors, rtol=1e-9)


def test_numerical_gradient_hands_f_the_array_itself_so_that_it_may_be_a_nets_parameter():
    x = np.array([3.0, 4.0])
    np.testing.assert_allclose(bg.numerical_gradient(lambda _: bowl(x), x), [6.0, 8.0], atol=1e-10)


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_numerical_gradient_where_f_raises_puts_every_entry_back(calls):
    x = np.array([0.1, 0.7])
    before, count = x.tobytes(), 0

    def fails(v):
        nonlocal count
        count += 1
        if count == calls:
            raise ArithmeticError("enough")
        return bowl(v)

    with pytest.raises(ArithmeticError, match="enough"):
        bg.numerical_gradient(fails, x)
    assert x.tobytes() == before


def test_numerical_gradient_moves_each_entry_by_h_to_either_side():
    seen = []
    bg.numerical_gradient(lambda v: seen.append(v.copy()) or 0.0, np.array([1.0, 2.0]), h=0.25)
    np.testing.assert_array_equal(seen, [[1.25, 2.0], [0.75, 2.0], [1.0, 2.25], [1.0, 1.75]])


def test_numerical_gradient_in_float32_divides_by_the_step_that_was_taken():
    x = np.array([1000.1, 3.3], np.float32)  # here x ± 1e-4 is off by a third of the step
    before = x.tobytes()
    gradient = bg.numerical_gradient(lambda v: 3.0 * float(v[0]) - 7.0 * float(v[1]), x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, [3.0, -7.0], rtol=1e-6)  # round-off of values of 3000 over 2e-4
    assert x.tobytes() == before


def test_numerical_gradient_of_a_step_lost_in_rounding_raises_value_error_and_puts_the_entry_back():
    x = np.array([1e5], np.float32)
    with pytest.raises(
        ValueError, match=r"numerical_gradient: h = 0\.0001 is lost in rounding beside 100000 in float32"
    ):
        bg.numerical_gradient(bowl, x)
    assert x[0] == 1e5


def test_numerical_gradient_of_a_read_only_array_works_on_a_copy():
    x = np.array([3.0, 4.0])
    x.flags.writeable = False
    np.testing.assert_allclose(bg.numerical_gradient(bowl, x), [6.0, 8.0], atol=1e-10)


@pytest.mark.parametrize("x", [3.0, 3, np.float64(3.0), np.array(3.0)], ids=repr)
def test_numerical_gradient_of_a_single_number_is_a_single_number(x):
    gradient = bg.numerical_gradient(line, x)
    assert gradient.shape == ()
    assert gradient == pytest.approx(0.16, rel=1e-9)


def test_numerical_gradient_takes_a_function_that_gives_an_array_of_one():
    np.testing.assert_allclose(bg.numerical_gradient(lambda v: bowl(v).reshape(1, 1), [3.0, 4.0]), [6, 8], atol=1e-10)


@pytest.mark.parametrize(("f", "shape"), [(lambda v: v**2, r"\(2,\)"), (lambda v: np.ones((3, 0)), r"\(3, 0\)")])
def test_numerical_gradient_of_several_values_raises_value_error_with_their_shape(f, shape):
    x = np.array([3.0, 4.0])
    with pytest.raises(ValueError, match=rf"numerical_gradient: f must give one number; got an array of shape {shape}"):
        bg.numerical_gradient(f, x)
    np.testing.assert_array_equal(x, [3.0, 4.0])


@pytest.mark.parametrize("x", ["three", ["a", "b"], None, [1j, 2]], ids=repr)
def test_numerical_gradient_at_what_is_no_number_raises_type_error_saying_what_came(x):
    with pytest.raises(TypeError, match=rf"numerical_gradient: x must hold numbers; got {type(x).__name__}"):
        bg.numerical_gradient(bowl, x)


def test_numerical_gradient_of_the_texts_single_layer_net_is_softmax_minus_target():
    W = np.array([[0.47355232, 0.9977393, 0.84668094], [0.85557411, 0.03563661, 0.69422093]])
    x, t = np.array([0.6, 0.9]), np.array([0, 0, 1])
    loss = bg.SoftmaxWithLoss()
    gradient = bg.numerical_gradient(lambda _: loss.forward((x @ W)[None], t[None]), W)
    np.testing.assert_allclose(gradient, np.outer(x, bg.softmax(x @ W) - t), rtol=1e-6, atol=1e-8)


# of a layer, graph or net


def test_numerical_gradient_of_a_layer_goes_by_names_of_parameters_and_inputs():
    affine = bg.Affine(3, 2, rng=0, dtype=np.float64)
    x = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]])
    gradient = bg.numerical_gradient(affine, x)
    assert list(gradient) == ["W", "b", "x"]
    np.testing.assert_allclose(gradient["W"], x.sum(axis=0)[:, None] * np.ones(2), rtol=1e-8)
    np.testing.assert_allclose(gradient["b"], [2.0, 2.0], rtol=1e-8)
    np.testing.assert_allclose(gradient["x"], np.ones((2, 1)) * affine.params["W"].sum(axis=1), rtol=1e-8, atol=1e-9)


def test_numerical_gradient_of_a_layer_sums_its_outputs_and_skips_integers():
    gradient = bg.numerical_gradient(bg.Pow(), np.array([2.0, 3.0]), 2)
    assert list(gradient) == ["x"]
    np.testing.assert_allclose(gradient["x"], [4.0, 6.0], rtol=1e-8)
    joined = bg.numerical_gradient(bg.Concat(), [1.0], [2.0, 3.0])
    assert {name: value.tolist() for name, value in joined.items()} == {
        "x": pytest.approx([1.0]),
        "input 1": pytest.approx([1.0, 1.0]),
    }


def test_numerical_gradient_of_a_graph_leaves_inputs_out_that_want_none():
    x, y = bg.Input("x", grad=False), bg.Input("y")
    assert list(bg.numerical_gradient(bg.Graph([x, y], x * y), [2.0], [3.0])) == ["y"]


def test_numerical_gradient_of_a_net_is_the_nets_own_with_its_penalty():
    net = bg.MultiLayerNet(4, [5], 3, weight_decay_lambda=0.3, rng=0, dtype=np.float64)
    x, t = np.random.default_rng(0).normal(size=(3, 4)), np.array([0, 2, 1])
    numerical, gradient = bg.numerical_gradient(net, x, t), net.gradient(x, t)
    assert list(numerical) == list(gradient)
    for name, value in gradient.items():
        np.testing.assert_allclose(numerical[name], value, rtol=1e-6, atol=1e-8)
        np.testing.assert_array_equal(net.numerical_gradient(x, t)[name], numerical[name])


class Draws(bg.Layer):
    """Has a generator, a count of its runs and an inference mode."""

    def __init__(self):
        self.rng, self.runs = np.random.default_rng(0), 0

    def forward(self, x):
        self.runs += 1
        self.saved = x
        mask = self.branch(lambda: self.rng.random(x.shape) < 0.5)
        return x * mask if self.training else x * 0.5


def test_numerical_gradient_of_a_graph_leaves_it_bit_for_bit_as_it_was():
    x, draws = bg.Input("x"), Draws()
    graph = bg.Graph(x, draws(bg.Affine(3, 2, rng=0)(x)))
    values = np.ones((2, 3), np.float32)
    graph.forward(values)
    before = (draws.rng.bit_generator.state, draws.runs, graph.saved, graph.memory, graph.training, draws.memory)
    params = {name: param.tobytes() for name, param in graph.params.items()}
    bg.numerical_gradient(graph, values)
    after = (draws.rng.bit_generator.state, draws.runs, graph.saved, graph.memory, graph.training, draws.memory)
    assert all(a is b or a == b for a, b in zip(after, before, strict=True))
    assert {name: param.tobytes() for name, param in graph.params.items()} == params
    assert (values == 1).all()
    graph.eval()
    np.testing.assert_allclose(bg.numerical_gradient(graph, values)["affine1.b"], [1.0, 1.0], rtol=1e-8)
    assert not draws.training


def test_numerical_gradient_of_a_layer_without_a_size_leaves_it_without():
    lazy = bg.Affine(2, rng=0)
    assert bg.numerical_gradient(lazy, np.ones((1, 3), np.float32))["W"].shape == (3, 2)
    assert not lazy.sized


def test_numerical_gradient_of_a_name_for_two_arrays_raises_value_error_naming_it():
    class Scale(bg.Layer):
        def __init__(self):
            self.add_param("x", np.ones(2))

        def forward(self, x):
            return x * self.params["x"]

    with pytest.raises(ValueError, match=r"numerical_gradient: .*in Scale 'x' is a parameter and an input"):
        bg.numerical_gradient(Scale(), np.ones(2))


@pytest.mark.parametrize("h", [0.0, -1e-4, float("nan")])
def test_numerical_gradient_of_a_layer_or_net_by_no_step_raises_value_error_naming_it(h):
    with pytest.raises(ValueError, match=rf"numerical_gradient: h must be positive; got {h}"):
        bg.numerical_gradient(bg.Exp(), np.ones(2), h=h)
    with pytest.raises(ValueError, match=rf"numerical_gradient: h must be positive; got {h}"):
        bg.numerical_gradient(bg.TwoLayerNet(2, 3, 2, rng=0), np.ones((1, 2)), np.array([0]), h=h)


def test_numerical_gradient_of_too_few_inputs_raises_type_error_saying_what_came():
    with pytest.raises(TypeError, match=r"Mul\.forward: takes 2 inputs \(x, y\); got 1"):
        bg.numerical_gradient(bg.Mul(), np.ones(2))


def test_numerical_gradient_of_an_input_that_must_not_move_says_how_to_leave_it_out():
    with pytest.raises(ValueError, match="must be one-hot or probabilities") as caught:
        bg.numerical_gradient(bg.SoftmaxWithLoss(), np.zeros((1, 2)), np.array([[1.0, 0.0]]))
    assert "moved the input t by ±1e-05" in caught.value.__notes__[0]
