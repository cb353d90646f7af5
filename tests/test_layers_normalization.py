"""Normalization: running statistics, the two modes, offsets, errors."""

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)) * 2 + 5


def test_batch_normalization_gives_mean_beta_and_deviation_gamma():
    norm = bg.BatchNormalization(3, eps=0.0, dtype=np.float64)
    norm.params["gamma"], norm.params["beta"] = [2.0, 3.0, 4.0], [-1.0, 0.0, 1.0]
    y = norm.forward(X)
    np.testing.assert_allclose(y.mean(axis=0), [-1.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [2.0, 3.0, 4.0], rtol=1e-12)


def test_batch_normalization_of_images_has_one_gamma_a_channel():
    norm = bg.BatchNormalization()
    y = norm.forward(RNG.normal(size=(4, 3, 5, 6)))
    assert norm.params["gamma"].shape == (3,)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-12)


def test_running_statistics_follow_the_batches_and_serve_in_inference():
    norm = bg.BatchNormalization(3, momentum=0.75, dtype=np.float64)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(3):
        norm.forward(X)
        mean = 0.75 * mean + 0.25 * X.mean(axis=0)
        variance = 0.75 * variance + 0.25 * X.var(axis=0, ddof=1)
    np.testing.assert_allclose(norm.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(norm.running_var, variance, rtol=1e-12)
    norm.eval()
    np.testing.assert_allclose(norm.forward(X[:1]), (X[:1] - mean) / np.sqrt(variance + 1e-5), rtol=1e-12)


def test_running_statistics_stay_as_they_are_where_nothing_is_learned():
    norm = bg.BatchNormalization(3, dtype=np.float64)
    norm.forward(X)
    before = norm.running_mean.copy(), norm.running_var.copy()
    with norm.frozen():
        norm.forward(X + 1)
    bg.gradcheck(norm, X)
    norm.forward(X[:0])
    norm.replica().forward(X + 1)
    norm.eval()
    norm.forward(X + 1)
    np.testing.assert_array_equal((norm.running_mean, norm.running_var), before)


def test_batch_normalization_far_from_zero_keeps_its_digits_in_float32():
    near = RNG.normal(size=(64, 3))
    y = bg.BatchNormalization(3).forward((near + 1e4).astype(np.float32))
    expected = bg.BatchNormalization(3).forward((near + 1e4).astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_batch_normalization_of_one_value_a_channel_is_refused_in_training_alone(shape):
    norm = bg.BatchNormalization(3, name="n")
    with pytest.raises(ValueError, match=r"BatchNormalization\[n\]\.forward: in training each channel needs"):
        norm.forward(np.ones(shape))
    norm.eval()
    assert np.isfinite(norm.forward(np.ones(shape))).all()


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((4, 5), r"x must be \(N, 3\) to match gamma; got \(4, 5\)"),
        ((4, 5, 2, 2), r"x must be \(N, 3, H, W\) to match gamma; got \(4, 5, 2, 2\)"),
        ((3,), r"x must be \(N, size\) or \(N, size, H, W\); got \(3,\)"),
    ],
)
def test_batch_normalization_of_other_channels_raises_value_error(shape, text):
    with pytest.raises(ValueError, match=text):
        bg.BatchNormalization(3).forward(np.ones(shape))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"momentum": 1.5}, r"momentum must be in 0\.\.1; got 1\.5"),
        ({"momentum": "0.9"}, r"momentum must be in 0\.\.1; got '0\.9'"),
        ({"eps": -1e-5}, "eps must be a number of 0 or more; got -1e-05"),
        ({"eps": True}, "eps must be a number of 0 or more; got True"),
    ],
    ids=str,
)
def test_batch_normalization_of_bad_settings_raises_value_error(options, text):
    with pytest.raises(ValueError, match=text):
        bg.BatchNormalization(3, **options)


def test_batch_normalization_settings_of_numpys_numbers_are_numbers():
    layer = bg.BatchNormalization(3, momentum=np.float32(0.5), eps=np.float32(0.25))
    assert (layer.momentum, layer.eps) == (0.5, 0.25)


def test_normalization_of_bad_size_raises_value_error():
    with pytest.raises(ValueError, match=r"LayerNormalization: takes one size of at least 1, or none; got \(0,\)"):
        bg.LayerNormalization(0)


def test_layer_normalization_looks_at_each_sample_alone():
    norm = bg.LayerNormalization()
    y = norm.forward(X)
    np.testing.assert_array_equal(norm.forward(X[2:3]), y[2:3])
    np.testing.assert_allclose(y.mean(axis=1), np.zeros(8), atol=1e-12)


def test_layer_normalization_of_another_width_raises_value_error():
    with pytest.raises(ValueError, match=r"x must be \(\.\.\., 4\) to match gamma; got \(8, 3\)"):
        bg.LayerNormalization(4).forward(X)


@pytest.mark.parametrize("kind", [bg.BatchNormalization, bg.LayerNormalization])
def test_normalization_of_large_float16_neither_overflows_nor_loses_its_digits(kind):
    x = (20_000 * RNG.normal(size=(6, 40)).clip(-3, 3)).astype(np.float16)
    dy = RNG.normal(size=x.shape).astype(np.float16)
    half, exact = kind(40), kind(40, dtype=np.float64)
    y, expected = half.forward(x), exact.forward(x.astype(np.float64))
    dx, d_expected = half.backward(np.float16(2000) * dy), exact.backward(2000 * dy.astype(np.float64))
    assert y.dtype == dx.dtype == np.float16
    np.testing.assert_allclose(y, expected, rtol=2**-10, atol=2**-11)
    np.testing.assert_allclose(dx, d_expected, rtol=2**-10, atol=2**-11 * np.abs(d_expected).max())
    np.testing.assert_allclose(half.grads["gamma"], exact.grads["gamma"], rtol=2**-9, atol=4)
