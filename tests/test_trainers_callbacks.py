"""Callbacks: ways to stop a run, early stopping, and the best epoch's parameters."""

import re

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype(np.float32)
T = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)


class Scripted:
    """A net whose accuracies are told beforehand; each step adds 1 to its parameter."""

    def __init__(self, accuracies):
        self.params, self.grads = {"W": np.zeros(1)}, {"W": -np.ones(1)}
        self.accuracies = iter(accuracies)

    def loss_and_gradient(self, x, t):
        return 1.0

    def accuracy(self, x, t):
        return next(self.accuracies)

    def train(self):
        pass

    def eval(self):
        pass


class Kept(bg.Layer):
    """Counts its batches in an array that no gradient reaches, as running statistics do."""

    kept = ("count",)

    def __init__(self):
        self.count = np.zeros(1)

    def forward(self, x):
        if self.training:
            self.count += 1
        return x * 1

    def backward(self, dy):
        return dy * 1


def run(accuracies, *callbacks, epochs=None, batch_size=50, **options):
    """A trainer that has run over one batch an epoch, with these training accuracies."""
    epochs = len(accuracies) if epochs is None else epochs
    options = {"progress": False, **options}
    net = Scripted(accuracies)
    trainer = bg.Trainer(net, bg.SGD(lr=1.0), epochs=epochs, batch_size=batch_size, callbacks=callbacks, **options)
    trainer.fit(X, T)
    return trainer


# Stopping


def test_stop_after_an_epoch_ends_the_run_with_that_epoch_and_calls_the_other_callbacks():
    seen = []
    trainer = run([0.1] * 9, lambda t: t.epoch == 2 and t.stop("enough"), lambda t: seen.append(t.epoch))
    assert (trainer.epoch, len(trainer.history), seen) == (2, 2, [1, 2])
    assert (trainer.stopped, trainer.finished) == ("enough", True)


def test_stop_in_a_batch_finishes_it_and_ends_the_epoch_with_its_history():
    class Third(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 8:
                trainer.stop("eight batches")
                trainer.stop("a later reason does not count")

    trainer = run([0.1, 0.2, 0.3], Third(), batch_size=10)
    history = trainer.history
    assert (trainer.epoch, len(history.losses), history.train_accuracies) == (2, 8, [0.1, 0.2])
    assert len(history.epoch_losses) == len(history.seconds) == 2
    assert trainer.net.params["W"][0] == 8
    assert trainer.stopped == "eight batches"


def test_stop_at_the_start_trains_nothing_and_the_next_fit_trains():
    class Never(bg.Callback):
        def on_start(self, trainer):
            trainer.stop("no")

    trainer = run([0.1] * 4, Never(), epochs=2)
    assert (trainer.epoch, trainer.history.losses, trainer.stopped) == (0, [], "no")
    trainer.callbacks = ()
    trainer.fit(X, T)
    assert (trainer.epoch, trainer.stopped) == (2, None)


def test_stop_is_said_in_a_line(capsys):
    run([0.5] * 9, bg.EarlyStopping(2, watch="train_accuracy"), progress="lines")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "stopped after epoch 3/9: train_accuracy has not improved for 2 epochs; its best is 0.5 after epoch 1"
    )


@pytest.mark.parametrize("bad", [bg.Callback, 3, "stop"])
def test_trainer_of_a_callback_that_is_none_raises_type_error_saying_what_it_takes(bad):
    with pytest.raises(TypeError, match=r"each callback must be a Callback or a function; got "):
        bg.Trainer(Scripted([]), bg.SGD(), callbacks=[bad])
    with pytest.raises(TypeError, match=r"each callback must be a Callback or a function; got "):
        bg.Trainer(Scripted([]), bg.SGD(), callbacks=bad)


# Early stopping


