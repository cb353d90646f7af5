"""Once more: a net in a workspace, whose steps after the first are laid out, against one that goes by the book."""

import copy
import gc
import weakref

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 6)).astype(np.float32) for n in (5, 5, 5, 3, 5, 5)]
T = [RNG.integers(0, 4, len(x)) for x in X]


class Double(bg.Layer):
    def forward(self, x):
        self.saved = x
        return x * 2

    def backward(self, dy):
        return dy * 2


def plain(x):
    return bg.Affine(6, 4, rng=0)(bg.ReLU()(x))


def tied(x):
    layer = bg.Affine(6, 6, rng=0)
    return bg.Affine(6, 4, rng=1)(layer(bg.Tanh()(layer(x))))


def forked(x):
    a = bg.Affine(6, 4, rng=0)(x)
    return bg.Tanh()(a) * a + 2.0 * a


def several_outputs(x):
    first, _, last = bg.Split([2, 1, 3])(bg.Affine(6, 6, rng=0)(x))  # nothing reads the middle one
    return bg.Affine(5, 4, rng=1)(bg.Concat()(first, last))


def of_a_user(x):
    return bg.Affine(6, 4, rng=0)(Double()(bg.Affine(6, 6, rng=1)(x)))


def nested(x):
    u = bg.Input("u")
    return bg.Affine(6, 4, rng=0)(bg.Graph(u, bg.Tanh()(bg.Affine(6, 6, rng=1)(u)))(x))


def of_its_mode(x):
    return bg.Affine(6, 4, rng=0)(bg.Dropout(0.5, rng=1)(bg.BatchNormalization(6)(x)))


WIRINGS = [plain, tied, forked, several_outputs, of_a_user, nested, of_its_mode]


def make(wiring, loss=None):
    x = bg.Input("x", (6,))
    return bg.Net(x, wiring(x), loss)


def by_the_book(net, x, t):
    loss = float(net.graph.forward(x, t))
    net.graph.backward()
    return loss


@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, bg.MeanSquaredLoss])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_step_once_more_gives_the_bits_of_forward_and_backward(wiring, loss):
    net, other = make(wiring, loss()), make(wiring, loss())
    with net.workspace():
        for step, (x, t) in enumerate(zip(X, T, strict=True)):
            assert net.loss_and_gradient(x, t) == by_the_book(other, x, t)
            assert net.grad_vector.tobytes() == other.grad_vector.tobytes()
            assert ("again" in net.graph.memory.arrays) == (net.graph.memory.arrays["again"] is not None)
            if step == 1:
                assert net.predict(X[0]).tobytes() == other.predict(X[0]).tobytes()
                assert net.loss(x, t) == float(other.graph.forward(x, t))
            for each in (net, other):
                bg.SGD(0.1).update(each.params, each.grads)
    for name, array in net.snapshot().items():
        assert array.tobytes() == other.snapshot()[name].tobytes(), name


@pytest.fixture
def guards(monkeypatch):
    """The titles of the layers whose inputs were checked."""
    seen = []
    real = bg.layers.guard.accept_inputs
    monkeypatch.setattr(
        bg.layers.guard, "accept_inputs", lambda layer, inputs: (seen.append(layer.title), real(layer, inputs))[1]
    )
    return seen


def test_a_step_once_more_guards_a_users_layer_and_what_hangs_on_it_alone(guards):
    net = make(of_a_user)
    with net.workspace():
        net.loss_and_gradient(X[0], T[0])
        del guards[:]
        net.loss_and_gradient(X[1], T[1])
    assert guards == ["Double", "Affine", "SoftmaxWithLoss"]


def test_an_error_half_way_says_where_and_the_next_batch_is_right():
    net, other = make(plain), make(plain)
    own = [layer.memory for layer in net.graph.leaves()]
    with net.workspace():
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        with pytest.raises(
            ValueError, match=r"t must hold labels 0\.\.3; got 9 at sample 0\.(.|\n)*at SoftmaxWithLoss"
        ):
            net.loss_and_gradient(X[2], np.array([9, 0, 0, 0, 0]))
        with pytest.raises(RuntimeError, match="the last forward failed half-way"):
            net.graph.backward()
        assert [layer.memory for layer in net.graph.leaves()] == own
        assert net.loss_and_gradient(X[4], T[4]) == by_the_book(other, X[4], T[4])
    np.testing.assert_array_equal(net.grad_vector, other.grad_vector)


