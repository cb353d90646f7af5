"""Schedules: their values at exact steps, and how optimizers use them."""

import copy
import math
import pickle

import numpy as np
import pytest

import brickgrad as bg


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (bg.StepDecay(0.8, every=3, factor=0.5), {1: 0.8, 3: 0.8, 4: 0.4, 6: 0.4, 7: 0.2, 3001: 0.8 * 0.5**1000}),
        (bg.StepDecay(0.8, every=1), {1: 0.8, 2: 0.08, 3: 0.008}),
        (bg.StepDecay(0.8, 5, 1), {1: 0.8, 100: 0.8}),
        (bg.ExponentialDecay(0.8, 0.25, every=4), {1: 0.8 / math.sqrt(2), 2: 0.4, 4: 0.2, 8: 0.05}),
        (bg.ExponentialDecay(0.8, 0.5), {1: 0.4, 3: 0.1, 10**6: 0.0}),
        (bg.CosineDecay(0.8, 6), {1: 0.4 + 0.2 * math.sqrt(3), 2: 0.6, 3: 0.4, 4: 0.2, 6: 0.0, 7: 0.0, 600: 0.0}),
        (bg.CosineDecay(0.8, 3, lowest=0.2), {1: 0.65, 2: 0.35, 3: 0.2, 4: 0.2}),
        (bg.CosineDecay(0.8, 3, lowest=0.8), {1: 0.8, 2: 0.8, 9: 0.8}),
        (bg.WarmUp(0.8, 4), {1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8, 5: 0.8, 100: 0.8}),
        (bg.WarmUp(0.8, 1), {1: 0.8, 2: 0.8}),
        (bg.WarmUp(bg.StepDecay(0.8, every=2), 2), {1: 0.4, 2: 0.8, 3: 0.8, 4: 0.8, 5: 0.08}),
        (bg.WarmUp(bg.ExponentialDecay(0.8, 0.5), 2), {1: 0.4, 2: 0.8, 3: 0.4, 4: 0.2}),
        (bg.WarmUp(bg.CosineDecay(0.8, 2), 2), {1: 0.4, 2: 0.8, 3: 0.4, 4: 0.0, 5: 0.0}),
        (bg.WarmUp(lambda step: 0.8 / step, 2), {1: 0.4, 2: 0.8, 3: 0.8, 4: 0.4}),
        (bg.WarmUp(bg.WarmUp(0.8, 2), 2), {1: 0.4, 2: 0.8, 3: 0.4, 4: 0.8, 5: 0.8}),
    ],
    ids=str,
)
def test_schedule_gives_its_formula_at_each_step_in_any_order(schedule, values):
    for step, rate in [*values.items(), *reversed(values.items())]:
        found = schedule(step)
        assert type(found) is float
        np.testing.assert_allclose(found, rate, rtol=1e-12, atol=1e-16)
        assert schedule(np.int64(step)) == found


