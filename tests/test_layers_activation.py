"""Step, Identity, Sigmoid, Tanh, ReLU, Softmax: the texts' numbers, and both ends of the range without a warning."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_table import bits, over_dtypes

import brickgrad as bg
from brickgrad.layers.activations import ACTIVATIONS

ENDS = np.array([-np.inf, -1e4, -1000.0, -745.2, -88.8, 0.0, 88.8, 745.2, 1000.0, 1e4, np.inf])


# Sigmoid and Tanh -----------------------------------------------------------------------------------------------------


def test_sigmoid_gives_the_texts_numbers():
    y = bg.Sigmoid().forward(np.array([-1.0, 1.0, 2.0]))
    np.testing.assert_allclose(y, [0.26894142, 0.73105858, 0.88079708], rtol=0, atol=5e-9)
    assert bg.Sigmoid().forward(0.0) == 0.5


@over_dtypes
@pytest.mark.parametrize("layer", [bg.Sigmoid, bg.Tanh, bg.ReLU, bg.Step, bg.Identity])
def test_activation_at_both_ends_warns_of_nothing(layer, dtype):
    activation = layer()
    with np.errstate(all="raise", under="ignore"):
        y = activation.forward(ENDS.astype(dtype))
        dx = activation.backward(np.ones(len(ENDS), dtype))
    assert not np.isnan(y).any()
    assert np.isfinite(dx).all()


def test_sigmoid_is_exact_at_both_ends():
    sigmoid = bg.Sigmoid()
    y = sigmoid.forward(ENDS)
    assert y[[0, 1, 2, 5, 8, 9, 10]].tolist() == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    assert sigmoid.backward(np.ones(11))[[0, 1, 2, 5, 8, 9, 10]].tolist() == [0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0]


def test_sigmoid_keeps_full_precision_in_its_tails():
    x = np.array([-700.0, -40.0, -20.0, 20.0, 40.0, 700.0])
    sigmoid = bg.Sigmoid()
    small = np.array([math.exp(-abs(v)) for v in x])
    np.testing.assert_allclose(sigmoid.forward(x)[:3], (small / (1 + small))[:3], rtol=1e-15)
    np.testing.assert_allclose(sigmoid.backward(np.ones(6)), small / (1 + small) ** 2, rtol=1e-15)


def test_tanh_slope_loses_nothing_that_its_output_holds():
    tanh = bg.Tanh()
    x = np.linspace(-9, 9, 37)
    y = tanh.forward(x)
    np.testing.assert_allclose(y, [math.tanh(v) for v in x], rtol=1e-15)
    expected = [float(3 * (1 - Fraction(v) ** 2)) for v in y]
    np.testing.assert_allclose(tanh.backward(np.full(37, 3.0)), expected, rtol=1e-15)


# ReLU and Step --------------------------------------------------------------------------------------------------------


def test_relu_gives_the_texts_numbers_and_no_gradient_at_zero():
    relu = bg.ReLU()
    assert relu.forward(np.array([[1.0, -0.5], [-2.0, 3.0]])).tolist() == [[1.0, 0.0], [0.0, 3.0]]
    assert relu.backward(np.array([[5.0, 6.0], [7.0, 8.0]])).tolist() == [[5.0, 0.0], [0.0, 8.0]]
    assert relu.forward(np.array([0.0, -0.0, 5e-324])).tolist() == [0.0, 0.0, 5e-324]
    assert relu.backward(np.ones(3)).tolist() == [0.0, 0.0, 1.0]


def test_relu_in_a_residual_branch_leaves_the_other_branch_its_gradient():
    relu, add = bg.ReLU(), bg.Add()
    x = np.array([-1.0, 2.0])
    add.forward(relu.forward(x), x)
    d_relu, d_straight = add.backward(np.array([10.0, 20.0]))
    assert (relu.backward(d_relu) + d_straight).tolist() == [10.0, 40.0]

    dy = np.array([10.0, 20.0])
    relu.backward(dy)
    assert dy.tolist() == [10.0, 20.0]


def test_relu_lets_nan_and_infinity_through():
    y = bg.ReLU().forward(np.array([np.nan, np.inf, -np.inf]))
    assert np.isnan(y[0])
    assert y[1:].tolist() == [np.inf, 0.0]


@pytest.mark.parametrize("shape", [(8, 700), (4, 64), (3, 64), (4, 63), (500,), (), (0, 80), (5, 2, 40)])
def test_relu_of_any_shape_gives_what_it_gives_entry_by_entry(shape):
    x = np.random.default_rng(0).choice([-np.inf, -2.5, -0.0, 0.0, 0.5, 3.0, np.inf, np.nan], shape)
    found = bg.ReLU().forward(x)
    expected = np.array([value if value > 0 or np.isnan(value) else 0.0 for value in np.ravel(x)]).reshape(shape)
    np.testing.assert_array_equal(found, expected)
    assert not np.signbit(found[~np.isnan(found)]).any()


def test_relu_in_a_workspace_allocates_no_array_the_second_time():
    relu, x = bg.ReLU(), np.ones((1000, 1000))
    relu.memory = bg.Memory(arrays={})
    relu.backward(relu.forward(x))
    tracemalloc.start()
    try:
        relu.backward(relu.forward(x))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.size // 2  # half of the mask, a byte an entry


def test_step_is_one_above_zero_only_and_lets_nan_through():
    step = bg.Step()
    y = step.forward(np.array([-1.0, 0.0, 5e-324, np.inf, np.nan]))
    assert y[:4].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert np.isnan(y[4])
    assert step.backward(np.full(5, np.inf)).tolist() == [0.0] * 5


def test_step_output_written_into_leaves_its_replay_alone():
    step = bg.Step()
    step.forward(np.array([1.0, -1.0]))[...] = 7
    with step.frozen():
        step.forward(np.array([1.0, -1.0]))[...] = 7
        assert step.forward(np.array([-1.0, 1.0])).tolist() == [1.0, 0.0]


def test_identity_is_a_copy():
    x = np.array([0.3, 0.7])
    y = bg.Identity().forward(x)
    x[...] = 0
    assert y.tolist() == [0.3, 0.7]


# Softmax --------------------------------------------------------------------------------------------------------------


def test_softmax_gives_the_texts_numbers():
    y = bg.Softmax().forward(np.array([0.3, 2.9, 4.0]))
    np.testing.assert_allclose(y, [0.01821127, 0.24519181, 0.73659691], rtol=0, atol=5e-9)
    y = bg.Softmax().forward(np.array([1010.0, 1000.0, 990.0]))
    np.testing.assert_allclose(y, [9.99954600e-01, 4.53978686e-05, 2.06106005e-09], rtol=5e-9)


def test_softmax_of_a_batch_is_that_of_each_row():
    x = np.array([[0.3, 2.9, 4.0], [1e4, -1e4, 0.0], [5.0, 5.0, 5.0]])
    softmax = bg.Softmax()
    assert bits([softmax.forward(x)]) == bits([np.stack([bg.Softmax().forward(row) for row in x])])
    assert softmax.forward(x)[1].tolist() == [1.0, 0.0, 0.0]
    assert softmax.forward(x)[2].tolist() == [1 / 3] * 3


@given(st.lists(st.integers(-(10**4), 10**4), min_size=1, max_size=8), st.integers(-(10**6), 10**6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_softmax_sums_to_one_keeps_the_order_and_sees_differences_only(scores, shift):
    x = np.array(scores, float)
    y = bg.Softmax().forward(x)
    np.testing.assert_allclose(y.sum(), 1, rtol=1e-14)
    assert (y >= 0).all()
    assert (np.diff(y[np.argsort(x)]) >= 0).all()
    assert bits([bg.Softmax().forward(x + shift)]) == bits([y])


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_softmax_axis_is_the_one_that_sums_to_one(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 5))
    softmax = bg.Softmax(axis)
    np.testing.assert_allclose(softmax.forward(x).sum(axis=axis), 1, rtol=1e-14)
    assert np.abs(softmax.backward(np.ones(x.shape))).max() < 1e-15  # all outputs together never change
    assert bg.gradcheck(softmax, x).passed


@pytest.mark.parametrize(("axis", "shape"), [(-1, ()), (0, ()), (1, (3,)), (-3, (2, 3))])
def test_softmax_missing_axis_is_value_error_with_the_shape(axis, shape):
    softmax = bg.Softmax(axis, name="out")
    with pytest.raises(ValueError, match="axis") as error:
        softmax.forward(np.zeros(shape))
    assert str(error.value) == f"Softmax[out].forward: x must have an axis {axis} to sum over; got shape {shape}."


def test_softmax_of_no_classes_is_empty():
    assert bg.Softmax().forward(np.zeros((3, 0))).shape == (3, 0)


def test_activations_are_known_by_name():
    old = {"relu": bg.ReLU, "sigmoid": bg.Sigmoid, "tanh": bg.Tanh, "identity": bg.Identity}
    new = {"leaky-relu": bg.LeakyReLU, "elu": bg.ELU, "softplus": bg.Softplus, "swish": bg.Swish, "gelu": bg.GELU}
    assert old | new == ACTIVATIONS
