"""Optimizers: each against its equation in plain loops, in place, and untouched parameters where something is wrong."""

import math

import numpy as np
import pytest

import brickgrad as bg

SHAPES = {"W": (3, 4), "b": (4,), "k": (), "T": (2, 1, 3)}


def sgd(w, gs, lr=0.01):
    """Each of w's values after steps along the gradients gs."""
    for g in gs:
        w = w - lr * g
    return w


def momentum(w, gs, lr=0.01, momentum=0.9):
    v = 0.0
    for g in gs:
        v = momentum * v - lr * g
        w = w + v
    return w


def adam(w, gs, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    m = v = 0.0
    for k, g in enumerate(gs, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * math.sqrt(1 - beta2**k) / (1 - beta1**k) * m / (math.sqrt(v) + eps)
    return w


CASES = {
    "SGD": (bg.SGD, sgd, {}),
    "SGD .95": (bg.SGD, sgd, {"lr": 0.95}),
    "Momentum": (bg.Momentum, momentum, {}),
    "Momentum .1 .5": (bg.Momentum, momentum, {"lr": 0.1, "momentum": 0.5}),
    "Momentum 0": (bg.Momentum, momentum, {"momentum": 0.0}),
    "Adam": (bg.Adam, adam, {}),
    "Adam .3": (bg.Adam, adam, {"lr": 0.3, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
    "Adam 0 0": (bg.Adam, adam, {"beta1": 0.0, "beta2": 0.0}),
}


def draw(steps, dtype=np.float64, seed=0):
    """Parameters of several shapes, and their gradients at each step."""
    rng = np.random.default_rng(seed)
    params = {name: np.array(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}
    grads = [{name: np.array(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()} for _ in range(steps)]
    return params, grads


@pytest.mark.parametrize("name", CASES)
def test_optimizer_follows_its_equation_over_seven_steps(name):
    kind, reference, settings = CASES[name]
    params, grads = draw(7)
    start = {name: param.copy() for name, param in params.items()}
    optimizer = kind(**settings)
    for step in grads:
        optimizer.update(params, step)
    for key, param in params.items():
        for index in np.ndindex(param.shape):
            expected = reference(float(start[key][index]), [float(step[key][index]) for step in grads], **settings)
            np.testing.assert_allclose(param[index], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["SGD .95", "Momentum .1 .5", "Adam .3"])
def test_optimizer_takes_its_settings_by_place_in_the_order_of_the_equation(name):
    kind, _, settings = CASES[name]
    by_name, grads = draw(3)
    by_place = {name: param.copy() for name, param in by_name.items()}
    first, second = kind(**settings), kind(*settings.values())
    for step in grads:
        first.update(by_name, step)
        second.update(by_place, step)
    for key, param in by_name.items():
        np.testing.assert_array_equal(param, by_place[key])


@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Adam])
def test_optimizer_keeps_float32_and_follows_float64_to_rounding(kind):
    single, grads = draw(5, np.float32)
    double = {name: param.astype(np.float64) for name, param in single.items()}
    one, two = kind(), kind()
    for step in grads:
        one.update(single, step)
        two.update(double, {name: gradient.astype(np.float64) for name, gradient in step.items()})
    for name, param in single.items():
        assert param.dtype == np.float32
        np.testing.assert_allclose(param, double[name], rtol=1e-5, atol=1e-5 * np.abs(double[name]).max())
    assert {slot.dtype for slot in one.slots.values()} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Adam])
def test_optimizer_moves_parameters_in_place_and_leaves_gradients_alone(kind):
    vector = np.arange(10.0)
    params = {"W": vector[:6].reshape(2, 3), "b": vector[6:]}
    grads = {"W": np.ones((2, 3)), "b": -np.ones(4)}
    views = dict(params)
    for gradient in grads.values():
        gradient.flags.writeable = False
    kind(lr=0.5).update(params, grads)
    assert all(params[name] is view for name, view in views.items())
    assert np.all(vector[:6] < np.arange(6.0))
    assert np.all(vector[6:] > np.arange(6.0, 10.0))


def test_optimizer_first_step_of_adam_is_the_rate_whatever_the_gradients_size():
    params = {"W": np.zeros(3)}
    bg.Adam(lr=0.1).update(params, {"W": np.array([5.0, -1e-3, 1e3])})
    np.testing.assert_allclose(params["W"], [-0.1, 0.1, -0.1], rtol=1e-3)  # rtol: eps against √v of 3e-5


def test_optimizer_remembers_each_parameter_by_itself():
    params, optimizer = {"a": np.zeros(2), "b": np.zeros(2)}, bg.Momentum(lr=1.0, momentum=0.5)
    for _ in range(2):
        optimizer.update(params, {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 10.0])})
    np.testing.assert_array_equal(params["a"], [-2.5, 0.0])
    np.testing.assert_array_equal(params["b"], [0.0, -25.0])


def test_optimizer_with_a_rate_changed_on_the_way_uses_the_new_one():
    params, optimizer = {"W": np.zeros(1)}, bg.SGD(lr=1.0)
    optimizer.update(params, {"W": np.ones(1)})
    optimizer.lr = 0.25
    optimizer.update(params, {"W": np.ones(1)})
    assert params["W"][0] == -1.25