def test_an_error_on_the_way_back_leaves_a_run_to_go_back_from(monkeypatch):
    net, other = make(of_a_user), make(of_a_user)
    with net.workspace(), monkeypatch.context() as patch:
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        patch.setattr(bg.layers.guard, "_accept_d_outputs", lambda *_: (_ for _ in ()).throw(ValueError("no way back")))
        with pytest.raises(ValueError, match=r"no way back\n  at SoftmaxWithLoss"):
            net.loss_and_gradient(X[4], T[4])
        patch.undo()
        net.graph.backward()
    by_the_book(other, X[4], T[4])
    np.testing.assert_array_equal(net.grad_vector, other.grad_vector)


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_what_is_put_upon_a_layer_between_two_steps_is_called(way):
    net, calls = make(plain), []
    affine = net.graph.leaves()[1]
    with net.workspace():
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        real = getattr(affine, way)
        setattr(affine, way, lambda *arrays: (calls.append(way), real(*arrays))[1])
        net.loss_and_gradient(X[2], T[2])
    net.predict(X[0]), net.predict(X[0])
    assert calls == [way] * (3 if way == "forward" else 1)


def test_values_are_kept_from_the_step_on_at_which_they_are_asked_for():
    net = make(plain)
    with net.workspace():
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        net.graph.keep = True
        net.loss_and_gradient(X[2], T[2])
        assert net.graph.saved.values[0] is X[2]


def test_a_gradient_that_is_no_longer_wanted_is_not_computed():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.Sum()(bg.Affine(6, 4, rng=0)(x)), keep=False)
    with graph.workspace():
        for _ in range(2):
            graph.forward_and_backward(X[0])
        assert "dx" in graph.memory.arrays["memories"][0].arrays
        x.grad = False
        graph.memory.arrays["memories"][0].arrays.pop("dx")
        graph.forward_and_backward(X[0])
        assert "dx" not in graph.memory.arrays["memories"][0].arrays


def test_too_few_inputs_are_refused_as_ever():
    net = make(plain)
    with net.workspace():
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        with pytest.raises(TypeError, match=r"Graph\[Net\]\.forward: takes 2 inputs \(x, t\); got 1"):
            net.graph.forward_and_backward(X[0])


def test_a_frozen_run_of_another_size_in_between_leaves_nothing_for_the_next_step():
    net, other = make(several_outputs), make(several_outputs)
    with net.workspace():
        for x, t in zip(X[:2], T[:2], strict=True):
            net.loss_and_gradient(x, t)
        with net.graph.frozen():
            net.graph.forward(X[3], T[3])
        assert net.loss_and_gradient(X[4], T[4]) == by_the_book(other, X[4], T[4])
    np.testing.assert_array_equal(net.grad_vector, other.grad_vector)


def test_another_gradient_of_the_loss_goes_back_as_from_backward():
    net, other = make(plain), make(plain)
    with net.graph.workspace():
        for x, t in zip(X, T, strict=True):
            loss = net.graph.forward_and_backward(x, t, dy=0.3)
            assert loss == other.graph.forward(x, t)
            other.graph.backward(0.3)
            assert net.grad_vector.tobytes() == other.grad_vector.tobytes()


@pytest.mark.parametrize("dy", [None, 1j, "a", np.ones(1), np.ones(2), True], ids=repr)
def test_a_gradient_of_the_loss_that_is_no_number_is_refused_in_every_run(dy):
    net = make(plain)
    with net.graph.workspace():
        for _ in range(2):
            with pytest.raises(TypeError, match=r"Graph\[Net\].forward_and_backward: dy must be a number; got"):
                net.graph.forward_and_backward(X[0], T[0], dy=dy)
            net.graph.forward_and_backward(X[0], T[0])


def test_a_graph_that_does_not_end_in_one_number_says_what_backward_needs():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.Tanh()(x))
    with pytest.raises(TypeError, match="takes 1 gradient"):
        graph.forward_and_backward(X[0])


def test_predictions_hold_no_array_of_theirs_nor_change_a_layers_memory():
    net = make(plain)
    own = [layer.memory for layer in net.graph.leaves()]
    net.predict(X[0])
    x = X[0].copy()
    held = weakref.ref(x), weakref.ref(net.predict(x))
    del x
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    assert [layer.memory for layer in net.graph.leaves()] == own


@pytest.mark.parametrize("again", [copy.deepcopy, bg.Net.replica])
def test_a_copy_predicts_by_its_own_layers(again):
    net = make(plain)
    net.predict(X[0]), net.predict(X[0])
    twin = again(net)
    assert twin.predict(X[0]).tobytes() == net.predict(X[0]).tobytes()
    if again is not bg.Net.replica:
        twin.vector[:] = 0
        assert not twin.predict(X[0]).any()
        assert net.predict(X[0]).any()
