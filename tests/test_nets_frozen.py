"""Parameters that are frozen stay as they are, bit for bit, whatever the optimizer; and learn on when they are not."""

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(30, 4)).astype(np.float32), RNG.integers(0, 2, 30)
OPTIMIZERS = {
    "SGD": lambda: bg.SGD(lr=0.1),
    "Momentum and decay": lambda: bg.Momentum(lr=0.1, weight_decay=0.1),
    "Adam and clipping": lambda: bg.Adam(lr=0.1, clip_norm=0.5),
    "AdamW": lambda: bg.AdamW(lr=0.1, weight_decay=0.5),
}


def net():
    body = bg.Affine(4, 3, name="body", rng=0)
    return bg.Sequential(body, bg.ReLU(), bg.Affine(3, 2, name="head", rng=1)), body


def fit(model, optimizer, epochs=2, **options):
    trainer = bg.Trainer(model, optimizer, batch_size=10, epochs=epochs, progress=False, **options)
    trainer.fit(X, T)
    return trainer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_parameters_stay_and_the_others_move(name):
    model, body = net()
    optimizer = OPTIMIZERS[name]()
    fit(model, optimizer)  # so that the optimizer has a momentum to carry them on
    body.trainable = False
    before = {key: param.copy() for key, param in model.params.items()}
    fit(model, optimizer)
    for key, param in model.params.items():
        assert (param.tobytes() == before[key].tobytes()) == key.startswith("body")
    body.trainable = True
    fit(model, optimizer)
    assert model.params["body.W"].tobytes() != before["body.W"].tobytes()


def test_a_graph_inside_is_frozen_as_a_whole():
    u, x = bg.Input("u", (4,)), bg.Input("x", (4,))
    encoder = bg.Graph(u, bg.Tanh()(bg.Affine(4, 3, rng=0)(u)), name="encoder")
    model = bg.Net(x, bg.Affine(3, 2, rng=1, name="head")(encoder(x)))
    assert encoder.trainable
    encoder.trainable = False
    assert not encoder.trainable
    assert list(model.trained) == ["head.W", "head.b"]
    before = encoder.params["affine1.W"].copy()
    fit(model, bg.Adam(lr=0.1))
    np.testing.assert_array_equal(encoder.params["affine1.W"], before)


def test_nets_of_the_texts_freeze_under_their_own_names():
    model = bg.TwoLayerNet(4, 3, 2, rng=0)
    model.layers[0].trainable = False
    assert list(model.trained) == ["W2", "b2"]
    assert list(model.params) == ["W1", "b1", "W2", "b2"]


def test_frozen_parameters_have_gradients_all_the_same():
    model, body = net()
    expected = model.gradient(X, T)
    body.trainable = False
    for key, gradient in model.gradient(X, T).items():
        np.testing.assert_array_equal(gradient, expected[key])
    assert bg.gradcheck(model.graph, X[:3].astype(np.float64), T[:3], rng=0)


def test_a_replica_is_frozen_as_its_original():
    model, body = net()
    body.trainable = False
    assert list(model.replica().trained) == list(model.replica(np.float64).trained) == ["head.W", "head.b"]


def test_a_run_that_freezes_on_its_way_resumes(tmp_path):
    def freeze(trainer):
        if trainer.epoch == 2:
            trainer.net.layers[0].trainable = False

    def run(epochs, folder=None):
        model, _ = net()
        callbacks = [freeze, *([bg.Checkpoint(folder)] if folder else [])]
        return bg.Trainer(model, bg.Adam(), batch_size=10, epochs=epochs, callbacks=callbacks, progress=False)

    whole = run(5)
    whole.fit(X, T)
    short = run(5, tmp_path)
    short.callbacks = (*short.callbacks, lambda trainer: trainer.epoch == 3 and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        short.fit(X, T)
    again = run(5, tmp_path)
    again.resume(tmp_path)
    assert list(again.net.trained) == ["head.W", "head.b"]
    again.fit(X, T)
    assert again.net.vector.tobytes() == whole.net.vector.tobytes()
