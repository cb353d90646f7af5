"""Watch: what it records, that it changes nothing, what it warns of and what it is silent about."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

import brickgrad as bg

matplotlib.use("Agg")

HIDDEN = [100] * 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
T = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)


@pytest.fixture(scope="module")
def digits():
    (x, t), _ = bg.load_mnist()
    return x[:4000], t[:4000]


def fit(net, x, t, optimizer=None, *, every=1, batch_size=100, epochs=1, **options):
    """The Watch of a run; where an error ends the run, the Watch all the same."""
    watch = bg.Watch(every, **options)
    optimizer = bg.SGD(lr=0.1) if optimizer is None else optimizer
    trainer = bg.Trainer(net, optimizer, batch_size=batch_size, epochs=epochs, callbacks=watch, progress=False)
    try:
        trainer.fit(x, t)
    except (FloatingPointError, ValueError) as error:
        watch.error = str(error)
    return watch


class Own:
    """A net with what TrainableNet asks for and nothing else: scores = (x @ A) @ B, squared error."""

    def __init__(self, scale=1.0):
        rng = np.random.default_rng(0)
        self.params = {"A": scale * rng.normal(size=(4, 5)), "B": scale * rng.normal(size=(5, 3))}
        self.grads = {}

    def loss_and_gradient(self, x, t):
        A, B = self.params.values()
        d = (x @ A @ B - np.eye(3)[t]) / len(x)
        self.grads = {"A": x.T @ (d @ B.T), "B": (x @ A).T @ d}
        return float(np.sum(np.square(d))) * len(x) / 2

    def accuracy(self, x, t):
        return 0.0

    def train(self):
        pass

    def eval(self):
        pass


# What is recorded


def test_watch_of_one_step_records_what_a_forward_and_backward_by_hand_give():
    affine, relu, head, loss = bg.Affine(4, 6, rng=0), bg.ReLU(), bg.Affine(6, 3, rng=1), bg.SoftmaxWithLoss()
    affine.params["b"][:2] = -100.0  # two units are dead
    net = bg.Sequential(affine, relu, head, loss=loss).replica(np.float64)
    x = X.astype(np.float64)
    h = relu.replica(np.float64).forward(x @ net.params["affine1.W"] + net.params["affine1.b"])
    scores = h @ net.params["affine2.W"] + net.params["affine2.b"]
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d_scores = (share - np.eye(3)[T]) / len(x)
    d_hidden = d_scores @ net.params["affine2.W"].T
    W, dW = net.params["affine2.W"].copy(), h.T @ d_scores
    watch = fit(net, x, T, batch_size=200)
    look = watch.looks[0].layers["relu1"]
    # The batch's order is drawn, so sums run in another order than here.
    assert look.mean == pytest.approx(h.mean(), rel=1e-12)
    assert look.deviation == pytest.approx(h.std(), rel=1e-12)
    assert look.zeros == np.mean(h == 0)
    assert look.dead == pytest.approx(2 / 6)
    assert look.histogram.counts.sum() == np.count_nonzero(h)
    assert (look.histogram.low, look.histogram.high) == pytest.approx((h[h > 0].min(), h.max()))
    assert look.gradient == pytest.approx(np.linalg.norm(d_hidden), rel=1e-12)
    weights = watch.looks[0].params["affine2.W"]
    assert weights.gradient == pytest.approx(np.linalg.norm(dW), rel=1e-12)
    assert weights.update == pytest.approx(0.1 * np.linalg.norm(dW) / np.linalg.norm(W), rel=1e-9)
    assert weights.norm == pytest.approx(np.linalg.norm(W - 0.1 * dW), rel=1e-12)
    assert weights.histogram.counts.sum() == W.size
    assert np.isnan(watch.looks[0].params["affine2.b"].update)  # it was 0 before the step


@pytest.mark.parametrize(("kind", "x", "saturated"), [(bg.Sigmoid, 5.0, 1.0), (bg.Sigmoid, 4.0, 0.0)])
def test_watch_counts_values_as_saturated_where_the_slope_is_below_a_twentieth_of_the_steepest(kind, x, saturated):
    # 4 σ(4) (1 - σ(4)) = 0.071, 4 σ(5) (1 - σ(5)) = 0.027
    net = bg.Sequential(bg.Affine(4, 3, init=0.0), kind(), bg.Affine(3, 3, rng=0))
    net.params["affine1.b"][...] = x
    assert fit(net, X, T).looks[0].layers["sigmoid1"].saturated == saturated


def test_watch_counts_a_channel_as_a_dead_unit_only_where_it_is_0_in_all_places(digits):
    net = bg.SimpleConvNet(conv_param={"filter_num": 4, "filter_size": 5, "pad": 0, "stride": 2}, rng=0)
    net.params["b1"][0] = -100.0
    watch = fit(net, digits[0][:100].reshape(-1, 1, 28, 28), digits[1][:100])
    assert watch.looks[0].layers["relu1"].dead == 0.25
    assert watch.looks[0].layers["relu1"].units == 4


def test_watch_looks_after_the_first_step_and_every_so_many_and_the_loss_is_the_mean_since(digits):
    watch = bg.Watch(every=7)
    trainer = bg.Trainer(bg.TwoLayerNet(784, 5, 10, rng=0), bg.SGD(), epochs=2, callbacks=watch, progress=False)
    losses = trainer.fit(digits[0][:1000], digits[1][:1000]).losses
    assert watch.steps == [1, 8, 15]
    assert [look.loss for look in watch.looks] == [losses[0], np.mean(losses[1:8]), np.mean(losses[8:15])]


def test_watch_record_is_thinned_when_full_so_that_it_stays_bounded_and_evenly_spaced():
    for most in (4, 5):
        watch = fit(Own(), X, T, bg.SGD(lr=0.01), batch_size=1, most=most)  # 200 steps
        assert len(watch.looks) <= most
        assert len(watch.looks) >= most // 2
        assert watch.steps == list(range(1, 201, watch.spacing))
        assert watch.every == 1


def test_watch_thinned_record_still_knows_since_which_step_a_trouble_lasts():
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))

    class Kill(bg.Callback):
        def on_batch(self, trainer):
            if len(trainer.history.losses) == 9:
                net.params["affine1.b"][...] = -1000.0

    watch = bg.Watch(every=1, most=4)
    trainer = bg.Trainer(net, bg.SGD(lr=0.1), batch_size=50, epochs=25, callbacks=[watch, Kill()], progress=False)
    trainer.fit(X, T)
    assert watch.spacing == 32
    # By then every fourth step was looked at: 9 was well, 13 was not.
    assert [text.split(":")[0] for text in watch.warnings] == ["Dead ReLUs, since step 13"]


def nested():
    inner_x = bg.Input("x", (6,))
    inner = bg.Graph(inner_x, bg.ReLU(name="on")(bg.Affine(6, 6, rng=0, name="enc")(inner_x)), keep=False, name="block")
    x = bg.Input("x", (4,))
    h = inner(bg.Affine(4, 6, rng=1, name="low")(x))
    return bg.Net(x, bg.Affine(6, 3, rng=2, name="head")(inner(h)))


def shared():
    x, middle = bg.Input("x", (4,)), bg.Affine(6, 6, rng=0, name="middle")
    h = bg.Tanh()(middle(bg.Tanh()(bg.Affine(4, 6, rng=1, name="low")(x))))
    return bg.Net(x, bg.Affine(6, 3, rng=2, name="head")(middle(h) + h))


def lazy():
    return bg.Sequential(
        bg.Affine(6, rng=0), bg.BatchNormalization(), bg.ReLU(), bg.Dropout(0.2, rng=0), bg.Affine(3, rng=1)
    )


NETS = {
    "lazy": (lazy, ["affine1", "batchnormalization1", "relu1", "dropout1", "affine2"]),
    "two layers": (lambda: bg.TwoLayerNet(4, 6, 3, rng=0), ["affine1", "relu1", "affine2"]),
    "multi layers": (
        lambda: bg.MultiLayerNet(4, [5], 3, use_batchnorm=True, dropout_ratio=0.1, rng=0),
        ["affine1", "batchnormalization1", "relu1", "dropout1", "affine2"],
    ),
    "nested": (nested, ["low", "block.enc", "block.on", "block.enc (use 2)", "block.on (use 2)", "head"]),
    "shared": (shared, ["low", "tanh1", "middle", "tanh2", "middle (use 2)", "add1", "head"]),
}


@pytest.mark.parametrize("name", NETS)
def test_watch_names_layers_as_the_graph_does_and_sees_all_of_them(name):
    make, names = NETS[name]
    watch = fit(make(), X, T, epochs=2)
    assert list(watch.looks[-1].layers) == names
    assert all(np.isfinite(look.gradient) for look in watch.looks[-1].layers.values())
    assert all(np.isfinite(look.update) for look in watch.looks[-1].params.values())
    assert all(name in str(watch) for name in names)


@pytest.mark.parametrize("make", [lambda: bg.SimpleConvNet(rng=0), lambda: bg.ResNet(channels=(2, 4), rng=0)])
def test_watch_of_convolutions_and_skips_sees_every_layer(make, digits):
    net = make()
    watch = fit(net, digits[0][:100].reshape(-1, 1, 28, 28), digits[1][:100], batch_size=50)
    steps = [step.name for step in net.body.wiring.steps]
    assert list(watch.looks[-1].layers) == steps
    assert {look.layer for look in watch.looks[-1].params.values()} <= set(steps)


def test_watch_of_two_uses_of_a_layer_keeps_their_values_apart():
    watch = fit(shared(), X, T)
    first, second = (watch.series(name, "deviation")[0] for name in ("middle", "middle (use 2)"))
    assert first != second


def test_watch_of_a_net_of_ones_own_records_its_parameters():
    net = Own()
    before = net.params["B"].copy()
    watch = fit(net, X, T, bg.SGD(lr=0.1), batch_size=200)
    look = watch.looks[0]
    assert (list(look.layers), list(look.params)) == ([], ["A", "B"])
    assert look.params["B"].update == pytest.approx(np.linalg.norm(net.params["B"] - before) / np.linalg.norm(before))


def test_watch_of_no_looks_says_so():
    assert str(bg.Watch()) == "Watch: no looks yet\nno warnings"


# What it leaves alone


@pytest.mark.parametrize("name", NETS)
def test_watch_changes_no_bit_of_the_training(name):
    def train(*callbacks):
        net = NETS[name][0]()
        trainer = bg.Trainer(
            net, bg.Adam(), batch_size=30, epochs=3, seed=5, callbacks=callbacks, progress=False, validation=0.1
        )
        history = trainer.fit(X, T)
        draws = [leaf.rng.random() for leaf in net.graph.leaves() if isinstance(leaf, bg.Dropout)]
        state = {key: array.tobytes() for key, array in net.snapshot().items()}
        return state, history.losses, history.validation_losses, trainer.rng.random(), draws

    assert train(bg.Watch(every=2)) == train()


def test_watch_puts_the_graph_back_as_it_was_also_after_an_error():
    for x in (X, np.full_like(X, np.nan)):
        net = nested()
        graphs = [part for part in net.graph.parts() if isinstance(part, bg.Graph)]
        assert len(graphs) == 2
        memories = [graph.memory for graph in graphs]
        watch = fit(net, x, T)
        assert hasattr(watch, "error") == (x is not X)
        assert [graph.keep for graph in graphs] == [False, False]
        assert [graph.memory for graph in graphs] == memories
        assert net.graph.memory.saved is None or net.graph.memory.saved.values is None


def test_watch_of_a_graph_that_keeps_its_values_leaves_it_so():
    net = bg.TwoLayerNet(4, 5, 3, rng=0)
    net.graph.keep = True
    fit(net, X, T)
    assert net.graph.keep


def test_watch_goes_on_in_a_second_fit_and_starts_anew_with_another_trainer():
    watch = bg.Watch(every=2)
    trainer = bg.Trainer(lazy(), bg.SGD(), batch_size=50, epochs=1, callbacks=watch, progress=False)
    trainer.fit(X, T)
    trainer.fit(X, T)
    assert watch.steps == [1, 3, 5, 7]
    bg.Trainer(lazy(), bg.SGD(), batch_size=50, epochs=1, callbacks=watch, progress=False).fit(X, T)
    assert watch.steps == [1, 3]


# What it warns of


def multi(activation, std=None, **options):
    return bg.MultiLayerNet(784, HIDDEN, 10, activation, std, rng=0, **options)


def buried():
    net = bg.TwoLayerNet(784, 50, 10, rng=0)
    net.params["b1"][...] = -100.0
    return net


HEALTHY = {
    "two layers": (lambda: bg.TwoLayerNet(784, 50, 10, rng=0), bg.SGD(lr=0.1)),
    "two layers, he": (lambda: bg.TwoLayerNet(784, 50, 10, "he", rng=0), bg.SGD(lr=0.1)),
    "he": (lambda: multi("relu"), bg.SGD(lr=0.1)),
    "he, adam": (lambda: multi("relu"), bg.Adam()),
    "he, slow": (lambda: multi("relu"), bg.SGD(lr=0.01)),
    "tanh": (lambda: multi("tanh"), bg.Momentum(lr=0.01)),
    "norm and dropout": (lambda: multi("relu", use_batchnorm=True, dropout_ratio=0.2), bg.SGD(lr=0.1)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_watch_of_a_healthy_run_warns_of_nothing_at_any_time(name, digits):
    make, optimizer = HEALTHY[name]
    said = []

    class Read(bg.Callback):
        def on_batch(self, trainer):
            said.extend(watch.warnings)

    watch = bg.Watch(every=10)
    bg.Trainer(make(), optimizer, epochs=2, callbacks=[watch, Read()], progress=False).fit(*digits)
    assert said == []
    assert str(watch).endswith("no warnings")


SICK = {
    "sigmoids, 0.01": (lambda: multi("sigmoid", 0.01), 0.1, "Vanishing gradients, since step 1: ", "affine1"),
    "ReLUs, 0.01": (lambda: multi("relu", 0.01), 0.1, "Vanishing gradients, since step 1: ", "affine1"),
    "sigmoids, 1": (lambda: multi("sigmoid", 1.0), 0.1, "Saturated activations, since step 1: ", "sigmoid1"),
    "tanhs, 1": (lambda: multi("tanh", 1.0), 0.1, "Saturated activations, since step 1: ", "tanh2"),
    "bias": (buried, 0.1, "Dead ReLUs, since step 1: ", "50 of 50 units of relu1"),
    "huge lr": (
        lambda: bg.TwoLayerNet(784, 50, 10, rng=0),
        10.0,
        "Dead ReLUs, since step 11: ",
        "of 50 units of relu1",
    ),
    "exploding": (lambda: multi("relu", 1.0), 1e-9, "Exploding gradients, since step 1: ", "affine1"),
    "tiny lr": (lambda: bg.TwoLayerNet(784, 50, 10, rng=0), 1e-5, "Updates too small, since step 11: ", "W2"),
}


@pytest.mark.parametrize("name", SICK)
def test_watch_of_a_planted_sickness_warns_of_it_alone_naming_the_layer_and_since_when(name, digits):
    make, lr, start, names = SICK[name]
    watch = fit(make(), *digits, bg.SGD(lr=lr), every=10)
    assert len(watch.warnings) == 1 + (name == "ReLUs, 0.01")  # there ReLUs die too, in time
    text = next(text for text in watch.warnings if text.startswith(start))
    assert names in text
    assert ". Try " in text
    assert "! " + text[:40] in str(watch)


def test_watch_warns_of_steps_too_large_beside_the_weights():
    net = bg.Sequential(bg.Affine(4, 8, init=0.01, rng=0), bg.Tanh(), bg.Affine(8, 3, init=0.01, rng=0))
    watch = fit(net, X, T, bg.Adam(lr=1.0), batch_size=200)
    assert watch.warnings[0].startswith("Updates too large, since step 1: one step changes affine1.W by 1.2e+02 of ")
    assert "ten times smaller (it is 1)" in watch.warnings[0]


def test_watch_warns_of_a_loss_that_grows():
    net = Own()

    class Worse(bg.Callback):
        def on_batch(self, trainer):
            net.params["B"] *= 3

    watch = bg.Watch(every=1)
    trainer = bg.Trainer(net, bg.SGD(lr=0.0), batch_size=100, epochs=2, callbacks=[watch, Worse()], progress=False)
    trainer.fit(X, T)
    assert watch.warnings[0].startswith("A loss that grows, since step 2: it is ")


def test_watch_of_a_net_of_ones_own_judges_gradients_by_its_weights():
    net = Own()
    net.params["B"] *= 1e-6
    watch = fit(net, X, T, bg.SGD(lr=1e-9))
    assert watch.warnings[0].startswith("Vanishing gradients, since step 1: the gradient that reaches A is ")


@pytest.mark.parametrize(
    ("optimizer", "step", "says"),
    [(bg.SGD(lr=1e30), 2, "the loss is nan at epoch 1, batch 2"), (bg.SGD(lr=1.0), None, "the loss is ")],
)
def test_watch_says_since_which_step_the_loss_is_no_number(optimizer, step, says, digits):
    watch = bg.Watch(every=100)
    trainer = bg.Trainer(multi("relu"), optimizer, callbacks=watch, progress=False)
    with pytest.raises(FloatingPointError):
        trainer.fit(*digits)
    step = len(trainer.history.losses) + 1 if step is None else step
    first, last = watch.warnings[0], trainer.history.losses[-1]
    assert first.startswith(f"Loss or gradient not finite, since step {step}: ")
    assert says in first
    assert f" {last:.3g} at step {step - 1}." in first


def test_watch_of_data_with_nan_says_so_and_a_run_after_it_does_not():
    watch, bad = bg.Watch(), X.copy()
    bad[7] = np.nan
    net = bg.TwoLayerNet(4, 6, 3, rng=0)
    trainer = bg.Trainer(net, bg.SGD(lr=0.1), batch_size=200, callbacks=watch, progress=False)
    trainer.epochs = 1
    trainer.fit(X, T)
    with pytest.raises(ValueError, match="holds NaN"):
        trainer.fit(bad, T)
    assert watch.warnings[0].startswith("Run broken off, since step 2: ")
    assert "x_train[7]" in watch.warnings[0]
    trainer.fit(X, T)
    assert watch.warnings == []


def test_watch_calls_a_trouble_that_has_passed_no_warning_nor_one_seen_in_a_single_look_of_many():
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    seen = []

    class Kill(bg.Callback):
        def on_batch(self, trainer):
            step = len(trainer.history.losses)
            seen.append(len(watch.warnings))
            if step in (3, 6):
                net.params["affine1.b"][...] = -1000.0
            if step in (4, 9):
                net.params["affine1.b"][...] = 0.0

    watch = bg.Watch(every=1)
    trainer = bg.Trainer(net, bg.SGD(lr=0.1), batch_size=50, epochs=3, callbacks=[watch, Kill()], progress=False)
    trainer.fit(X, T)
    assert seen == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0]  # dead in looks 4, and 7, 8, 9


def test_watch_judges_no_dead_units_by_a_few_samples_and_no_saturation_of_the_last_outputs():
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    net.params["affine1.b"][1:] = -100.0  # 7 of 8 units
    assert not any("Dead" in text for text in fit(net, X, T, batch_size=20).warnings)
    net = bg.Sequential(bg.Affine(4, 3, init=100.0, rng=0), bg.Sigmoid(), loss=bg.MeanSquaredLoss())
    watch = fit(net, X, np.eye(3, dtype=np.float32)[T], bg.SGD(lr=0.01))
    assert watch.looks[-1].layers["sigmoid1"].saturated > 0.9
    assert watch.warnings == []


def test_watch_tells_the_user_of_each_trouble_once_during_the_run(capsys):
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    net.params["affine1.b"][...] = -100.0
    watch = bg.Watch(every=1)
    bg.Trainer(net, bg.SGD(lr=0.1), epochs=3, callbacks=watch, progress="lines").fit(X, T)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Watch: ")]
    assert len(lines) == 1
    assert lines[0].startswith("Watch: Dead ReLUs, since step 1: 8 of 8 units of relu1 ")


# Reading the record


def test_watch_series_of_an_unknown_name_or_number_says_what_there_is():
    watch = fit(bg.TwoLayerNet(4, 6, 3, rng=0), X, T)
    assert watch.series("W1", "norm").shape == (2,)
    with pytest.raises(ValueError, match=r"no layer or parameter 'relu7'; there are: affine1, relu1, affine2, W1, b1"):
        watch.series("relu7", "dead")
    with pytest.raises(ValueError, match=r"relu1 has no number 'update'; it has: mean, deviation, zeros, dead"):
        watch.series("relu1", "update")


@pytest.mark.parametrize("settings", [{"every": 0}, {"every": 1.5}, {"bins": 0}, {"most": 1}, {"every": True}])
def test_watch_of_bad_settings_raises_value_error_naming_what_came(settings):
    ((name, value),) = settings.items()
    with pytest.raises(ValueError, match=rf"Watch: {name} must be .*; got {value}"):
        bg.Watch(**settings)


def lines_of(ax):
    return {line.get_label(): line.get_ydata() for line in ax.lines if not line.get_label().startswith("_")}


def test_watch_plot_draws_the_record_and_the_warnings_and_shows_nothing(monkeypatch):
    from matplotlib import pyplot as plt

    monkeypatch.setattr(plt, "show", lambda: pytest.fail("plot opened a window"))
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    net.params["affine1.b"][...] = -100.0
    watch = fit(net, X, T, bins=7)
    figure = watch.plot()
    loss, gradient, update, _, dead, _, *rest = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[k.step, k.loss] for k in watch.looks])
    np.testing.assert_array_equal(lines_of(gradient)["affine2"], watch.series("affine2", "gradient"))
    assert "affine1 is 0" in lines_of(gradient)
    np.testing.assert_array_equal(watch.series("affine2.W", "update"), [0.0, 0.0])
    assert "affine2.W is 0" in lines_of(update)
    np.testing.assert_array_equal(lines_of(dead)["relu1"], [1.0, 1.0])
    assert [ax.get_title() for ax in rest] == ["relu1: 100% are 0", "affine1.W", "affine2.W", ""]
    assert [max(patch.get_data().values) for patch in rest[1].patches] == [1.0, 1.0]
    said = " ".join(rest[-1].texts[0].get_text().split())
    assert said == watch.warnings[0]
    figure.canvas.draw()
    plt.close(figure)


@pytest.mark.parametrize("make", [Own, shared, lambda: bg.Sequential(bg.Identity())])
def test_watch_plot_of_nets_that_lack_layers_or_parameters_draws_what_there_is(make):
    from matplotlib import pyplot as plt

    figure = fit(make(), X[:, :4], T % 3, bg.SGD(lr=0.0)).plot()
    figure.canvas.draw()
    plt.close(figure)


def test_watch_plot_before_a_run_raises_value_error():
    with pytest.raises(ValueError, match=r"Watch.plot: there are no looks yet"):
        bg.Watch().plot()


def test_watch_plot_without_matplotlib_says_what_to_install(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('there is none')", encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import numpy as np, brickgrad as bg\n"
        "watch = bg.Watch()\n"
        "trainer = bg.Trainer(bg.TwoLayerNet(4, 6, 2), bg.SGD(), epochs=1, callbacks=watch, progress=False)\n"
        "trainer.fit(np.ones((4, 4)), np.zeros(4, int))\n"
        "print(watch)\n"
        "watch.plot()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "Watch: 1 look" in done.stdout
    assert (
        "ImportError: Watch.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
        in done.stderr
    )


def test_watch_warns_of_units_that_were_dead_in_several_small_batches_and_not_of_what_is_frozen():
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    net.params["affine1.b"][...] = -100.0
    assert any("Dead" in text for text in fit(net, X, T, batch_size=20).warnings)
    net = bg.Sequential(bg.Affine(4, 8, rng=0), bg.ReLU(), bg.Affine(8, 3, rng=1))
    net.graph.trainable = False
    assert not any("Updates" in text for text in fit(net, X, T).warnings)


def test_watch_draws_names_with_dollars(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    net = bg.Sequential(bg.Affine(4, 8, rng=0, name="$a_{$"), bg.ReLU(), bg.Affine(8, 3, rng=1))
    figure = fit(net, X, T).plot()
    figure.savefig(tmp_path / "watch.png")
    gradient = figure.axes[1]
    assert [text.get_parse_math() for text in gradient.get_legend().get_texts()] == [False, False]
    labels = [label for label in gradient.get_yticklabels() if "10^" in label.get_text()]
    assert labels
    assert all(label.get_parse_math() for label in labels)  # else they are shown as LaTeX
    plt.close(figure)
