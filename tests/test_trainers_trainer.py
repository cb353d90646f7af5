"""Trainer: the same bits from one seed, every sample trained, callbacks in order, errors before any harm is done."""

import contextlib
import re

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.trainers.batches import Batches

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype(np.float32)
T = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)


class Logistic:
    """A net of one's own: no layers, no graph, and no more than the Protocol asks for. NumPy and nothing else."""

    def __init__(self, n_in=4, n_out=3):
        self.params = {"W": np.zeros((n_in, n_out)), "b": np.zeros(n_out)}
        self.grads = {}
        self.training = False
        self.seen = []

    def _p(self, x):
        scores = x @ self.params["W"] + self.params["b"]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def loss_and_gradient(self, x, t):
        assert self.training
        self.seen.append((x.copy(), t.copy()))
        p = self._p(x)
        d = p.copy()
        d[np.arange(len(t)), t] -= 1
        self.grads = {"W": x.T @ d / len(t), "b": d.mean(axis=0)}
        return float(-np.log(p[np.arange(len(t)), t]).mean())

    def accuracy(self, x, t):
        assert not self.training
        return float((self._p(x).argmax(axis=1) == t).mean())

    def train(self):
        self.training = True

    def eval(self):
        self.training = False


def net(seed=0, **options):
    return bg.TwoLayerNet(4, 6, 3, 0.5, rng=seed, **options)


def train(model=None, optimizer=None, x=X, t=T, test=(), **options):
    """A trainer that has run, silently."""
    options = {"batch_size": 8, "epochs": 3, "seed": 1, "progress": False, **options}
    trainer = bg.Trainer(model or net(), optimizer or bg.SGD(lr=0.1), **options)
    trainer.fit(x, t, *test)
    return trainer


def bits(trainer):
    """All that a run leaves behind but its times, in bytes."""
    history = trainer.history
    numbers = [history.losses, history.epoch_losses, history.train_accuracies, history.test_accuracies]
    return trainer.net.vector.tobytes(), [np.array(n).tobytes() for n in numbers]


# Repeatable


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize("optimizer", [bg.SGD, bg.Momentum, bg.Adam])
def test_trainer_with_one_seed_gives_the_same_bytes_and_with_another_does_not(sampling, optimizer):
    runs = [train(optimizer=optimizer(), sampling=sampling, seed=seed, test=(X[:9], T[:9])) for seed in (1, 1, 2)]
    assert bits(runs[0]) == bits(runs[1])
    assert bits(runs[0])[0] != bits(runs[2])[0]
    assert bits(runs[0])[1][0] != bits(runs[2])[1][0]


def test_trainer_takes_a_generator_for_a_seed():
    assert bits(train(seed=np.random.default_rng(5))) == bits(train(seed=5))


def test_trainer_touches_no_random_state_but_its_own():
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002  # the state that must stay is the global one
    train(sampling="replacement")
    train()
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002  # as above


def test_trainer_leaves_the_data_as_it_was():
    x, t = X.copy(), T.copy()
    x.flags.writeable = t.flags.writeable = False
    train(x=x, t=t, test=(x, t))
    assert (x.tobytes(), t.tobytes()) == (X.tobytes(), T.tobytes())


def test_trainer_in_its_workspace_gives_the_same_bits_as_steps_by_hand():
    trainer = train(optimizer=bg.Momentum(lr=0.1))
    by_hand, optimizer = net(), bg.Momentum(lr=0.1)
    batches = Batches(50, 8, np.random.default_rng(1))
    losses = []
    for _ in range(3):
        for samples in batches:
            losses.append(by_hand.loss_and_gradient(X[samples], T[samples]))
            optimizer.update(by_hand.params, by_hand.grads)
    assert trainer.net.vector.tobytes() == by_hand.vector.tobytes()
    assert trainer.history.losses == losses


# Every sample, every epoch


