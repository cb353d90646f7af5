"""The plain functions: the numbers that the texts print, one sample and a batch, labels and one-hot, and errors."""

import math

import numpy as np
import pytest
from layer_table import over_dtypes

import brickgrad as bg

T = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
GOOD = [0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0.1, 0, 0]
POOR = [0.1, 0.05, 0.1, 0, 0.05, 0.1, 0, 0.6, 0, 0]

ENTRYWISE = [bg.step_function, bg.sigmoid, bg.relu, bg.identity_function, bg.softmax]
ERRORS = [bg.mean_squared_error, bg.cross_entropy_error]
over_entrywise = pytest.mark.parametrize("function", ENTRYWISE, ids=lambda f: f.__name__)
over_errors = pytest.mark.parametrize("function", ERRORS, ids=lambda f: f.__name__)
over_not_numbers = pytest.mark.parametrize(
    "value", ["abc", ["a", "b"], None, [1j, 2.0], [[1.0], [1.0, 2.0]], {"a": 1}], ids=str
)


# Activations ----------------------------------------------------------------------------------------------------------


def test_step_function_gives_the_texts_integers():
    y = bg.step_function(np.array([-1.0, 1.0, 2.0]))
    assert y.tolist() == [0, 1, 1]
    assert y.dtype.kind == "i"
    assert bg.step_function(np.array([0.0, -0.0, 5e-324])).tolist() == [0, 0, 1]
    assert bg.step_function(3.0) == 1


def test_sigmoid_gives_the_texts_numbers():
    np.testing.assert_allclose(
        bg.sigmoid(np.array([-1.0, 1.0, 2.0])), [0.26894142, 0.73105858, 0.88079708], rtol=0, atol=5e-9
    )
    assert bg.sigmoid(0) == 0.5


@over_dtypes
def test_sigmoid_of_a_thousand_is_exact_without_a_warning(dtype):
    with np.errstate(all="raise", under="ignore"):
        y = bg.sigmoid(np.array([-1000.0, 0.0, 1000.0], dtype))
    assert (y.dtype, y.tolist()) == (dtype, [0.0, 0.5, 1.0])


def test_relu_and_identity_function_give_the_texts_numbers():
    assert bg.relu(np.array([-1.0, 0.0, 2.5])).tolist() == [0.0, 0.0, 2.5]
    assert bg.relu(-3) == 0.0
    assert bg.identity_function(np.array([0.3, 0.7])).tolist() == [0.3, 0.7]


def test_functions_forward_pass_of_2_3_2_2_gives_the_texts_numbers():
    x = np.array([1.0, 0.5])
    z1 = bg.sigmoid(x @ np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]) + np.array([0.1, 0.2, 0.3]))
    z2 = bg.sigmoid(z1 @ np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]) + np.array([0.1, 0.2]))
    y = bg.identity_function(z2 @ np.array([[0.1, 0.3], [0.2, 0.4]]) + np.array([0.1, 0.2]))
    np.testing.assert_allclose(z1, [0.57444252, 0.66818777, 0.75026011], rtol=0, atol=5e-9)
    np.testing.assert_allclose(z2, [0.62624937, 0.7710107], rtol=0, atol=5e-9)
    np.testing.assert_allclose(y, [0.31682708, 0.69627909], rtol=0, atol=5e-9)


def test_softmax_gives_the_texts_numbers_and_never_overflows():
    np.testing.assert_allclose(bg.softmax([0.3, 2.9, 4.0]), [0.01821127, 0.24519181, 0.73659691], rtol=0, atol=5e-9)
    with np.errstate(all="raise", under="ignore"):
        y = bg.softmax(np.array([1010, 1000, 990]))
        assert bg.softmax([1e4, -1e4]).tolist() == [1.0, 0.0]
    np.testing.assert_allclose(y, [9.99954600e-01, 4.53978686e-05, 2.06106005e-09], rtol=5e-9)


def test_softmax_of_a_batch_is_that_of_each_sample():
    x = np.array([[0.3, 2.9, 4.0], [1010.0, 1000.0, 990.0], [0.0, 0.0, 0.0]])
    y = bg.softmax(x)
    assert y.tolist() == [bg.softmax(row).tolist() for row in x]
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-15)
    assert bg.softmax(np.zeros((0, 3))).shape == (0, 3)


@over_entrywise
@over_dtypes
def test_functions_keep_precision_leave_their_input_and_return_fresh_arrays(function, dtype):
    x = np.array([[0.5, -1.0, 2.0]], dtype)
    x.flags.writeable = False
    y = function(x)
    assert y.dtype == (int if function is bg.step_function else dtype)
    assert y.shape == x.shape
    assert not np.shares_memory(x, y)
    assert x.tolist() == [[0.5, -1.0, 2.0]]


@over_entrywise
def test_functions_take_lists_and_integers_as_float64(function):
    y = function([1, -2, 3])
    assert y.tolist() == function(np.array([1.0, -2.0, 3.0])).tolist()
    assert y.dtype == (int if function is bg.step_function else np.float64)
    assert function(np.array([1, -2], np.int8)).tolist() == function([1.0, -2.0]).tolist()


