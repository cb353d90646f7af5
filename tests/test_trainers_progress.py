"""Progress: a bar, lines or silence, and what is said where tqdm is missing."""

import contextlib
import re
import sys
import types

import numpy as np
import pytest

import brickgrad as bg

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
T = np.array([0, 1, 0, 1, 1, 0, 1])
LINE = r"epoch +{}/{}  loss \d\.\d{{4}}  train +\d+\.\d\d %{}  \d+\.\d\d s"


class FakeBar:
    """What the trainer tells tqdm's bar, written down."""

    made: list["FakeBar"]

    def __init__(self, total, **options):
        self.total, self.options, self.done, self.lines, self.descriptions, self.closed = total, options, 0, [], [], 0
        self.postfix = []
        FakeBar.made.append(self)

    def set_description(self, text, refresh):
        self.descriptions.append(text)

    def set_postfix_str(self, text, refresh):
        self.postfix.append(text)

    def update(self, n):
        self.done += n

    def write(self, line):
        self.lines.append(line)

    def close(self):
        self.closed += 1


class Terminal:
    """A standard error that says it is a terminal, or not."""

    def __init__(self, is_terminal):
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        return len(text)

    def flush(self):
        pass


@pytest.fixture
def bars(monkeypatch):
    """The bars that a fake tqdm makes."""
    FakeBar.made = []
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=FakeBar))
    return FakeBar.made


@pytest.fixture
def no_tqdm(monkeypatch):
    """A Python without tqdm."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


def terminal(monkeypatch, is_terminal=True):
    """Make standard error a terminal, or no terminal, and the program no notebook."""
    monkeypatch.setattr(sys, "stderr", Terminal(is_terminal))
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)


def fit(progress, epochs=2, test=True, **options):
    trainer = bg.Trainer(
        bg.TwoLayerNet(3, 4, 2, rng=0), bg.SGD(), batch_size=3, epochs=epochs, progress=progress, **options
    )
    return trainer.fit(X, T, X[:2], T[:2]) if test else trainer.fit(X, T)


def test_progress_off_a_terminal_prints_the_batches_and_a_line_an_epoch(monkeypatch, capsys, bars):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    history = fit(None)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert (err, bars) == ("", [])
    assert lines[0] == "7 samples in 3 batches of 3, the last of 1"
    assert len(lines) == 3
    for epoch, line in enumerate(lines[1:], start=1):
        assert re.fullmatch(LINE.format(epoch, 2, r"  test +\d+\.\d\d %"), line)
        for number in (
            f"loss {history.epoch_losses[epoch - 1]:.4f}",
            f"train {100 * history.train_accuracies[epoch - 1]:6.2f} %",
            f"test {100 * history.test_accuracies[epoch - 1]:6.2f} %",
            f"{history.seconds[epoch - 1]:.2f} s",
        ):
            assert number in line


def test_progress_lines_without_a_test_set_leave_it_out(capsys):
    fit("lines", epochs=1, test=False)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(LINE.format(1, 1, ""), lines[1])


def test_progress_lines_are_lines_on_a_terminal_too(monkeypatch, capsys, bars):
    terminal(monkeypatch)
    fit("lines", epochs=1)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert bars == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_false_is_silent(monkeypatch, capfd, bars, is_terminal):
    terminal(monkeypatch, is_terminal)
    fit(False)
    assert capfd.readouterr() == ("", "")
    assert bars == []


def test_progress_0_is_silent_or_refused(capsys):
    with contextlib.suppress(ValueError):
        fit(0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("where", ["asked", "terminal", "notebook"])
def test_progress_bar_shows_where_asked_for_on_a_terminal_and_in_a_notebook(monkeypatch, capsys, bars, where):
    terminal(monkeypatch, where == "terminal")
    if where == "notebook":
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    history = fit(True if where == "asked" else None)
    (bar,) = bars
    assert (bar.total, bar.done, bar.closed) == (14, 14, 1)
    assert bar.postfix == [f"loss {loss:.4f}" for loss in history.losses]
    assert bar.lines[0] == "7 samples in 3 batches of 3, the last of 1"
    assert re.fullmatch(LINE.format(2, 2, r"  test +\d+\.\d\d %"), bar.lines[2])
    assert capsys.readouterr().out == ""


def test_progress_bar_counts_the_epoch_that_runs_as_its_lines_do(bars):
    fit(True)
    assert bars[0].descriptions == ["epoch 1/2"] * 3 + ["epoch 2/2"] * 3


def test_progress_bar_is_full_at_the_end_when_sampling_with_replacement(bars):
    fit(True, sampling="replacement")
    assert bars[0].done == bars[0].total


def test_progress_bar_is_closed_after_an_error_and_the_next_fit_gets_a_new_one(bars):
    def fails(trainer):
        raise KeyError("enough")

    trainer = bg.Trainer(bg.TwoLayerNet(3, 4, 2, rng=0), bg.SGD(), epochs=1, progress=True, callbacks=[fails])
    for _ in range(2):
        with pytest.raises(KeyError):
            trainer.fit(X, T)
    assert [bar.closed for bar in bars] == [1, 1]


def test_progress_bar_of_tqdm_itself_writes_to_standard_error(capsys):
    pytest.importorskip("tqdm")
    fit(True)
    out, err = capsys.readouterr()
    assert re.search(r"epoch \d/2: 100%.*loss \d", err)
    assert re.search(LINE.format(1, 2, r"  test +\d+\.\d\d %"), out)


def test_progress_bar_asked_for_without_tqdm_raises_import_error_saying_how_to_get_it(no_tqdm):
    with pytest.raises(ImportError, match=r"Trainer: the bar needs tqdm\. .*pip install 'brickgrad\[progress\]'"):
        fit(True)


def test_progress_on_a_terminal_without_tqdm_prints_lines(monkeypatch, capsys, no_tqdm):
    terminal(monkeypatch)
    fit(None)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_progress_of_a_second_fit_counts_on(capsys):
    trainer = bg.Trainer(bg.TwoLayerNet(3, 4, 2, rng=0), bg.SGD(), epochs=2, progress="lines")
    trainer.fit(X, T)
    trainer.fit(X, T)
    heads = [line.split("  loss")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert heads == ["epoch   1/2", "epoch   2/2", "epoch   3/4", "epoch   4/4"]


@pytest.mark.parametrize("progress", ["bar", "", 2, "line"])
def test_progress_of_another_kind_raises_value_error_naming_it(progress):
    with pytest.raises(ValueError, match=rf"Trainer: progress must be True, False, None or 'lines'; got {progress!r}"):
        bg.Trainer(bg.TwoLayerNet(3, 4, 2), bg.SGD(), progress=progress)
