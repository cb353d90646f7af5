"""Random search: trials that can be repeated alone, ranked, printed, drawn; what diverges is listed as failed."""

import re

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
T = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)
SPACE = {"lr": (1e-3, 1.0), "hidden": bg.Choice([4, 8])}


def make_trainer(lr, seed, hidden=4, epochs=3, **options):
    net = bg.TwoLayerNet(4, hidden, 3, 0.5, rng=seed)
    return bg.Trainer(net, bg.SGD(lr=lr), batch_size=10, epochs=epochs, seed=seed, progress=False, **options)


def search(space=SPACE, trials=6, make=make_trainer, **options):
    return bg.random_search(make, space, trials, X, T, **{"progress": False, **options})


def facts(found):
    return [(trial.number, trial.settings, trial.seed, trial.history.losses, trial.accuracy) for trial in found.trials]


def test_search_with_one_seed_gives_the_same_trials_and_with_another_does_not():
    assert facts(search(seed=3)) == facts(search(seed=3))
    assert facts(search(seed=3)) != facts(search(seed=4))


def test_search_trial_depends_on_the_seed_and_its_number_not_on_how_many_there_are():
    few, many = search(trials=2), search(trials=6)
    by_number = {trial.number: trial for trial in many.trials}
    for trial in few.trials:
        assert (trial.settings, trial.history.losses) == (
            by_number[trial.number].settings,
            by_number[trial.number].history.losses,
        )
    assert len({trial.settings["lr"] for trial in many.trials}) == len({trial.seed for trial in many.trials}) == 6


def test_search_space_in_another_order_draws_the_same():
    other = search(space=dict(reversed(SPACE.items())))
    assert [trial.settings for trial in other.trials] == [trial.settings for trial in search().trials]


def test_search_repeat_runs_one_trial_again_to_the_bit():
    found = search()
    for trial in found.trials[:2]:
        trainer = found.repeat(trial.number)
        assert trainer.history.losses == trial.history.losses
        assert trainer.history.validation_accuracies == trial.history.validation_accuracies
        assert trainer.optimizer.lr == trial.settings["lr"]
    assert len(found.trials) == 6


def test_search_ranks_by_the_last_validation_accuracy_the_earlier_of_equal_ones_first():
    found = search(trials=12)
    keys = [(-trial.history.validation_accuracies[-1], trial.number) for trial in found.trials]
    assert keys == sorted(keys)
    assert found.best is found.trials[0]


def test_search_holds_out_the_same_samples_in_all_trials_and_trains_on_none_of_them():
    trainers = []

    def make(**settings):
        trainers.append(make_trainer(**settings))
        return trainers[-1]

    search(make=make, trials=4, validation=0.25)
    assert {tuple(trainer.held_out) for trainer in trainers} == {tuple(trainers[0].held_out)}
    assert len(trainers[0].held_out) == 15
    assert {trainer.batches.n_samples for trainer in trainers} == {45}


def test_search_lists_what_diverges_as_failed_and_last_and_repeating_it_diverges_again():
    found = search(space={"lr": bg.Choice([0.1, 1e10])}, trials=8)
    failed = [trial for trial in found.trials if trial.error]
    assert 0 < len(failed) < 8
    assert found.trials[-len(failed) :] == failed
    assert all(trial.settings["lr"] == 1e10 and np.isnan(trial.accuracy) for trial in failed)
    assert "Trainer.fit" in failed[0].error
    lines = str(found).splitlines()
    assert all("failed" in line for line in lines[-len(failed) :])
    assert re.search(r"failed +- +1e\+10 +after \d epochs", lines[-1])
    with pytest.raises(FloatingPointError, match="Trainer"):
        found.repeat(failed[0].number)


def test_search_raises_any_other_error():
    def make(lr, seed):
        raise KeyError("a typing error")

    with pytest.raises(KeyError, match="a typing error"):
        search(space={"lr": (1e-3, 1.0)}, make=make)


def test_search_says_how_each_trial_went(capsys):
    search(trials=2, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"trial   1/2  validation +\d+\.\d\d %  lr \S+, hidden [48]", lines[1])