@pytest.mark.parametrize(("n", "batch_size"), [(50, 8), (50, 50), (50, 100), (7, 2), (1, 1), (7, 1)])
def test_trainer_trains_every_sample_once_an_epoch_the_last_partial_batch_too(n, batch_size):
    model = Logistic()
    x, t = np.arange(4.0 * n).reshape(n, 4) / (4 * n), T[:n]
    train(model, x=x, t=t, batch_size=batch_size, epochs=2)
    per_epoch = -(-n // batch_size)
    assert len(model.seen) == 2 * per_epoch
    for epoch in (model.seen[:per_epoch], model.seen[per_epoch:]):
        xs, ts = np.concatenate([x for x, _ in epoch]), np.concatenate([t for _, t in epoch])
        order = np.argsort(xs[:, 0])
        np.testing.assert_array_equal(xs[order], x)
        np.testing.assert_array_equal(ts[order], t)  # each sample with its own target


@pytest.mark.parametrize("batch_size", [7, 8, 50, 64])
def test_trainer_records_every_one_of_20_epochs_whether_or_not_the_batch_divides_the_data(batch_size):
    trainer = train(Logistic(), epochs=20, batch_size=batch_size, test=(X[:9], T[:9]))
    history, per_epoch = trainer.history, -(-50 // batch_size)
    lengths = [len(history), len(history.train_accuracies), len(history.test_accuracies), len(history.seconds)]
    assert lengths == [20] * 4
    assert len(history.losses) == 20 * per_epoch
    means = [np.mean(history.losses[i * per_epoch : (i + 1) * per_epoch]) for i in range(20)]
    np.testing.assert_allclose(history.epoch_losses, means, rtol=1e-12)
    assert trainer.epoch == 20
    assert all(seconds > 0 for seconds in history.seconds)


def test_trainer_records_the_accuracies_after_each_epoch_of_the_whole_sets():
    found = []
    trainer = bg.Trainer(
        net(),
        bg.SGD(lr=0.5),
        batch_size=8,
        epochs=3,
        progress=False,
        callbacks=[lambda t: found.append((t.net.accuracy(X, T), t.net.accuracy(X[:9], T[:9])))],
    )
    history = trainer.fit(X, T, X[:9], T[:9])
    assert list(zip(history.train_accuracies, history.test_accuracies, strict=True)) == found


def test_trainer_without_a_test_set_records_no_test_accuracies():
    assert train().history.test_accuracies == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_trainer_learns_a_line_that_can_be_learned(seed):
    trainer = train(net(seed), bg.Adam(lr=0.05), epochs=40, seed=seed)
    assert trainer.history.train_accuracies[-1] >= 0.96


# Nets of one's own


def test_trainer_trains_a_net_that_satisfies_the_protocol_and_no_more():
    trained = train(Logistic(), batch_size=8, epochs=3).net
    W, b = np.zeros((4, 3)), np.zeros(3)
    order = np.random.default_rng(1)
    for _ in range(3):
        shuffled = order.permutation(50)
        for start in range(0, 50, 8):
            x, t = X[shuffled[start : start + 8]].astype(np.float64), T[shuffled[start : start + 8]]
            scores = x @ W + b
            p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            d = (p - np.eye(3)[t]) / len(t)
            W, b = W - 0.1 * x.T @ d, b - 0.1 * d.sum(axis=0)
    np.testing.assert_allclose(trained.params["W"], W, rtol=1e-5, atol=1e-7)  # the net saw float32 data
    np.testing.assert_allclose(trained.params["b"], b, rtol=1e-5, atol=1e-7)


def test_trainer_says_where_a_net_of_ones_own_fails_without_asking_more_of_it():
    class Fails(Logistic):
        def loss_and_gradient(self, x, t):
            return super().loss_and_gradient(x, t) if len(self.seen) < 2 else float("nan")

    model = Fails()
    with pytest.raises(FloatingPointError, match=r"the loss is nan at epoch 1, batch 3\. The step was not taken"):
        train(model)


def test_trainer_trains_in_the_workspace_of_a_net_that_has_one_and_evaluates_outside_it():
    events = []

    class Roomy(Logistic):
        @contextlib.contextmanager
        def workspace(self):
            events.append("in")
            yield
            events.append("out")

        def loss_and_gradient(self, x, t):
            events.append("step")
            return super().loss_and_gradient(x, t)

        def accuracy(self, x, t):
            events.append("accuracy")
            return super().accuracy(x, t)

    train(Roomy(), batch_size=25, epochs=2)
    assert events == ["in", "step", "step", "out", "accuracy"] * 2


def test_trainer_lets_a_net_of_ones_own_overflow_where_it_does_no_harm():
    class Naive(Logistic):
        """Takes its accuracy from 1 / (1 + e⁻ˣ), which is 0 where eˣ overflows, and rightly so."""

        def accuracy(self, x, t):
            np.divide(1, 1 + np.exp(np.full(3, 1000.0)))
            return super().accuracy(x, t)

    with np.errstate(over="ignore"):  # as who writes such a net does, or bears the warning
        trained = train(Naive())
    assert trained.history.train_accuracies == train(Logistic()).history.train_accuracies


def test_trainer_takes_any_optimizer_with_an_update():
    class Sign:
        def update(self, params, grads):
            for name, param in params.items():
                param -= 0.01 * np.sign(grads[name])

    model = train(Logistic(), Sign(), epochs=1, batch_size=50).net
    np.testing.assert_array_equal(np.abs(model.params["W"]), np.full((4, 3), 0.01))


# Callbacks, epochs, modes


def test_trainer_calls_its_callbacks_in_order():
    events = []

    class Watch(bg.Callback):
        def on_start(self, trainer):
            events.append(("start", trainer.epoch, trainer.last_epoch, str(trainer.batches)))

        def on_batch(self, trainer):
            events.append(("batch", trainer.epoch, len(trainer.history.losses), trainer.net.training))

        def on_epoch(self, trainer):
            events.append(("epoch", trainer.epoch, len(trainer.history), trainer.net.training))

        def on_end(self, trainer):
            events.append(("end", trainer.epoch, len(trainer.history), trainer.net.training))

    def function(trainer):
        events.append(("function", trainer.epoch, len(trainer.history), trainer.net.training))

    train(Logistic(), batch_size=25, epochs=2, callbacks=[Watch(), function])
    assert events == [
        ("start", 0, 2, "50 samples in 2 batches of 25"),
        ("batch", 0, 1, True),
        ("batch", 0, 2, True),
        ("epoch", 1, 1, False),
        ("function", 1, 1, False),
        ("batch", 1, 3, True),
        ("batch", 1, 4, True),
        ("epoch", 2, 2, False),
        ("function", 2, 2, False),
        ("end", 2, 2, False),
    ]


def test_trainer_takes_a_lone_function_or_callback_for_a_list_of_it():
    events = []

    class Watch(bg.Callback):
        def on_start(self, trainer):
            events.append("start")

    train(Logistic(), epochs=2, callbacks=lambda trainer: events.append(trainer.epoch))
    train(Logistic(), epochs=2, callbacks=Watch())
    assert events == [1, 2, "start"]


def test_trainer_callback_that_overrides_nothing_changes_nothing():
    assert bits(train(callbacks=[bg.Callback()])) == bits(train())


def test_trainer_callback_that_changes_the_rate_changes_the_next_epoch():
    rates = iter([0.0, 0.0])

    def stop(trainer):
        trainer.optimizer.lr = next(rates)

    one_epoch, two_epochs = train(epochs=1), train(epochs=2, callbacks=[stop])
    assert one_epoch.net.vector.tobytes() == two_epochs.net.vector.tobytes()


def test_trainer_fit_twice_goes_on_where_it_stopped():
    at_once, in_parts = train(optimizer=bg.Adam(), epochs=4), train(optimizer=bg.Adam(), epochs=2)
    assert in_parts.fit(X, T) is in_parts.history
    assert bits(in_parts) == bits(at_once)
    assert (in_parts.epoch, len(in_parts.history)) == (4, 4)


def test_trainer_of_no_epochs_does_nothing_but_start_and_end():
    events = []

    class Watch(bg.Callback):
        def on_start(self, trainer):
            events.append("start")

        def on_end(self, trainer):
            events.append("end")

    model = net()
    before = model.vector.tobytes()
    trainer = train(model, epochs=0, callbacks=[Watch(), lambda trainer: events.append("function")])
    assert (len(trainer.history), trainer.history.losses, events) == (0, [], ["start", "end"])
    assert model.vector.tobytes() == before


def test_trainer_leaves_the_net_in_inference_mode():
    model = net()
    train(model)
    assert {leaf.training for leaf in model.graph.leaves()} == {False}


@pytest.mark.parametrize("when", ["on_start", "on_batch", "on_epoch"])
def test_trainer_leaves_the_net_in_inference_mode_after_an_error_and_calls_on_end(when):
    ended = []

    class Fails(bg.Callback):
        def on_end(self, trainer):
            ended.append(True)

    def fail(trainer):
        raise KeyError("enough")

    callback, model = Fails(), net()
    setattr(callback, when, fail)
    memory = model.graph.memory
    with pytest.raises(KeyError, match="enough"):
        train(model, callbacks=[callback])
    assert {leaf.training for leaf in model.graph.leaves()} == {False}
    assert model.graph.memory is memory  # and out of its workspace
    assert ended == [True]


# Samples held out


@pytest.mark.parametrize("model", [Logistic, net])
def test_trainer_holds_out_the_share_trains_on_the_rest_and_measures_it(model):
    trainer = train(model(), validation=0.2, epochs=2)
    held, history = trainer.held_out, trainer.history
    assert len(held) == len(set(held.tolist())) == 10
    assert held.max() > 9
    assert held.min() < 40  # neither the first rows nor the last
    kept = np.setdiff1d(np.arange(50), held)
    assert history.validation_accuracies[-1] == trainer.net.accuracy(X[held], T[held])
    assert history.train_accuracies[-1] == trainer.net.accuracy(X[kept], T[kept])
    assert len(history.validation_accuracies) == 2
    if model is Logistic:
        assert history.validation_losses == []
        seen = np.concatenate([x for x, _ in trainer.net.seen[:5]])
        assert {row.tobytes() for row in seen} == {row.tobytes() for row in X[kept]}
    else:
        assert history.validation_losses[-1] == trainer.net.evaluate(X[held], T[held]).loss


def test_trainer_holds_out_the_same_samples_in_every_fit_and_others_by_another_seed():
    trainer = train(validation=0.2)
    first = trainer.held_out
    trainer.fit(X, T)
    np.testing.assert_array_equal(trainer.held_out, first)
    np.testing.assert_array_equal(train(validation=0.2).held_out, first)
    np.testing.assert_array_equal(train(validation=0.2, augment=lambda x, rng: x + rng.normal()).held_out, first)
    assert set(train(validation=0.2, seed=2).held_out) != set(first)


def test_trainer_takes_train_accuracy_on_the_first_accuracy_samples():
    trainer = train(epochs=1, accuracy_samples=7)
    assert trainer.history.train_accuracies == [trainer.net.accuracy(X[:7], T[:7])]
    assert train(epochs=1).history.train_accuracies == [trainer.net.accuracy(X, T)]
    with pytest.raises(ValueError, match="accuracy_samples must be a whole number of at least 1; got 0"):
        train(accuracy_samples=0)


def test_trainer_with_a_validation_share_trains_as_one_that_was_never_given_those_samples():
    trainer = train(validation=0.2)
    kept = np.setdiff1d(np.arange(50), trainer.held_out)
    without = train(x=X[kept], t=T[kept])
    assert trainer.net.vector.tobytes() == without.net.vector.tobytes()
    assert trainer.rng.bit_generator.state == without.rng.bit_generator.state


def test_trainer_without_validation_or_augment_draws_as_ever_and_takes_generators_that_cannot_spawn():
    class Alone(np.random.bit_generator.ISeedSequence):
        def generate_state(self, n_words, dtype=np.uint32):
            return np.arange(n_words).astype(dtype)

    train(seed=np.random.Generator(np.random.PCG64(Alone())))
    generator = np.random.default_rng(1)
    train(seed=generator)
    assert generator.bit_generator.seed_seq.n_children_spawned == 0


@pytest.mark.parametrize("bad", [1, 1.0, -0.1, float("nan"), "0.1", None, True])
def test_trainer_of_a_share_outside_0_to_1_raises_value_error_naming_it(bad):
    with pytest.raises(ValueError, match=rf"Trainer: validation must be a share .*0 <= share < 1; got {bad!r}"):
        bg.Trainer(net(), bg.SGD(), validation=bad)


@pytest.mark.parametrize(("n", "share", "held"), [(4, 0.1, 0), (1, 0.5, 0), (3, 0.99, 3)])
def test_trainer_of_a_split_that_leaves_nothing_raises_value_error_before_it_trains(n, share, held):
    model = net()
    before = model.vector.tobytes()
    with pytest.raises(ValueError, match=rf"validation={share} of {n} samples would be {held}: .*at least one"):
        train(model, x=X[:n], t=T[:n], validation=share)
    assert model.vector.tobytes() == before


def test_trainer_with_nan_names_the_callers_sample_whether_it_is_held_out_or_not():
    for sample in range(50):
        x = X.copy()
        x[sample, 0] = np.nan
        with pytest.raises(ValueError, match=rf"x_train\[{sample}\]"):
            train(x=x, validation=0.2)


def test_trainer_lines_and_history_show_the_validation_accuracy(capsys):
    trainer = train(validation=0.2, epochs=1, progress="lines", test=(X, T))
    line = capsys.readouterr().out.splitlines()[1]
    assert re.search(r"train +\d+\.\d\d %  validation +\d+\.\d\d %  test +\d+\.\d\d %", line)
    assert str(trainer.history).splitlines()[0] == "epoch   loss    train %  valid %  test %  seconds"
    assert trainer.measures == (
        "train_loss", "train_accuracy", "test_accuracy", "validation_accuracy", "validation_loss",
    )  # fmt: skip


# Augmenting


def test_trainer_augments_what_it_trains_on_and_nothing_that_it_measures():
    model = Logistic()
    plain = Logistic()
    trainer = train(model, augment=lambda x, rng: x + 1, test=(X[:9], T[:9]))
    train(plain)
    for (x, t), (x_plain, t_plain) in zip(model.seen, plain.seen, strict=True):
        np.testing.assert_array_equal(x, x_plain + 1)
        np.testing.assert_array_equal(t, t_plain)
    assert trainer.history.train_accuracies[-1] == model.accuracy(X, T)
    assert trainer.history.test_accuracies[-1] == model.accuracy(X[:9], T[:9])


def test_trainer_whose_augment_draws_keeps_the_order_of_the_samples_and_repeats_to_the_bit():
    def tired(x, rng):
        rng.normal(size=1000)
        return x

    def noisy(x, rng):
        return x + rng.normal(size=x.shape)

    assert bits(train(augment=tired)) == bits(train())
    assert bits(train(augment=noisy)) == bits(train(augment=noisy))
    assert bits(train(augment=noisy)) != bits(train(augment=noisy, seed=2))
    assert train(augment=noisy).net.vector.dtype == np.float32  # though the noise was float64


def test_trainer_augment_that_writes_into_its_batch_leaves_the_data_as_it_was():
    def write(x, rng):
        x[...] = 0
        return x

    x = X.copy()
    train(x=x, augment=write)
    np.testing.assert_array_equal(x, X)


def test_trainer_takes_shifts_for_images():
    images = RNG.normal(size=(20, 4, 4)).astype(np.float32)
    model = bg.Sequential(bg.Flatten(), bg.Affine(16, 3, rng=0), input_shape=(4, 4))
    trainer = train(model, x=images, t=T[:20], augment=bg.Shifts(1))
    assert len(trainer.history) == 3


@pytest.mark.parametrize(
    ("augment", "got"),
    [
        (lambda x, rng: None, "NoneType"),
        (lambda x, rng: x[:3], r"\(3, 4\) of float32"),
        (lambda x, rng: x.astype(str), r"\(8, 4\) of <U\d+"),
    ],
)
def test_trainer_augment_that_returns_no_batch_raises_type_error_saying_what_it_must(augment, got):
    with pytest.raises(TypeError, match=rf"augment must return an array .* 8 samples .*\(8, 4\); got {got}"):
        train(augment=augment)


@pytest.mark.parametrize("bad", [2, bg.Shifts, "shift"])
def test_trainer_of_an_augment_that_is_no_function_raises_type_error(bad):
    with pytest.raises(TypeError, match=r"Trainer: augment must be a function of \(x, rng\), such as Shifts\(2\); got"):
        bg.Trainer(net(), bg.SGD(), augment=bad)


def test_trainer_with_nan_made_by_augmenting_says_that_it_is():
    with pytest.raises(ValueError, match=r"sample 0 of the batch, augmented\) holds NaN"):
        train(augment=lambda x, rng: x * np.float32(np.nan))


# Data


def test_trainer_casts_float64_data_to_the_nets_precision():
    single, double = train(test=(X, T)), train(x=X.astype(np.float64), test=(X.astype(np.float64), T))
    assert bits(single) == bits(double)
    assert double.net.vector.dtype == np.float32


def test_trainer_casts_float32_data_to_a_float64_net():
    trainer = train(net(dtype=np.float64))
    assert trainer.net.vector.dtype == np.float64
    assert bits(trainer) == bits(train(net(dtype=np.float64), x=X.astype(np.float64)))


def test_trainer_sizes_a_lazily_sized_net_by_its_first_batch():
    lazy = bg.Sequential(bg.Affine(6, rng=0), bg.ReLU(), bg.Affine(3, rng=1))
    fixed = bg.Sequential(bg.Affine(4, 6, rng=0), bg.ReLU(), bg.Affine(6, 3, rng=1))
    assert bits(train(lazy)) == bits(train(fixed))


def test_trainer_takes_one_hot_targets_and_lists():
    by_labels, by_rows = train(), train(t=np.eye(3)[T])
    np.testing.assert_allclose(by_rows.net.vector, by_labels.net.vector, rtol=1e-4, atol=1e-6)  # float32 over 21 steps
    assert by_rows.history.train_accuracies == by_labels.history.train_accuracies
    assert bits(train(x=X.tolist(), t=T.tolist())) == bits(by_labels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_trainer_with_nan_in_the_data_names_epoch_batch_and_sample_and_does_not_take_the_step(bad):
    x = X.copy()
    x[17, 2] = bad
    order = list(Batches(50, 8, np.random.default_rng(1)))
    number = next(i for i, samples in enumerate(order) if 17 in samples)
    row = order[number].tolist().index(17)
    assert number > 0

    class Keep(bg.Callback):
        def on_batch(self, trainer):
            self.bits = trainer.net.vector.tobytes()

    keep, model = Keep(), net()
    with pytest.raises(ValueError, match="NaN or infinity") as caught:
        train(model, x=x, callbacks=[keep])
    message = str(caught.value)
    for part in ("Trainer.fit", f"epoch 1, batch {number + 1}:", f"x_train[17] (sample {row} of the batch)"):
        assert part in message
    assert model.vector.tobytes() == keep.bits


def test_trainer_with_nan_in_the_targets_names_the_sample_and_does_not_take_the_step():
    t = RNG.normal(size=(50, 3)).astype(np.float32)
    t[17, 1] = np.nan
    model = bg.Sequential(bg.Affine(4, 3, rng=0), loss=bg.MeanSquaredLoss())
    before = model.vector.tobytes()
    with pytest.raises(
        ValueError, match=r"Trainer\.fit: the loss is nan at epoch 1, batch 1: t_train\[17\] \(sample \d"
    ):
        train(model, t=t, batch_size=50)
    assert model.vector.tobytes() == before


def test_trainer_with_nan_in_the_test_set_names_the_sample_before_it_trains():
    x = X.copy()
    x[17, 2] = np.nan
    model = net()
    before = model.vector.tobytes()
    with pytest.raises(ValueError, match=r"Trainer\.fit: x_test\[17\] holds NaN or infinity"):
        train(model, test=(x, T))
    assert model.vector.tobytes() == before


def test_trainer_after_nan_in_the_data_goes_on_with_clean_data():
    x = X.copy()
    x[17, 2] = np.nan
    trainer = bg.Trainer(net(), bg.SGD(lr=0.1), batch_size=8, epochs=2, progress=False)
    with pytest.raises(ValueError, match="NaN"):
        trainer.fit(x, T)
    assert (trainer.epoch, len(trainer.history)) == (0, 0)
    history = trainer.fit(X, T)
    assert (trainer.epoch, len(history)) == (2, 2)
    assert np.isfinite(trainer.net.vector).all()


def test_trainer_that_diverges_raises_floating_point_error_saying_when_and_where():
    class Keep(bg.Callback):
        bits = b""

        def on_batch(self, trainer):
            self.bits = trainer.net.vector.tobytes()

    keep, model = Keep(), net()
    with pytest.raises(
        FloatingPointError, match=r"Trainer\.fit: (the (loss is \S+|gradient is not finite) at |after epoch)"
    ) as caught:
        train(model, bg.SGD(lr=1e10), batch_size=5, epochs=20, callbacks=[keep])
    message = str(caught.value)
    assert re.search(r"at epoch \d+, batch \d+", message)
    assert re.search(r"it begins in the (output of \w+\[\w+\] \(\S+\.py:\d+\)|parameter affine\d\.[Wb])", message)
    assert "The step was not taken" in message
    assert "it is 10000000000.0" in message
    assert model.vector.tobytes() == keep.bits


def test_trainer_that_diverges_in_an_epochs_last_step_raises_floating_point_error_and_no_warning():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(10, 4)).astype(np.float32), rng.integers(3, size=10)
    with pytest.raises(FloatingPointError, match=r"Trainer\.fit: (the loss is \S+ at|after) epoch \d.*learning rate"):
        train(bg.TwoLayerNet(4, 5, 3, rng=0), bg.SGD(lr=1e10), x=x, t=t, batch_size=10, epochs=10)


def test_trainer_whose_last_step_leaves_parameters_that_are_not_finite_says_so_after_the_epoch():
    class Blow:
        lr = 0.5

        def update(self, params, grads):
            params["W"][0, 0] = np.inf

    with pytest.raises(FloatingPointError, match=r"after epoch 1 .*not finite.*learning rate often helps; it is 0\.5"):
        train(Logistic(), Blow(), batch_size=50)


def test_trainer_with_a_gradient_that_overflows_raises_floating_point_error_and_keeps_the_parameters():
    class Overflow(Logistic):
        def loss_and_gradient(self, x, t):
            loss = super().loss_and_gradient(x, t)
            self.grads["b"][1] = np.inf
            return loss

    model = Overflow()
    with pytest.raises(
        FloatingPointError, match=r"at epoch 1, batch 1: it begins in the gradient of b\. The step was not"
    ):
        train(model)
    assert not model.params["W"].any()
    assert not model.params["b"].any()


def test_trainer_takes_a_net_of_ones_own_whose_graph_is_another_thing():
    model = Logistic()
    model.graph = {"nodes": 3}
    assert train(model, epochs=1).finished


def test_trainer_takes_gradients_whose_squares_overflow_but_which_are_finite():
    class Large(Logistic):
        def loss_and_gradient(self, x, t):
            loss = super().loss_and_gradient(x, t)
            self.grads = {"W": np.full((4, 3), 1e200), "b": np.zeros(3)}
            return loss

    model = train(Large(), bg.SGD(lr=1e-200), batch_size=50, epochs=1).net
    np.testing.assert_allclose(model.params["W"], np.full((4, 3), -1.0))


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (X[:0], T[:0], ValueError, r"x_train must hold at least one sample; it is empty, \(0, 4\)"),
        (X, T[:49], ValueError, r"t_train must hold one target for each sample of x_train, 50; got 49"),
        (X[:49], T, ValueError, r"t_train must hold one target for each sample of x_train, 49; got 50"),
        (np.full((50, 4), "a"), T, TypeError, r"x_train must be an array of numbers; got ndarray"),
        ("images", T, TypeError, r"x_train must be an array of numbers; got str images"),
        ([[1.0, 2.0], [3.0]], [0, 1], TypeError, r"x_train must be an array of numbers; got list"),
        (None, T, TypeError, r"x_train must be an array of numbers; got NoneType"),
        (3.0, T, TypeError, r"x_train must be an array of numbers; got float"),
        (X, ["a"] * 50, TypeError, r"t_train must be an array of numbers; got list"),
        (X, None, TypeError, r"t_train must be an array of numbers; got NoneType"),
    ],
)
def test_trainer_given_data_that_is_none_raises_and_starts_nothing(x, t, error, message):
    started, model = [], net()
    before = model.vector.tobytes()

    class Watch(bg.Callback):
        def on_start(self, trainer):
            started.append(True)

    with pytest.raises(error, match=r"Trainer\.fit: " + message):
        train(model, x=x, t=t, callbacks=[Watch()])
    assert (started, model.vector.tobytes()) == ([], before)