@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Adam])
def test_optimizer_with_a_rate_of_0_moves_nothing(kind):
    params, grads = draw(2)
    before = {name: param.copy() for name, param in params.items()}
    optimizer = kind(lr=0)
    for step in grads:
        optimizer.update(params, step)
    for name, param in params.items():
        np.testing.assert_array_equal(param, before[name])


@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Adam])
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda p, g: g.pop("T"), ValueError, r"update: there is no gradient for 'T'; there are: W, b, k"),
        (lambda p, g: g.clear(), ValueError, r"update: there is no gradient for 'W'; there are: none"),
        (lambda p, g: g.update(T=np.ones((2, 3))), ValueError, r"gradient of 'T' must be \(2, 1, 3\); got \(2, 3\)"),
        (lambda p, g: p.update(T=np.ones((2, 1, 3), int)), TypeError, r"parameter 'T' must hold floats; got int64"),
    ],
    ids=["missing", "none", "shape", "integers"],
)
def test_optimizer_update_that_cannot_be_done_raises_and_moves_nothing(kind, spoil, error, message):
    params, grads = draw(2)
    optimizer = kind(lr=0.1)
    optimizer.update(params, grads[0])
    before = {name: np.array(param).tobytes() for name, param in params.items() if name != "T"}
    slots = {key: slot.tobytes() for key, slot in optimizer.slots.items()}
    spoil(params, grads[1])
    with pytest.raises(error, match=rf"{kind.__name__}\.update: ") as caught:
        optimizer.update(params, grads[1])
    assert caught.match(message)
    assert {name: np.array(param).tobytes() for name, param in params.items() if name != "T"} == before
    assert {key: slot.tobytes() for key, slot in optimizer.slots.items()} == slots
    assert optimizer.step == 1


@pytest.mark.parametrize("kind", [bg.Momentum, bg.Adam])
def test_optimizer_used_for_a_second_net_of_other_sizes_raises_value_error_and_moves_nothing(kind):
    optimizer = kind()
    optimizer.update({"b": np.ones(2), "W": np.ones((2, 3))}, {"b": np.ones(2), "W": np.ones((2, 3))})
    other = {"b": np.ones(2), "W": np.ones((4, 3))}
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.update: 'W' is \(4, 3\), not as at its first step"):
        optimizer.update(other, {"b": np.ones(2), "W": np.ones((4, 3))})
    assert np.all(other["b"] == 1)
    assert np.all(other["W"] == 1)


@pytest.mark.parametrize(
    ("kind", "what", "bad"),
    [
        *[
            (kind, "lr", bad)
            for kind in (bg.SGD, bg.Momentum, bg.Adam)
            for bad in (-0.1, math.inf, math.nan, "0.1", None)
        ],
        (bg.SGD, "lr", True),
        (bg.SGD, "lr", [0.1]),
        *[(bg.Momentum, "momentum", bad) for bad in (-0.1, 1.0, 2, math.nan, "0.9")],
        *[(bg.Adam, what, bad) for what in ("beta1", "beta2") for bad in (-0.1, 1.0, math.nan, "0.9")],
        *[(bg.Adam, "eps", bad) for bad in (-1e-8, math.inf, "1e-8")],
    ],
)
def test_optimizer_setting_out_of_range_raises_value_error_naming_it(kind, what, bad):
    with pytest.raises(ValueError, match=rf"{kind.__name__}: {what} must be at least 0 and below ") as caught:
        kind(**{what: bad})
    assert f"got {bad!r}" in str(caught.value)


def test_optimizer_settings_of_numpys_numbers_are_numbers():
    params = {"W": np.ones(2, np.float32)}
    bg.SGD(lr=np.float64(0.5)).update(params, {"W": np.ones(2, np.float32)})
    assert params["W"].dtype == np.float32
    np.testing.assert_array_equal(params["W"], [0.5, 0.5])


def test_optimizer_text_gives_its_settings():
    assert repr(bg.SGD(lr=0.1)) == "SGD(lr=0.1)"
    assert repr(bg.Momentum()) == "Momentum(lr=0.01, momentum=0.9)"
    optimizer = bg.Adam()
    optimizer.update({"W": np.ones(1)}, {"W": np.ones(1)})
    assert repr(optimizer) == "Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)"


def test_optimizer_of_ones_own_gets_its_slots_and_steps():
    class Average(bg.Optimizer):
        """Moves to minus the mean of all gradients so far."""

        def _move(self, name, param, grad):
            total = self.slot(name, "total", param)
            total += grad
            param[...] = -total / self.step

    params, grads = draw(4)
    optimizer = Average(lr=1)
    for step in grads:
        optimizer.update(params, step)
    for name, param in params.items():
        np.testing.assert_allclose(param, -np.mean([step[name] for step in grads], axis=0), rtol=1e-12, atol=1e-14)


def test_optimizer_of_ones_own_without_a_move_raises_type_error_saying_what_to_define():
    class Empty(bg.Optimizer):
        pass

    with pytest.raises(TypeError, match=r"Empty: a subclass of Optimizer must define _move\(name, param, grad\)"):
        Empty(lr=0.1).update({"W": np.ones(1)}, {"W": np.ones(1)})
