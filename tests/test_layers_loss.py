"""SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredLoss: exact at any score, labels and rows alike, true to upstream."""

import math

import numpy as np
import pytest
from layer_table import bits, over_dtypes

import brickgrad as bg

LOSSES = [bg.SoftmaxWithLoss, bg.SigmoidWithLoss, bg.MeanSquaredLoss]
over_losses = pytest.mark.parametrize("layer", LOSSES, ids=lambda layer: layer.__name__)


def batch(layer, n_samples=7):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(n_samples, 3)), rng.integers(0, 3, n_samples)
    return x, np.eye(3)[labels] if layer is bg.SigmoidWithLoss else labels


# Values ---------------------------------------------------------------------------------------------------------------


def test_softmax_with_loss_gives_minus_the_log_of_the_right_share():
    loss = bg.SoftmaxWithLoss()
    x, t = np.log([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]), np.array([1, 0])
    np.testing.assert_allclose(loss.forward(x, t), -(math.log(0.2) + math.log(0.5)) / 2, rtol=1e-15)
    dx, dt = loss.backward()
    np.testing.assert_allclose(dx, [[0.05, -0.4, 0.35], [-0.25, 0.125, 0.125]], rtol=1e-14)
    assert dt is None


def test_softmax_with_loss_of_equal_scores_is_the_log_of_the_classes():
    assert bg.SoftmaxWithLoss().forward(np.zeros((4, 10)), np.array([0, 3, 9, 9])) == pytest.approx(2.302585092994046)


def test_sigmoid_with_loss_sums_over_outputs_and_averages_over_samples():
    loss = bg.SigmoidWithLoss()
    x, t = np.array([[0.0, math.log(3)], [0.0, 0.0]]), np.array([[1, 0], [0, 1]])
    np.testing.assert_allclose(loss.forward(x, t), (math.log(4) + 3 * math.log(2)) / 2, rtol=1e-15)
    np.testing.assert_allclose(loss.backward()[0], [[-0.25, 0.375], [0.25, -0.25]], rtol=1e-15)


def test_mean_squared_loss_is_half_the_squares_averaged_over_samples():
    loss = bg.MeanSquaredLoss()
    assert loss.forward(np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])) == 3.75
    dx, dt = loss.backward()
    assert dx.tolist() == [[0.5, 1.0], [1.5, -0.5]]
    assert dt.tolist() == [[-0.5, -1.0], [-1.5, 0.5]]


def test_mean_squared_loss_of_the_texts_example_is_theirs():
    y = np.array([[0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0.1, 0, 0]])
    np.testing.assert_allclose(bg.MeanSquaredLoss().forward(y, np.array([2])), 0.0975, rtol=1e-14)


# Any score ------------------------------------------------------------------------------------------------------------


@over_dtypes
def test_softmax_with_loss_scores_of_ten_thousand_are_exact(dtype):
    loss = bg.SoftmaxWithLoss()
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    for labels, expected in [
        ([0, 0, 0], [0, math.log(3), math.log(2)]),
        ([1, 1, 2], [2e4, math.log(3), 2e4 + math.log(2)]),
        ([2, 2, 1], [1e4, math.log(3), math.log(2)]),
    ]:
        with np.errstate(all="raise", under="ignore"):
            value = loss.forward(x, np.array(labels))
            dx, _ = loss.backward()
        np.testing.assert_allclose(value, sum(expected) / 3, rtol=4 * np.finfo(dtype).eps)
        p = np.array([[1, 0, 0], [1 / 3] * 3, [0.5, 0.5, 0]])
        np.testing.assert_allclose(dx, (p - np.eye(3)[labels]) / 3, rtol=1e-5, atol=np.finfo(dtype).eps)


@over_dtypes
def test_sigmoid_with_loss_scores_of_a_thousand_are_exact(dtype):
    loss = bg.SigmoidWithLoss()
    x, t = np.array([1e3, -1e3, 1e3, -1e3, 0.0], dtype), np.array([1, 0, 0, 1, 1])
    with np.errstate(all="raise", under="ignore"):
        value = loss.forward(x, t)
        dx, _ = loss.backward(5.0)
    np.testing.assert_allclose(value, (2000 + math.log(2)) / 5, rtol=4 * np.finfo(dtype).eps)
    assert dx.tolist() == [0.0, 0.0, 1.0, -1.0, -0.5]


def test_sigmoid_with_loss_of_a_good_score_keeps_its_small_loss():
    np.testing.assert_allclose(bg.SigmoidWithLoss().forward(np.array([40.0]), np.array([1])), math.exp(-40), rtol=1e-14)


def test_softmax_with_loss_of_an_impossible_class_that_is_not_asked_for_costs_nothing():
    loss = bg.SoftmaxWithLoss()
    x = np.array([[0.0, 0.0, -np.inf]])
    for t in (np.array([0]), np.eye(3)[[0]]):
        np.testing.assert_allclose(loss.forward(x, t), math.log(2), rtol=1e-15)
        assert loss.backward()[0].tolist() == [[-0.5, 0.5, 0.0]]


