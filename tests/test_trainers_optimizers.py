"""Optimizers: each against its equation in plain loops, in place, and untouched parameters where something is wrong."""

import math

import numpy as np
import pytest

import brickgrad as bg

SHAPES = {"W": (3, 4), "b": (4,), "k": (), "T": (2, 1, 3)}


def sgd(w, gs, lr=0.01, weight_decay=0.0):
    """Where w is after steps along the gradients gs."""
    for g in gs:
        w = w - lr * (g + weight_decay * w)
    return w


def momentum(w, gs, lr=0.01, momentum=0.9, weight_decay=0.0):
    v = 0.0
    for g in gs:
        v = momentum * v - lr * (g + weight_decay * w)
        w = w + v
    return w


def nesterov(w, gs, lr=0.01, momentum=0.9, weight_decay=0.0):
    """In Nesterov's own terms: y is where the velocity has led, w lies ahead of it, and there the gradient is taken."""
    y, v = w, 0.0
    for g in gs:
        v = momentum * v - lr * (g + weight_decay * w)
        y = y + v
        w = y + momentum * v
    return w


def adagrad(w, gs, lr=0.01, eps=1e-7, weight_decay=0.0):
    h = 0.0
    for g in gs:
        g = g + weight_decay * w
        h = h + g * g
        w = w - lr * g / (math.sqrt(h) + eps)
    return w


def rmsprop(w, gs, lr=0.01, decay_rate=0.99, eps=1e-7, weight_decay=0.0):
    h = 0.0
    for g in gs:
        g = g + weight_decay * w
        h = decay_rate * h + (1 - decay_rate) * g * g
        w = w - lr * g / (math.sqrt(h) + eps)
    return w


def adam(w, gs, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=0.0):
    m = v = 0.0
    for k, g in enumerate(gs, start=1):
        g = g + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * decoupled * w
        w = w - lr * math.sqrt(1 - beta2**k) / (1 - beta1**k) * m / (math.sqrt(v) + eps)
    return w


