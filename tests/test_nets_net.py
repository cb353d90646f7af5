"""Net: predict, loss, accuracy, gradients, replicas and summary of any net made from nodes."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 3)).astype(np.float32)
T = np.array([0, 1, 3, 0, 2, 3, 1])
ONE_HOT = np.eye(4)[T]


class Dropping(bg.Layer):
    """Doubles in training; in inference leaves as it is. Notes the mode of each forward."""

    def __init__(self):
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        self.saved = 2 if self.training else 1
        return x * self.saved

    def backward(self, dy):
        return dy * self.saved


class Noise(bg.Layer):
    """Adds noise from a generator of its own."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def forward(self, x):
        return x + self.rng.standard_normal(x.shape).astype(x.dtype)

    def backward(self, dy):
        return dy.copy()


def small_net(dtype=np.float32, loss=None):
    """A net of 3 inputs and 4 scores, with a way around its hidden layer."""
    x = bg.Input("x", (3,))
    h = bg.Tanh()(bg.Affine(3, 3, rng=0, name="enc", dtype=dtype)(x))
    return bg.Net(x, bg.Affine(3, 4, rng=1, name="head", dtype=dtype)(h + x), loss)


def picker():
    """A net whose scores are its inputs."""
    x = bg.Input("x")
    return bg.Net(x, bg.Identity()(x))


# predict and loss


def test_net_predict_of_a_sample_is_its_row_of_the_batch():
    net = small_net(np.float64)
    scores = net.predict(X.astype(np.float64))
    assert scores.shape == (7, 4)
    for sample, row in zip(X.astype(np.float64), scores, strict=True):
        found = net.predict(sample)
        assert found.shape == (4,)
        np.testing.assert_allclose(found, row, rtol=1e-12, atol=1e-14)


def test_net_predict_gives_what_is_written_out():
    net = small_net(np.float64)
    x = X.astype(np.float64)
    p = net.params
    expected = (np.tanh(x @ p["enc.W"] + p["enc.b"]) + x) @ p["head.W"] + p["head.b"]
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-12, atol=1e-14)


def test_net_predict_runs_in_inference_mode_and_gives_each_mode_back():
    dropping, other = Dropping(), Dropping()
    net = bg.Sequential(dropping, other)
    dropping.training, other.training = True, False
    np.testing.assert_array_equal(net.predict(np.ones((1, 2))), np.ones((1, 2)))
    assert (dropping.modes, other.modes) == ([False], [False])
    assert (dropping.training, other.training) == (True, False)


def test_net_predict_gives_each_mode_back_after_an_error():
    dropping = Dropping()
    net = bg.Sequential(dropping, bg.Affine(4, 2))
    with pytest.raises(ValueError, match="Affine"):
        net.predict(np.ones((1, 3)))
    assert dropping.training is True


def test_net_accuracy_runs_in_inference_mode_and_loss_in_the_nets():
    dropping = Dropping()
    net = bg.Sequential(dropping)
    scores, t = np.array([[1.0, 0.0]]), np.array([0])
    net.accuracy(scores, t)
    trained = net.loss(scores, t)
    net.eval()
    inferred = net.loss(scores, t)
    net.train()
    assert dropping.modes == [False, True, False]
    assert dropping.training is True
    assert (trained, inferred) == (np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(-1.0)))


def test_net_predict_between_forward_and_gradient_disturbs_neither():
    net = small_net()
    expected = net.gradient(X, T)
    net.loss(X, T)
    net.predict(-X)
    net.accuracy(-X[:3], T[:3])
    net.graph.backward()
    for name, gradient in net.grads.items():
        np.testing.assert_array_equal(gradient, expected[name])


def test_net_loss_with_labels_is_that_with_one_hot_rows():
    net = small_net(np.float64)
    x = X.astype(np.float64)
    assert net.loss(x, T) == pytest.approx(net.loss(x, ONE_HOT), rel=1e-14)
    by_labels, by_rows = net.gradient(x, T), net.gradient(x, ONE_HOT)
    for name, gradient in by_labels.items():
        np.testing.assert_allclose(gradient, by_rows[name], rtol=1e-12, atol=1e-14)


