"""History: its table and its plots, which go to Axes and never to a window."""

import sys

import numpy as np
import pytest

import brickgrad as bg


@pytest.fixture
def plt(monkeypatch):
    """Pyplot without a window, and with a show that must not be called."""
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda *args, **kwargs: pytest.fail("show() was called"))
    yield pyplot
    pyplot.close("all")


def course(test=True):
    return bg.History(
        losses=[2.0, 1.0, 0.8, 0.6, 0.5, 0.5],
        epoch_losses=[1.5, 0.7, 0.5],
        train_accuracies=[0.5, 0.75, 1.0],
        test_accuracies=[0.25, 0.5, 0.875] if test else [],
        seconds=[0.25, 1.0, 12.5],
    )


def test_history_text_is_a_line_an_epoch():
    assert str(course()).splitlines() == [
        "epoch   loss    train %  test %  seconds",
        "    1  1.5000    50.00    25.00     0.25",
        "    2  0.7000    75.00    50.00     1.00",
        "    3  0.5000   100.00    87.50    12.50",
    ]


def test_history_text_without_a_test_set_has_dashes():
    assert str(course(test=False)).splitlines()[1:] == [
        "    1  1.5000    50.00        -     0.25",
        "    2  0.7000    75.00        -     1.00",
        "    3  0.5000   100.00        -    12.50",
    ]


def test_history_starts_empty_and_is_as_long_as_its_epochs():
    history = bg.History()
    assert (len(history), str(history)) == (0, "epoch   loss    train %  test %  seconds")
    assert len(course()) == 3
    assert history.losses is not bg.History().losses


def test_history_record_adds_an_epoch_with_the_mean_of_its_losses():
    history = bg.History()
    history.record([1.0, 2.0], 0.5, 0.25, 3.0)
    history.record([4.0], 1.0, 0.75, 5.0)
    assert history == bg.History([], [1.5, 4.0], [0.5, 1.0], [0.25, 0.75], [3.0, 5.0], epoch_batches=[2, 1])


def test_history_text_of_accuracies_that_are_none_has_dashes():
    history = bg.History([2.0], [2.0], [float("nan")], [float("nan")], [0.5])
    assert str(history).splitlines()[1] == "    1  2.0000        -        -     0.50"


def test_history_plot_returns_axes_with_both_accuracies_over_the_epochs(plt):
    ax = course().plot()
    assert isinstance(ax, plt.Axes)
    train, test = ax.get_lines()
    for line, accuracies in ((train, [0.5, 0.75, 1.0]), (test, [0.25, 0.5, 0.875])):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(line.get_ydata(), accuracies)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training set", "test set"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "accuracy")


def test_history_plot_without_a_test_set_draws_one_line(plt):
    (line,) = course(test=False).plot().get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [0.5, 0.75, 1.0])


def test_history_plot_loss_draws_batches_and_the_mean_at_the_end_of_each_epoch(plt):
    batches, epochs = course().plot_loss().get_lines()
    np.testing.assert_array_equal(batches.get_xdata(), [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(batches.get_ydata(), course().losses)
    np.testing.assert_array_equal(epochs.get_xdata(), [2, 4, 6])
    np.testing.assert_array_equal(epochs.get_ydata(), [1.5, 0.7, 0.5])


def test_history_plot_loss_marks_an_epoch_that_was_stopped_where_it_ended(plt):
    history = bg.History(losses=[3.0, 2.0, 1.0])
    history.record([3.0, 2.0], 0.5, None, 1.0)
    history.record([1.0], 0.5, None, 1.0)
    _, epochs = history.plot_loss().get_lines()
    np.testing.assert_array_equal(epochs.get_xdata(), [2, 3])


@pytest.mark.parametrize("method", ["plot", "plot_loss"])
def test_history_plot_draws_on_the_axes_it_is_given_and_makes_no_figure(plt, method):
    _, ax = plt.subplots()
    figures = plt.get_fignums()
    assert getattr(course(), method)(ax) is ax
    assert ax.get_lines()
    assert plt.get_fignums() == figures


@pytest.mark.parametrize("method", ["plot", "plot_loss"])
def test_history_plot_of_nothing_gives_empty_axes_that_can_be_drawn(plt, method, tmp_path):
    ax = getattr(bg.History(), method)()
    assert all(len(line.get_xdata()) == 0 for line in ax.get_lines())
    ax.figure.savefig(tmp_path / "empty.png")


@pytest.mark.parametrize("method", ["plot", "plot_loss"])
def test_history_plot_draws_on_new_axes_of_pyplots_each_time(plt, method):
    first, second = getattr(course(), method)(), getattr(course(), method)()
    assert first is not second
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("method", ["plot", "plot_loss"])
def test_history_plot_without_matplotlib_raises_import_error_saying_how_to_get_it(monkeypatch, method):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"drawing needs matplotlib\. .*pip install 'brickgrad\[plot\]'"):
        getattr(course(), method)()


@pytest.mark.parametrize("first_with_test", [True, False])
def test_history_of_a_run_with_a_test_set_in_one_fit_only_still_prints_and_plots(plt, first_with_test):
    x, t = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32), np.array([0, 1, 0, 1, 0, 1])
    trainer = bg.Trainer(bg.TwoLayerNet(2, 3, 2, rng=0), bg.SGD(), epochs=1, progress=False)
    for with_test in (first_with_test, not first_with_test):
        history = trainer.fit(x, t, x, t) if with_test else trainer.fit(x, t)
    lines = str(history).splitlines()[1:]
    assert ["-" in line for line in lines] == [not first_with_test, first_with_test]  # in the right epoch
    ax = history.plot()
    (at,) = (x for x, y in zip(*ax.get_lines()[1].get_data(), strict=True) if np.isfinite(y))
    assert at == (1 if first_with_test else 2)


def test_history_with_a_validation_set_has_a_column_and_a_curve_more(plt):
    history = course()
    history.validation_accuracies = [0.5, float("nan"), 0.75]
    assert str(history).splitlines() == [
        "epoch   loss    train %  valid %  test %  seconds",
        "    1  1.5000    50.00    50.00    25.00     0.25",
        "    2  0.7000    75.00        -    50.00     1.00",
        "    3  0.5000   100.00    75.00    87.50    12.50",
    ]
    ax = history.plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training set", "validation set", "test set"]
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), history.validation_accuracies)


def test_history_record_fills_epochs_that_measured_no_validation_with_nan():
    history = bg.History()
    history.record([1.0], 0.5, None, 1.0)
    history.record([1.0], 0.5, None, 1.0, 0.25, 2.0)
    history.record([1.0], 0.5, None, 1.0)
    np.testing.assert_array_equal(history.validation_accuracies, [np.nan, 0.25, np.nan])
    np.testing.assert_array_equal(history.validation_losses, [np.nan, 2.0, np.nan])
    assert history.test_accuracies == []