def adamw(w, gs, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
    return adam(w, gs, lr, beta1, beta2, eps, decoupled=weight_decay)


CASES = {
    "SGD": (bg.SGD, sgd, {}),
    "SGD .95": (bg.SGD, sgd, {"lr": 0.95}),
    "Momentum": (bg.Momentum, momentum, {}),
    "Momentum .1 .5": (bg.Momentum, momentum, {"lr": 0.1, "momentum": 0.5}),
    "Momentum 0": (bg.Momentum, momentum, {"momentum": 0.0}),
    "Nesterov": (bg.Nesterov, nesterov, {}),
    "Nesterov .1 .5": (bg.Nesterov, nesterov, {"lr": 0.1, "momentum": 0.5}),
    "AdaGrad": (bg.AdaGrad, adagrad, {}),
    "AdaGrad 1.5": (bg.AdaGrad, adagrad, {"lr": 1.5, "eps": 1e-3}),
    "RMSprop": (bg.RMSprop, rmsprop, {}),
    "RMSprop .1": (bg.RMSprop, rmsprop, {"lr": 0.1, "decay_rate": 0.5, "eps": 1e-3}),
    "RMSprop 0": (bg.RMSprop, rmsprop, {"decay_rate": 0.0}),
    "Adam": (bg.Adam, adam, {}),
    "Adam .3": (bg.Adam, adam, {"lr": 0.3, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
    "Adam 0 0": (bg.Adam, adam, {"beta1": 0.0, "beta2": 0.0}),
    "AdamW": (bg.AdamW, adamw, {}),
    "AdamW .3": (bg.AdamW, adamw, {"lr": 0.3, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.2}),
}
BY_PLACE = ("SGD .95", "Momentum .1 .5", "Nesterov .1 .5", "AdaGrad 1.5", "RMSprop .1", "Adam .3", "AdamW .3")
KINDS = [bg.SGD, bg.Momentum, bg.Nesterov, bg.AdaGrad, bg.RMSprop, bg.Adam, bg.AdamW]


def draw(steps, dtype=np.float64, seed=0):
    """Parameters of several shapes, and their gradients at each step."""
    rng = np.random.default_rng(seed)
    params = {name: np.array(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}
    grads = [{name: np.array(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()} for _ in range(steps)]
    return params, grads


def assert_follows(kind, reference, settings):
    """Seven steps, entry by entry; what has fewer than 2 axes does not decay."""
    params, grads = draw(7)
    start = {name: param.copy() for name, param in params.items()}
    optimizer = kind(**settings)
    for step in grads:
        optimizer.update(params, step)
    for key, param in params.items():
        fitting = settings if param.ndim >= 2 else {**settings, "weight_decay": 0.0}
        for index in np.ndindex(param.shape):
            expected = reference(float(start[key][index]), [float(step[key][index]) for step in grads], **fitting)
            np.testing.assert_allclose(param[index], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_optimizer_follows_its_equation_over_seven_steps(name):
    assert_follows(*CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_optimizer_with_weight_decay_follows_its_equation_for_weights_alone(name):
    kind, reference, settings = CASES[name]
    assert_follows(kind, reference, {**settings, "weight_decay": 0.3})


def valley(x, y):
    """The slope of x²/20 + y²."""
    return np.array([x / 10, 2 * y])


def walk(kind, lr):
    params, path = {"x": np.array([-7.0, 2.0])}, []
    optimizer = kind(lr)
    for _ in range(30):
        optimizer.update(params, {"x": valley(*params["x"])})
        path.append(params["x"].copy())
    return np.array(path)


def walk_as_the_texts_do(move):
    """`move(p, g, s, k)` gives the next point and state."""
    p, state, path = np.array([-7.0, 2.0]), (np.zeros(2), np.zeros(2)), []
    for k in range(1, 31):
        p, state = move(p, valley(*p), state, k)
        path.append(p)
    return np.array(path)


def texts_sgd(p, g, s, k):
    return p - 0.95 * g, s


def texts_momentum(p, g, s, k):
    v = 0.9 * s[0] - 0.1 * g
    return p + v, (v, v)


def texts_adagrad(p, g, s, k):
    h = s[0] + g * g
    return p - 1.5 * g / (np.sqrt(h) + 1e-7), (h, h)


def texts_adam(p, g, s, k):
    """The texts add 1e-7 to the root; the paper, and so we, 1e-8."""
    m, v = s[0] + (1 - 0.9) * (g - s[0]), s[1] + (1 - 0.999) * (g**2 - s[1])
    return p - 0.3 * np.sqrt(1.0 - 0.999**k) / (1.0 - 0.9**k) * m / (np.sqrt(v) + 1e-8), (m, v)


@pytest.mark.parametrize(
    ("kind", "lr", "move"),
    [
        (bg.SGD, 0.95, texts_sgd),
        (bg.Momentum, 0.1, texts_momentum),
        (bg.AdaGrad, 1.5, texts_adagrad),
        (bg.Adam, 0.3, texts_adam),
    ],
)
def test_optimizer_walks_down_the_valley_of_the_texts_as_they_do(kind, lr, move):
    np.testing.assert_allclose(walk(kind, lr), walk_as_the_texts_do(move), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BY_PLACE)
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


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", [np.float16, np.int16, np.float64])
def test_optimizer_adam_squares_gradients_in_the_precision_of_the_parameters(kind):
    params, adam = {"W": np.zeros(1, np.float32)}, bg.Adam()
    adam.update(params, {"W": np.array([300], kind)})
    np.testing.assert_allclose(adam.slots["W", "v"], 90.0, rtol=1e-6)  # 0.001 · 300²: float16 ends at 65504


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


@pytest.mark.parametrize("kind", KINDS)
def test_optimizer_with_a_rate_of_0_moves_nothing(kind):
    params, grads = draw(2)
    before = {name: param.copy() for name, param in params.items()}
    optimizer = kind(lr=0)
    for step in grads:
        optimizer.update(params, step)
    for name, param in params.items():
        np.testing.assert_array_equal(param, before[name])


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", KINDS[1:])
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
        *[(kind, "lr", bad) for kind in KINDS for bad in (-0.1, math.inf, math.nan, "0.1", None)],
        (bg.SGD, "lr", True),
        (bg.SGD, "lr", [0.1]),
        *[(kind, "momentum", bad) for kind in (bg.Momentum, bg.Nesterov) for bad in (-0.1, 1.0, 2, math.nan, "0.9")],
        *[(bg.RMSprop, "decay_rate", bad) for bad in (-0.1, 1.0, 2, math.nan, "0.9")],
        *[(kind, "weight_decay", bad) for kind in KINDS for bad in (-0.1, math.inf, math.nan, "0.1", None, True)],
        *[(bg.Adam, what, bad) for what in ("beta1", "beta2") for bad in (-0.1, 1.0, math.nan, "0.9")],
        *[(kind, "eps", bad) for kind in KINDS[3:] for bad in (-1e-8, math.inf, "1e-8")],
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
    assert repr(bg.AdaGrad()) == "AdaGrad(lr=0.01, eps=1e-07)"
    assert repr(bg.RMSprop()) == "RMSprop(lr=0.01, decay_rate=0.99, eps=1e-07)"
    assert repr(bg.AdamW(weight_decay=0)) == "AdamW(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0)"
    assert repr(bg.Nesterov(weight_decay=1e-4, clip_norm=5)) == (
        "Nesterov(lr=0.01, momentum=0.9, clip_norm=5, weight_decay=0.0001)"
    )
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


# Clipping and decay ---------------------------------------------------------------------------------------------------


def moved(grads, **options):
    """What SGD of rate 1 takes away from parameters of 0: the gradients that it uses."""
    params = {name: np.zeros_like(grad) for name, grad in grads.items()}
    bg.SGD(1.0, **options).update(params, grads)
    return {name: -param for name, param in params.items()}


def test_optimizer_clip_norm_scales_all_gradients_to_it_together():
    found = moved({"W": np.array([[3.0, 0.0]]), "b": np.array(-4.0)}, clip_norm=1.0)
    np.testing.assert_allclose(found["W"], [[0.6, 0.0]], rtol=1e-12)
    np.testing.assert_allclose(found["b"], -0.8, rtol=1e-12)


@pytest.mark.parametrize("limit", [5.0, 6, math.inf])
def test_optimizer_clip_norm_not_exceeded_changes_no_bit(limit):
    found = moved({"W": np.array([[3.0]]), "b": np.array([-4.0])}, clip_norm=limit)
    assert (found["W"], found["b"]) == (3.0, -4.0)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_optimizer_clip_norm_of_gradients_whose_squares_overflow_or_vanish_is_exact(dtype, rtol):
    huge, tiny = float(np.finfo(dtype).max), 1000 * float(np.finfo(dtype).tiny)
    for size, limit in ((huge, 0.1 * huge), (huge, 1e-3), (tiny, 0.1 * tiny)):
        found = moved({"W": np.full((10, 10), size, dtype)}, clip_norm=limit)
        assert found["W"].dtype == dtype
        np.testing.assert_allclose(found["W"], np.full((10, 10), 0.1 * limit), rtol=rtol)


def test_optimizer_clip_norm_leaves_gradients_of_zero_and_those_not_finite_as_they_are():
    np.testing.assert_array_equal(moved({"W": np.zeros(2), "empty": np.zeros((0, 3))}, clip_norm=1.0)["W"], 0)
    bad = np.array([np.inf, 1.0, np.nan])
    np.testing.assert_array_equal(moved({"W": bad}, clip_norm=1.0)["W"], bad)


def test_optimizer_clip_norm_counts_no_gradients_but_those_of_its_parameters():
    params = {"W": np.zeros(1)}
    bg.SGD(1.0, clip_norm=3.0).update(params, {"W": np.array([3.0]), "frozen": np.array([100.0])})
    assert params["W"] == -3.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimizer_clip_value_brings_each_entry_into_range(dtype):
    found = moved({"W": np.array([[0.5, -7.0, 2.0]], dtype), "b": np.array(3.0, dtype)}, clip_value=2)
    np.testing.assert_array_equal(found["W"], [[0.5, -2.0, 2.0]])
    assert found["b"] == 2.0
    assert found["W"].dtype == dtype


def test_optimizer_clips_values_then_the_norm_and_decays_last():
    params = {"W": np.array([[10.0]]), "b": np.array([10.0])}
    grads = {"W": np.array([[30.0]]), "b": np.array([-4.0])}
    bg.SGD(1.0, clip_value=3.0, clip_norm=1.0, weight_decay=0.5).update(params, grads)
    share = 1 / math.sqrt(2)  # both are 3 once their values are clipped
    np.testing.assert_allclose(params["W"], [[10 - share - 5]], rtol=1e-12)
    np.testing.assert_allclose(params["b"], [10 + share], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_optimizer_that_clips_and_decays_leaves_the_gradients_alone(kind):
    params, (grads,) = draw(1)
    before = {name: grad.copy() for name, grad in grads.items()}
    for grad in grads.values():
        grad.flags.writeable = False
    arrays = dict(grads)
    kind(clip_value=0.5, clip_norm=0.1, weight_decay=0.1).update(params, grads)
    for name, grad in grads.items():
        assert grad is arrays[name]
        np.testing.assert_array_equal(grad, before[name])


def test_optimizer_weight_decay_is_the_nets_own_penalty():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 3)), rng.integers(2, size=20)
    one = bg.MultiLayerNet(3, [4], 2, weight_decay_lambda=0.1, rng=0, dtype=np.float64)
    two = bg.MultiLayerNet(3, [4], 2, rng=0, dtype=np.float64)
    for net, optimizer in ((one, bg.Momentum(0.1)), (two, bg.Momentum(0.1, weight_decay=0.1))):
        for _ in range(5):
            optimizer.update(net.params, net.gradient(x, t))
    np.testing.assert_allclose(two.vector, one.vector, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["clip_norm", "clip_value"])
@pytest.mark.parametrize("bad", [0, -1.0, math.nan, "1", True])
def test_optimizer_clipping_out_of_range_raises_value_error_naming_it(kind, what, bad):
    with pytest.raises(ValueError, match=rf"{kind.__name__}: {what} must be above 0 and at most inf; got {bad!r}"):
        kind(**{what: bad})


def test_optimizer_setting_that_there_is_not_raises_type_error():
    with pytest.raises(TypeError, match="momentun"):
        bg.Momentum(momentun=0.9)


# PyTorch --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam", "AdamW"])
def test_optimizer_moves_weights_as_pytorch_does(name, decay):
    """In Adam PyTorch adds eps to √(v / (1 - β₂ᵏ)), we and the paper's efficient form to √v: equal where eps is 0."""
    torch = pytest.importorskip("torch")
    ours, theirs = {
        "SGD": (bg.SGD(0.1, weight_decay=decay), (torch.optim.SGD, {"lr": 0.1})),
        "Momentum": (bg.Momentum(0.1, weight_decay=decay), (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9})),
        "Nesterov": (
            bg.Nesterov(0.1, weight_decay=decay),
            (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ),
        "AdaGrad": (bg.AdaGrad(0.1, eps=1e-3, weight_decay=decay), (torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-3})),
        "RMSprop": (bg.RMSprop(0.1, eps=1e-3, weight_decay=decay), (torch.optim.RMSprop, {"lr": 0.1, "eps": 1e-3})),
        "Adam": (bg.Adam(0.1, eps=0, weight_decay=decay), (torch.optim.Adam, {"lr": 0.1, "eps": 0})),
        "AdamW": (bg.AdamW(0.1, eps=0, weight_decay=decay), (torch.optim.AdamW, {"lr": 0.1, "eps": 0})),
    }[name]
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(3, 4))}
    W = torch.tensor(params["W"].copy(), requires_grad=True)
    their_optimizer = theirs[0]([W], weight_decay=decay, **theirs[1])
    for _ in range(10):
        grad = rng.normal(size=(3, 4))
        ours.update(params, {"W": grad})
        W.grad = torch.tensor(grad)
        their_optimizer.step()
    np.testing.assert_allclose(params["W"], W.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_optimizer_clips_as_pytorch_does():
    torch = pytest.importorskip("torch")
    grads = draw(1)[1][0]
    tensors = {name: torch.zeros(grad.shape, dtype=torch.float64, requires_grad=True) for name, grad in grads.items()}
    for name, tensor in tensors.items():
        tensor.grad = torch.tensor(grads[name])
    torch.nn.utils.clip_grad_value_(tensors.values(), 1.0)
    torch.nn.utils.clip_grad_norm_(tensors.values(), 0.5)
    for name, found in moved(grads, clip_value=1.0, clip_norm=0.5).items():
        # rtol: PyTorch divides by the norm + 1e-6
        np.testing.assert_allclose(found, tensors[name].grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "clip_norm": 2.0}], ids=["plain", "decay and clip"])
@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Nesterov, bg.AdaGrad, bg.RMSprop, bg.Adam, bg.AdamW])
def test_blocks_move_a_parameter_as_one_piece_does_to_the_last_bit(kind, options, monkeypatch):
    rng = np.random.default_rng(0)
    start = {"W": rng.normal(size=(37, 11)).astype(np.float32), "b": rng.normal(size=50).astype(np.float32)}
    grads = [{n: rng.normal(size=p.shape).astype(np.float32) for n, p in start.items()} for _ in range(3)]
    ends = []
    for block in (10**9, 32):
        monkeypatch.setattr("brickgrad.trainers.optimizers.BLOCK", block)
        optimizer, params = kind(**options), {name: param.copy() for name, param in start.items()}
        for step in grads:
            optimizer.update(params, step)
        slots = dict(optimizer.slots)
        ends.append((params, slots))
        assert all(slot.shape == params[name].shape for (name, _), slot in slots.items())
    for one, other in zip(*ends, strict=True):
        assert [(k, v.tobytes()) for k, v in one.items()] == [(k, v.tobytes()) for k, v in other.items()]