@pytest.mark.parametrize(
    ("accuracies", "options", "epochs"),
    [
        ([0.5, 0.5, 0.5, 0.9], {"patience": 2}, 3),
        ([0.5, 0.4, 0.6, 0.5, 0.5, 0.9], {"patience": 2}, 5),
        ([0.5, 0.4, 0.6, 0.5, 0.7], {"patience": 2}, 5),
        ([0.1, 0.2, 0.3], {"patience": 1}, 3),
        ([0.5, 0.4, 0.9], {"patience": 1}, 2),
        ([0.500, 0.505, 0.509, 0.9], {"patience": 2, "min_change": 0.01}, 3),
        ([0.500, 0.505, 0.511, 0.9], {"patience": 2, "min_change": 0.01}, 4),  # small steps add up
        ([float("nan")] * 4, {"patience": 3}, 3),
        ([float("nan"), 0.1, 0.2, 0.3], {"patience": 2}, 4),
    ],
)
def test_early_stopping_stops_after_so_many_epochs_without_improvement(accuracies, options, epochs):
    trainer = run(accuracies, bg.EarlyStopping(watch="train_accuracy", **options))
    assert len(trainer.history) == epochs


def test_early_stopping_watching_a_loss_wants_it_to_fall():
    stopping = bg.EarlyStopping(2, watch="train_loss")
    trainer = run([0.1, 0.2, 0.3, 0.4], stopping)  # the loss stays at 1
    assert len(trainer.history) == 3
    stopping.best_epoch = stopping.best_value = None
    for epoch, loss in enumerate([1.0, 0.5, 0.7, 0.4], start=1):
        trainer.epoch, trainer.history.epoch_losses = epoch, [loss]
        stopping.on_epoch(trainer)
    assert (stopping.best_epoch, stopping.best_value) == (4, 0.4)


def test_early_stopping_waits_anew_in_the_next_fit_and_forgets_in_the_next_trainer():
    stopping = bg.EarlyStopping(2, watch="train_accuracy")
    trainer = run([0.9, 0.5, 0.5, 0.5, 0.5], stopping)
    trainer.fit(X, T)
    assert (len(trainer.history), stopping.best_value) == (5, 0.9)
    other = run([0.1, 0.2, 0.3], stopping)
    assert (len(other.history), stopping.best_value) == (3, 0.3)


@pytest.mark.parametrize(
    ("watch", "hint"),
    [
        ("test_accuracy", "which needs fit(..., x_test, t_test); it measures train_loss, train_accuracy."),
        ("validation_accuracy", "which needs Trainer(..., validation=0.1); it measures"),
        ("validation_loss", "which needs Trainer(..., validation=0.1); it measures"),
    ],
)
@pytest.mark.parametrize("kind", [bg.EarlyStopping, bg.BestWeights])
def test_watching_what_a_run_does_not_measure_raises_value_error_before_it_trains(kind, watch, hint):
    with pytest.raises(ValueError, match=re.escape(f"{kind.__name__}: this run does not measure {watch}, {hint}")):
        run([0.1], kind(watch=watch))


def test_watching_a_validation_loss_of_a_net_that_gives_none_says_so():
    with pytest.raises(ValueError, match=r"needs a net with evaluate\(x, t\)"):
        run([0.1] * 2, bg.EarlyStopping(watch="validation_loss"), validation=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be a whole number of at least 1; got 0"),
        ({"patience": 1.5}, "patience must be a whole number of at least 1; got 1.5"),
        ({"min_change": -0.1}, "min_change must be a finite number of 0 or more; got -0.1"),
        ({"min_change": float("nan")}, "min_change must be a finite number of 0 or more; got nan"),
        ({"watch": "accuracy"}, "watch must be one of train_loss, train_accuracy, validation_loss, "),
    ],
)
def test_early_stopping_setting_that_is_none_raises_value_error_naming_it(options, message):
    with pytest.raises(ValueError, match=re.escape(f"EarlyStopping: {message}")):
        bg.EarlyStopping(**options)


