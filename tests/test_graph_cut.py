"""Parts of graphs, on the same layers."""

import numpy as np
import pytest

import brickgrad as bg

X = np.random.default_rng(0).normal(size=(5, 4))


def autoencoder():
    x = bg.Input("x", (4,))
    code = bg.Tanh(name="code")(bg.Affine(4, 2, name="encoder", rng=0)(x))
    return bg.Graph(x, bg.Affine(2, 4, name="decoder", rng=1)(code * 2 + 1)), x, code


def test_parts_run_one_after_another_give_what_the_whole_gives():
    whole, x, code = autoencoder()
    front, back = whole.subgraph(x, code), whole.subgraph(code, whole.outputs[0])
    np.testing.assert_array_equal(back.forward(front.forward(X)), whole.forward(X))
    dy = np.ones((5, 4))
    np.testing.assert_array_equal(front.backward(back.backward(dy)), whole.backward(dy))


def test_parts_share_the_parameters():
    whole, *_ = autoencoder()
    back = whole.subgraph("code", "decoder")
    assert list(back.params) == ["decoder.W", "decoder.b"]
    back.params["decoder.W"] = np.zeros((2, 4))
    assert not whole.params["decoder.W"].any()


def test_layers_without_a_name_keep_the_one_they_have_in_the_whole():
    x = bg.Input("x", (4,))
    h = bg.Affine(4, 3, rng=0)(x)
    whole = bg.Graph(x, bg.Affine(3, 2, rng=0)(bg.ReLU()(h)))
    assert list(whole.subgraph(h, "affine2").params) == ["affine2.W", "affine2.b"]


def test_several_inputs_and_outputs_and_skips():
    x, y = bg.Input("x"), bg.Input("y")
    p, q = x * y, x + y
    whole = bg.Graph([x, y], p * q + p)
    part = whole.subgraph([p, q], [whole.outputs[0]])
    assert part.forward(6.0, 5.0) == (36.0,)
    assert part.input_names == ("mul1", "add1")
    assert whole.subgraph([x, y], [p, q]).forward(2.0, 3.0) == (6.0, 5.0)


def test_a_net_gives_its_features_and_trains_on():
    net = bg.TwoLayerNet(4, 3, 2, rng=0)
    features = net.subgraph("x", "relu1")
    assert features.forward(X.astype(np.float32)).shape == (5, 3)
    bg.Trainer(net, bg.SGD(lr=0.5), epochs=1, progress=False).fit(X.astype(np.float32), np.array([0, 1, 0, 1, 0]))
    h = X.astype(np.float32) @ net.params["W1"] + net.params["b1"]
    np.testing.assert_allclose(features.forward(X.astype(np.float32)), np.maximum(h, 0), rtol=1e-6)


def test_what_is_not_there_or_missing_raises_value_error():
    whole, x, _ = autoencoder()
    other = bg.Input("other")
    with pytest.raises(ValueError, match="is not a node of this graph"):
        whole.subgraph(other, "decoder")
    with pytest.raises(ValueError, match="'head' is none of x, encoder, code, mul1, add1, decoder"):
        whole.subgraph("x", "head")
    with pytest.raises(ValueError, match="reaches no output"):
        whole.subgraph(["x", "decoder"], "encoder")
    shared = bg.Affine(4, 4, name="same")
    twice = bg.Graph(x, shared(shared(x)))
    with pytest.raises(ValueError, match="'same' stands at several places: give the node"):
        twice.subgraph("x", "same")
    a, b = bg.Input("a"), bg.Input("b")
    with pytest.raises(ValueError, match=r"Input\[b\] .* is not among the graph's inputs"):
        bg.Graph([a, b], a * b).subgraph("a", "mul1")


def test_outputs_of_one_layer_and_uses_of_one_layer_may_all_be_inputs():
    x = bg.Input("x", (4,))
    a, b = bg.Split(2, name="s")(x)
    out = bg.Tanh()(a) * bg.Sigmoid()(b)
    part = bg.Graph(x, out).subgraph([a, b], out)
    assert part.input_names == ("s[0]", "s[1]")
    shared = bg.Tanh(name="t")
    first = shared(x)
    second = shared(first)
    part = bg.Graph(x, first + second).subgraph([first, second], "add1")
    assert part.input_names == ("t (use 1)", "t (use 2)")
    assert part.forward(np.ones(4), np.ones(4)).tolist() == [2.0] * 4