@pytest.mark.parametrize("block", [32, 1000, 10**9])
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1}, {"clip_value": 1.0}, {"clip_norm": 2.0}, {"clip_norm": 99.0}], ids=str
)
@pytest.mark.parametrize("kind", [bg.SGD, bg.Momentum, bg.Nesterov, bg.AdaGrad, bg.RMSprop, bg.Adam, bg.AdamW])
def test_parameters_side_by_side_in_a_net_move_as_they_do_apart_to_the_last_bit(kind, options, block, monkeypatch):
    monkeypatch.setattr("brickgrad.trainers.optimizers.BLOCK", block)
    net = bg.MultiLayerNet(37, [29, 5], 3, use_batchnorm=True, rng=0)
    together, apart = kind(**options), kind(**options)
    params, rng = {name: param.copy() for name, param in net.params.items()}, np.random.default_rng(1)
    for _ in range(3):
        net.grad_vector[:] = rng.normal(size=net.grad_vector.shape)
        together.update(net.params, net.grads)
        apart.update(params, dict(net.grads))
    assert {name: param.tobytes() for name, param in net.params.items()} == {n: p.tobytes() for n, p in params.items()}
    assert {key: slot.tobytes() for key, slot in together.slots.items()} == {
        key: slot.tobytes() for key, slot in apart.slots.items()
    }
    assert all(slot.shape == params[name].shape for (name, _), slot in together.slots.items())


