"""Faults that the code of the field's texts has, and that readers carry over: none of them is here."""

import ast
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(50, 6)), RNG.integers(0, 3, 50)


def small_net(**options):
    return bg.MultiLayerNet(6, [8], 3, rng=0, dtype=np.float64, **options)


def test_one_layer_object_used_twice_adds_up_what_both_uses_ask_for():
    layer = bg.Affine(6, 6, rng=0, dtype=np.float64)
    x = bg.Input("x", (6,))
    graph = bg.Graph(x, layer(layer(x)))
    graph.forward(X[:2])
    graph.backward(np.ones((2, 6)))
    W = layer.params["W"]
    once = X[:2] @ W + layer.params["b"]
    np.testing.assert_allclose(layer.grads["W"], once.T @ np.ones((2, 6)) + X[:2].T @ (np.ones((2, 6)) @ W.T))


def test_relu_leaves_dout_alone_so_that_a_residual_branch_gets_the_right_gradient():
    x = bg.Input("x", (2,))
    graph = bg.Graph(x, bg.ReLU()(x) + x)
    graph.forward(np.array([[-1.0, 1.0]]))
    dout = np.array([[5.0, 7.0]])
    np.testing.assert_array_equal(graph.backward(dout), [[5.0, 14.0]])
    np.testing.assert_array_equal(dout, [[5.0, 7.0]])


@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, bg.SigmoidWithLoss, bg.MeanSquaredLoss])
def test_loss_heeds_dout(loss):
    layer = loss()
    scores, t = np.array([[1.0, -2.0]]), np.array([[1.0, 0.0]])
    layer.forward(scores, t)
    whole = layer.backward(1.0)
    whole = whole[0] if isinstance(whole, tuple) else whole
    layer.forward(scores, t)
    tenth = layer.backward(0.1)
    tenth = tenth[0] if isinstance(tenth, tuple) else tenth
    np.testing.assert_allclose(tenth, 0.1 * whole)
    assert np.abs(whole).max() > 0


@pytest.mark.parametrize("make", [bg.SimpleConvNet, bg.DeepConvNet, bg.ResNet])
def test_half_precision_is_float16_on_every_edge(make):
    net = make(rng=0).replica(np.float16)
    net.eval()
    found = []
    for leaf in net.body.leaves():
        leaf.forward = lambda *inputs, forward=leaf.forward: found.append(inputs) or forward(*inputs)
    scores = net.predict(np.zeros((1, 1, 28, 28), np.float16))
    assert {x.dtype for inputs in found for x in inputs} | {scores.dtype} == {np.dtype(np.float16)}
    assert len(found) == len(net.body.leaves())


def test_accuracy_counts_the_last_partial_batch():
    net = small_net()
    right = net.predict(X).argmax(axis=1)
    assert net.accuracy(X, right, batch_size=100) == 1.0
    right[-1] = (right[-1] + 1) % 3
    assert net.accuracy(X, right, batch_size=49) == 49 / 50


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_trainer_records_every_epoch_where_the_batch_does_not_divide_the_data(sampling):
    trainer = bg.Trainer(small_net(), bg.SGD(), batch_size=7, epochs=20, sampling=sampling, progress=False)
    history = trainer.fit(X, T, X, T)
    assert len(history.train_accuracies) == len(history.test_accuracies) == 20
    assert len(history.losses) == 20 * 8


def test_padded_max_pooling_works_and_padding_is_never_the_largest():
    pool = bg.MaxPooling(2, stride=1, pad=1)
    y = pool.forward(-np.ones((1, 2, 3, 3)))
    np.testing.assert_array_equal(y, -np.ones((1, 2, 4, 4)))
    assert pool.backward(np.ones(y.shape)).sum() == y.size


def test_batch_normalization_of_images_has_one_gamma_a_channel():
    layer = bg.BatchNormalization()
    y = layer.forward(RNG.normal(3.0, 2.0, (4, 5, 6, 7)))
    assert layer.params["gamma"].shape == layer.params["beta"].shape == (5,)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)


def test_sigmoid_of_large_inputs_warns_of_nothing():
    x = np.array([-1e4, -750.0, 750.0, 1e4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (bg.sigmoid(x), bg.Sigmoid().forward(x), bg.sigmoid(x.astype(np.float32))):
            np.testing.assert_array_equal(value, [0, 0, 1, 1])


def test_gradient_check_of_batch_normalization_at_batch_size_1_proves_nothing_and_says_so():
    layer = bg.BatchNormalization(4)
    with pytest.raises(ValueError, match="in training each channel needs at least two values"):
        bg.gradcheck(layer, np.ones((1, 4)), rng=0)
    assert bg.gradcheck(layer, RNG.normal(size=(5, 4)), rng=0)


def test_a_seed_repeats_everything_that_is_random():
    def run(seed):
        net = small_net(dropout_ratio=0.3)
        bg.Trainer(net, bg.SGD(), batch_size=7, epochs=2, seed=seed, progress=False).fit(X, T)
        return net.vector.tobytes()

    assert run(1) == run(1) != run(2)


def test_nothing_in_the_package_reads_or_writes_pickles():
    parts = ("layers", "files", "graph", "drawing", "checker", "nets", "trainers", "datasets")
    packages = [bg, *(importlib.import_module(f"brickgrad.{part}") for part in parts)]
    files = [file for package in packages for file in Path(package.__path__[0]).glob("*.py")]
    assert len(files) > 50
    for file in files:
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not names & {"pickle", "shelve", "dill", "joblib"}, file


def test_softmax_of_a_batch_takes_each_row_by_itself():
    rows = np.array([[0.3, 2.9, 4.0], [1000.0, 1000.0, 1000.0]])
    np.testing.assert_allclose(bg.softmax(rows)[0], bg.softmax(rows[0]))
    np.testing.assert_allclose(bg.softmax(rows)[1], [1 / 3] * 3)
    np.testing.assert_allclose(bg.Softmax().forward(rows).sum(axis=1), 1)