# Targets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [bg.SoftmaxWithLoss, bg.MeanSquaredLoss], ids=lambda layer: layer.__name__)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_loss_labels_and_one_hot_rows_give_the_same(layer, dtype):
    loss = layer()
    x, labels = batch(layer)
    results = []
    for t in (labels.astype(dtype), np.eye(3, dtype=dtype)[labels], np.eye(3)[labels], labels.tolist()):
        value = loss.forward(x, t)
        results.append((value, loss.backward(1.0)[0]))
    for value, dx in results[1:]:
        np.testing.assert_allclose(value, results[0][0], rtol=1e-15)
        np.testing.assert_allclose(dx, results[0][1], rtol=1e-15)


def test_softmax_with_loss_labels_of_eight_bits_reach_all_256_classes():
    loss = bg.SoftmaxWithLoss()
    x = np.zeros((2, 300))
    x[0, 255], x[1, 254] = 50.0, 50.0
    assert loss.forward(x, np.array([255, 254], np.uint8)) < 1e-18
    assert loss.backward()[0].max() < 1e-18


@pytest.mark.parametrize("layer", [bg.SoftmaxWithLoss, bg.SigmoidWithLoss], ids=lambda layer: layer.__name__)
@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
@over_dtypes
def test_loss_rows_of_any_precision_give_a_result_in_that_of_x(layer, precision, dtype):
    loss = layer()
    x, t = np.zeros((2, 2), dtype), np.eye(2, dtype=precision)
    value = loss.forward(x, t)
    assert value.dtype == loss.backward()[0].dtype == dtype
    np.testing.assert_allclose(value, math.log(2) * (1 if layer is bg.SoftmaxWithLoss else 2), rtol=1e-6)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@over_dtypes
def test_mean_squared_loss_gradient_of_targets_has_their_precision(precision, dtype):
    loss = bg.MeanSquaredLoss()
    value = loss.forward(np.ones((2, 2), dtype), np.zeros((2, 2), precision))
    dx, dt = loss.backward()
    assert (value.dtype, dx.dtype, dt.dtype) == (dtype, dtype, precision)
    assert (value, dx.tolist(), dt.tolist()) == (1.0, [[0.5, 0.5]] * 2, [[-0.5, -0.5]] * 2)


def test_mean_squared_loss_whole_targets_have_no_gradient():
    loss = bg.MeanSquaredLoss()
    assert loss.forward(np.ones((1, 2)), np.zeros((1, 2), int)) == 1.0
    assert loss.backward()[1] is None


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_softmax_with_loss_of_a_single_sample_equals_a_batch_of_it(n_classes, label):
    if label >= n_classes:
        label = 0
    x = np.arange(1.0, n_classes + 1)
    single, whole = bg.SoftmaxWithLoss(), bg.SoftmaxWithLoss()
    assert single.forward(x, np.array(label)) == whole.forward(x[None], np.array([label]))
    assert single.backward()[0].tolist() == whole.backward()[0][0].tolist()


def test_softmax_with_loss_counts_every_sample_of_a_tensor():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 5, 3)), rng.integers(0, 3, (2, 5))
    tensor, rows = bg.SoftmaxWithLoss(), bg.SoftmaxWithLoss()
    np.testing.assert_allclose(tensor.forward(x, t), rows.forward(x.reshape(10, 3), t.ravel()), rtol=1e-15)
    np.testing.assert_allclose(tensor.backward()[0].reshape(10, 3), rows.backward()[0], rtol=1e-15)


@over_losses
def test_loss_of_a_lone_number_or_row_has_one_sample(layer):
    loss = layer()
    if layer is bg.SoftmaxWithLoss:
        np.testing.assert_allclose(loss.forward(np.zeros(2), 1), math.log(2), rtol=1e-15)
        assert loss.backward()[0].tolist() == [0.5, -0.5]
    else:
        value = loss.forward(0.0, 1)
        np.testing.assert_allclose(value, math.log(2) if layer is bg.SigmoidWithLoss else 0.5, rtol=1e-15)
        assert loss.backward()[0] == (-0.5 if layer is bg.SigmoidWithLoss else -1.0)


# Upstream -------------------------------------------------------------------------------------------------------------


@over_losses
@over_dtypes
def test_loss_honours_its_upstream_gradient(layer, dtype):
    loss = layer()
    x, t = batch(layer)
    loss.forward(x.astype(dtype), t)
    once, twice, none = (loss.backward(factor)[0] for factor in (1.0, 2.0, 0.0))
    assert twice.tolist() == (2 * once).tolist()
    assert bits([once]) == bits([loss.backward()[0]])
    assert once.any()
    assert not none.any()


@over_losses
@over_dtypes
def test_loss_of_a_batch_of_none_is_zero(layer, dtype):
    loss = layer()
    x, t = batch(layer, 0)
    value = loss.forward(x.astype(dtype), t)
    assert (value, value.dtype) == (0.0, dtype)
    assert loss.backward()[0].shape == (0, 3)


