"""Runs that stop and go on: the same bytes and the same history as if they had never stopped."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.files.tensors import read_tensors, write_tensors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
T = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
IMAGES = RNG.normal(size=(12, 1, 8, 8)).astype(np.float32)
LABELS = np.arange(12) % 3


class StoppedError(Exception):
    """What ends a run in these tests."""


class StopAt(bg.Callback):
    """Ends a run after so many batches, when a checkpoint that stands before it has been written."""

    goes_last = True

    def __init__(self, batches):
        self.batches = batches

    def on_batch(self, trainer):
        if len(trainer.history.losses) == self.batches:
            raise StoppedError


def slower(trainer):
    trainer.optimizer.lr *= 0.9


def noisy(x, rng):
    return x + rng.normal(scale=0.01, size=x.shape).astype(x.dtype)


def plain():
    return bg.TwoLayerNet(6, 5, 3, rng=0)


def dropping():
    return bg.MultiLayerNet(6, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, rng=0)


RUNS = {
    "SGD": (plain, lambda: bg.SGD(lr=0.1), {}),
    "a falling rate": (plain, lambda: bg.Momentum(lr=0.1), {"callbacks": [slower]}),
    "replacement": (plain, lambda: bg.Nesterov(lr=0.1), {"sampling": "replacement"}),
    "dropout, batch norm and a schedule": (dropping, lambda: bg.Adam(lr=bg.CosineDecay(0.01, 30)), {}),
    "augment and validation": (dropping, lambda: bg.RMSprop(), {"augment": noisy, "validation": 0.25}),
    "early stopping": (
        plain,
        lambda: bg.AdaGrad(lr=0.5),
        {
            "validation": 0.25,
            "callbacks": lambda: [bg.EarlyStopping(2), bg.BestWeights(watch="validation_loss")],
            "epochs": 12,
        },
    ),
}


def make(kind, folder=None, stop=None, **checkpoint):
    net, optimizer, options = RUNS[kind]
    options = {"batch_size": 7, "epochs": 5, "seed": 3, "progress": False, **options}
    callbacks = options.pop("callbacks", [])
    callbacks = list(callbacks() if callable(callbacks) else callbacks)
    if folder is not None:
        callbacks.append(bg.Checkpoint(folder, **checkpoint))
    if stop is not None:
        callbacks.append(StopAt(stop))
    return bg.Trainer(net(), optimizer(), callbacks=callbacks, **options)


def outcome(trainer):
    history = {key: value for key, value in vars(trainer.history).items() if key != "seconds"}
    return trainer.net.vector.tobytes(), {k: v.tobytes() for k, v in trainer.net.snapshot().items()}, str(history)


def resumed(kind, folder, **checkpoint):
    trainer = make(kind, folder, stop=10**9, **checkpoint)
    trainer.resume(folder)
    trainer.fit(X, T, X, T)
    return trainer


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("stop", [1, 4, 6, 7, 13])
def test_a_run_that_stopped_at_any_batch_ends_as_if_it_had_not(kind, stop, tmp_path):
    whole = make(kind)
    whole.fit(X, T, X, T)
    assert len(whole.history.losses) > 14
    broken = make(kind, tmp_path, stop, every_batches=1)
    with pytest.raises(StoppedError):
        broken.fit(X, T, X, T)
    assert outcome(resumed(kind, tmp_path, every_batches=1)) == outcome(whole)


def test_a_run_that_stops_again_and_again_ends_as_if_it_had_not(tmp_path):
    kind = "dropout, batch norm and a schedule"
    whole = make(kind)
    whole.fit(X, T, X, T)
    for stop in (3, 5, 11, 12, 20):
        trainer = make(kind, tmp_path, stop, every_batches=2)
        if stop > 3:
            trainer.resume(tmp_path)
        with pytest.raises(StoppedError):
            trainer.fit(X, T, X, T)
    assert outcome(resumed(kind, tmp_path, every_batches=2)) == outcome(whole)


def test_a_run_saved_after_its_epochs_alone_repeats_what_was_lost_and_ends_the_same(tmp_path):
    whole = make("augment and validation")
    whole.fit(X, T, X, T)
    with pytest.raises(StoppedError):
        make("augment and validation", tmp_path, stop=13).fit(X, T, X, T)
    assert outcome(resumed("augment and validation", tmp_path)) == outcome(whole)


def test_a_net_of_convolutions_with_batch_norm_resumes(tmp_path):
    def trainer(*callbacks):
        net = bg.ResNet((1, 8, 8), (2, 4), output_size=3, rng=0)
        return bg.Trainer(
            net, bg.AdamW(lr=0.01), batch_size=5, epochs=3, augment=bg.Shifts(1), callbacks=callbacks, progress=False
        )

    whole = trainer()
    whole.fit(IMAGES, LABELS)
    with pytest.raises(StoppedError):
        trainer(bg.Checkpoint(tmp_path, every_batches=1), StopAt(5)).fit(IMAGES, LABELS)
    again = trainer(bg.Checkpoint(tmp_path, every_batches=1), StopAt(10**9))
    again.resume(tmp_path)
    again.fit(IMAGES, LABELS)
    assert outcome(again) == outcome(whole)


def test_a_finished_run_that_is_resumed_does_nothing_more_and_the_next_fit_goes_on(tmp_path):
    first = make("SGD", tmp_path)
    first.fit(X, T, X, T)
    shutil.copytree(tmp_path, tmp_path / "copy")
    again = make("SGD", tmp_path / "copy")
    again.resume(tmp_path / "copy")
    again.fit(X, T, X, T)
    assert outcome(again) == outcome(first)
    first.fit(X, T, X, T)
    again.fit(X, T, X, T)
    assert outcome(again) == outcome(first)
    assert again.epoch == 10


def test_a_run_that_was_stopped_early_stays_stopped(tmp_path):
    whole = make("early stopping", tmp_path)
    whole.fit(X, T, X, T)
    assert whole.stopped is not None
    again = make("early stopping", tmp_path)
    again.resume(tmp_path)
    again.fit(X, T, X, T)
    assert again.stopped == whole.stopped
    assert outcome(again) == outcome(whole)


def test_save_and_resume_of_one_file(tmp_path):
    whole = make("SGD")
    whole.fit(X, T)
    saved = bg.Trainer(plain(), bg.SGD(lr=0.1), batch_size=7, epochs=5, seed=3, progress=False)
    saved.callbacks = (lambda trainer: trainer.epoch == 2 and trainer.save(tmp_path / "x"),)
    saved.fit(X, T)
    again = bg.Trainer(plain(), bg.SGD(lr=0.1), batch_size=7, epochs=5, seed=9, progress=False)
    assert again.resume(tmp_path / "x") == tmp_path / "x"
    again.fit(X, T)
    assert again.net.vector.tobytes() == saved.net.vector.tobytes() == whole.net.vector.tobytes()


def test_checkpoint_sees_what_the_other_callbacks_did_wherever_it_stands(tmp_path):
    def trainer(*callbacks):
        options = {"batch_size": 7, "epochs": 6, "seed": 3, "validation": 0.25, "progress": False}
        return bg.Trainer(plain(), bg.SGD(lr=0.1), callbacks=[*callbacks, slower, bg.EarlyStopping(2)], **options)

    whole = trainer()
    whole.fit(X, T)
    with pytest.raises(StoppedError):
        trainer(bg.Checkpoint(tmp_path), StopAt(12)).fit(X, T)
    again = trainer(bg.Checkpoint(tmp_path), StopAt(10**9))
    again.resume(tmp_path)
    again.fit(X, T)
    assert outcome(again) == outcome(whole)


def test_checkpoint_keeps_the_newest(tmp_path):
    make("SGD", tmp_path, keep=3).fit(X, T)
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix == ".safetensors") == [
        f"epoch-{epoch:06}-batch-00000000.safetensors" for epoch in (3, 4, 5)
    ]


def test_resume_takes_the_newest_that_is_whole_and_says_what_is_damaged(tmp_path, capsys):
    whole = make("SGD", tmp_path)
    whole.fit(X, T, X, T)
    newest = max(tmp_path.glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    again = make("SGD", tmp_path)
    again.progress.mode = "lines"
    assert again.resume(tmp_path).name == "epoch-000004-batch-00000000.safetensors"
    assert newest.name in capsys.readouterr().out
    again.progress.mode = False
    again.fit(X, T, X, T)
    assert outcome(again) == outcome(whole)
    for file in tmp_path.glob("*.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(bg.FileError, match=r"no checkpoint in .* is good"):
        make("SGD", tmp_path).resume(tmp_path)


def test_resume_of_nothing_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint in"):
        make("SGD").resume(tmp_path)
    with pytest.raises(FileNotFoundError):
        make("SGD").resume(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"optimizer": lambda: bg.SGD(lr=0.1, clip_norm=1.0)}, "optimizer clip_norm is 1.0, and was None"),
        ({"optimizer": lambda: bg.SGD(lr=0.1000001)}, "optimizer lr is 0.1000001, and was 0.1"),
        (
            {"optimizer": lambda: bg.SGD(lr=bg.CosineDecay(0.1, 30))},
            r"optimizer schedule is 'CosineDecay\(lr=0.1, .*None",
        ),
        ({"optimizer": bg.Adam}, "optimizer kind is 'Adam', and was 'SGD'"),
        ({"batch_size": 8}, "batch_size is 8, and was 7"),
        ({"validation": 0.25}, "validation is 0.25, and was 0.0"),
        ({"sampling": "replacement"}, "sampling is 'replacement', and was 'shuffle'"),
        ({"net": lambda: bg.TwoLayerNet(6, 4, 3, rng=0)}, r"W1 must be \(6, 4\) of float32; got \(6, 5\)"),
        ({"net": lambda: bg.MultiLayerNet(6, [5], 3, rng=0)}, "net kind is 'MultiLayerNet', and was 'TwoLayerNet'"),
        ({"net": lambda: bg.TwoLayerNet(6, 5, 3, dtype=np.float64, rng=0)}, r"W1 must be \(6, 5\) of float64; got"),
        ({"net": lambda: bg.MultiLayerNet(6, [5], 3, activation="tanh", rng=0)}, "layer tanh1 is 'Tanh', and was None"),
        ({"augment": noisy}, "augment is '<function noisy', and was None"),
        ({"seed": np.random.Generator(np.random.MT19937(0))}, "the generator of trainer must be of the kind"),
        ({"nonfinite": "skip"}, "nonfinite is 'skip', and was 'raise'"),
        ({"accuracy_samples": 5}, "accuracy_samples is 5, and was None"),
        ({"callbacks": [bg.EarlyStopping(2)]}, r"callback 1 is .EarlyStopping\(watch=.*patience=2"),
    ],
)
def test_resume_of_another_run_says_what_differs_and_changes_nothing(changes, text, tmp_path):
    make("SGD", tmp_path).fit(X, T)
    options = {"batch_size": 7, "seed": 3, "progress": False, "callbacks": [bg.Checkpoint(tmp_path)], **changes}
    net = options.pop("net", plain)()
    trainer = bg.Trainer(net, options.pop("optimizer", lambda: bg.SGD(lr=0.1))(), **options)
    before = net.vector.copy(), trainer.rng.bit_generator.state
    with pytest.raises(ValueError, match=text):
        trainer.resume(tmp_path)
    np.testing.assert_array_equal(net.vector, before[0])
    assert str(trainer.rng.bit_generator.state) == str(before[1])
    assert (trainer.epoch, trainer.optimizer.step, len(trainer.history)) == (0, 0, 0)


def test_fit_of_a_resumed_run_on_other_data_says_so(tmp_path):
    make("SGD", tmp_path).fit(X, T)
    trainer = make("SGD", tmp_path)
    trainer.resume(tmp_path)
    with pytest.raises(ValueError, match="must be given its own data: 40 training samples; got 39"):
        trainer.fit(X[:-1], T[:-1])


@pytest.mark.parametrize("what", ["a value", "the order", "a label", "the precision", "a test value", "no test set"])
def test_fit_of_a_resumed_run_on_other_data_of_the_same_size_says_which_and_starts_nothing(what, tmp_path):
    make("SGD", tmp_path).fit(X, T, X, T)
    trainer = make("SGD", tmp_path)
    trainer.resume(tmp_path)
    x, t, x_test, t_test = X.copy(), T.copy(), X.copy(), T
    if what == "a value":
        x[31, 4] = np.nextafter(x[31, 4], np.float32(9))
    elif what == "the order":
        x[[3, 4]] = x[[4, 3]]
    elif what == "a label":
        t[7] = (t[7] + 1) % 3
    elif what == "the precision":
        x = x.astype(np.float64)
    elif what == "a test value":
        x_test[0, 0] += 1
    else:
        x_test = t_test = None
    names = {"a label": "t_train", "a test value": "x_test", "no test set": "t_test, x_test"}.get(what, "x_train")
    before = trainer.net.vector.tobytes()
    with pytest.raises(ValueError, match=f"its own data: {names} must be those of the run saved"):
        trainer.fit(x, t, x_test, t_test)
    assert (trainer.net.vector.tobytes(), trainer.epoch) == (before, 5)
    trainer.fit(X, T, np.asfortranarray(X), T)  # the right data are taken still, in whatever layout


def test_a_resumed_run_that_is_given_more_epochs_ends_as_one_that_had_them_from_the_start(tmp_path):
    kind = "dropout, batch norm and a schedule"
    whole = make(kind)
    whole.epochs = 8
    whole.fit(X, T)
    make(kind, tmp_path).fit(X, T)
    again = make(kind, tmp_path)
    again.epochs = 8
    again.resume(tmp_path)
    again.fit(X, T)
    assert again.epoch == 8
    assert outcome(again) == outcome(whole)


def test_a_run_that_was_killed_as_it_was_stopped_within_an_epoch_measures_that_epoch_and_ends(tmp_path):
    class Enough(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 9:
                trainer.stop("enough")

    def trainer(*callbacks):
        callbacks = [Enough(), bg.Checkpoint(tmp_path, every_batches=1), *callbacks]
        return bg.Trainer(plain(), bg.SGD(), batch_size=7, seed=3, callbacks=callbacks, progress=False)

    with pytest.raises(StoppedError):
        trainer(StopAt(9)).fit(X, T)
    again = trainer(StopAt(10**9))
    again.resume(tmp_path)
    again.fit(X, T)
    shutil.rmtree(tmp_path)
    whole = trainer(StopAt(10**9))
    whole.fit(X, T)
    assert len(again.history) == 2
    assert (outcome(again), again.stopped) == (outcome(whole), "enough")


def test_a_resumed_run_that_could_not_start_goes_on_at_the_next_fit(tmp_path):
    class Late(bg.Callback):
        refuses = True

        def on_start(self, trainer):
            if self.refuses:
                raise StoppedError

    whole = make("SGD")
    whole.fit(X, T)
    with pytest.raises(StoppedError):
        make("SGD", tmp_path, 9, every_batches=1).fit(X, T)
    again = make("SGD", tmp_path, stop=10**9)
    again.resume(tmp_path)
    again.callbacks += (late := Late(),)
    with pytest.raises(StoppedError):
        again.fit(X, T)
    late.refuses = False
    again.fit(X, T)
    assert outcome(again) == outcome(whole)


def test_save_before_the_first_fit_or_that_of_a_resumed_run_says_so(tmp_path):
    with pytest.raises(RuntimeError, match=r"Trainer\.save: there is no run yet: call fit first"):
        make("SGD").save(tmp_path / "x")
    assert not list(tmp_path.iterdir())
    with pytest.raises(StoppedError):
        make("SGD", tmp_path, 9, every_batches=1).fit(X, T)
    again = make("SGD", tmp_path)
    again.resume(tmp_path)
    with pytest.raises(ValueError, match="its own data"):
        again.fit(X[1:], T[1:])
    with pytest.raises(RuntimeError, match="call fit first"):  # nothing may be saved of a place that is not taken up
        again.save(tmp_path / "x")


def test_a_new_run_in_the_folder_of_another_is_refused_and_takes_nothing_from_it(tmp_path):
    make("SGD", tmp_path).fit(X, T)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    fresh = make("SGD", tmp_path)
    with pytest.raises(ValueError, match=r"holds a run that went further, epoch-000005-batch-00000000\.safetensors"):
        fresh.fit(X, T)
    assert fresh.history.losses == []
    elsewhere = make("SGD", tmp_path / "b", stop=6, every_batches=1)
    with pytest.raises(StoppedError):
        elsewhere.fit(X, T)
    again = make("SGD", tmp_path)
    again.callbacks = (*again.callbacks, StopAt(10**9))
    again.resume(tmp_path / "b")
    with pytest.raises(ValueError, match="holds a run that went further"):
        again.fit(X, T)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_a_run_that_fell_back_to_an_older_checkpoint_never_loses_its_good_one(tmp_path):
    make("SGD", tmp_path).fit(X, T)
    newest = max(tmp_path.glob("*.safetensors"))
    newest.write_bytes(b"not this one")
    again = make("SGD", tmp_path, stop=25, every_batches=1, keep=1)
    (other,) = {*tmp_path.glob("*.safetensors")} - {newest}
    make("SGD", tmp_path, stop=10**9).resume(other)
    again.resume(tmp_path)
    with pytest.raises(StoppedError):
        again.fit(X, T)
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["epoch-000004-batch-00000001.safetensors"]
    make("SGD", tmp_path, stop=10**9).resume(tmp_path)


def test_what_a_killed_process_left_unfinished_is_cleared_away_when_the_next_run_starts(tmp_path):
    (tmp_path / ".epoch-000003-batch-00000000.safetensors.ab12.unfinished").write_bytes(b"half of it")
    (tmp_path / "mine.unfinished").write_bytes(b"")
    make("SGD", tmp_path).fit(X, T)
    assert [file.name for file in tmp_path.glob("*unfinished*")] == ["mine.unfinished"]


def test_a_folder_whose_newest_is_of_a_newer_version_is_not_gone_back_behind(tmp_path):
    make("SGD", tmp_path).fit(X, T)
    write_tensors(tmp_path / "epoch-000009-batch-00000000.safetensors", {}, {"brickgrad.format": "checkpoint 2"})
    with pytest.raises(bg.FileError, match="a newer brickgrad wrote it"):
        make("SGD").resume(tmp_path)


def test_a_sick_net_is_not_saved_over_the_last_good_checkpoint(tmp_path, capsys):
    class Blow(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 8:
                trainer.net.params["W1"][0, 0] = np.inf

    trainer = make("SGD", tmp_path, every_batches=1)
    trainer.callbacks = (Blow(), *trainer.callbacks)
    trainer.progress.mode = "lines"
    with pytest.raises(FloatingPointError, match=r"The last good checkpoint is .*epoch-000001-batch-00000001"):
        trainer.fit(X, T)
    assert "not saved: parameters or running statistics are not finite" in capsys.readouterr().out
    assert max(tmp_path.glob("*.safetensors")).name == "epoch-000001-batch-00000001.safetensors"


@pytest.fixture
def nobody():
    """One whom permissions bind: for root, the process as user 65534 for a while."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_folder_is_an_error_before_training_and_what_it_holds_stays_good(tmp_path, request):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder shuts others out from above
        folder = Path(name) / "run"
        make("SGD", folder).fit(X, T)
        Path(name).chmod(0o755)
        folder.chmod(0o555)
        (folder / ".lock").unlink()
        again = make("SGD", folder)
        again.epochs = 9
        request.getfixturevalue("nobody")
        again.resume(folder)
        with pytest.raises(PermissionError, match=r"run/\.lock"):
            again.fit(X, T)
        with pytest.raises(PermissionError, match="run/x"):
            again.save(folder / "x")
        if hasattr(os, "seteuid") and os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)
        assert len(again.history.losses) == 30
        again.fit(X, T)
        assert again.epoch == 9


