"""Dropout: shares, scale, modes, generators, errors."""

import numpy as np
import pytest

import brickgrad as bg

X = np.ones((200, 500), np.float32)


def test_dropout_drops_its_share_and_keeps_the_mean():
    y = bg.Dropout(0.3, rng=0).forward(X)
    assert np.mean(y == 0) == pytest.approx(0.3, abs=0.01)  # 100,000 draws: 7 standard errors
    np.testing.assert_allclose(y[y != 0], 1 / 0.7, rtol=1e-6)
    assert y.mean() == pytest.approx(1.0, abs=0.01)


def test_dropout_sends_the_gradient_where_the_values_went():
    dropout = bg.Dropout(0.5, rng=0)
    y = dropout.forward(X)
    np.testing.assert_array_equal(dropout.backward(X), y)


def test_dropout_does_nothing_in_inference_and_at_ratio_zero():
    dropout, none = bg.Dropout(0.5, rng=0), bg.Dropout(0.0)
    dropout.eval()
    for layer in (dropout, none):
        np.testing.assert_array_equal(layer.forward(X), X)
        np.testing.assert_array_equal(layer.backward(2 * X), 2 * X)


def test_dropout_not_inverted_keeps_values_in_training_and_makes_all_smaller_in_inference():
    texts, inverted = bg.Dropout(0.25, inverted=False, rng=0), bg.Dropout(0.25, rng=0)
    np.testing.assert_allclose(texts.forward(X), 0.75 * inverted.forward(X), rtol=1e-6)
    assert set(np.unique(texts.backward(X))) == {0.0, 1.0}
    texts.eval()
    assert (texts.forward(X) == 0.75).all()
    assert (texts.backward(2 * X) == 1.5).all()


def test_dropout_of_an_inverted_that_is_no_bool_raises_type_error():
    with pytest.raises(TypeError, match="Dropout: inverted must be True or False; got 1"):
        bg.Dropout(0.5, inverted=1)


def test_dropout_draws_a_new_mask_each_time_from_its_own_generator():
    one, same, other = bg.Dropout(0.5, rng=0), bg.Dropout(0.5, rng=0), bg.Dropout(0.5, rng=1)
    first, second = one.forward(X), one.forward(X)
    assert (first != second).any()
    np.testing.assert_array_equal(same.forward(X), first)
    assert (other.forward(X) != first).any()


def test_dropout_of_a_replica_leaves_the_generator_alone():
    dropout = bg.Dropout(0.5, rng=0)
    before = dropout.rng.bit_generator.state
    dropout.replica().forward(X)
    assert dropout.rng.bit_generator.state == before


@pytest.mark.parametrize("ratio", [1.0, -0.1, 2, True, "half", float("nan")])
def test_dropout_of_a_ratio_out_of_range_raises_value_error(ratio):
    with pytest.raises(ValueError, match="Dropout: ratio must be at least 0 and below 1; got"):
        bg.Dropout(ratio)
