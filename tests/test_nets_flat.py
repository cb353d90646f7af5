"""One vector of parameters and one of gradients: views of them are what layers, nets and users hold."""

import numpy as np
import pytest

import brickgrad as bg


def two_layers(**options):
    return bg.TwoLayerNet(3, 4, 2, 0.5, rng=0, **options)


def test_flat_vectors_hold_every_parameter_and_gradient_in_order_of_the_layers():
    net = two_layers()
    net.loss_and_gradient(np.ones((5, 3), np.float32), np.array([0, 1, 1, 0, 1]))
    assert net.vector.shape == net.grad_vector.shape == (3 * 4 + 4 + 4 * 2 + 2,)
    np.testing.assert_array_equal(net.vector, np.concatenate([p.ravel() for p in net.params.values()]))
    np.testing.assert_array_equal(net.grad_vector, np.concatenate([g.ravel() for g in net.grads.values()]))
    assert np.count_nonzero(net.grads["W2"])


def test_flat_params_and_grads_are_views_of_the_vectors_that_do_not_overlap():
    net = two_layers()
    net.vector[:] = np.arange(len(net.vector))
    net.grad_vector[:] = -np.arange(len(net.vector))
    start = 0
    for name, param in net.params.items():
        expected = np.arange(start, start + param.size).reshape(param.shape)
        np.testing.assert_array_equal(param, expected)
        np.testing.assert_array_equal(net.grads[name], -expected)
        start += param.size
    assert start == len(net.vector)
    assert net.vector.flags.c_contiguous


def test_flat_layers_hold_the_same_views():
    net = two_layers()
    net.vector[:] = 7.0
    net.grad_vector[:] = 5.0
    for leaf in net.graph.leaves():
        for key, param in leaf.params.items():
            assert param.base is net.vector
            assert np.all(param == 7.0)
            assert leaf.grads[key].base is net.grad_vector
            assert np.all(leaf.grads[key] == 5.0)


def test_flat_keeps_the_values_that_the_layers_had():
    first, second = bg.Affine(3, 4, rng=0), bg.Affine(4, 2, rng=1)
    first.forward(np.ones((5, 3), np.float32))
    first.backward(np.ones((5, 4), np.float32))
    expected = {key: (p.copy(), first.grads[key].copy()) for key, p in first.params.items()}
    net = bg.Sequential(first, second)
    for key, (param, grad) in expected.items():
        np.testing.assert_array_equal(net.params[f"affine1.{key}"], param)
        np.testing.assert_array_equal(net.grads[f"affine1.{key}"], grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_vectors_have_the_parameters_dtype(dtype):
    net = two_layers(dtype=dtype)
    assert net.vector.dtype == net.grad_vector.dtype == dtype


def test_flat_of_two_precisions_raises_type_error_naming_net_and_both():
    net = bg.Sequential(bg.Affine(3, 4, dtype=np.float32), bg.Affine(4, 2, dtype=np.float64))
    with pytest.raises(TypeError, match=r"Sequential: all parameters must have one dtype; got float32, float64"):
        net.vector  # noqa: B018  # the attribute is the call


def test_flat_of_a_net_without_parameters_is_empty():
    net = bg.Sequential(bg.ReLU(), bg.Tanh())
    assert net.vector.shape == net.grad_vector.shape == (0,)
    assert dict(net.params) == {}
    assert net.gradient(np.ones((2, 3)), np.array([0, 1])) == {}
    assert net.dtype is None


def test_flat_makes_a_gradient_for_a_parameter_that_has_none_yet():
    class Scale(bg.Layer):
        def __init__(self):
            self.params["k"] = np.full(2, 3.0)

        def forward(self, x):
            self.saved = x
            return x * self.params["k"]

        def backward(self, dy):
            self.grads["k"] = (dy * self.saved).sum(axis=0)
            return dy * self.params["k"]

    net = bg.Sequential(Scale(), loss=bg.MeanSquaredLoss())
    np.testing.assert_array_equal(net.grads["scale1.k"], [0.0, 0.0])
    net.loss_and_gradient(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]))
    np.testing.assert_array_equal(net.grad_vector, [3.0, 12.0])