def test_a_checkpoint_says_which_numpy_blas_and_number_of_threads_made_it(tmp_path, capsys):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    trainer = make("SGD", tmp_path)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        trainer.fit(X, T)
    file = max(tmp_path.glob("*.safetensors"))
    found = read_tensors(file, sealed=True)
    values = json.loads(found.metadata["state"])
    assert values["versions"]["NumPy"] == np.__version__
    assert values["versions"]["BLAS threads"] == "1"
    values["versions"]["NumPy"] = "0.9"
    write_tensors(file, found.arrays, {**found.metadata, "state": json.dumps(values)})
    again = make("SGD", tmp_path)
    again.progress.mode = "lines"
    again.resume(file)
    assert f"the last bits may differ: NumPy 0.9 then, {np.__version__} now" in capsys.readouterr().out


def test_a_net_file_is_no_checkpoint_and_a_newer_one_says_so(tmp_path):
    plain().save(tmp_path / "net")
    with pytest.raises(bg.FileError, match="it is a 'net 1': it is no checkpoint"):
        make("SGD").resume(tmp_path / "net")
    write_tensors(tmp_path / "new", {}, {"brickgrad.format": "checkpoint 2"})
    with pytest.raises(bg.FileError, match="a newer brickgrad wrote it"):
        make("SGD").resume(tmp_path / "new")