def test_schedule_at_the_ends_of_its_course_is_exact():
    cosine = bg.CosineDecay(0.1, 7, lowest=0.03)
    assert (cosine(7), cosine(8)) == (0.03, 0.03)
    assert bg.WarmUp(0.1, 7)(7) == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *[
            (make, "lr must be at least 0 and below inf")
            for make in (
                lambda: bg.StepDecay(-0.1, 1),
                lambda: bg.ExponentialDecay(math.nan, 0.5),
                lambda: bg.CosineDecay("0.1", 5),
                lambda: bg.WarmUp(True, 5),
                lambda: bg.WarmUp(None, 5),
                lambda: bg.WarmUp(lambda step: -1.0, 5),
            )
        ],
        *[
            (
                lambda every=every: bg.StepDecay(0.1, every),
                r"StepDecay: every must be a whole number of at least 1; got ",
            )
            for every in (0, -1, 2.0, True, "3", None)
        ],
        (
            lambda: bg.ExponentialDecay(0.1, 0.5, 0),
            "ExponentialDecay: every must be a whole number of at least 1; got 0",
        ),
        (lambda: bg.CosineDecay(0.1, 0), "CosineDecay: steps must be a whole number of at least 1; got 0"),
        (lambda: bg.CosineDecay(0.1, 1.5), r"CosineDecay: steps must be a whole number of at least 1; got 1\.5"),
        (lambda: bg.WarmUp(0.1, 0), "WarmUp: steps must be a whole number of at least 1; got 0"),
        *[
            (lambda f=f: bg.StepDecay(0.1, 5, f), "StepDecay: factor must be above 0 and at most 1; got ")
            for f in (0, -0.5, 1.01, math.nan, "0.1", True)
        ],
        (lambda: bg.ExponentialDecay(0.1, 0.0), "ExponentialDecay: decay must be above 0 and at most 1; got 0"),
        (lambda: bg.CosineDecay(0.1, 5, -0.1), r"CosineDecay: lowest must be at least 0 and below inf; got -0\.1"),
        (lambda: bg.CosineDecay(0.1, 5, 0.2), r"CosineDecay: lowest must be at most lr, 0\.1; got 0\.2"),
    ],
)
def test_schedule_with_a_bad_setting_raises_value_error_naming_it(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_schedule_of_ones_own_without_a_call_raises_type_error_saying_what_to_define():
    with pytest.raises(TypeError, match=r"Schedule: a subclass of Schedule must define __call__\(step\)"):
        bg.SGD(bg.Schedule(0.1))


def test_schedule_text_gives_its_settings():
    assert repr(bg.StepDecay(0.1, 1000000)) == "StepDecay(lr=0.1, every=1000000, factor=0.1)"
    assert repr(bg.ExponentialDecay(0.1, 0.5)) == "ExponentialDecay(lr=0.1, decay=0.5, every=1)"
    assert repr(bg.CosineDecay(0.1, 10)) == "CosineDecay(lr=0.1, steps=10, lowest=0)"
    assert repr(bg.WarmUp(0.1, 5)) == "WarmUp(schedule=0.1, steps=5)"
    schedule = bg.WarmUp(bg.CosineDecay(0.1, 10), 5)
    optimizer = bg.Momentum(schedule)
    text = "WarmUp(schedule=CosineDecay(lr=0.1, steps=10, lowest=0), steps=5)"
    assert repr(optimizer) == f"Momentum(lr={text}, momentum=0.9)"
    optimizer.lr = 0.5
    assert repr(optimizer) == "Momentum(lr=0.5, momentum=0.9)"


def rate(step):
    return 0.5 / step


def test_schedule_that_is_a_function_shows_its_name():
    assert repr(bg.SGD(rate)) == "SGD(lr=rate)"


# In an optimizer ------------------------------------------------------------------------------------------------------


def take(optimizer, params, steps=1):
    """Steps along a gradient of 1; the optimizer's rate after each."""
    rates = []
    for _ in range(steps):
        optimizer.update(params, {"W": np.ones(1)})
        rates.append(optimizer.lr)
    return rates


@pytest.mark.parametrize(
    "schedule", [bg.StepDecay(0.8, 2, 0.5), bg.WarmUp(0.8, 3), rate], ids=["StepDecay", "WarmUp", "function"]
)
def test_optimizer_with_a_schedule_takes_each_step_at_its_rate(schedule):
    params, optimizer = {"W": np.zeros(1)}, bg.SGD(schedule)
    assert optimizer.lr == schedule(1)
    assert take(optimizer, params, 5) == [schedule(step) for step in range(1, 6)]
    assert params["W"] == -sum(schedule(step) for step in range(1, 6))


@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Nesterov, bg.AdaGrad, bg.RMSprop, bg.Adam, bg.AdamW])
def test_optimizer_of_every_kind_with_a_schedule_moves_as_with_rates_set_by_hand(kind):
    one, two = {"W": np.ones((1, 1))}, {"W": np.ones((1, 1))}
    scheduled, by_hand = kind(lr=rate), kind(lr=1.0)
    for step in range(1, 6):
        by_hand.lr = rate(step)
        for optimizer, params in ((scheduled, one), (by_hand, two)):
            optimizer.update(params, {"W": np.full((1, 1), 0.3)})
    assert one["W"] == two["W"]


