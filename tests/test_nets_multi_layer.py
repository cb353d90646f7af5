"""TwoLayerNet and MultiLayerNet: the texts' names, shapes, weight decay and gradients."""

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5))
T = np.array([0, 1, 2, 0, 2, 1])


def test_two_layer_net_has_the_texts_names_shapes_and_deviations():
    net = bg.TwoLayerNet(784, 50, 10, rng=0)
    shapes = {name: param.shape for name, param in net.params.items()}
    assert shapes == {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
    assert net.params["W1"].std() == pytest.approx(0.01, rel=0.02)  # 39,200 draws: 4 standard errors
    np.testing.assert_array_equal(net.params["b1"], np.zeros(50))
    assert {param.dtype for param in net.params.values()} == {np.dtype(np.float32)}


def test_two_layer_net_takes_the_deviation_by_place_as_in_the_texts():
    net = bg.TwoLayerNet(100, 50, 10, 0.5, rng=0)
    assert net.params["W1"].std() == pytest.approx(0.5, rel=0.05)


def test_two_layer_net_takes_the_texts_keywords():
    net = bg.TwoLayerNet(input_size=5, hidden_size=4, output_size=3, weight_init_std=0.1)
    assert net.predict(X).shape == (6, 3)


@pytest.mark.parametrize(
    ("activation", "f"),
    [
        ("relu", lambda a: np.maximum(a, 0)),
        ("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
        ("tanh", np.tanh),
        ("identity", lambda a: a),
    ],
)
def test_net_scores_are_those_written_out(activation, f):
    net = bg.MultiLayerNet(5, [4, 7], 3, activation, rng=0, dtype=np.float64)
    p = net.params
    h = f(f(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
    np.testing.assert_allclose(net.predict(X), h @ p["W3"] + p["b3"], rtol=1e-12, atol=1e-14)


def test_net_without_hidden_layers_is_one_affine_layer():
    net = bg.MultiLayerNet(5, [], 3, rng=0, dtype=np.float64)
    assert list(net.params) == ["W1", "b1"]
    np.testing.assert_allclose(net.predict(X), X @ net.params["W1"], rtol=1e-12, atol=1e-14)


def test_net_of_many_layers_numbers_them_all():
    net = bg.MultiLayerNet(2, [2] * 10, 2, rng=0)
    assert list(net.params) == [f"{kind}{i}" for i in range(1, 12) for kind in "Wb"]
    assert list(net.grads) == list(net.params)


@pytest.mark.parametrize(
    ("activation", "gain"),
    [("relu", 2), ("sigmoid", 1), ("tanh", 1), ("identity", 1), ("leaky-relu", 2), ("elu", 2), ("gelu", 2)],
)
def test_net_draws_first_weights_as_suits_its_activation(activation, gain):
    net = bg.MultiLayerNet(400, [100], 3, activation, rng=0)
    assert net.params["W1"].std() == pytest.approx(np.sqrt(gain / 400), rel=0.02)  # 40,000 draws
    assert net.params["W2"].std() == pytest.approx(np.sqrt(gain / 100), rel=0.15)  # 300 draws


@pytest.mark.parametrize(("init", "deviation"), [(0.3, 0.3), ("xavier", 0.05), ("he", np.sqrt(2) / 20), (0, 0)])
def test_net_draws_first_weights_of_the_deviation_it_is_told(init, deviation):
    net = bg.MultiLayerNet(400, [100], 3, weight_init_std=init, rng=0)
    assert net.params["W1"].std() == pytest.approx(deviation, rel=0.02)


def test_net_same_seed_gives_the_same_weights_in_both_precisions_and_another_does_not():
    single, double = (bg.TwoLayerNet(5, 4, 3, rng=7, dtype=dtype) for dtype in (np.float32, np.float64))
    np.testing.assert_array_equal(single.vector, double.vector.astype(np.float32))
    assert np.any(bg.TwoLayerNet(5, 4, 3, rng=8).vector != single.vector)
    layers = double.params["W1"][:4, :3].ravel(), double.params["W2"].ravel()
    assert np.all(layers[0] != layers[1])  # one generator for all layers, not one seed for each


def test_net_params_written_reach_the_layers():
    net = bg.TwoLayerNet(5, 4, 3, rng=0, dtype=np.float64)
    for name in net.params:
        net.params[name] = np.zeros_like(net.params[name])
    net.params["b2"] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(net.predict(X), np.tile([1.0, 2.0, 3.0], (6, 1)))
    assert net.layers[2].params["b"][2] == 3.0


def test_net_gradient_of_the_texts_two_layers_is_that_written_out():
    net = bg.TwoLayerNet(5, 4, 3, 0.5, activation="sigmoid", rng=0, dtype=np.float64)
    p, g = net.params, net.gradient(X, T)
    z = 1 / (1 + np.exp(-(X @ p["W1"] + p["b1"])))
    scores = z @ p["W2"] + p["b2"]
    y = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    dy = (y - np.eye(3)[T]) / 6
    da = dy @ p["W2"].T * z * (1 - z)
    for name, expected in {"W1": X.T @ da, "b1": da.sum(0), "W2": z.T @ dy, "b2": dy.sum(0)}.items():
        np.testing.assert_allclose(g[name], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "identity"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_net_gradient_agrees_with_the_numerical_one(activation, decay):
    net = bg.MultiLayerNet(5, [4, 3], 3, activation, weight_decay_lambda=decay, rng=0, dtype=np.float64)
    net.vector[:] += 0.1 * np.random.default_rng(1).normal(size=net.vector.shape)  # biases away from 0
    gradient, numerical = net.gradient(X, T), net.numerical_gradient(X, T)
    assert list(gradient) == list(numerical) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for name, value in gradient.items():
        assert np.mean(np.abs(value - numerical[name])) < 1e-9


def test_net_weight_decay_adds_half_lambda_times_the_squared_weights_to_the_loss():
    plain, decayed = (
        bg.MultiLayerNet(5, [4], 3, weight_decay_lambda=decay, rng=0, dtype=np.float64) for decay in (0, 0.3)
    )
    for net in (plain, decayed):
        net.params["b1"] = [1.0, 2.0, 3.0, 4.0]
    squares = sum(w**2 for name in ("W1", "W2") for w in plain.params[name].flat)
    assert decayed.loss(X, T) == pytest.approx(plain.loss(X, T) + 0.5 * 0.3 * squares, rel=1e-12)
    assert decayed.loss_and_gradient(X, T) == decayed.loss(X, T)
    expected, found = plain.gradient(X, T), decayed.gradient(X, T)
    for name in ("W1", "W2"):
        np.testing.assert_allclose(found[name], expected[name] + 0.3 * plain.params[name], rtol=1e-12, atol=1e-14)
    for name in ("b1", "b2"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_net_weight_decay_counts_once_in_each_of_two_gradients():
    net = bg.MultiLayerNet(5, [4], 3, weight_decay_lambda=0.3, rng=0)
    x = X.astype(np.float32)
    first = net.gradient(x, T)
    for name, gradient in net.gradient(x, T).items():
        np.testing.assert_array_equal(gradient, first[name])
        assert gradient.dtype == np.float32


def test_net_weight_decay_changes_neither_predict_nor_accuracy():
    plain, decayed = (bg.MultiLayerNet(5, [4], 3, weight_decay_lambda=decay, rng=0) for decay in (0, 10.0))
    x = X.astype(np.float32)
    np.testing.assert_array_equal(decayed.predict(x), plain.predict(x))
    assert decayed.accuracy(x, T) == plain.accuracy(x, T)


def test_net_summary_counts_the_parameters_of_the_texts_net():
    assert bg.TwoLayerNet(784, 50, 10).summary().splitlines()[-1].split() == ["total", "39,760", "39,700", "440"]


@pytest.mark.parametrize("activation", ["Relu", "softmax", "", None])
def test_net_of_an_unknown_activation_raises_value_error_listing_those_there_are(activation):
    with pytest.raises(
        ValueError, match=r"Net: activation must be one of relu, sigmoid, tanh, identity, leaky-relu, .*, gelu; got "
    ):
        bg.MultiLayerNet(5, [4], 3, activation)
    with pytest.raises(ValueError, match=r"TwoLayerNet: activation must be"):
        bg.TwoLayerNet(5, 4, 3, activation=activation)


@pytest.mark.parametrize("sizes", [(0, [4], 3), (5, [0], 3), (5, [4], 0), (-5, [4], 3), (5, [4.5], 3), (5, [4, -1], 3)])
def test_net_of_a_size_below_1_raises_value_error_with_the_sizes(sizes):
    with pytest.raises(ValueError, match=r"sizes must be \(n_in, n_out\).*each at least 1; got"):
        bg.MultiLayerNet(*sizes)


@pytest.mark.parametrize("sizes", [50, "50", None, {50}])
def test_net_of_hidden_sizes_that_are_no_list_raises_type_error_saying_what_came(sizes):
    with pytest.raises(TypeError, match=r"MultiLayerNet: hidden_size_list must be a list of sizes.*got") as caught:
        bg.MultiLayerNet(5, sizes, 3)
    assert repr(sizes) in str(caught.value)


@pytest.mark.parametrize("decay", [-0.1, float("inf"), float("nan"), "0.1", None])
def test_net_of_a_decay_out_of_range_raises_value_error_naming_it(decay):
    with pytest.raises(ValueError, match=rf"MultiLayerNet: weight_decay_lambda must be 0 or more; got {decay!r}"):
        bg.MultiLayerNet(5, [4], 3, weight_decay_lambda=decay)


@pytest.mark.parametrize("init", ["glorot", -0.1, float("nan")])
def test_net_of_first_weights_that_cannot_be_drawn_raises_value_error(init):
    with pytest.raises(ValueError, match="init must be"):
        bg.MultiLayerNet(5, [4], 3, weight_init_std=init)


def test_net_given_images_says_to_flatten_them():
    net = bg.TwoLayerNet(784, 5, 10)
    with pytest.raises(ValueError, match=r"TwoLayerNet.*input x must be \(N, 784\); got \(3, 1, 28, 28\)\. Flatten"):
        net.predict(np.zeros((3, 1, 28, 28), np.float32))


def test_net_with_batch_normalization_and_dropout_has_them_in_the_texts_order():
    net = bg.MultiLayerNet(5, [4, 7], 3, use_batchnorm=True, dropout_ratio=0.2, rng=0)
    names = [type(layer).__name__ for layer in net.layers]
    hidden = ["Affine", "BatchNormalization", "ReLU", "Dropout"]
    assert names == [*hidden, *hidden, "Affine"]
    assert list(net.params)[:4] == ["W1", "b1", "gamma1", "beta1"]


def test_net_with_batch_normalization_and_dropout_learns_and_is_sure_in_inference():
    net = bg.MultiLayerNet(5, [20], 3, use_batchnorm=True, dropout_ratio=0.3, rng=0, dtype=np.float64)
    optimizer = bg.Adam(0.01)
    for _ in range(200):
        optimizer.update(net.params, net.gradient(X, T))
    assert net.accuracy(X, T) == 1.0
    np.testing.assert_array_equal(net.predict(X), net.predict(X))


def test_net_with_dropout_decays_weights_alone():
    plain = bg.MultiLayerNet(5, [4], 3, use_batchnorm=True, rng=0, dtype=np.float64)
    decayed = bg.MultiLayerNet(5, [4], 3, weight_decay_lambda=0.1, use_batchnorm=True, rng=0, dtype=np.float64)
    for name, gradient in decayed.gradient(X, T).items():
        more = 0.1 * decayed.params[name] if name.startswith("W") else 0.0
        np.testing.assert_allclose(gradient, plain.gradient(X, T)[name] + more, rtol=1e-12, atol=1e-14)


def test_net_with_dropout_ratio_out_of_range_raises_value_error():
    with pytest.raises(ValueError, match=r"Dropout: ratio must be at least 0 and below 1; got 1\.5"):
        bg.MultiLayerNet(5, [4], 3, dropout_ratio=1.5)


@pytest.mark.parametrize("options", [{}, {"use_batchnorm": True}, {"dropout_ratio": 0.3}], ids=str)
def test_net_with_what_was_added_passes_gradcheck(options):
    net = bg.MultiLayerNet(5, [4], 3, rng=0, **options)
    assert bg.gradcheck(net, X, T, rng=0).passed