def test_net_loss_is_a_python_float_and_the_mean_cross_entropy():
    net = small_net(np.float64)
    scores = net.predict(X.astype(np.float64))
    expected = np.mean([np.log(np.sum(np.exp(row))) - row[t] for row, t in zip(scores, T, strict=True)])
    loss = net.loss(X.astype(np.float64), T)
    assert type(loss) is float
    assert loss == pytest.approx(expected, rel=1e-12)


# accuracy


def reference_accuracy(scores, t):
    """One sample at a time."""
    return sum(
        int(max(range(len(row)), key=row.__getitem__) == label) for row, label in zip(scores, t, strict=True)
    ) / len(t)


@pytest.mark.parametrize(("n", "batch_size"), [(50, 1000), (50, 7), (1001, 1000), (1000, 1000), (1, 1)])
@pytest.mark.parametrize("kind", ["labels", "one-hot"])
def test_net_accuracy_counts_every_sample_of_the_last_partial_batch_too(n, batch_size, kind):
    rng = np.random.default_rng(n)
    scores, labels = rng.normal(size=(n, 4)), rng.integers(4, size=n)
    labels[-1] = np.argmax(scores[-1])  # the last sample is right, so leaving it out shows
    t = labels if kind == "labels" else np.eye(4)[labels]
    assert picker().accuracy(scores, t, batch_size) == reference_accuracy(scores, labels)


def test_net_accuracy_of_1001_samples_of_which_the_last_alone_is_right_is_one_in_1001():
    scores = np.zeros((1001, 2))
    scores[:, 0], scores[-1] = 1, (0, 1)
    assert picker().accuracy(scores, np.ones(1001, int), 1000) == 1 / 1001
    assert picker().accuracy(scores, np.ones(1001, int)) == 1 / 1001


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_net_accuracy_is_the_same_for_every_batch_size(n, batch_size, seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(n, 3)), rng.integers(3, size=n)
    assert picker().accuracy(scores, labels, batch_size) == reference_accuracy(scores, labels)


def test_net_accuracy_of_two_classes_asks_that_all_outputs_lie_on_the_right_side():
    x = bg.Input("x")
    net = bg.Net(x, bg.Identity()(x), bg.SigmoidWithLoss())
    scores = np.array([[1.0, -1.0], [2.0, 3.0], [-1.0, -2.0], [5.0, -5.0]])
    t = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])
    assert net.accuracy(scores, t) == 0.5
    assert net.accuracy(scores[:, 0], t[:, 0]) == 0.75
    assert net.accuracy(scores[:, :1], t[:, :1]) == 0.75


def test_net_accuracy_of_sequences_counts_every_label():
    scores = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
    labels = np.array([[0, 1, 1], [0, 0, 0]])
    assert picker().accuracy(scores, labels) == picker().accuracy(scores, labels, 1) == 2 / 6
    assert picker().accuracy(scores, np.eye(2)[labels]) == 2 / 6


def test_net_accuracy_of_one_output_that_is_no_class_is_nan():
    x = bg.Input("x")
    net = bg.Net(x, bg.Identity()(x), bg.MeanSquaredLoss())
    assert np.isnan(net.accuracy(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]])))
    assert np.isnan(net.accuracy(np.array([1.0, 2.0]), np.array([1.0, 2.0])))


def test_net_accuracy_of_targets_in_a_column_counts_right_or_says_what_is_wrong():
    scores, t = np.array([[2.0, 1.0], [2.0, 1.0], [1.0, 2.0]]), np.array([[0], [0], [0]])
    with pytest.raises(ValueError, match="labels"):
        picker().accuracy(scores, t)


def test_net_accuracy_of_two_classes_with_targets_of_another_shape_raises_value_error():
    x = bg.Input("x")
    net = bg.Net(x, bg.Identity()(x), bg.SigmoidWithLoss())
    with pytest.raises(ValueError, match=r"\(3, 1\)"):
        net.accuracy(np.array([[1.0], [1.0], [-1.0]]), np.array([1, 0, 1]))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None, "7", True])