@pytest.mark.parametrize("change", ["copied", "freed of one", "cleared", "frozen in between"])
def test_what_is_put_into_the_slots_counts_where_parameters_move_side_by_side(change):
    net = bg.TwoLayerNet(4, 3, 2, 0.5, rng=0)
    params, one, other = {n: p.copy() for n, p in net.params.items()}, bg.Momentum(), bg.Momentum()
    for step in range(3):
        net.grad_vector[:] = np.arange(len(net.grad_vector)) + step
        if step == 1 and change == "copied":
            one.slots = {key: slot.copy() for key, slot in one.slots.items()}
        if step == 1 and change == "freed of one":
            del one.slots["b1", "v"], other.slots["b1", "v"]
        if step == 1 and change == "cleared":
            one.slots.clear(), other.slots.clear()
        net.graph.leaves()[0].trainable = change != "frozen in between" or step != 1
        one.update(net.trained, net.grads)
        other.update({name: params[name] for name in net.trained}, dict(net.grads))
    for name, param in net.params.items():
        np.testing.assert_array_equal(param, params[name])


def test_one_optimizer_for_two_nets_of_as_many_parameters_is_refused_and_nothing_moves():
    wide, high, adam = bg.TwoLayerNet(3, 2, 3, rng=0), bg.TwoLayerNet(2, 3, 2, rng=0), bg.Adam()
    assert len(wide.vector) == len(high.vector)
    adam.update(wide.params, wide.grads)
    before = high.vector.copy()
    with pytest.raises(ValueError, match=r"Adam\.update: 'W1' is .* not as at its first step"):
        adam.update(high.params, high.grads)
    with pytest.raises(ValueError, match=r"SGD\.update: the gradient of 'W1' must be"):
        bg.SGD().update(high.params, wide.grads)
    np.testing.assert_array_equal(high.vector, before)