def test_optimizer_whose_rate_is_assigned_gives_up_its_schedule():
    params, optimizer = {"W": np.zeros(1)}, bg.SGD(rate)
    take(optimizer, params, 2)
    optimizer.lr = 0.125
    assert take(optimizer, params, 2) == [0.125, 0.125]
    optimizer.lr = bg.WarmUp(1.0, 10)
    assert optimizer.lr == 0.5  # the fifth step is the next
    assert take(optimizer, params, 2) == [0.5, 0.6]


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "0.1", None, True])
def test_optimizer_whose_rate_is_assigned_badly_raises_value_error_and_keeps_the_old(bad):
    optimizer = bg.SGD(rate)
    for new, message in ((bad, "SGD: lr must be"), (lambda step: bad, "SGD: lr at step 1 must be")):
        with pytest.raises(ValueError, match=message):
            optimizer.lr = new
    assert (optimizer.lr, optimizer.schedule) == (0.5, rate)


def test_optimizer_whose_schedule_goes_wrong_raises_value_error_and_moves_nothing():
    params, optimizer = {"W": np.zeros(1)}, bg.SGD(lambda step: 2.0 - step)
    take(optimizer, params, 2)
    with pytest.raises(ValueError, match=r"SGD: lr at step 3 must be at least 0 and below inf; got -1\.0"):
        take(optimizer, params)
    assert (params["W"], optimizer.step, optimizer.lr) == (-1.0, 2, 0.0)


def test_optimizer_with_a_schedule_needs_its_step_alone_to_go_on():
    params, optimizer = {"W": np.zeros(1)}, bg.SGD(bg.CosineDecay(0.8, 10))
    first = take(optimizer, params, 4)
    again = bg.SGD(bg.CosineDecay(0.8, 10))
    again.step = 4
    assert first + take(again, params, 4) == take(bg.SGD(bg.CosineDecay(0.8, 10)), {"W": np.zeros(1)}, 8)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))], ids=["copy", "pickle"]
)
def test_optimizer_with_a_schedule_can_be_copied_and_pickled(again):
    optimizer = bg.Adam(bg.WarmUp(bg.StepDecay(0.8, 2), 3))
    take(optimizer, {"W": np.zeros(1)}, 2)
    assert take(again(optimizer), {"W": np.zeros(1)}, 4) == take(optimizer, {"W": np.zeros(1)}, 4)


def test_optimizer_with_a_schedule_keeps_float32():
    params, optimizer = {"W": np.zeros(2, np.float32)}, bg.SGD(lambda step: np.float64(0.1))
    optimizer.update(params, {"W": np.ones(2, np.float32)})
    assert type(optimizer.lr) is float  # a float64 of NumPy's would make the step float64
    assert params["W"].dtype == np.float32
    np.testing.assert_array_equal(params["W"], -np.float32(0.1))


def test_trainer_counts_the_steps_of_a_schedule_in_batches():
    net = bg.Sequential(bg.Affine(2, 2, rng=0))
    x, t = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32), np.arange(10) % 2
    rates = []

    class Watch(bg.Callback):
        def on_batch(self, trainer):
            rates.append(trainer.optimizer.lr)

    optimizer = bg.SGD(bg.StepDecay(0.8, every=3, factor=0.5))
    bg.Trainer(net, optimizer, batch_size=4, epochs=2, callbacks=[Watch()], progress=False).fit(x, t)
    assert rates == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4]