def test_net_of_a_batch_size_that_is_no_whole_number_above_0_raises_value_error_naming_it(batch_size):
    said = pytest.raises(ValueError, match=f"batch_size must be a whole number of at least 1; got {batch_size!r}")
    for measure in (picker().accuracy, picker().evaluate):
        with said:
            measure(np.ones((3, 2)), np.zeros(3, int), batch_size)
    if batch_size is not None:
        with said:
            picker().predict(np.ones((3, 2)), batch_size)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, -1, 1]])
def test_net_accuracy_of_labels_that_are_no_classes_raises_value_error_not_a_low_accuracy(labels):
    with pytest.raises(ValueError, match=r"accuracy: t must hold labels 0\.\.1; it goes from"):
        picker().accuracy(np.ones((3, 2)), np.array(labels))


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 2), (2, 3), (0, 3)])
def test_net_accuracy_of_no_samples_or_other_many_targets_raises_value_error_with_both(n, m):
    with pytest.raises(ValueError, match=rf"Net\.accuracy: .*got {n} and {m}"):
        picker().accuracy(np.ones((n, 2)), np.zeros(m, int))


# evaluate, and predict in batches


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, bg.MeanSquaredLoss])
def test_net_evaluate_weighs_every_sample_alike_for_any_batch_size(loss, batch_size):
    net = small_net(np.float64, loss())
    x = X.astype(np.float64)
    found = net.evaluate(x, T, batch_size)
    np.testing.assert_allclose(
        found.loss, np.mean([net.loss(x[i : i + 1], T[i : i + 1]) for i in range(7)]), rtol=1e-12
    )
    assert found.accuracy == net.accuracy(x, T)
    assert found == net.evaluate(x, T, batch_size)
    assert isinstance(found.loss, float)


def test_net_evaluate_of_one_batch_is_the_loss_in_inference_mode_and_adds_a_penalty_once():
    net = bg.TwoLayerNet(3, 5, 4, 0.5, rng=0)
    assert net.evaluate(X, T).loss == net.loss(X, T)
    decaying = bg.MultiLayerNet(3, [5], 4, weight_decay_lambda=0.5, rng=0, dtype=np.float64)
    x = X.astype(np.float64)
    np.testing.assert_allclose(decaying.evaluate(x, T, 2).loss, decaying.loss(x, T), rtol=1e-12)


def test_net_evaluate_runs_in_inference_mode_and_disturbs_no_backward_to_come():
    layer = Dropping()
    net = bg.Sequential(bg.Affine(3, 4, rng=0, dtype=np.float64), layer)
    x = X.astype(np.float64)
    expected = net.gradient(x, T)
    layer.modes.clear()
    net.graph.forward(x, T)
    net.evaluate(x[:3], T[:3])
    net.graph.backward()
    assert layer.modes == [True, False]
    assert layer.training
    for name, gradient in expected.items():
        np.testing.assert_array_equal(net.grads[name], gradient)


def test_net_evaluate_has_the_loss_layer_in_inference_mode_and_leaves_what_it_saved():
    class Moody(bg.SoftmaxWithLoss):
        def forward(self, x, t):
            return super().forward(x, t) * (1000 if self.training else 1)

    loss = Moody()
    net = small_net(loss=loss)
    loss.forward(np.zeros((1, 4)), np.array([0]))
    saved = loss.saved
    assert net.evaluate(X, T).loss < 100 < net.loss(X, T)
    assert loss.saved is saved
    assert loss.training


def test_net_evaluate_of_what_is_no_data_set_says_so():
    net = small_net()
    with pytest.raises(ValueError, match=r"Net\.evaluate: needs at least one sample and as many targets; got 7 and 6"):
        net.evaluate(X, T[:6])
    with pytest.raises(ValueError, match=r"Net\.evaluate: batch_size must be a whole number of at least 1; got 0"):
        net.evaluate(X, T, 0)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 100])