def test_parameters_move_along_the_gradients_of_their_names_whatever_net_these_are_of():
    x = bg.Input("x", (4,))
    p, q = bg.Affine(4, 4, name="p", rng=0), bg.Affine(4, 4, name="q", rng=1)
    one, two = bg.Net(x, q(p(x))), bg.Net(x, p(q(x)))
    two.loss_and_gradient(np.ones((2, 4), np.float32), np.array([0, 1]))
    params, grads = one.params, two.grads
    assert list(params) != list(grads)
    wanted = {name: param - grads[name] for name, param in params.items()}
    bg.SGD(1.0).update(params, grads)
    for name, param in params.items():
        np.testing.assert_array_equal(param, wanted[name])


def test_a_parameter_taken_out_of_a_nets_params_does_not_move():
    net = bg.TwoLayerNet(3, 2, 2, 0.5, rng=0)
    W2 = net.params.pop("W2")
    before = W2.copy()
    net.grad_vector[:] = 1
    bg.SGD(lr=1.0).update(net.params, net.grads)
    np.testing.assert_array_equal(W2, before)
    np.testing.assert_array_equal(net.params["b2"], [-1, -1])


def test_parameters_that_are_no_plain_rows_in_memory_move_in_one_piece(monkeypatch):
    monkeypatch.setattr("brickgrad.trainers.optimizers.BLOCK", 4)
    params, grad = {"W": np.ones((3, 4), order="F")}, np.arange(12.0).reshape(4, 3).T
    optimizer = bg.Adam(lr=0.1)
    optimizer.update(params, {"W": grad})
    np.testing.assert_allclose(params["W"], 1 - 0.1 * (grad > 0), rtol=1e-6)


