"""standardize and whiten, against loops and against what their formulas promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brickgrad.datasets import standardize, transforms, whiten

BOTH = pytest.mark.parametrize("function", [standardize, whiten])
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def samples(*shape, dtype=np.float64, seed=0):
    """Features of different means and deviations that hang together."""
    rng = np.random.default_rng(seed)
    width = math.prod(shape[1:])
    mixed = rng.normal(size=(shape[0], width)) @ rng.normal(size=(width, width)) + rng.normal(size=width) * 5
    return mixed.reshape(shape).astype(dtype)


def covariance(y):
    rows = y.reshape(len(y), -1).astype(np.float64)
    rows = rows - rows.mean(axis=0)
    return rows.T @ rows / len(rows)


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(transforms, "_ROWS", 7)


# ---- standardize


def standardized_by_a_loop(x_train, x):
    y = np.empty_like(x)
    for j in range(x.shape[1]):
        column = [float(value) for value in x_train[:, j]]
        mean = math.fsum(column) / len(column)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in column) / len(column))
        for i in range(len(x)):
            y[i, j] = (x[i, j] - mean) / deviation
    return y


def test_standardize_float64_equals_a_loop_fitted_on_the_training_set():
    x_train, x_valid, x_test = samples(20, 3), samples(8, 3, seed=1), samples(1, 3, seed=2)
    results = standardize(x_train, x_valid, x_test)
    assert isinstance(results, tuple)
    for x, y in zip((x_train, x_valid, x_test), results, strict=True):
        np.testing.assert_allclose(y, standardized_by_a_loop(x_train, x), rtol=1e-12, atol=1e-14)


def test_standardize_float32_far_from_zero_keeps_the_precision_of_its_input():
    x = (1e4 + samples(1000, 2, seed=3)).astype(np.float32)
    (y,) = standardize(x)
    reference = standardized_by_a_loop(x.astype(np.float64), x.astype(np.float64))
    np.testing.assert_allclose(y, reference, rtol=1e-5, atol=1e-5 * np.abs(reference).max())


@FLOATS
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e6, 1e-3])
def test_standardize_constant_feature_is_exactly_zero_everywhere(dtype, constant):
    x_train, x_test = samples(13, 3, dtype=dtype), samples(4, 3, dtype=dtype, seed=1)
    x_train[:, 1] = constant
    for y in standardize(x_train, x_test):
        assert (y[:, 1] == 0).all()
        assert (y[:, [0, 2]] != 0).all()


def test_standardize_single_sample_is_all_zero():
    np.testing.assert_array_equal(standardize(samples(1, 4))[0], np.zeros((1, 4)))


def test_standardize_deviation_below_the_smallest_float_is_taken_for_zero():
    y_train, y_test = standardize(np.array([[0.0], [1e-200]]), np.array([[1.0]]))
    assert (y_train.tolist(), y_test.tolist()) == ([[0.0], [0.0]], [[0.0]])


@given(
    x=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3)),
    )
)
def test_standardize_any_set_has_mean_0_and_deviation_1_or_0(x):
    (y,) = standardize(x)
    varies = x.max(axis=0) != x.min(axis=0)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=0), varies, atol=1e-6)


# ---- whiten


@FLOATS
@pytest.mark.parametrize("shape", [(50, 4), (50, 1, 2, 3), (50,)])
def test_whiten_training_set_has_mean_0_and_covariance_identity(dtype, shape):
    (y,) = whiten(samples(*shape, dtype=dtype), epsilon=0)
    atol = 1e-12 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(y.mean(axis=0), np.zeros(shape[1:]), atol=atol)
    np.testing.assert_allclose(covariance(y), np.eye(math.prod(shape[1:])), rtol=0, atol=atol)


@pytest.mark.parametrize("epsilon", [1e-5, 0.1, 3])
def test_whiten_epsilon_equals_the_formula(epsilon):
    x_train, x_test = samples(30, 3), samples(9, 3, seed=1)
    variances, U = np.linalg.eigh(covariance(x_train))
    matrix = np.zeros((3, 3))
    for j in range(3):
        matrix += np.outer(U[:, j], U[:, j]) / math.sqrt(variances[j] + epsilon)
    for x, y in zip((x_train, x_test), whiten(x_train, x_test, epsilon=epsilon), strict=True):
        np.testing.assert_allclose(y, (x - x_train.mean(axis=0)) @ matrix, rtol=1e-10, atol=1e-12)


def test_whiten_default_epsilon_is_1e_5():
    x = samples(30, 3) * 1e-2
    np.testing.assert_array_equal(whiten(x)[0], whiten(x, epsilon=1e-5)[0])


def test_whiten_zero_phase_leaves_white_data_as_it_is():
    x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    np.testing.assert_allclose(whiten(x, epsilon=0)[0], x, rtol=1e-12)


@FLOATS
@pytest.mark.parametrize("epsilon", [0, 1e-5])
def test_whiten_directions_that_do_not_vary_become_zero_everywhere(dtype, epsilon):
    base, other = samples(40, 2), samples(6, 4, dtype=dtype, seed=1)
    # Two directions that vary; a feature that is a copy; a constant that no binary fraction holds.
    x = np.column_stack([base, base[:, 0], np.full(40, 0.1)]).astype(dtype)
    y_train, y_test = whiten(x, other, epsilon=epsilon)
    tolerance = 1e-12 if dtype is np.float64 else 1e-6
    assert np.isfinite(y_test).all()
    for y in y_train, y_test:
        assert (y[:, 3] == 0).all()
        np.testing.assert_allclose(y[:, 0], y[:, 2], rtol=0, atol=tolerance * np.abs(y).max())
    variances = np.linalg.eigvalsh(covariance(y_train))
    np.testing.assert_allclose(variances, [0, 0, 1, 1], rtol=0, atol=1e-4 if epsilon else 1e-5)


@pytest.mark.parametrize("n", [1, 3])
def test_whiten_fewer_samples_than_features_has_n_minus_1_directions(n):
    (y,) = whiten(samples(n, 5), epsilon=0)
    variances = np.linalg.eigvalsh(covariance(y))
    np.testing.assert_allclose(variances, [0] * (6 - n) + [1] * (n - 1), rtol=0, atol=1e-10)


def test_whiten_small_direction_beside_a_large_one_is_kept():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)) * [1e4, 1e-2]
    np.testing.assert_allclose(covariance(whiten(x, epsilon=0)[0]), np.eye(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("epsilon", [-1e-9, math.inf, math.nan])
def test_whiten_epsilon_outside_its_domain_is_refused(epsilon):
    with pytest.raises(ValueError, match=f"whiten: epsilon must be a finite number, at least 0; got {epsilon!r}"):
        whiten(samples(3, 2), epsilon=epsilon)


def test_whiten_epsilon_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"whiten: epsilon must be a number; got 'small'\."):
        whiten(samples(3, 2), epsilon="small")


# ---- both


@BOTH
@FLOATS
@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 2)])
def test_transforms_shape_and_dtype_of_each_set_are_kept(function, dtype, shape):
    other = np.float64 if dtype is np.float32 else np.float32
    sets = samples(20, *shape, dtype=dtype), samples(9, *shape, dtype=other), np.empty((0, *shape), dtype)
    results = function(*sets)
    assert [(y.shape, y.dtype) for y in results] == [(x.shape, x.dtype) for x in sets]


@BOTH
def test_transforms_images_are_taken_as_flat_features(function):
    x = samples(20, 1, 2, 3)
    np.testing.assert_array_equal(function(x)[0].reshape(20, 6), function(x.reshape(20, 6))[0])


@BOTH
def test_transforms_inputs_are_unchanged_and_results_are_fresh(function):
    sets = samples(15, 3), samples(5, 3, seed=1)
    before = [x.copy() for x in sets]
    for x, y in zip(sets, function(*sets), strict=True):
        assert not np.shares_memory(x, y)
        y[...] = 0
    for x, kept in zip(sets, before, strict=True):
        np.testing.assert_array_equal(x, kept)


@BOTH
def test_transforms_any_memory_layout_gives_the_same_numbers(function):
    x = samples(20, 2, 3)
    expected = function(x)[0]
    wide = np.zeros((40, 2, 6))
    wide[::2, :, ::2] = x
    for same in np.asfortranarray(x), wide[::2, :, ::2]:
        np.testing.assert_allclose(function(same)[0], expected, rtol=1e-10, atol=1e-12)


@BOTH
def test_transforms_other_sets_do_not_change_the_fit(function):
    x = samples(20, 3)
    np.testing.assert_array_equal(function(x, samples(20, 3, seed=1) * 100)[0], function(x)[0])


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "bool", "complex128"])
def test_transforms_other_dtypes_are_refused_with_advice(function, dtype):
    x = np.ones((3, 2))
    name = function.__name__
    with pytest.raises(TypeError) as caught:
        function(x.astype(dtype), x)
    assert str(caught.value) == (
        f"{name}: x_train must be float32 or float64; got {dtype}. Convert it first: x_train.astype(np.float32)."
    )
    with pytest.raises(TypeError, match=rf"{name}: others\[1\] must be float32 or float64; got {dtype}\. Convert"):
        function(x, x, x.astype(dtype))


@BOTH
def test_transforms_list_is_refused(function):
    with pytest.raises(TypeError, match=rf"{function.__name__}: x_train must be an array .*; got list\."):
        function([[1.0], [2.0]])


@BOTH
@pytest.mark.parametrize("shape", [(0, 3), (0,), (3, 0)])
def test_transforms_empty_training_set_is_refused(function, shape):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        function(np.empty(shape))
    expected = f"{function.__name__}: x_train must hold at least one sample and one feature; got {shape}."
    assert str(caught.value) == expected


@BOTH
def test_transforms_single_number_is_refused(function):
    with pytest.raises(
        ValueError, match=rf"{function.__name__}: x_train must be \(N, \.\.\.\).*; got a single number\."
    ):
        function(np.array(1.0))


@BOTH
@pytest.mark.parametrize(
    ("shape", "other", "wanted"),
    [
        ((4, 3), (4, 2), r"\(N, 3\)"),
        ((4, 6), (4, 2, 3), r"\(N, 6\)"),
        ((4,), (4, 1), r"\(N,\)"),
        ((4, 2, 3), (3,), r"\(N, 2, 3\)"),
    ],
)
def test_transforms_sets_of_other_features_are_refused(function, shape, other, wanted):
    got = str(other).replace("(", r"\(").replace(")", r"\)")
    message = rf"{function.__name__}: others\[0\] must have the features of x_train, {wanted}; got {got}\."
    with pytest.raises(ValueError, match=message):
        function(np.ones(shape), np.ones(other))


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_transforms_values_that_are_not_finite_are_refused(function, bad):
    x, other = samples(5, 2), samples(4, 2)
    other[1:3, 0] = bad
    with pytest.raises(
        ValueError, match=rf"{function.__name__}: others\[0\] must be finite; 2 of its values are not\."
    ):
        function(x, other)
