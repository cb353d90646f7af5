"""Add, Sub, Mul, Div, Neg, Pow, Exp, Log: the texts' numbers, broadcasting of every kind, and the ends of the range."""

import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from layer_table import assert_close, positive

import brickgrad as bg
from brickgrad.layers.arithmetic import sum_to

PAIRS = [bg.Add, bg.Sub, bg.Mul, bg.Div, bg.Pow]
over_pairs = pytest.mark.parametrize("layer", PAIRS, ids=lambda layer: layer.__name__)


# The texts' numbers ---------------------------------------------------------------------------------------------------


def test_add_passes_the_gradient_on_to_both():
    add = bg.Add()
    assert add.forward(200.0, 450.0) == 650.0
    assert add.backward(1.3) == (1.3, 1.3)


def test_mul_swaps_its_inputs_on_the_way_back():
    mul = bg.Mul()
    assert mul.forward(10.0, 5.0) == 50.0
    assert mul.backward(1.3) == (6.5, 13.0)


def test_mul_two_apples_with_tax_cost_220():
    apples, tax = bg.Mul(), bg.Mul()
    price = tax.forward(apples.forward(100.0, 2.0), 1.1)
    d_apples, d_tax = tax.backward(1.0)
    d_apple, d_count = apples.backward(d_apples)
    np.testing.assert_allclose([price, d_apple, d_count, d_tax], [220, 2.2, 110, 200], rtol=1e-14)


def test_mul_and_add_apples_and_oranges_cost_715():
    apples, oranges, both, tax = bg.Mul(), bg.Mul(), bg.Add(), bg.Mul()
    price = tax.forward(both.forward(apples.forward(100.0, 2.0), oranges.forward(150.0, 3.0)), 1.1)
    d_both, d_tax = tax.backward(1.0)
    d_apples, d_oranges = both.backward(d_both)
    d_apple, d_apple_count = apples.backward(d_apples)
    d_orange, d_orange_count = oranges.backward(d_oranges)
    np.testing.assert_allclose(
        [price, d_apple_count, d_apple, d_orange, d_orange_count, d_tax], [715, 110, 2.2, 3.3, 165, 650], rtol=1e-14
    )


def test_pow_of_a_sum_follows_the_chain_rule():
    add, square = bg.Add(), bg.Pow()
    assert square.forward(add.forward(3.0, 4.0), 2) == 49.0
    d_sum, d_exponent = square.backward(1.0)
    assert add.backward(d_sum) == (14.0, 14.0)
    assert d_exponent is None


# Broadcasting ---------------------------------------------------------------------------------------------------------


@given(shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None, derandomize=True)
@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div"])
def test_pair_of_any_shapes_that_broadcast_equals_loop_reference(name, shapes, seed):
    rng = np.random.default_rng(seed)
    x, y = (positive(rng, shape, np.float64) for shape in shapes.input_shapes)
    layer, reference = getattr(bg, name)(), getattr(references, name.lower())
    z = layer.forward(x, y)
    dz = rng.uniform(0.5, 1.5, np.shape(z))
    assert_close(z, reference.forward({}, x, y), 1e-12, 1e-14)
    for actual, expected in zip(layer.backward(dz), reference.backward({}, dz, x, y)[0], strict=True):
        assert_close(actual, expected, 1e-12, 1e-14)


@pytest.mark.parametrize(
    ("dy", "shape", "expected"),
    [
        (np.ones((2, 3)), (2, 3), np.ones((2, 3))),
        (np.arange(6.0).reshape(2, 3), (3,), np.array([3.0, 5.0, 7.0])),
        (np.arange(6.0).reshape(2, 3), (2, 1), np.array([[3.0], [12.0]])),
        (np.arange(6.0).reshape(2, 3), (1, 1), np.array([[15.0]])),
        (np.arange(6.0).reshape(2, 3), (), np.array(15.0)),
        (np.arange(6.0).reshape(1, 2, 3), (2, 1), np.array([[3.0], [12.0]])),
        (np.ones((0, 3)), (1, 3), np.zeros((1, 3))),
        (np.ones((1, 3)), (1, 3), np.ones((1, 3))),
    ],
)
def test_sum_to_adds_over_the_stretched_axes(dy, shape, expected):
    total = sum_to(dy, shape)
    assert total.shape == shape
    assert total.tolist() == expected.tolist()


@over_pairs
def test_pair_shapes_that_do_not_broadcast_are_value_error_without_trace(layer):
    pair = layer(name="join")
    pair.forward(np.full(2, 3.0), np.full(2, 4.0))
    before = [g.tolist() for g in pair.backward(np.ones(2))]
    with pytest.raises(ValueError, match="broadcast") as error:
        pair.forward(np.ones((2, 3)), np.ones((2, 4)))
    assert str(error.value) == (
        f"{layer.__name__}[join].forward: x and y must have shapes that broadcast; got (2, 3) and (2, 4)."
    )
    assert [g.tolist() for g in pair.backward(np.ones(2))] == before