def test_search_plot_is_a_grid_of_five_in_a_row_with_both_curves(monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("show() was called"))
    found = search(trials=7)
    figure = found.plot(top=6)
    shown = [ax for ax in figure.axes if ax.get_lines()]
    assert (len(figure.axes), len(shown)) == (10, 6)
    for ax, trial in zip(shown, found.trials, strict=False):
        validation, train = ax.get_lines()
        np.testing.assert_array_equal(validation.get_ydata(), trial.history.validation_accuracies)
        np.testing.assert_array_equal(train.get_ydata(), trial.history.train_accuracies)
        assert ax.get_title().startswith(f"trial {trial.number}: ")
    assert len(search(trials=7).plot().axes) == 10
    with pytest.raises(ValueError, match=r"Search\.plot: top must be a whole number of at least 1; got 0"):
        found.plot(top=0)
    plt.close("all")


def test_search_of_trials_without_an_epoch_is_a_table_and_a_plot_of_nothing():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    found = search(make=lambda **settings: make_trainer(epochs=0, **settings), trials=2)
    assert len(str(found).splitlines()) == 3
    assert not any(ax.get_lines() for ax in found.plot().axes)
    plt.close("all")


# Distributions


def draws(distribution, n=4000):
    rng = np.random.default_rng(0)
    return np.array([distribution.draw(rng) for _ in range(n)])


def test_log_uniform_draws_every_power_of_ten_alike():
    found = draws(bg.LogUniform(1e-6, 1e-2))
    assert 1e-6 <= found.min() < found.max() <= 1e-2
    counts, _ = np.histogram(np.log10(found), bins=[-6, -5, -4, -3, -2])
    assert np.abs(counts - 1000).max() < 140  # deviation 27; five of them either way


def test_uniform_draws_every_value_alike():
    found = draws(bg.Uniform(-1.0, 3.0))
    counts, _ = np.histogram(found, bins=[-1, 0, 1, 2, 3])
    assert counts.sum() == 4000
    assert np.abs(counts - 1000).max() < 140  # as above


def test_choice_gives_the_options_themselves():
    options = [None, "relu", (3, 4)]
    rng = np.random.default_rng(0)
    found = [bg.Choice(options).draw(rng) for _ in range(60)]
    assert all(any(one is option for option in options) for one in found)
    assert {options.index(one) for one in found} == {0, 1, 2}


def test_log_uniform_of_one_value_is_that_value():
    assert set(draws(bg.LogUniform(0.1, 0.1), 20)) == {0.1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bg.LogUniform(0, 1), "LogUniform: needs finite 0 < low <= high; got 0 and 1."),
        (lambda: bg.LogUniform(1, 0.5), "LogUniform: needs finite 0 < low <= high; got 1 and 0.5."),
        (lambda: bg.Uniform(1, 0), "Uniform: needs finite low <= high; got 1 and 0."),
        (lambda: bg.Uniform(0, float("inf")), "Uniform: needs finite low <= high; got 0 and inf."),
        (lambda: bg.LogUniform(None, 1), "LogUniform: needs finite 0 < low <= high; got None and 1."),
        (lambda: bg.Uniform("0", 1), "Uniform: needs finite low <= high; got '0' and 1."),
        (lambda: bg.Choice([]), "Choice: needs a list of at least one option; got []."),
        (lambda: bg.Choice(3), "Choice: needs a list of at least one option; got 3."),
        (lambda: bg.Choice("relu"), "Choice: needs a list of at least one option; got 'relu'."),
    ],
)
def test_distribution_of_bad_bounds_raises_value_error_naming_them(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"trials": 0}, ValueError, "trials must be a whole number of at least 1; got 0"),
        ({"validation": 0}, ValueError, "validation must be above 0"),
        ({"validation": 1.0}, ValueError, "validation must be a share of the samples, 0 <= share < 1; got 1.0"),
        ({"seed": -1}, ValueError, "seed must be a whole number of 0 or more; got -1"),
        ({"space": {}}, ValueError, "space must name at least one setting, and not 'seed'; got {}"),
        ({"space": {"seed": (1, 2)}}, ValueError, "space must name at least one setting, and not 'seed'"),
        ({"space": {"lr": [0.1, 0.2]}}, TypeError, "space['lr'] must be (low, high), for LogUniform, or Uniform(low"),
        ({"space": {"lr": bg.Uniform}}, TypeError, "space['lr'] must be (low, high)"),
        ({"make": 3}, TypeError, "make_trainer must be a function that returns a Trainer; got 3"),
        ({"make": lambda **settings: None}, TypeError, "make_trainer must return a Trainer; got NoneType"),
    ],
)
def test_search_of_bad_settings_says_what_it_expected(options, error, message):
    with pytest.raises(error, match=re.escape(f"random_search: {message}")):
        search(**options)
