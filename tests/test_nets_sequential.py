"""Sequential: layers in a row, sized at once or by the first batch."""

import numpy as np
import pytest

import brickgrad as bg

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
T = np.array([0, 1, 1, 0, 1])


def test_sequential_gives_what_its_layers_give_one_after_the_other():
    layers = bg.Affine(3, 4, rng=0), bg.Tanh(), bg.Affine(4, 2, rng=1)
    net = bg.Sequential(*layers)
    y = X
    for layer in layers:
        y = layer.forward(y)
    np.testing.assert_array_equal(net.predict(X), y)
    assert net.layers == layers


def test_sequential_gradient_is_that_of_its_layers_run_back_by_hand():
    net = bg.Sequential(bg.Affine(3, 4, rng=0), bg.Tanh(), bg.Affine(4, 2, rng=1))
    found = net.gradient(X, T)
    first, tanh, second, loss = bg.Affine(3, 4, rng=0), bg.Tanh(), bg.Affine(4, 2, rng=1), bg.SoftmaxWithLoss()
    assert net.loss(X, T) == loss.forward(second.forward(tanh.forward(first.forward(X))), T)
    first.backward(tanh.backward(second.backward(loss.backward(1.0)[0])))
    for name, layer in (("affine1", first), ("affine2", second)):
        for key in ("W", "b"):
            np.testing.assert_array_equal(found[f"{name}.{key}"], layer.grads[key])


def test_sequential_lazily_sized_says_so_until_its_first_batch():
    net = bg.Sequential(bg.Affine(4, rng=0), bg.ReLU(), bg.Affine(2, rng=1, name="head"))
    for attribute in ("params", "grads", "vector", "grad_vector"):
        with pytest.raises(RuntimeError, match=r"Sequential: Affine\[affine1\] has no size yet.*Affine\(784, 50\)"):
            getattr(net, attribute)
    assert net.dtype is None
    net.predict(X)
    assert {name: p.shape for name, p in net.params.items()} == {
        "affine1.W": (3, 4),
        "affine1.b": (4,),
        "head.W": (4, 2),
        "head.b": (2,),
    }
    assert net.dtype == np.float32


@pytest.mark.parametrize("run", ["loss", "gradient", "accuracy", "loss_and_gradient", "numerical_gradient"])
def test_sequential_lazily_sized_runs_at_once(run):
    lazy = bg.Sequential(bg.Affine(4, rng=0), bg.ReLU(), bg.Affine(2, rng=1))
    fixed = bg.Sequential(bg.Affine(3, 4, rng=0), bg.ReLU(), bg.Affine(4, 2, rng=1))
    found, expected = getattr(lazy, run)(X, T), getattr(fixed, run)(X, T)
    if isinstance(found, dict):
        assert list(found) == list(expected)
        for name, gradient in found.items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-6, atol=1e-8)
    else:
        assert found == expected


def test_sequential_of_a_first_layer_with_its_width_is_sized_at_once():
    net = bg.Sequential(bg.Affine(3, 4, rng=0), bg.ReLU(), bg.Affine(2, rng=1))
    assert net.params["affine2.W"].shape == (4, 2)
    with pytest.raises(ValueError, match=r"input x must be \(N, 3\); got \(5, 4\)"):
        net.predict(np.ones((5, 4), np.float32))


def test_sequential_told_its_input_shape_is_sized_at_once():
    net = bg.Sequential(bg.Flatten(), bg.Affine(4, rng=0), input_shape=(1, 2, 3))
    assert net.params["affine1.W"].shape == (6, 4)
    assert net.predict(np.ones((5, 1, 2, 3), np.float32)).shape == (5, 4)
    with pytest.raises(ValueError, match=r"input x must be \(N, 1, 2, 3\); got \(5, 6\)"):
        net.predict(np.ones((5, 6), np.float32))


def test_sequential_of_a_graph_as_a_layer_runs_it():
    x = bg.Input("x")
    block = bg.Graph(x, bg.Affine(3, 3, rng=0, name="enc")(x) + x, name="block")
    net = bg.Sequential(block, bg.Affine(3, 2, rng=1))
    assert list(net.params) == ["block.enc.W", "block.enc.b", "affine1.W", "affine1.b"]
    W, b = net.params["block.enc.W"], net.params["block.enc.b"]
    expected = (X @ W + b + X) @ net.params["affine1.W"] + net.params["affine1.b"]
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-6)


def test_sequential_of_a_table_first_takes_integers():
    class Lookup(bg.Layer):
        integer_inputs = ("i",)

        def __init__(self):
            self.add_param("table", np.arange(6.0).reshape(3, 2))

        def forward(self, i):
            self.saved = i
            return self.params["table"][i]

        def backward(self, dy):
            self.grads["table"] = np.zeros((3, 2))
            np.add.at(self.grads["table"], self.saved, dy)

    net = bg.Sequential(Lookup(), loss=bg.MeanSquaredLoss())
    np.testing.assert_array_equal(net.predict(np.array([2, 0])), [[4.0, 5.0], [0.0, 1.0]])
    gradient = net.gradient(np.array([2, 2]), np.zeros((2, 2)))
    np.testing.assert_array_equal(gradient["lookup1.table"], [[0, 0], [0, 0], [4, 5]])


def test_sequential_of_one_layer_works():
    net = bg.Sequential(bg.Affine(3, 2, rng=0))
    np.testing.assert_array_equal(net.predict(X), bg.Affine(3, 2, rng=0).forward(X))


def test_sequential_of_nothing_raises_value_error():
    with pytest.raises(ValueError, match=r"Sequential: needs at least one layer; got none"):
        bg.Sequential()


@pytest.mark.parametrize("thing", [bg.ReLU, "relu", np.ones(3), None, [bg.ReLU()]])
def test_sequential_of_something_that_is_no_layer_raises_type_error_saying_what_came(thing):
    with pytest.raises(TypeError, match=r"Sequential: takes layers, such as ReLU\(\); got "):
        bg.Sequential(bg.Affine(3, 2), thing)


@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, "softmax", 3], ids=str)
def test_sequential_with_a_loss_that_is_no_layer_raises_type_error_saying_so(loss):
    with pytest.raises(TypeError, match=r"Sequential.*loss"):
        bg.Sequential(bg.Affine(3, 2), loss=loss)


def test_sequential_of_widths_that_do_not_fit_raises_value_error_at_build():
    with pytest.raises(
        ValueError, match=r"(?s)test_nets_sequential\.py:\d+\) needs \(N, 5\); Affine .* gives \(N, 4\).*\(5, 2\)"
    ):
        bg.Sequential(bg.Affine(3, 4), bg.Affine(5, 2))


def test_sequential_of_two_layers_of_one_name_raises_value_error():
    with pytest.raises(ValueError, match="'same'"):
        bg.Sequential(bg.Affine(3, 4, name="same"), bg.Affine(4, 2, name="same"))


def test_sequential_replica_has_layers_of_its_own():
    net = bg.Sequential(bg.Affine(3, 2, rng=0))
    twin = net.replica(np.float64)
    assert twin.layers[0].params["W"].dtype == np.float64
    assert net.layers[0].params["W"].dtype == np.float32