@over_pairs
def test_pair_of_one_array_twice_gives_each_place_its_gradient(layer):
    x = np.array([1.5, 2.0, 3.0])
    pair, apart = layer(), layer()
    assert pair.forward(x, x).tolist() == apart.forward(x, x.copy()).tolist()
    for dx, expected in zip(pair.backward(np.ones(3)), apart.backward(np.ones(3)), strict=True):
        assert dx.tolist() == expected.tolist()


# The ends of the range ------------------------------------------------------------------------------------------------


def test_div_squares_no_denominator_on_the_way_back():
    div = bg.Div()
    div.forward(np.array([1e-200, 1e200]), np.array([1e-200, 1e200]))
    dx, dy = div.backward(np.ones(2))
    np.testing.assert_allclose(dx, [1e200, 1e-200], rtol=1e-15)
    np.testing.assert_allclose(dy, [-1e200, -1e-200], rtol=1e-15)


def test_div_by_zero_warns_and_is_infinite():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert bg.Div().forward(np.ones(1), np.zeros(1)).tolist() == [np.inf]


def test_log_of_zero_and_less_warns_and_gives_no_number():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert bg.Log().forward(np.zeros(1)).tolist() == [-np.inf]
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(bg.Log().forward(-np.ones(1))).all()


@pytest.mark.parametrize(
    ("layer", "good", "bad"),
    [
        (bg.Log, (np.array([2.0, 4.0]),), (np.array([-1.0]),)),
        (bg.Exp, (np.array([0.0, 1.0]),), (np.array([1e4]),)),
        (bg.Add, (np.ones(2), np.ones(2)), (np.array([1e308]), np.array([[1e308]]))),
        (bg.Sub, (np.ones(2), np.ones(2)), (np.array([1e308]), np.array([[-1e308]]))),
        (bg.Mul, (np.ones(2), np.ones(2)), (np.array([1e308]), np.array([1e308]))),
        (bg.Div, (np.ones(2), np.ones(2)), (np.array([1.0]), np.array([0.0]))),
        (bg.Pow, (np.ones(2), np.ones(2)), (np.array([1e308]), np.array([2.0]))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arithmetic_that_numpy_refuses_leaves_no_trace(layer, good, bad):
    brick = layer()
    brick.forward(*good)
    before = brick.backward(np.ones(2))
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        brick.forward(*bad)
    after = brick.backward(np.ones(2))
    np.testing.assert_array_equal(after, before)


def test_exp_and_log_undo_each_other():
    x = np.array([-30.0, -1e-3, 0.0, 0.5, 30.0])
    np.testing.assert_allclose(bg.Log().forward(bg.Exp().forward(x)), x, rtol=1e-12, atol=1e-14)


# Pow ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [2, np.array(2), np.array([2, 2], np.uint8), [2, 2]], ids=str)
def test_pow_exponent_of_integers_has_no_gradient(exponent):
    square = bg.Pow()
    y = square.forward(np.array([-3.0, 0.0], np.float32), exponent)
    assert (y.dtype, y.tolist()) == (np.float32, [9.0, 0.0])
    dx, d_exponent = square.backward(np.array([1.0, 10.0], np.float32))
    assert (dx.dtype, dx.tolist(), d_exponent) == (np.float32, [-6.0, 0.0], None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [2.0, np.float64(2)], ids=["float", "np.float64"])
def test_pow_exponent_of_one_number_takes_the_bases_precision(dtype, exponent):
    square = bg.Pow()
    y = square.forward(np.array([3.0, 1.0], dtype), exponent)
    assert (y.dtype, y.tolist()) == (dtype, [9.0, 1.0])
    dx, d_exponent = square.backward(np.ones(2, dtype))
    assert (dx.dtype, dx.tolist()) == (dtype, [6.0, 2.0])
    np.testing.assert_allclose(d_exponent, 9 * np.log(3), rtol=1e-6)


def test_pow_exponent_in_another_precision_is_type_error():
    with pytest.raises(TypeError, match=r"^Pow\.forward: .*float32.*float64"):
        bg.Pow().forward(np.ones(2, np.float32), np.ones(2))


def test_pow_exponent_zero_is_flat_even_at_zero():
    pow = bg.Pow()
    assert pow.forward(np.array([0.0, -2.0, 5.0]), np.zeros(3)).tolist() == [1.0, 1.0, 1.0]
    assert pow.backward(np.ones(3))[0].tolist() == [0.0, 0.0, 0.0]


def test_pow_gradient_of_the_exponent_is_zero_at_zero_and_nan_below():
    pow = bg.Pow()
    pow.forward(np.array([0.0, -2.0, 1.0, np.e]), np.full(4, 2.0))
    dx, dy = pow.backward(np.ones(4))
    assert dx.tolist() == [0.0, -4.0, 2.0, 2 * np.e]
    assert dy[0] == dy[2] == 0.0
    assert np.isnan(dy[1])
    np.testing.assert_allclose(dy[3], np.e**2, rtol=1e-15)


def test_pow_negative_whole_exponents_are_right():
    pow = bg.Pow()
    assert pow.forward(np.array([2.0, -4.0]), np.array([-1, -2])).tolist() == [0.5, 0.0625]
    assert pow.backward(np.ones(2))[0].tolist() == [-0.25, 0.03125]
