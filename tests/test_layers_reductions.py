"""Sum, Mean: along any axes, kept or not; axes that are not there, and means of nothing."""

import itertools

import numpy as np
import pytest
from layer_table import over_dtypes

import brickgrad as bg

AXES = [None, 0, 1, 2, -1, -3, np.int64(1), (), (0,), (0, 1), (2, 0), (-1, 1), (0, 1, 2)]
X = np.random.default_rng(0).normal(size=(4, 2, 3))

over_reductions = pytest.mark.parametrize(("layer", "function"), [(bg.Sum, np.sum), (bg.Mean, np.mean)])


@over_reductions
@pytest.mark.parametrize(("axis", "keepdims"), list(itertools.product(AXES, [False, True])))
def test_reduction_along_any_axes_is_that_of_numpy_and_its_gradient_spreads(layer, function, axis, keepdims):
    reduction = layer(axis, keepdims)
    y = reduction.forward(X)
    expected = function(X, axis=axis, keepdims=keepdims)
    assert np.shape(y) == np.shape(expected)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    shares = function(np.ones_like(X), axis=axis) * 0 + (1 if layer is bg.Sum else X.size / np.size(y))
    kept = np.reshape(dy, np.shape(function(X, axis=axis, keepdims=True)))
    np.testing.assert_allclose(
        reduction.backward(dy), np.broadcast_to(kept, X.shape) / shares.flat[0], rtol=1e-14, atol=0
    )


@over_reductions
def test_reduction_of_a_single_number_is_itself(layer, function):
    reduction = layer()
    assert reduction.forward(3.0) == 3.0
    assert reduction.backward(2.0) == 2.0


@over_reductions
@pytest.mark.parametrize(("axis", "shape"), [(2, (2, 3)), (-3, (2, 3)), (0, ()), ((0, 2), (2, 3)), ((0, -3), (2, 3))])
def test_reduction_along_a_missing_axis_is_value_error_with_the_shape(layer, function, axis, shape):
    with pytest.raises(ValueError, match="axis") as error:
        layer(axis, name="r").forward(np.ones(shape))
    assert str(error.value) == f"{layer.__name__}[r].forward: x must have an axis {axis}; got shape {shape}."


@over_reductions
@pytest.mark.parametrize("axis", [(0, 0), (1, -1), (0, 1, -2)])
def test_reduction_along_an_axis_twice_is_value_error(layer, function, axis):
    with pytest.raises(ValueError, match="once") as error:
        layer(axis, name="r").forward(np.ones((2, 3)))
    assert str(error.value) == (
        f"{layer.__name__}[r].forward: axis must name each axis once; got {axis} for shape (2, 3)."
    )


@over_reductions
@pytest.mark.parametrize("axis", [1.0, "0", (0, 1.0), [0], True, (None,)])
def test_reduction_along_no_axis_is_value_error_with_what_came(layer, function, axis):
    with pytest.raises(ValueError, match="axis") as error:
        layer(axis, name="r")
    assert str(error.value) == f"{layer.__name__}[r]: axis must be an int, a tuple of ints or None; got {axis!r}."


@over_dtypes
@pytest.mark.parametrize(("axis", "shape"), [(None, (0, 3)), (0, (0, 3)), ((0, 1), (0, 3)), (None, (0,))])
def test_mean_over_a_batch_of_no_samples_is_zero(axis, shape, dtype):
    mean = bg.Mean(axis)
    y = mean.forward(np.zeros(shape, dtype))
    assert y.dtype == dtype
    assert not np.any(y)
    assert mean.backward(np.ones(np.shape(y), dtype)).shape == shape


@pytest.mark.parametrize(("axis", "shape"), [(None, (2, 0)), (1, (2, 0)), (-1, (0, 0)), ((0, 1), (2, 0, 3))])
def test_mean_of_no_numbers_is_value_error_that_says_so(axis, shape):
    with pytest.raises(ValueError, match="entries") as error:
        bg.Mean(axis, name="m").forward(np.ones(shape))
    assert str(error.value) == (
        f"Mean[m].forward: x must have entries to take the mean of along axis {axis}; got shape {shape}."
    )


def test_mean_beside_an_empty_axis_is_empty_and_sum_of_nothing_is_zero():
    assert bg.Mean(1).forward(np.ones((0, 3))).shape == (0,)
    assert bg.Mean(0).forward(np.ones((2, 0))).shape == (0,)
    assert bg.Sum(1).forward(np.ones((2, 0))).tolist() == [0.0, 0.0]


@over_reductions
def test_reduction_over_the_batch_in_a_graph_learns_its_shape_and_passes_its_gradient_check(layer, function):
    x = bg.Input("x", 3)
    centred = x - layer(axis=0, keepdims=True)(x)
    graph = bg.Graph(x, bg.Affine(2, dtype=np.float64, rng=0)(centred))
    data = np.random.default_rng(0).normal(size=(5, 3))
    W = graph.leaves()[-1].params["W"]
    np.testing.assert_allclose(graph.forward(data), (data - function(data, axis=0)) @ W, rtol=1e-12, atol=1e-14)
    assert bg.gradcheck(graph, data).passed


@over_reductions
def test_reduction_of_float16_gives_float16(layer, function):
    reduction, x = layer(axis=1), np.ones((2, 3), np.float16)
    y = reduction.forward(x)
    assert y.dtype == reduction.backward(y).dtype == np.float16


@over_reductions
def test_reduction_of_float16_is_summed_in_float32(layer, function):
    x = (6000 * np.random.default_rng(0).uniform(1, 2, size=(5000, 2)) / (5000 if layer is bg.Sum else 1)).astype(
        np.float16
    )
    y = layer(axis=0).forward(x)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, function(x.astype(np.float64), axis=0), rtol=2**-11)