# Best weights


def test_best_weights_puts_the_best_epoch_back_and_of_equal_ones_the_earlier(capsys):
    keep = bg.BestWeights(watch="train_accuracy")
    trainer = run([0.1, 0.8, 0.3, 0.8, 0.2], keep, progress="lines")
    assert (keep.best_epoch, keep.best_value, trainer.net.params["W"][0]) == (2, 0.8, 2.0)
    assert len(trainer.history) == 5
    assert capsys.readouterr().out.splitlines()[-1] == "the net is that of epoch 2: train_accuracy 0.8"


def test_best_weights_after_early_stopping_are_those_of_the_best_epoch_in_whichever_order_they_stand():
    for order in (1, -1):
        callbacks = [bg.EarlyStopping(2, watch="train_accuracy"), bg.BestWeights(watch="train_accuracy")][::order]
        trainer = run([0.1, 0.8, 0.3, 0.2, 0.9], *callbacks)
        assert (len(trainer.history), trainer.net.params["W"][0]) == (4, 2.0)


def test_best_weights_after_an_error_leaves_the_net_and_keeps_the_best():
    def fail(trainer):
        if trainer.epoch == 3:
            raise KeyError("enough")

    keep, net = bg.BestWeights(watch="train_accuracy"), Scripted([0.1, 0.8, 0.3])
    trainer = bg.Trainer(net, bg.SGD(lr=1.0), batch_size=50, epochs=5, callbacks=[keep, fail], progress=False)
    with pytest.raises(KeyError):
        trainer.fit(X, T)
    assert (net.params["W"][0], keep.best["W"][0], trainer.finished) == (3.0, 2.0, False)


def test_best_weights_goes_on_over_fits_and_forgets_another_trainers():
    keep = bg.BestWeights(watch="train_accuracy")
    trainer = run([0.1, 0.8, 0.3, 0.4], keep, epochs=2)
    trainer.fit(X, T)
    assert (keep.best_epoch, trainer.net.params["W"][0]) == (2, 2.0)
    other = run([0.1, 0.2], keep)
    assert (keep.best_epoch, keep.best_value, other.net.params["W"][0]) == (2, 0.2, 2.0)


def test_best_weights_where_no_value_is_a_number_changes_nothing():
    keep = bg.BestWeights(watch="train_accuracy")
    trainer = run([float("nan")] * 3, keep)
    assert (keep.best, keep.best_epoch, trainer.net.params["W"][0]) == (None, None, 3.0)


def test_best_weights_of_a_net_brings_back_what_layers_keep_beside_their_parameters():
    copies = []
    layer = Kept()
    net = bg.Sequential(bg.Affine(4, 6, rng=0), layer, bg.Affine(6, 3, rng=1))
    keep = bg.BestWeights(watch="test_accuracy")

    def remember(trainer):
        copies.append((trainer.net.vector.copy(), layer.count.copy()))

    trainer = bg.Trainer(net, bg.SGD(lr=5.0), batch_size=10, epochs=6, callbacks=[keep, remember], progress=False)
    history = trainer.fit(X, T, X[:9], T[:9])
    best = int(np.argmax(history.test_accuracies))
    assert keep.best_epoch == best + 1
    np.testing.assert_array_equal(net.vector, copies[best][0])
    np.testing.assert_array_equal(layer.count, copies[best][1])
    assert copies[best][1] == 5 * (best + 1)


def test_watching_changes_no_bit_of_what_is_trained():
    bits = []
    for callbacks in ([], [bg.EarlyStopping(99, watch="train_loss")]):
        net = bg.TwoLayerNet(4, 6, 3, 0.5, rng=0)
        bg.Trainer(net, bg.Adam(), batch_size=8, epochs=3, callbacks=callbacks, progress=False).fit(X, T)
        bits.append(net.vector.tobytes())
    assert bits[0] == bits[1]