def test_net_predict_in_batches_gives_every_row_and_never_runs_more_at_once(batch_size):
    sizes = []

    class Watch(bg.Layer):
        def forward(self, x):
            sizes.append(len(x))
            return x * 1

        def backward(self, dy):
            return dy * 1

    net = bg.Sequential(bg.Affine(3, 4, rng=0, dtype=np.float64), Watch())
    sizes.clear()
    x = X.astype(np.float64)
    found = net.predict(x, batch_size=batch_size)
    assert max(sizes) == min(batch_size, 7)
    assert sum(sizes) == 7
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-12, atol=1e-14)
    assert net.predict(x[:0], batch_size=batch_size).shape == (0, 4)


def test_net_predict_in_batches_of_what_has_no_batches_raises_value_error():
    net = small_net()
    with pytest.raises(ValueError, match=r"Net\.predict: batch_size must be a whole number of at least 1; got 0"):
        net.predict(X, batch_size=0)
    with pytest.raises(ValueError, match=r"Net\.predict: with a batch_size, x must have a batch axis"):
        net.predict(np.float32(1), batch_size=2)


# snapshots


class Statistics(bg.Layer):
    """Keeps two arrays that are no parameters."""

    kept = ("running_mean", "running_var")

    def __init__(self):
        self.running_mean, self.running_var = np.zeros(3, np.float32), np.ones(3, np.float32)

    def forward(self, x):
        return x * 1

    def backward(self, dy):
        return dy * 1


def keeping():
    return bg.Sequential(Statistics(), bg.Affine(3, 4, rng=0))


def test_net_snapshot_is_copies_of_parameters_and_of_what_layers_keep():
    net = keeping()
    snapshot = net.snapshot()
    assert list(snapshot) == [
        "affine1.W", "affine1.b", "statistics1.running_mean", "statistics1.running_var",
    ]  # fmt: skip
    assert not any(np.shares_memory(array, net.vector) for array in snapshot.values())
    assert not np.shares_memory(snapshot["statistics1.running_mean"], net.layers[0].running_mean)


def test_net_restore_writes_into_the_places_that_are_there():
    net = keeping()
    statistics, vector = net.layers[0], net.vector
    mean, snapshot = statistics.running_mean, net.snapshot()
    net.vector[...] = 7
    statistics.running_mean += 3
    net.restore(snapshot)
    assert net.vector is vector
    assert statistics.running_mean is mean
    assert mean.tolist() == [0, 0, 0]
    for name, array in net.snapshot().items():
        np.testing.assert_array_equal(array, snapshot[name], strict=True)


def test_net_restore_takes_a_snapshot_of_another_net_of_the_same_make():
    one, other = bg.TwoLayerNet(3, 5, 4, rng=0), bg.TwoLayerNet(3, 5, 4, rng=1)
    other.restore(one.snapshot())
    assert other.vector.tobytes() == one.vector.tobytes()
    assert list(one.snapshot()) == ["W1", "b1", "W2", "b2"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("affine1.b"), ValueError, r"missing: affine1\.b; unexpected: none"),
        (lambda s: s.update(extra=1), ValueError, r"missing: none; unexpected: extra"),
        (
            lambda s: s.update({"affine1.b": np.zeros(3, np.float32)}),
            ValueError,
            r"affine1\.b must be \(4,\) of float32",
        ),
        (lambda s: s.update({"affine1.b": np.zeros(4)}), ValueError, r"float32; got \(4,\) of float64\. Nothing was"),
        (
            lambda s: s.update({"statistics1.running_var": np.zeros(4, np.float32)}),
            ValueError,
            r"statistics1\.running_var must be \(3,\)",
        ),
    ],
)
def test_net_restore_of_what_does_not_fit_says_what_and_changes_nothing(change, error, message):
    net = keeping()
    snapshot, before = net.snapshot(), net.snapshot()
    for array in snapshot.values():
        array += 1
    change(snapshot)
    with pytest.raises(error, match=r"Sequential\.restore: .*" + message):
        net.restore(snapshot)
    for name, array in net.snapshot().items():
        np.testing.assert_array_equal(array, before[name])


