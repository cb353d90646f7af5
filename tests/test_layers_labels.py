"""Targets: labels and one-hot rows, told apart by their shape."""

import numpy as np
import pytest

from brickgrad.layers.labels import as_labels, check_labels, check_one_hot, is_labels, one_hot


@pytest.mark.parametrize(
    ("t", "shape", "expected"),
    [
        (np.zeros(2, int), (2, 10), True),
        (np.zeros((2, 10)), (2, 10), False),
        (np.zeros((2, 10), int), (2, 10), False),
        (np.zeros((3, 3), int), (3, 3), False),
        (np.zeros(2), (2, 10), True),
        (np.array(1), (10,), True),
        (np.zeros((2, 1), int), (2, 10), True),
        (np.zeros((2, 1)), (2, 10), False),
        (np.zeros((2, 5)), (2, 5, 10), True),
    ],
)
def test_is_labels_goes_by_the_shape(t, shape, expected):
    assert is_labels(t, shape) is expected


@pytest.mark.parametrize(
    "t", [np.array([0, 2]), np.array([0, 2], np.uint8), np.array([[0], [2]]).ravel(), np.zeros(0, int)]
)
def test_check_labels_right_ones_pass(t):
    check_labels("who", t, (len(t), 3))


def test_check_labels_255_of_256_classes_passes_in_eight_bits():
    check_labels("who", np.array([255, 0], np.uint8), (2, 256))
    with pytest.raises(ValueError, match=r"^who: t must hold labels 0\.\.254; got 255 at sample 0\.$"):
        check_labels("who", np.array([255, 0], np.uint8), (2, 255))


def test_check_labels_of_a_tensor_counts_samples_in_order():
    with pytest.raises(ValueError, match=r"^who: t must hold labels 0\.\.2; got 7 at sample 4\.$"):
        check_labels("who", np.array([[0, 1, 2], [0, 7, -1]]), (2, 3, 3))


def test_check_one_hot_probabilities_within_rounding_pass():
    check_one_hot("who", np.array([[0.25, 0.75], [1, 0]], np.float16), (2, 2))
    check_one_hot("who", np.full((1, 3), 1 / 3, np.float32), (1, 3))
    check_one_hot("who", np.array([[True, False]]), (1, 2))
    check_one_hot("who", np.full((1, 300), 1 / 300, np.float16), (1, 300))
    check_one_hot("who", np.zeros((0, 3)), (0, 3))


@pytest.mark.parametrize("row", [[0.5, 0.498], [0.5, 0.502], [0, 0], [1, 1], [2, -1], [np.nan, 1], [np.inf, -np.inf]])
def test_check_one_hot_rows_of_another_sum_are_value_error(row):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"^who: each row of t .* at sample 1\.$"):
        check_one_hot("who", np.array([[0, 1], row]), (2, 2))


def test_one_hot_has_a_one_at_the_label():
    rows = one_hot(np.array([[2, 0]], np.uint8), 3, np.float64)
    assert (rows.dtype, rows.tolist()) == (np.float64, [[[0, 0, 1], [1, 0, 0]]])
    assert one_hot(np.array([], int), 3).shape == (0, 3)
    assert one_hot(np.array(1), 2).dtype == np.float32


@pytest.mark.parametrize(
    ("t", "shape", "expected"),
    [
        (np.eye(3)[[2, 0]], (2, 3), [2, 0]),
        (np.array([2, 0]), (2, 3), [2, 0]),
        (np.array([2, 0, 1]), (3, 3), [2, 0, 1]),
        ([[0, 1], [1, 0]], (2, 2), [1, 0]),
        (np.array([[2, 0], [1, 1]]), (2, 2, 2), [[2, 0], [1, 1]]),
        (np.zeros((0, 3)), (0, 3), []),
    ],
)
def test_as_labels_takes_both_kinds(t, shape, expected):
    assert as_labels(t, shape).tolist() == expected