@over_losses
def test_loss_targets_are_left_as_they_are(layer):
    x, t = batch(layer)
    t.flags.writeable = False
    before = t.tobytes()
    loss = layer()
    loss.forward(x, t)
    loss.backward()
    assert t.tobytes() == before


# Errors ---------------------------------------------------------------------------------------------------------------

X = (4, 3)
SOFTMAX_ERRORS = {
    "label too high": (np.array([0, 1, 3, 2]), ValueError, "t must hold labels 0..2; got 3 at sample 2."),
    "label negative": (np.array([0, -1, 1, 2]), ValueError, "t must hold labels 0..2; got -1 at sample 1."),
    "labels too few": (
        np.array([0, 1]),
        ValueError,
        "t must hold one label for each sample, (4,), or one-hot rows, (4, 3); got (2,).",
    ),
    "labels of floats": (
        np.array([0.0, 1.0, 2.0, 0.0]),
        TypeError,
        "t must hold labels as integers; got float64. Convert them with t.astype(int).",
    ),
    "labels of truth values": (
        np.array([True, False, True, True]),
        TypeError,
        "t must hold labels as integers; got bool. Convert them with t.astype(int).",
    ),
    "labels in a column": (
        np.array([[0], [1], [2], [0]]),
        ValueError,
        "t must hold one label for each sample, (4,), or one-hot rows, (4, 3); got (4, 1). Use t.ravel().",
    ),
    "one label": (1, ValueError, "t must hold one label for each sample, (4,), or one-hot rows, (4, 3); got ()."),
    "rows too wide": (
        np.ones((4, 5)) / 5,
        ValueError,
        "t must hold labels, (4,), or one-hot rows, (4, 3); got (4, 5).",
    ),
    "rows too few": (np.ones((3, 3)) / 3, ValueError, "t must hold labels, (4,), or one-hot rows, (4, 3); got (3, 3)."),
    "rows of sum 2": (
        np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]]),
        ValueError,
        "each row of t must be one-hot or probabilities that sum to 1; got [0. 1. 1.] at sample 2.",
    ),
    "rows below 0": (
        np.array([[1.0, 0, 0], [0, 2, -1], [0, 1, 0], [1, 0, 0]]),
        ValueError,
        "each row of t must be one-hot or probabilities that sum to 1; got [ 0.  2. -1.] at sample 1.",
    ),
    "rows of NaN": (
        np.array([[np.nan, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]]),
        ValueError,
        "each row of t must be one-hot or probabilities that sum to 1; got [nan  0.  0.] at sample 0.",
    ),
}
SIGMOID_ERRORS = {
    "above 1": (np.array([[0, 1, 2]] * 4), ValueError, "t must lie in 0..1; got 2."),
    "below 0": (np.full(X, -0.5), ValueError, "t must lie in 0..1; got -0.5."),
    "NaN": (np.full(X, np.nan), ValueError, "t must lie in 0..1; got nan."),
    "labels": (np.array([0, 1, 1, 0]), ValueError, "t must be (4, 3), as x; got (4,)."),
}
SQUARED_ERRORS = {
    "label too high": (np.array([0, 1, 3, 2]), ValueError, "t must hold labels 0..2; got 3 at sample 2."),
    "labels of truth values": (
        np.array([True, False, True, True]),
        TypeError,
        "t must hold labels as integers; got bool. Convert them with t.astype(int).",
    ),
    "labels of floats": (np.zeros(4), ValueError, "t must be (4, 3), as x; got (4,)."),
    "rows too wide": (np.zeros((4, 5)), ValueError, "t must be (4, 3), as x; got (4, 5)."),
}


@pytest.mark.parametrize(
    ("layer", "t", "kind", "message"),
    [
        pytest.param(layer, *error, id=f"{layer.__name__}-{name}")
        for layer, errors in zip(LOSSES, [SOFTMAX_ERRORS, SIGMOID_ERRORS, SQUARED_ERRORS], strict=True)
        for name, error in errors.items()
    ],
)
def test_loss_bad_targets_are_an_error_without_trace(layer, t, kind, message):
    loss = layer(name="goal")
    loss.forward(*batch(layer))
    before, saved = bits(loss.backward()), loss.saved
    with pytest.raises(kind) as error:
        loss.forward(np.zeros(X), t)
    assert str(error.value) == f"{layer.__name__}[goal].forward: {message}"
    assert loss.saved is saved
    assert bits(loss.backward()) == before


@pytest.mark.parametrize("shape", [(), (4, 0)])
def test_softmax_with_loss_without_classes_is_value_error(shape):
    with pytest.raises(ValueError, match="the scores") as error:
        bg.SoftmaxWithLoss().forward(np.zeros(shape), np.zeros(shape[:1], int))
    assert str(error.value) == f"SoftmaxWithLoss.forward: x must be (N, classes), the scores; got {shape}."