def test_net_restore_of_what_is_no_dict_raises_type_error():
    with pytest.raises(TypeError, match=r"Net\.restore: takes a dict of arrays by name.*got ndarray"):
        small_net().restore(np.zeros(3))


# gradients


@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, bg.SigmoidWithLoss, bg.MeanSquaredLoss])
def test_net_gradient_agrees_with_the_numerical_one(loss):
    net = small_net(np.float64, loss())
    x = X.astype(np.float64)
    t = T if loss is bg.SoftmaxWithLoss else RNG.uniform(size=(7, 4))
    gradient, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    assert list(gradient) == list(numerical) == list(net.params)
    for name, value in gradient.items():
        assert np.mean(np.abs(value - numerical[name])) < 1e-9
        np.testing.assert_allclose(value, numerical[name], rtol=1e-6, atol=1e-8)


def test_net_gradient_twice_is_one_gradient_in_arrays_of_ones_own():
    net = small_net()
    first = net.gradient(X, T)
    kept = {name: gradient.copy() for name, gradient in first.items()}
    second = net.gradient(X, T)
    net.gradient(-X, T)
    for name, gradient in first.items():
        np.testing.assert_array_equal(gradient, kept[name])
        np.testing.assert_array_equal(second[name], kept[name])
        assert not np.shares_memory(gradient, net.grad_vector)
        assert not np.shares_memory(gradient, second[name])


def test_net_gradient_has_the_parameters_shapes_and_dtype():
    net = small_net()
    for name, gradient in net.gradient(X, T).items():
        assert (gradient.shape, gradient.dtype) == (net.params[name].shape, np.float32)


def test_net_loss_and_gradient_leaves_the_gradient_in_grads_and_gives_the_loss():
    net = small_net()
    loss = net.loss_and_gradient(X, T)
    assert loss == net.loss(X, T)
    left = {name: gradient.copy() for name, gradient in net.grads.items()}
    for name, gradient in net.gradient(X, T).items():
        np.testing.assert_array_equal(left[name], gradient)


def test_net_gradient_spends_nothing_on_images_and_labels():
    asked = []

    class Watch(bg.Layer):
        def forward(self, x):
            return x + 0

        def backward(self, dy):
            asked.append(self.wants(0))
            return dy.copy()

    x = bg.Input("x")
    watch_x, watch_h = Watch(), Watch()
    net = bg.Net(x, watch_h(bg.Affine(3, 4, rng=0)(watch_x(x))))
    net.gradient(X, T)
    assert asked == [True]  # above the parameters, and nothing below them


def test_net_numerical_gradient_leaves_a_float32_net_as_it_was():
    net = small_net()
    net.loss_and_gradient(X, T)
    memory, before = net.graph.memory, (net.vector.tobytes(), net.grad_vector.tobytes())
    numerical = net.numerical_gradient(X, T)
    assert (net.vector.tobytes(), net.grad_vector.tobytes()) == before
    assert net.graph.memory is memory
    net.graph.backward()  # of the forward above, which is still the last
    assert net.grad_vector.tobytes() == before[1]
    assert {gradient.dtype for gradient in numerical.values()} == {np.dtype(np.float64)}
    for name, gradient in net.gradient(X, T).items():  # float32 against float64: 1e-5 of the largest
        np.testing.assert_allclose(gradient, numerical[name], rtol=1e-5, atol=1e-5 * np.abs(numerical[name]).max())


def test_net_numerical_gradient_beside_a_kink_is_that_of_the_branch_taken():
    x = bg.Input("x", (2,))
    net = bg.Net(x, bg.ReLU()(bg.Affine(2, 2, init=0.0, dtype=np.float64, name="enc")(x)), bg.MeanSquaredLoss())
    net.params["enc.b"] = [1e-6, -1e-6]  # nearer to 0 than the step
    values, t = np.zeros((1, 2)), np.array([[1.0, 1.0]])
    numerical = net.numerical_gradient(values, t)
    np.testing.assert_allclose(numerical["enc.b"], [1e-6 - 1.0, 0.0], rtol=1e-6, atol=1e-9)