def test_a_subclass_with_a_move_of_its_own_gets_whole_parameters_unless_it_says_otherwise(monkeypatch):
    monkeypatch.setattr("brickgrad.trainers.optimizers.BLOCK", 4)

    class Scaled(bg.SGD):
        """Steps of length lr."""

        def _move(self, name, param, grad):
            param -= self.lr * grad / np.linalg.norm(grad)

    class Signed(Scaled):
        """Steps of lr in each entry."""

        entrywise = True

        def _move(self, name, param, grad):
            assert param.shape in ((4,), (2,))
            param -= self.lr * np.sign(grad)

    params, grads = {"W": np.zeros((2, 5))}, {"W": np.ones((2, 5))}
    Scaled(lr=1.0).update(params, grads)
    np.testing.assert_allclose(params["W"], -1 / np.sqrt(10))
    Signed(lr=1.0).update(params, grads)
    np.testing.assert_allclose(params["W"], -1 / np.sqrt(10) - 1)


def test_optimizer_with_a_decay_of_its_own_sees_whole_parameters():
    class ByRows(bg.SGD):
        """A decay that depends on a parameter's shape."""

        def _decay(self, param, grad):
            return grad + self.weight_decay * param / len(param)

    net = bg.Sequential(bg.Affine(4, 2, init=1.0, rng=0))
    before = net.params["affine1.W"].copy()
    net.grads["affine1.W"][...] = 0
    ByRows(lr=1.0, weight_decay=1.0).update(net.trained, net.grads)
    np.testing.assert_allclose(net.params["affine1.W"], before * 0.75)
    assert bg.AdamW.entrywise