def test_two_trainers_in_one_folder_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    refused = []

    class Second(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 8:
                with pytest.raises(ValueError, match="another trainer is at work in"):
                    make("SGD", tmp_path).fit(X, T)
                refused.append(sorted(tmp_path.glob("*.safetensors")))

    first = bg.Trainer(
        plain(), bg.SGD(), batch_size=7, epochs=2, callbacks=[bg.Checkpoint(tmp_path), Second()], progress=False
    )
    first.fit(X, T)
    assert len(refused[0]) == 1
    assert first.finished
    with (tmp_path / ".lock").open("w") as file:  # the folder is free again
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_cannot_be_written_to_is_an_error_before_training(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    trainer = make("SGD", tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        trainer.fit(X, T)
    assert trainer.history.losses == []


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint_good(tmp_path, monkeypatch):
    whole = make("SGD")
    whole.fit(X, T, X, T)
    trainer = make("SGD", tmp_path)
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 5:
            raise OSError(28, "No space left on device")
        return real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"could not save \(No space left on device\)\. \S+safetensors stays good.*safetensors'"
    ) as error:
        trainer.fit(X, T, X, T)
    monkeypatch.undo()
    assert error.value.errno == 28
    assert not list(tmp_path.glob("*.unfinished"))
    again = make("SGD", tmp_path)
    again.resume(tmp_path)
    assert 0 < again.epoch < 5
    again.fit(X, T, X, T)
    assert outcome(again) == outcome(whole)


def test_a_checkpoint_of_an_optimizer_of_ones_own_says_what_is_missing(tmp_path):
    class Own:
        def update(self, params, grads):
            """Do nothing."""

    with pytest.raises(TypeError, match=r"needs an Optimizer .* got Own"):
        bg.Trainer(plain(), Own(), callbacks=bg.Checkpoint(tmp_path), progress=False).fit(X, T)


def test_the_checkpoint_can_be_read_by_any_tool(tmp_path):
    trainer = make("SGD", tmp_path)
    trainer.fit(X, T)
    found = read_tensors(max(tmp_path.glob("*.safetensors")), sealed=True).arrays
    np.testing.assert_array_equal(found["net/W1"], trainer.net.params["W1"])


@pytest.fixture
def ctrl_c():
    """Python's own handler of Ctrl-C, which a shell that started the tests may have put out of action."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_tells_where_it_saved(tmp_path, capsys):
    class Press(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 3:
                signal.raise_signal(signal.SIGINT)

    trainer = bg.Trainer(
        plain(), bg.SGD(), batch_size=7, callbacks=[bg.Checkpoint(tmp_path), Press()], progress="lines"
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, T)
    out = capsys.readouterr().out
    assert "interrupted; saved" in out
    assert "trainer.resume(" in out
    assert len(trainer.history.losses) == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