def test_net_numerical_gradient_of_a_net_with_a_generator_draws_nothing_from_it():
    noise = Noise(3)
    net = bg.Sequential(bg.Affine(3, 4, rng=0), noise)
    state = noise.rng.bit_generator.state
    net.numerical_gradient(X, T)
    assert noise.rng.bit_generator.state == state


# parameters


def test_net_params_written_reach_the_layers_and_the_scores():
    net = small_net(np.float64)
    net.params["head.W"] = np.zeros((3, 4))
    net.params["head.b"] = [1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(net.predict(np.ones((2, 3))), [[1, 2, 3, 4]] * 2)
    net.params["head.b"][0] = 9.0
    assert net.predict(np.ones((1, 3)))[0, 0] == 9.0


def test_net_params_of_another_shape_or_name_raise_value_error_and_change_nothing():
    net = small_net()
    before = net.vector.tobytes()
    with pytest.raises(ValueError, match=r"params\['head\.b'\]: must be \(4,\).*got \(3,\)"):
        net.params["head.b"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"params\['W9'\]: there is no such parameter; there are: enc\.W"):
        net.params["W9"] = np.zeros(3)
    assert net.vector.tobytes() == before


# replicas and workspaces


def test_net_replica_shares_the_parameters_also_once_it_has_run():
    net = small_net()
    before = {name: gradient.copy() for name, gradient in net.grads.items()}
    twin = net.replica()
    twin.gradient(X, T)
    assert list(twin.params) == list(net.params)
    for name, param in net.params.items():
        assert np.shares_memory(twin.params[name], param)
        assert not np.shares_memory(twin.grads[name], net.grads[name])
        np.testing.assert_array_equal(net.grads[name], before[name])
    net.params["head.b"] = [5.0, 6.0, 7.0, 8.0]
    np.testing.assert_array_equal(twin.params["head.b"], [5.0, 6.0, 7.0, 8.0])
    np.testing.assert_array_equal(twin.predict(X), net.predict(X))


def test_net_replica_shares_every_parameter_where_layers_stand_in_several_nets():
    shared = bg.Affine(3, 4, rng=0, name="shared")
    one, two = bg.Sequential(shared, bg.Affine(4, 2, rng=1)), bg.Sequential(shared)
    twins = [net.replica() for net in (one, two)]
    for net, twin in zip((one, two), twins, strict=True):
        twin.gradient(X, T % 2)
        for name, param in net.params.items():
            param[...] = 5.0
            np.testing.assert_array_equal(twin.params[name], param)


def test_net_deep_copy_is_a_net_with_parameters_of_its_own():
    net = small_net()
    expected = net.predict(X)
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(twin.predict(X), expected)
    np.testing.assert_array_equal(twin.vector, net.vector)
    twin.vector[:] = 0
    np.testing.assert_array_equal(twin.predict(X), np.zeros((7, 4)))
    np.testing.assert_array_equal(net.predict(X), expected)


def test_net_replica_of_a_net_without_sizes_raises_runtime_error_unless_it_is_a_copy():
    net = bg.Sequential(bg.Affine(4, rng=0))
    with pytest.raises(RuntimeError, match=r"Sequential: Affine\[affine1\] has no size yet"):
        net.replica()
    assert net.replica(np.float64).predict(X).shape == (7, 4)
    assert net.dtype is None


def test_net_replica_has_memory_and_generators_of_its_own():
    noise = Noise(3)
    net = bg.Sequential(bg.Affine(3, 4, rng=0), noise)
    state = noise.rng.bit_generator.state
    net.loss(X, T)
    noise.rng.bit_generator.state = state
    twin = net.replica()
    expected = twin.loss(X, T)
    twin.loss(-X, T)
    assert noise.rng.bit_generator.state == state
    assert net.loss(X, T) == expected


def test_net_replica_in_float64_is_a_copy():
    net = small_net()
    before = net.vector.tobytes()
    twin = net.replica(np.float64)
    assert twin.dtype == np.float64
    np.testing.assert_array_equal(twin.vector, net.vector)
    twin.vector[:] = 0
    assert net.vector.tobytes() == before
    assert twin.gradient(X.astype(np.float64), T)["enc.W"].dtype == np.float64


def test_net_workspace_gives_the_same_bits_for_batches_of_changing_size():
    plain, reusing = small_net(), small_net()
    with reusing.workspace():
        for n in (7, 7, 2, 5, 7):
            assert reusing.loss_and_gradient(X[:n], T[:n]) == plain.loss_and_gradient(X[:n], T[:n])
            assert reusing.grad_vector.tobytes() == plain.grad_vector.tobytes()
            assert reusing.predict(X[:n]).tobytes() == plain.predict(X[:n]).tobytes()


# where NaN begins, modes, summary, errors


def test_net_find_nonfinite_names_where_it_begins():
    net = small_net()
    assert net.find_nonfinite(X, T) is None
    net.params["head.W"][0, 0] = np.nan
    assert net.find_nonfinite(X, T) == "the parameter head.W"


def test_net_train_and_eval_reach_every_layer():
    net = small_net()
    net.eval()
    assert {leaf.training for leaf in net.graph.leaves()} == {False}
    net.train()
    assert {leaf.training for leaf in net.graph.leaves()} == {True}


def test_net_summary_is_that_of_its_graph_without_the_loss():
    net = small_net()
    assert net.summary(7).splitlines()[1:] == net.body.summary(7).splitlines()[1:]
    assert net.summary(7).startswith("Net, for a batch of 7\n")
    assert repr(net) == net.summary()


def test_net_error_names_the_net_and_the_place():
    x = bg.Input("x")
    bad = bg.Affine(4, 2, name="head")(x)
    net = bg.Net(x, bad)
    with pytest.raises(ValueError, match=r"Affine\[head\]\.forward: x must be \(N, 4\).*got \(7, 3\)") as caught:
        net.loss(X, T)
    assert f"({bad.where})" in str(caught.value)
    assert "Net" in str(caught.value).splitlines()[-1]


@pytest.mark.parametrize("t", [np.array([0, 1, 4, 0, 2, 3, 1]), np.array([0, 1]), np.full((7, 4), 0.5)])
def test_net_loss_of_wrong_targets_raises_value_error_and_keeps_the_parameters(t):
    net = small_net()
    before = net.vector.tobytes()
    with pytest.raises(ValueError, match=r"SoftmaxWithLoss\.forward: .*t must"):
        net.loss_and_gradient(X, t)
    assert net.vector.tobytes() == before


def test_net_given_integer_images_raises_type_error_naming_the_input():
    net = small_net()
    for run in (lambda x: net.predict(x), lambda x: net.loss(x, T), lambda x: net.gradient(x, T)):
        with pytest.raises(TypeError, match=r"Net.*x must hold floats; got an array of uint8.*astype\(np\.float32\)"):
            run(np.zeros((7, 3), np.uint8))


def test_predict_gives_the_same_bits_in_every_call_and_leaves_each_layers_mode_as_it_was():
    net = bg.MultiLayerNet(4, [5], 3, dropout_ratio=0.5, rng=0)
    x, dropout = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4), net.layers[2]
    net.train()
    net.layers[0].training = False
    found = [net.predict(x) for _ in range(3)]
    assert [scores.tobytes() for scores in found[1:]] == [found[0].tobytes()] * 2
    assert [layer.training for layer in net.layers] == [False, True, True, True]
    assert not any(np.shares_memory(found[0], other) for other in found[1:])
    before = found[1].copy()
    net.params["b2"] += 1
    np.testing.assert_allclose(net.predict(x), before + 1, rtol=1e-6)
    np.testing.assert_array_equal(found[1], before)
    assert dropout.training
    with pytest.raises(TypeError, match="Convert it first"):
        net.predict(x.astype(int))
    with pytest.raises(ValueError, match="must be"):
        net.predict(x[:, :3])
    assert dropout.training
