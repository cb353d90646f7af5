"""Shards: a batch cut up gives what the whole batch gives, in the same bits whatever the number of threads."""

import gc
import os
import re
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
from layer_table import LAYERS, Case

import brickgrad as bg
from brickgrad.layers import blas
from brickgrad.nets import threads
from brickgrad.nets.replicas import Replica
from brickgrad.nets.shards import Shards, why_whole

RNG = np.random.default_rng(0)
X = RNG.random((11, 1, 8, 8), dtype=np.float32)
T = RNG.integers(0, 3, 11)


@pytest.fixture(autouse=True)
def own_number_of_threads():
    yield
    bg.set_num_threads(None)


class Twice(bg.Layer):
    sample_wise = True

    def forward(self, x):
        self.saved = x
        return x * 2

    def backward(self, dy):
        return dy * 2


def conv_net(*more, rng=0):
    return bg.Sequential(
        bg.Convolution(4, 1, 3, 3, rng=rng), bg.ReLU(), bg.MaxPooling(2), bg.Flatten(), *more, bg.Affine(3, rng=1),
        input_shape=(1, 8, 8),
    )  # fmt: skip


def step(net, x=X, t=T):
    return net.loss_and_gradient(x, t), net.grad_vector.copy()


def test_a_batch_in_shards_gives_the_loss_and_gradient_of_the_whole():
    net, whole = conv_net().replica(np.float64), conv_net().replica(np.float64)
    whole.shard_size = None
    for size in (1, 2, 4, 10):
        net.shard_size = size
        (loss, grad), (expected, expected_grad) = step(net, X.astype(float)), step(whole, X.astype(float))
        assert loss == pytest.approx(expected, rel=1e-14)
        np.testing.assert_allclose(grad, expected_grad, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(net.predict(X.astype(float)), whole.predict(X.astype(float)), rtol=1e-13)


@pytest.mark.parametrize("workspace", [False, True])
def test_results_are_the_same_bits_for_any_number_of_threads(workspace):
    found = []
    for number in (1, 2, 4):
        bg.set_num_threads(number)
        net = conv_net(bg.BatchNormalization(36), bg.Dropout(0.5, rng=3))
        net.shard_size = 3
        optimizer = bg.Adam()

        def steps(net=net, optimizer=optimizer):
            for _ in range(5):
                net.loss_and_gradient(X, T)
                optimizer.update(net.params, net.grads)

        if workspace:
            with net.workspace():
                steps()
        else:
            steps()
        found.append((net.vector.tobytes(), net.predict(X).tobytes()))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("more", [(), (Twice(),)], ids=["bricks", "a layer of a user's"])
def test_predictions_in_shards_are_the_same_each_time_and_keep_no_array(more):
    net = conv_net(*more)
    net.shard_size = 4
    expected = net.predict(X[:1]), net.predict(X)
    for _ in range(2):
        x = X.copy()
        held = weakref.ref(x)
        scores = net.predict(x)
        del x
        gc.collect()
        assert held() is None
        assert scores.tobytes() == expected[1].tobytes()
    np.testing.assert_allclose(expected[0], expected[1][:1], rtol=1e-5, atol=1e-6)


def test_workspace_changes_no_bit():
    net, other = conv_net(bg.Dropout(0.5, rng=3)), conv_net(bg.Dropout(0.5, rng=3))
    net.shard_size = other.shard_size = 3
    with net.workspace():
        found = [step(net) for _ in range(3)]
    for (loss, grad), (again, grad_again) in zip(found, [step(other) for _ in range(3)], strict=True):
        assert loss == again
        assert grad.tobytes() == grad_again.tobytes()


def test_shards_run_on_several_threads_at_once(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    meeting = threading.Barrier(2, timeout=20)  # breaks where the two do not meet

    class Meet(bg.Layer):
        sample_wise = True

        def forward(self, x):
            self.saved = True
            if len(x):
                meeting.wait()
            return x.copy()

        def backward(self, dy):
            return dy.copy()

    bg.set_num_threads(2)
    net = bg.Sequential(bg.Affine(4, 3, rng=0), Meet())
    net.shard_size = 2
    net.loss_and_gradient(np.ones((4, 4), np.float32), np.zeros(4, int))


def test_two_nets_whose_shards_wait_for_each_other_may_train_at_once():
    def train(losses):
        net = conv_net(bg.BatchNormalization(36))
        net.shard_size = 1
        losses += [net.loss_and_gradient(X, T) for _ in range(20)]

    found = [], [], []
    workers = [threading.Thread(target=train, args=(losses,), daemon=True) for losses in found]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [len(losses) for losses in found] == [20, 20, 20]
    assert found[0] == found[1] == found[2]


def test_an_interrupt_while_shards_run_leaves_the_next_batch_right(monkeypatch):
    net = conv_net(bg.BatchNormalization(36))
    net.shard_size = 2
    loss, grad = step(net)
    wait = threads.wait

    def interrupted(futures):
        monkeypatch.setattr(threads, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(net)
    again, grad_again = step(net)
    assert again == loss
    assert grad_again.tobytes() == grad.tobytes()


def test_replicas_whose_tasks_may_still_run_after_an_interrupt_are_not_used_again(monkeypatch):
    net = conv_net()  # no layer waits for others: the threads are those that all share, and go on by themselves
    net.shard_size = 2
    bg.set_num_threads(2)
    loss, grad = step(net)
    before = {id(twin) for twin in net._shards.replicas.made}
    kept = net._shards.replicas.made  # so that no new one gets an old one's id
    wait = threads.wait

    def interrupted(futures):
        monkeypatch.setattr(threads, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(net)
    again, grad_again = step(net)
    assert before.isdisjoint(id(twin) for twin in net._shards.replicas.made)
    assert len(kept) == len(before)
    assert again == loss
    assert grad_again.tobytes() == grad.tobytes()


def test_no_thread_to_be_had_is_an_error_and_no_hang(monkeypatch):
    net = conv_net(bg.BatchNormalization(36))
    net.shard_size = 2
    submit, calls = threads.ThreadPoolExecutor.submit, []

    def failing(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("can't start new thread")
        return submit(self, *arguments)

    monkeypatch.setattr(threads.ThreadPoolExecutor, "submit", failing)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        step(net)
    assert np.isfinite(step(net)[0])


def test_a_layer_that_makes_its_sums_in_some_shards_only_is_an_error_that_names_it():
    class Sometimes(bg.Layer):
        sums_over_shards = True

        def forward(self, x):
            self.saved = x
            if len(x) == 3:
                self.sum_over_shards(np.ones(1))
            return x * 1

        def backward(self, dy):
            return dy * 1

    net = conv_net(Sometimes(name="odd"))
    net.shard_size = 4  # so 3 in the first, 4 in the others
    with pytest.raises(RuntimeError, match=r"(?s)must make the same sums.*at Sometimes\[odd\]"):
        step(net)


def test_an_error_in_a_shard_says_which_samples_it_has():
    net = conv_net()
    net.shard_size = 4
    with pytest.raises(ValueError, match="labels") as caught:
        net.loss_and_gradient(X, np.where(np.arange(11) == 9, 7, T))
    assert "in the shard of samples 7 to 10 of the batch" in caught.value.__notes__


def test_a_large_batch_has_no_more_shards_than_there_may_be():
    net, whole = conv_net(bg.BatchNormalization(36)).replica(np.float64), conv_net(bg.BatchNormalization(36))
    whole = whole.replica(np.float64)
    net.shard_size, whole.shard_size = 1, None
    x, t = RNG.random((130, 1, 8, 8)), RNG.integers(0, 3, 130)
    assert net.loss_and_gradient(x, t) == pytest.approx(whole.loss_and_gradient(x, t), rel=1e-13)
    assert len(net._shards.replicas.made) == 44  # of 3 samples each
    np.testing.assert_allclose(net.grad_vector, whole.grad_vector, rtol=1e-11, atol=1e-14)  # as above


@pytest.mark.parametrize(
    ("n", "size", "expected"),
    [
        (100, 25, [25] * 4),
        (128, 25, [21, 21, 22] * 2),
        (64, 25, [16] * 4),
        (26, 25, [13, 13]),
        (3, 1, [1, 1, 1]),
        (3, 2, [1, 2]),
        (5, 2, [1, 2, 2]),
        (100, 34, [33, 33, 34]),
        (75, 25, [18, 19, 19, 19]),
        (0, 25, []),
    ],
)
def test_a_batch_is_cut_evenly_and_with_the_usual_size_into_an_even_number_of_shards(n, size, expected):
    parts = Shards(conv_net(), size)._cut(n)
    assert [part.stop - part.start for part in parts] == expected
    assert [index for part in parts for index in range(n)[part]] == list(range(n))


def test_which_nets_are_cut_by_themselves():
    assert bg.SimpleConvNet(rng=0).shard_size == bg.DeepConvNet(rng=0).shard_size == bg.ResNet(rng=0).shard_size == 25
    assert bg.TwoLayerNet(4, 3, 2, rng=0).shard_size is None  # too little work


def test_layers_that_look_across_the_batch_are_never_cut():
    class Mine(bg.ReLU):
        def forward(self, x):
            return super().forward(x - x.mean(axis=0))

    net = conv_net(Mine())
    assert net.shard_size is None
    with pytest.raises(ValueError, match=r"cannot be cut: Mine may look across the batch"):
        net.shard_size = 4
    assert net.shard_size is None

    class Normalization(bg.BatchNormalization):
        def forward(self, x):
            return super().forward(x - x.mean(axis=0))

    assert conv_net(Normalization(36)).shard_size is None
    x = bg.Input("x")
    y = bg.Affine(36, 2)(bg.Flatten()(bg.Convolution(1, 1, 3, 3)(x)) + np.ones((11, 36)))
    assert bg.Net(x, y).shard_size is None
    inner = bg.Input("u")
    assert "Softmax" in why_whole(bg.Graph(inner, bg.Graph(inner, bg.Softmax(0)(inner))(inner)))


@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_batch_normalization_in_shards_sees_the_whole_batch(size):
    def normed(shard_size):
        net = bg.Sequential(
            bg.Convolution(4, 1, 3, 3, rng=0), bg.BatchNormalization(4), bg.ReLU(), bg.Flatten(), bg.Affine(8, rng=1),
            bg.BatchNormalization(8), bg.ReLU(), bg.Affine(3, rng=2), input_shape=(1, 8, 8),
        ).replica(np.float64)  # fmt: skip
        net.shard_size = shard_size
        return net

    net, whole = normed(size), normed(None)
    for _ in range(2):  # the second step begins with what the first has left
        (loss, grad), (expected, expected_grad) = step(net, X.astype(float)), step(whole, X.astype(float))
        assert loss == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(grad, expected_grad, rtol=1e-11, atol=1e-14)  # differences of nearly equal sums
        for name, value in whole.snapshot().items():
            np.testing.assert_allclose(net.snapshot()[name], value, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(net.predict(X.astype(float)), whole.predict(X.astype(float)), rtol=1e-12)


def test_an_error_in_one_of_the_shards_that_wait_for_each_other_ends_them_all():
    net = conv_net(bg.BatchNormalization(36))
    net.shard_size = 3
    before = {name: value.copy() for name, value in net.snapshot().items()}
    for number in (1, 3):
        bg.set_num_threads(number)
        labels = np.where(np.arange(11) == 7, 9, T)
        with pytest.raises(ValueError, match="labels"):
            net.loss_and_gradient(X, labels)
        for name, value in net.snapshot().items():
            assert value.tobytes() == before[name].tobytes(), name


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "all"])
def test_bad_shard_sizes_are_refused(size):
    net = conv_net()
    with pytest.raises(ValueError, match=r"^Sequential\.shard_size: must be a whole number of at least 1"):
        net.shard_size = size
    assert net.shard_size == 25


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2"])
def test_bad_numbers_of_threads_are_refused(number):
    with pytest.raises(ValueError, match=r"^set_num_threads: the number must be"):
        bg.set_num_threads(number)


SAMPLE_WISE = [entry for entry in LAYERS if entry.layer.sample_wise]


@pytest.mark.parametrize("entry", SAMPLE_WISE, ids=lambda entry: entry.name)
def test_what_says_that_it_is_sample_wise_gives_for_halves_what_it_gives_for_the_whole(entry):
    layer = entry.make(Case(), np.float64)
    inputs = [np.asarray(x) for x in entry.inputs(np.random.default_rng(0), np.float64, Case(), False)]
    if any(x.shape[:1] != (Case().batch,) for x in inputs):
        pytest.skip("the table gives it inputs that are no batch")
    layer.eval()
    whole = layer.forward(*inputs)
    parts = [layer.forward(*(x[rows] for x in inputs)) for rows in (slice(0, 3), slice(3, 7))]
    joined = np.concatenate(parts) if np.ndim(whole) else (3 * parts[0] + 4 * parts[1]) / 7
    np.testing.assert_allclose(joined, whole, rtol=1e-12, atol=1e-14)


def test_most_bricks_are_sample_wise_and_those_that_are_not_are_known():
    others = {entry.layer.__name__ for entry in LAYERS} - {entry.layer.__name__ for entry in SAMPLE_WISE}
    assert others <= {
        "BatchNormalization", "Concat", "Graph", "MatMul", "Mean", "Slice", "Softmax", "Split", "Sum", "Transpose"
    }  # fmt: skip
    assert len(SAMPLE_WISE) > 25


def test_dropout_draws_other_masks_in_each_shard_and_step_and_goes_on_where_it_stood():
    net = bg.Sequential(bg.Affine(6, 50, init=0.0), bg.Dropout(0.5, rng=0), bg.Affine(50, 2, rng=1))
    net.params["affine1.b"] = np.ones(50)
    net.shard_size = 4
    net.graph.keep = True
    seen = []
    for _ in range(2):
        net.loss_and_gradient(np.ones((8, 6), np.float32), np.zeros(8, int))
        dropped = next(v for v in net.graph.saved.values if np.shape(v) == (8, 50) and np.any(v == 0))
        seen += [dropped[:4].tobytes(), dropped[4:].tobytes()]
    assert len(set(seen)) == 4


def test_a_users_layer_with_parameters_draws_other_numbers_in_each_shard():
    class Noisy(bg.Affine):
        sample_wise = True

        def forward(self, x):
            return super().forward(x) + self.rng.random(1, np.float32)

    noisy = Noisy(36, 3, init=0.0, rng=0)
    net = bg.Sequential(bg.Flatten(), noisy, loss=bg.MeanSquaredLoss(), input_shape=(1, 6, 6))
    net.shard_size, net.graph.keep = 2, True
    net.loss_and_gradient(np.zeros((6, 1, 6, 6), np.float32), np.zeros((6, 3), np.float32))
    (scores,) = (value for value in net.graph.saved.values if np.shape(value) == (6, 3) and np.any(value))
    assert len(np.unique(scores)) == 3


def test_what_is_changed_in_a_layer_later_reaches_the_shards():
    net = conv_net(bg.Dropout(0.5, rng=3))
    net.shard_size = 3
    step(net)
    dropout = next(layer for layer in net.layers if isinstance(layer, bg.Dropout))
    dropout.ratio = 0.0
    again = conv_net()
    again.vector[...] = net.vector
    again.shard_size = 3
    assert step(net)[1].tobytes() == step(again)[1].tobytes()
    dropout.ratio = 0.5
    net.eval()
    assert step(net)[0] == step(again)[0]
    net.params["affine1.b"] = [5, 0, 0]
    assert step(net)[0] != step(again)[0]


class Applied(bg.Layer):
    """A layer with settings of any kind: x times its factors, and a function of that."""

    sample_wise = True

    def __init__(self):
        self.factor, self.pair, self.array, self.function = 1.0, (1.0,), np.ones(1, np.float32), np.positive

    def forward(self, x):
        self.saved = x
        return self.function(x * x.dtype.type(self.factor * self.pair[0]) * self.array)

    def backward(self, dy):
        return dy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factor", np.float32(0)),
        ("factor", np.array(0.0)),
        ("pair", (0.0,)),
        ("array", np.zeros(1, np.float32)),
        ("function", np.zeros_like),
    ],
)
def test_settings_of_any_kind_that_are_put_on_a_layer_later_reach_the_shards(name, value):
    layer = Applied()
    net = conv_net(layer)
    net.shard_size = 3
    before = step(net)[0]
    replicas = net._shards.replicas.made
    assert step(net)[0] == before
    assert net._shards.replicas.made is replicas  # nothing was put anywhere
    setattr(layer, name, value)
    after = step(net)[0]
    net.shard_size = 3  # new replicas
    assert step(net)[0] == after != before


@pytest.mark.parametrize("held", [np.ones(1, np.float32), [1.0], {0: 1.0}], ids=["array", "list", "dict"])
def test_settings_that_are_changed_in_place_reach_the_shards(held):
    layer = Applied()
    layer.pair = held
    net = conv_net(layer)
    net.shard_size = 3
    before = step(net)[0]
    replicas = net._shards.replicas.made
    assert step(net)[0] == before
    assert net._shards.replicas.made is replicas
    held[0] = 0.0
    after = step(net)[0]
    net.shard_size = 3  # new replicas
    assert step(net)[0] == after != before


def test_graphs_that_keep_their_values_keep_those_of_all_shards():
    net, whole = conv_net(), conv_net()
    net.shard_size, whole.shard_size = 4, None
    for one in (net, whole):
        one.graph.keep = True
        one.loss_and_gradient(X, T)
    ours, theirs = net.graph.saved, whole.graph.saved
    for kind in ("values", "grads"):
        for a, b in zip(getattr(ours, kind), getattr(theirs, kind), strict=True):
            if a is not None and np.asarray(a).dtype.kind == "f":
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_watched_runs_have_the_bits_of_unwatched_ones():
    ends = []
    for callbacks in ([], [bg.Watch(every=1)]):
        net = conv_net(bg.Dropout(0.5, rng=3))
        net.shard_size = 3
        bg.Trainer(net, bg.SGD(lr=0.1), batch_size=6, epochs=2, callbacks=callbacks, progress=False).fit(X, T)
        ends.append(net.vector.tobytes())
    assert ends[0] == ends[1]


def test_an_error_in_a_shard_is_raised_and_leaves_the_gradients_alone():
    net = conv_net()
    net.shard_size = 3
    _, before = step(net)
    with pytest.raises(ValueError, match="labels"):
        net.loss_and_gradient(X, np.full(11, 7))
    assert net.grad_vector.tobytes() == before.tobytes()
    with pytest.raises(ValueError, match="11"):
        net.loss_and_gradient(X, T[:5])


def test_single_samples_and_lists_run_whole():
    net = bg.Sequential(bg.Affine(40, 3, rng=0))
    net.shard_size = 2
    x = RNG.random((5, 40), dtype=np.float32)
    assert net.predict(x[0]).shape == (3,)
    np.testing.assert_allclose(net.predict(x)[0], net.predict(x[0]), rtol=1e-6)
    assert net.predict(x.tolist()).shape == (5, 3)
    assert net.predict(x[:0]).shape == (0, 3)


def test_warnings_are_those_that_the_caller_asked_for():
    net = conv_net()
    net.shard_size = 3
    bg.set_num_threads(2)
    net.params["convolution1.W"] *= np.float32(1e38)
    with np.errstate(all="ignore"):
        net.loss_and_gradient(X * np.float32(1e10), T)


def test_without_a_way_to_hold_the_matrix_library_to_one_thread_shards_run_in_turn(monkeypatch):
    for name in blas.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(blas._State, "found", False)
    seen = set()
    bg.set_num_threads(4)
    threads.run_all([lambda: seen.add(threading.get_ident())] * 5)
    assert seen == {threading.get_ident()}


def test_the_matrix_library_keeps_to_one_thread_meanwhile(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    for name in blas.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(blas._State, "found", None)

    def numbers():
        return {lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"}

    before = numbers()
    assert all(found == {1} for found in threads.run_all([numbers] * 2))
    assert numbers() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_makes_threads_of_its_own():
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")  # of forks beside threads: that is what is tried here
import numpy as np, brickgrad as bg
bg.set_num_threads(2)
net = bg.Sequential(bg.Affine(4, 3, rng=0))
net.shard_size = 2
x, t = np.ones((8, 4), np.float32), np.zeros(8, int)
net.loss_and_gradient(x, t)
child = os.fork()
if child == 0:
    net.loss_and_gradient(x, t)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env)
    assert re.fullmatch(r"7\n", done.stdout), done.stderr


# Who runs what --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "expected"),
    [((), 2), ((Twice(),), 11), ((bg.BatchNormalization(36),), 11)],
    ids=["bricks", "a layer of a user's", "a layer that waits for other shards"],
)
def test_each_thread_has_a_replica_or_where_that_is_needed_each_shard(more, expected):
    bg.set_num_threads(2)
    net = conv_net(*more)
    net.shard_size = 1
    step(net)
    assert len(net._shards.replicas.made) == expected
    net.graph.keep = True
    step(net)
    assert len(net._shards.replicas.made) == 11


def test_a_workspace_has_arrays_for_the_sizes_of_the_shards_of_one_batch():
    bg.set_num_threads(1)
    net = conv_net()
    net.shard_size = 4
    with net.workspace():
        step(net)
        (replica,) = net._shards.replicas.made
        assert set(replica.memories) == {3, 4}
        memory = replica.memories[4]
        net.predict(X[:10])  # has none, and leaves that of training
        step(net, X[:8], T[:8])
        assert replica.memories == {4: memory}


def test_a_bad_shard_among_good_ones_is_named_and_nobody_waits_for_it():
    bg.set_num_threads(2)
    net, caught = conv_net(), []
    net.shard_size = 1

    def train():
        for bad in range(11):
            with pytest.raises(ValueError, match="labels") as error:
                net.loss_and_gradient(X, np.where(np.arange(11) == bad, 7, T))
            caught.append(error.value.__notes__[-1])

    worker = threading.Thread(target=train, daemon=True)
    worker.start()
    worker.join(60)
    assert caught == [f"in the shard of samples {bad} to {bad} of the batch" for bad in range(11)]


def test_of_several_bad_shards_the_first_is_named():
    bg.set_num_threads(4)
    net = conv_net()
    net.shard_size = 2
    for _ in range(20):
        with pytest.raises(ValueError, match="labels") as caught:
            net.loss_and_gradient(X, np.where(np.arange(11) > 3, 7, T))
        assert caught.value.__notes__[-1] == "in the shard of samples 3 to 4 of the batch"


def interrupted_while_running(monkeypatch, method, call):
    """Ctrl-C in `call` while two replicas are in one of their methods, which goes on then: how often it was called."""
    held, began, begun, run = threading.Event(), threading.Semaphore(0), [], getattr(Replica, method)

    def late(self, *arguments):
        begun.append(self)
        began.release()
        assert held.wait(20)
        return run(self, *arguments)

    def interrupted(futures):
        assert all(began.acquire(timeout=20) for _ in range(2))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Replica, method, late)
        patch.setattr(threads, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            call()
        held.set()
        threads._State.pool.shutdown(wait=True)
    bg.set_num_threads(2)  # with threads that still work
    return len(begun)


def test_shards_that_run_on_after_an_interrupt_leave_the_gradient_alone(monkeypatch):
    bg.set_num_threads(2)
    net = conv_net()
    net.shard_size = 6
    loss, grad = step(net)
    interrupted_while_running(monkeypatch, "loss_and_gradient", lambda: net.loss_and_gradient(2 * X, T))
    assert net.grad_vector.tobytes() == grad.tobytes()
    again, grad_again = step(net)
    assert again == loss
    assert grad_again.tobytes() == grad.tobytes()


def test_after_an_interrupt_the_shards_that_are_left_are_not_taken(monkeypatch):
    bg.set_num_threads(2)
    net = conv_net()
    net.shard_size = 1
    assert interrupted_while_running(monkeypatch, "scores", lambda: net.predict(X)) == 2
    assert len(net.predict(X)) == 11


def test_replicas_that_are_not_needed_any_more_let_go_of_their_arrays():
    bg.set_num_threads(2)
    net = conv_net()
    net.shard_size = 1
    with net.workspace():
        net.graph.keep = True
        step(net)
        net.graph.keep = False
        net.graph.saved = None
        step(net)
        made = net._shards.replicas.made
        assert len(made) == 11
        assert all(twin.memories is None and twin.net.graph.memory.arrays is None for twin in made[2:])


def test_a_layer_may_run_another_net_in_shards():
    bg.set_num_threads(2)
    inner, found = conv_net(), []
    inner.shard_size = 2

    class Inside(bg.Layer):
        sample_wise = True

        def forward(self, x):
            self.saved = inner.predict(X)
            return x.copy()

        def backward(self, dy):
            return dy.copy()

    net = conv_net(Inside())
    net.shard_size = 2
    worker = threading.Thread(target=lambda: found.append(net.predict(X)), daemon=True)
    worker.start()
    worker.join(60)
    assert found, "still waiting"
    np.testing.assert_allclose(found[0], conv_net().predict(X), rtol=1e-5)


def test_the_number_of_threads_may_change_while_another_thread_trains():
    errors, end = [], threading.Event()

    def train():
        net = conv_net()
        net.shard_size = 1
        try:
            while not end.is_set():
                net.loss_and_gradient(X, T)
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=train, daemon=True)
    worker.start()
    for number in (1, 2, 3, 4) * 25:
        bg.set_num_threads(number)
    end.set()
    worker.join(60)
    assert not worker.is_alive()
    assert not errors