@pytest.mark.parametrize(
    ("test", "error", "message"),
    [
        ((X[:0], T[:0]), ValueError, "x_test must hold at least one sample"),
        ((X, T[:9]), ValueError, "t_test must hold one target for each sample of x_test, 50; got 9"),
        ((X,), TypeError, "t_test must be an array of numbers; got NoneType"),
        ((None, T), TypeError, "x_test must be an array of numbers; got NoneType"),
    ],
)
def test_trainer_given_a_test_set_that_is_none_raises_before_it_trains(test, error, message):
    model = net()
    before = model.vector.tobytes()
    with pytest.raises(error, match=r"Trainer\.fit: " + message):
        train(model, test=test)
    assert model.vector.tobytes() == before


def test_trainer_given_integer_images_raises_the_layers_type_error():
    model = net()
    before = model.vector.tobytes()
    with pytest.raises(TypeError, match=r"TwoLayerNet.*x must hold floats; got an array of uint8.*astype"):
        train(model, x=np.zeros((50, 4), np.uint8))
    assert model.vector.tobytes() == before


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *[("batch_size", bad) for bad in (0, -1, 2.5, "100", None, True)],
        *[("epochs", bad) for bad in (-1, 2.5, "20", None, True)],
        *[("sampling", bad) for bad in ("all", None)],
        ("progress", "loud"),
    ],
)
def test_trainer_setting_that_is_none_raises_value_error_naming_it(option, bad):
    with pytest.raises(ValueError, match=rf"Trainer: {option} must be .*got {bad!r}"):
        bg.Trainer(net(), bg.SGD(), **{option: bad})