def test_flat_holds_a_layer_at_two_nodes_once():
    affine = bg.Affine(3, 3, rng=0)
    net = bg.Sequential(affine, bg.ReLU(), affine)
    assert list(net.params) == ["affine1.W", "affine1.b"]
    assert net.vector.shape == (12,)


def test_flat_vectors_stay_the_same_arrays_from_step_to_step():
    net = two_layers()
    vector, grad_vector, W1 = net.vector, net.grad_vector, net.params["W1"]
    for _ in range(2):
        net.loss_and_gradient(np.ones((5, 3), np.float32), np.array([0, 1, 1, 0, 1]))
        net.params["W1"] = np.ones((3, 4))
    assert net.vector is vector
    assert net.grad_vector is grad_vector
    assert net.params["W1"] is W1


def test_flat_of_a_layer_that_moves_into_a_second_net_keeps_both_nets_whole():
    shared = bg.Affine(3, 4, rng=0, name="shared")
    one = bg.Sequential(shared, bg.ReLU(), bg.Affine(4, 2, rng=1))
    assert one.params["shared.W"].base is one.vector
    two = bg.Sequential(shared, bg.Tanh(), bg.Affine(4, 3, rng=2))
    assert two.params["shared.W"].base is two.vector  # it has moved
    two.params["shared.W"] = np.full((3, 4), 2.0)
    np.testing.assert_array_equal(one.params["shared.W"], np.full((3, 4), 2.0))
    one.vector[:] = 3.0  # laid out anew, so that writing to it still reaches all of its layers
    assert all(np.all(p == 3.0) for leaf in one.graph.leaves() for p in leaf.params.values())
    np.testing.assert_array_equal(two.params["shared.W"], np.full((3, 4), 3.0))


@pytest.mark.parametrize("order", [(0,), (1,), (1, 0), (0, 1), (1, 2), (2, 1, 0)], ids=str)
def test_flat_of_layers_taken_from_another_net_is_a_vector_of_just_these_in_this_order(order):
    layers = [bg.Affine(3, 3, rng=i) for i in range(3)]
    first = bg.Sequential(*layers)
    assert len(first.vector) == 36
    second = bg.Sequential(*[layers[i] for i in order])
    np.testing.assert_array_equal(second.vector, np.concatenate([p.ravel() for p in second.params.values()]))
    second.vector[:] = np.arange(len(second.vector))
    for place, i in enumerate(order):
        np.testing.assert_array_equal(layers[i].params["W"].ravel(), np.arange(9) + 12 * place)
        np.testing.assert_array_equal(layers[i].params["b"], np.arange(9, 12) + 12 * place)


def test_flat_of_a_layer_in_two_nets_trains_right_in_turn():
    x, t = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32), np.array([0, 1, 1, 0, 1])

    def run(shared_one, shared_two, head_one, head_two):
        one = bg.Sequential(shared_one, bg.ReLU(), head_one)
        two = bg.Sequential(shared_two, bg.ReLU(), head_two)
        for net in (one, two, one, two):
            if shared_one is not shared_two:  # by hand: hand the weights over
                source = two if net is one else one
                for key, param in source.layers[0].params.items():
                    net.layers[0].params[key] = param
            net.loss_and_gradient(x, t)
            for name, param in net.params.items():
                param -= 0.1 * net.grads[name]
        return {key: param.copy() for key, param in two.layers[0].params.items()}

    shared = bg.Affine(3, 4, rng=0)
    together = run(shared, shared, bg.Affine(4, 2, rng=1), bg.Affine(4, 2, rng=2))
    apart = run(bg.Affine(3, 4, rng=0), bg.Affine(3, 4, rng=0), bg.Affine(4, 2, rng=1), bg.Affine(4, 2, rng=2))
    for key, param in together.items():
        np.testing.assert_array_equal(param, apart[key])