@over_entrywise
def test_functions_of_one_number_give_a_number(function):
    assert np.ndim(function(2.0)) == 0
    assert not isinstance(function(2.0), np.ndarray)


@over_entrywise
@over_not_numbers
def test_functions_of_no_numbers_are_type_error_with_what_came(function, value):
    with pytest.raises(TypeError) as error:
        function(value)
    assert str(error.value) == (
        f"{function.__name__}: x must hold numbers; got {type(value).__name__} {str(value)[:40]}."
    )


# Errors of outputs ----------------------------------------------------------------------------------------------------


def test_mean_squared_error_gives_the_texts_numbers_to_the_last_digit():
    assert bg.mean_squared_error(np.array(GOOD), np.array(T)) == 0.09750000000000003
    assert bg.mean_squared_error(np.array([0.1, 0.5, 0.1, 0, 0.05, 0.1, 0, 0.6, 0.5, 0]), np.array(T)) == (
        0.8462500000000001
    )


def test_cross_entropy_error_gives_the_texts_numbers_but_for_the_rounding_of_the_logarithm():
    """NumPy's log rounds its last bit one way or the other, by version and processor."""
    np.testing.assert_allclose(bg.cross_entropy_error(np.array(GOOD), np.array(T)), 0.510825457099338, rtol=4e-16)
    np.testing.assert_allclose(bg.cross_entropy_error(np.array(POOR), np.array(T)), 2.302584092994546, rtol=4e-16)


def test_cross_entropy_error_of_an_impossible_class_is_finite():
    np.testing.assert_allclose(bg.cross_entropy_error([1.0, 0.0], [0, 1]), -math.log(1e-7), rtol=1e-15)


@over_errors
def test_error_of_one_sample_a_batch_labels_and_one_hot_agree(function):
    rng = np.random.default_rng(0)
    y, labels = bg.softmax(rng.normal(size=(5, 3))), rng.integers(0, 3, 5)
    rows = np.eye(3)[labels]
    singly = [function(sample, row) for sample, row in zip(y, rows, strict=True)]
    by_label = [function(sample, label) for sample, label in zip(y, labels, strict=True)]
    np.testing.assert_allclose(singly, by_label, rtol=1e-15)
    for t in (
        labels,
        labels.astype(np.uint8),
        labels.tolist(),
        rows,
        rows.astype(int),
        rows.tolist(),
        rows.astype("f4"),
    ):
        np.testing.assert_allclose(function(y, t), np.mean(singly), rtol=1e-14)
        np.testing.assert_allclose(function(y.tolist(), t), np.mean(singly), rtol=1e-14)
    assert type(function(y, labels)) is float


def test_mean_squared_error_of_numbers_and_of_targets_that_are_no_classes():
    assert bg.mean_squared_error(3.0, 1.0) == 2.0
    assert bg.mean_squared_error([1.0, 2.0], [-1.5, 4.0]) == 5.125


@over_errors
def test_error_of_a_batch_of_none_is_zero(function):
    assert function(np.zeros((0, 3)), np.zeros(0, int)) == 0.0
    assert function(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0


@over_errors
def test_error_leaves_its_arguments_as_they_are(function):
    y, t = np.array([GOOD]), np.array([T])
    y.flags.writeable = t.flags.writeable = False
    function(y, t)
    assert (y.tolist(), t.tolist()) == ([GOOD], [T])


@over_errors
@over_not_numbers
def test_error_outputs_of_no_numbers_are_type_error_that_names_y(function, value):
    with pytest.raises(TypeError) as error:
        function(value, [0, 1])
    assert str(error.value) == (
        f"{function.__name__}: y must hold numbers; got {type(value).__name__} {str(value)[:40]}."
    )


@over_errors
@over_not_numbers
def test_error_targets_of_no_numbers_are_type_error_that_names_t(function, value):
    with pytest.raises(TypeError, match=rf"^{function.__name__}: t must hold "):
        function([0.5, 0.5], value)


@over_errors
@pytest.mark.parametrize(
    ("t", "kind", "came"),
    [
        ([0, 2], ValueError, "t must hold labels 0..1; got 2 at sample 1"),
        ([-1, 0], ValueError, "t must hold labels 0..1; got -1 at sample 0"),
        ([0, 1, 0], ValueError, "got (3,)"),
        ([[0], [1]], ValueError, "got (2, 1). Use t.ravel()."),
        ([0.0, 1.0], TypeError, "t must hold labels as integers; got float64"),
        (np.ones((2, 3)) / 3, ValueError, "got (2, 3)"),
        (0, ValueError, "got ()"),
    ],
)
def test_error_bad_targets_are_an_error_with_what_came(function, t, kind, came):
    with pytest.raises(kind) as error:
        function([[0.5, 0.5], [0.1, 0.9]], t)
    assert str(error.value).startswith(f"{function.__name__}: t must ")
    assert came in str(error.value)


def test_cross_entropy_error_rows_that_sum_to_two_are_value_error():
    with pytest.raises(ValueError, match=r"^cross_entropy_error: each row of t .*; got \[1 1\] at sample 0\.$"):
        bg.cross_entropy_error([0.5, 0.5], [1, 1])