@pytest.mark.parametrize(("bad", "error"), [("0", TypeError), (1.5, TypeError), (-1, ValueError)])
def test_trainer_of_a_seed_that_is_none_raises_naming_it(bad, error):
    with pytest.raises(error, match=rf"Trainer: seed must be a whole number of 0 or more, .*; got {bad!r}"):
        bg.Trainer(net(), bg.SGD(), seed=bad)


@pytest.mark.parametrize(
    ("model", "optimizer", "message"),
    [
        (Logistic(), "sgd", r"optimizer must have update\(\); got str sgd"),
        (Logistic(), None, r"optimizer must have update\(\); got NoneType None"),
        ("net", bg.SGD(), r"net must have loss_and_gradient\(\); got str net"),
        (Logistic(), bg.SGD, r"optimizer must have update\(\); got type <class"),
        (bg.TwoLayerNet, bg.SGD(), r"net must have loss_and_gradient\(\); got type <class"),
        (bg.ReLU(), bg.SGD(), r"net must have loss_and_gradient\(\); got ReLU"),
    ],
)
def test_trainer_of_what_is_no_net_or_optimizer_raises_type_error_saying_what_it_needs(model, optimizer, message):
    with pytest.raises(TypeError, match="Trainer: " + message):
        bg.Trainer(model, optimizer)


def test_trainer_settings_of_numpys_integers_are_integers():
    assert len(train(epochs=np.int64(2), batch_size=np.int32(8)).history) == 2
