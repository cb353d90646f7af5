"""Sick runs: NaN or infinity in loss, gradient or parameters is noticed, named, and treated as asked."""

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
T = (X[:, 0] > 0).astype(int)
SICK = X.copy()
SICK[[11, 30], 2] = np.nan


def net():
    return bg.MultiLayerNet(6, [8], 2, use_batchnorm=True, dropout_ratio=0.2, rng=0)


def train(x=X, model=None, optimizer=None, fit=(), **options):
    options = {"batch_size": 5, "epochs": 3, "progress": False, **options}
    trainer = bg.Trainer(net() if model is None else model, bg.Adam() if optimizer is None else optimizer, **options)
    trainer.fit(x, T, *fit)
    return trainer


class OverflowsOnce(bg.SoftmaxWithLoss):
    """A loss whose gradient overflows in the 7th backward of the run."""

    calls = 0

    def backward(self, *d_outputs):
        dx, dt = super().backward(*d_outputs)
        self.calls += 1
        return (np.full_like(dx, np.inf) if self.calls == 7 else dx), dt


def overflowing():
    return bg.Sequential(bg.Affine(6, 4, rng=0), bg.ReLU(), bg.Affine(4, 2, rng=1), loss=OverflowsOnce())


def test_data_that_are_not_finite_leave_a_net_with_batch_norm_as_it_was():
    model, before = net(), []

    class Keep(bg.Callback):
        def on_batch(self, trainer):
            before.append(trainer.net.snapshot())

    with pytest.raises(ValueError, match=r"at epoch 1, batch 4.*x_train\[11\].*no checkpoint to go back to"):
        train(SICK, model, callbacks=Keep(), seed=1)
    for name, array in model.snapshot().items():
        np.testing.assert_array_equal(array, before[-1][name], err_msg=name)


def test_a_net_whose_sizes_come_from_its_first_batch_is_not_spoilt_by_it():
    def lazy():
        return bg.Sequential(bg.Affine(4, rng=0), bg.BatchNormalization(), bg.ReLU(), bg.Affine(2, rng=1))

    model = lazy()
    with pytest.raises(ValueError, match="at epoch 1, batch 1"):
        train(np.full_like(X, np.nan), model)
    train(X, model)
    expected = train(X, lazy()).net.snapshot()
    for name, array in model.snapshot().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_gradient_that_overflows_names_the_layer_that_it_reached_first():
    with pytest.raises(
        FloatingPointError, match=r"not finite at epoch 1, batch 7: it begins in the gradient of affine2\.b"
    ):
        train(model=overflowing())


def test_skip_leaves_out_the_step_and_nothing_else(capsys):
    trainer = train(model=overflowing(), optimizer=bg.SGD(lr=0.1), nonfinite="skip", progress="lines")
    assert trainer.skipped == 1
    assert trainer.optimizer.step == 3 * 8 - 1
    assert trainer.finished
    assert (
        "1 batch skipped so far; Trainer.fit: the gradient is not finite at epoch 1, batch 7" in capsys.readouterr().out
    )

    by_hand = overflowing()
    rng, optimizer = np.random.default_rng(0), bg.SGD(lr=0.1)
    for step in range(24):
        if step % 8 == 0:
            order = rng.permutation(40)
        batch = order[step % 8 * 5 : step % 8 * 5 + 5]
        with np.errstate(invalid="ignore"):
            by_hand.loss_and_gradient(X[batch], T[batch])
        if step != 6:
            optimizer.update(by_hand.params, by_hand.grads)
    np.testing.assert_array_equal(trainer.net.vector, by_hand.vector)


def test_skip_counts_batches_of_bad_data_and_keeps_losses_and_statistics_finite():
    trainer = train(SICK, nonfinite="skip")
    assert trainer.skipped == 6
    assert len(trainer.history.losses) == 24
    assert np.isnan(trainer.history.losses).sum() == 6
    assert np.isfinite(trainer.history.epoch_losses).all()
    assert all(np.isfinite(array).all() for array in trainer.net.snapshot().values())


def test_skip_still_raises_where_parameters_are_not_finite_and_no_batch_can_do_better():
    model = net()
    model.params["W1"][0, 0] = np.nan
    with pytest.raises(FloatingPointError, match=r"it begins in the parameter affine1\.W"):
        train(model=model, nonfinite="skip")


@pytest.mark.parametrize("stop", [1, 9, 13])
def test_a_run_that_skips_resumes_to_the_same_bits_and_count(stop, tmp_path):
    class End(bg.Callback):
        goes_last = True

        def on_batch(self, trainer):
            if len(trainer.history.losses) == stop:
                raise StopIteration

    whole = train(SICK, nonfinite="skip")
    with pytest.raises(StopIteration):
        train(SICK, nonfinite="skip", callbacks=[bg.Checkpoint(tmp_path, every_batches=1), End()])
    again = bg.Trainer(net(), bg.Adam(), batch_size=5, epochs=3, progress=False, nonfinite="skip")
    again.resume(tmp_path)
    again.fit(SICK, T)
    assert again.skipped == whole.skipped == 6
    assert str(again.history.losses) == str(whole.history.losses)
    for name, array in whole.net.snapshot().items():
        np.testing.assert_array_equal(again.net.snapshot()[name], array)


@pytest.mark.parametrize("fit", [(), (X, T)])
def test_stop_ends_the_run_in_order_and_says_why(fit, tmp_path):
    keep = bg.BestWeights(watch="train_accuracy")
    trainer = train(SICK, fit=fit, nonfinite="stop", callbacks=[keep, bg.Checkpoint(tmp_path)])
    assert trainer.finished
    assert trainer.stopped.startswith("Trainer.fit: the loss is nan at epoch 1, batch")
    assert "holds NaN or infinity" in trainer.stopped
    assert len(trainer.history) == 1
    assert len(trainer.history.losses) == trainer.history.epoch_batches[0] < 8
    assert all(np.isfinite(array).all() for array in trainer.net.snapshot().values())
    assert trainer.last_saved == max(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize("nonfinite", ["raise", "skip", "stop"])
def test_parameters_that_overflow_in_an_epochs_last_step_are_noticed_and_not_saved(nonfinite, tmp_path):
    class Blows(bg.SGD):
        def _move(self, name, param, grad):
            param += np.float32(np.inf if self.step == 16 else 0)

    options = {"nonfinite": nonfinite, "callbacks": bg.Checkpoint(tmp_path), "optimizer": Blows()}
    text = r"after epoch 2 loss or parameters are not finite.*The last good checkpoint is .*epoch-000001-batch-00000000"
    if nonfinite == "stop":
        trainer = train(**options)
        with pytest.raises(AssertionError, match=text):
            raise AssertionError(trainer.stopped)
        assert len(trainer.history) == 2
    else:
        with pytest.raises(FloatingPointError, match=text):
            train(**options)
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["epoch-000001-batch-00000000.safetensors"]


def test_a_setting_that_is_none_is_refused():
    with pytest.raises(ValueError, match="Trainer: nonfinite must be 'raise', 'skip' or 'stop'; got 'ignore'"):
        bg.Trainer(net(), bg.SGD(), nonfinite="ignore")
