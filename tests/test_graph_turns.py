"""Turns: what a run that the guards have seen may leave out, and what it must not; and what is let go of in time."""

import gc
import weakref

import numpy as np
import pytest

import brickgrad as bg


def chain(*layers, **options):
    first = node = bg.Input("x")
    for layer in layers:
        node = layer(node)
    return bg.Graph(first, node, **options)


def both(graph, x):
    y = graph.forward(x)
    return y, graph.backward(np.ones_like(y))


class Moody(bg.Layer):
    """Gives float64 from its second run on."""

    runs = 0

    def forward(self, x):
        self.runs += 1
        self.saved = x
        return x * (1 if self.runs == 1 else np.float64(1) * np.ones(x.shape))

    def backward(self, dy):
        return dy if self.runs < 2 else dy[:1]


class MoodyBack(Moody):
    """Gives a gradient of the wrong shape from its second run on."""

    def forward(self, x):
        self.runs += 1
        self.saved = x
        return x.copy()


@pytest.fixture
def guards(monkeypatch):
    """The titles of the layers whose inputs were checked."""
    seen = []
    real = bg.layers.guard.accept_inputs
    monkeypatch.setattr(
        bg.layers.guard, "accept_inputs", lambda layer, inputs: (seen.append(layer.title), real(layer, inputs))[1]
    )
    return seen


def test_second_run_on_inputs_of_the_same_kind_leaves_the_bricks_guards_out(guards):
    graph = chain(bg.Affine(3, 4, rng=0), bg.Tanh(), name="g")
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    first = both(graph, x)
    assert guards == ["Graph[g]", "Affine", "Tanh"]
    second = both(graph, x)
    assert guards[3:] == ["Graph[g]"]
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("other", [np.zeros((5, 3), np.float32), np.zeros((2, 3), np.float16), np.zeros((2, 3))])
def test_inputs_of_another_shape_or_precision_are_guarded_again(guards, other):
    graph = chain(bg.Tanh(), bg.Sigmoid(), name="g")
    both(graph, np.zeros((2, 3), np.float32))
    del guards[:]
    both(graph, other)
    assert guards == ["Graph[g]", "Tanh", "Sigmoid"]


def test_layers_of_a_user_keep_their_guards():
    x = np.ones((2, 3), np.float32)
    forward = chain(bg.Tanh(), Moody(name="mine"))
    forward.forward(x)
    with pytest.raises(TypeError, match=r"Moody\[mine\]\.forward: took float32 and gave float64"):
        forward.forward(x)
    backward = chain(bg.Tanh(), MoodyBack(name="mine"))
    both(backward, x)
    with pytest.raises(ValueError, match=r"MoodyBack\[mine\]\.backward: the gradient of x must be \(2, 3\)"):
        both(backward, x)


def test_bricks_that_hang_on_a_users_layer_keep_their_guards():
    class Gate(bg.Layer):
        hard = False

        def forward(self, x):
            self.saved = x
            return (x > 0).astype(int) if self.hard else x * 1

        def backward(self, dy):
            return dy * 1

    for nested in (False, True):
        x, inner, gate = bg.Input("x", (4,)), bg.Input("u"), Gate()
        node = bg.Graph(inner, gate(inner))(x) if nested else gate(x)
        graph = bg.Graph(x, bg.Affine(4, 2, rng=0)(bg.ReLU()(node)))
        for _ in range(2):
            graph.forward(np.ones((3, 4), np.float32))
        gate.hard = True
        with pytest.raises(TypeError, match=r"ReLU\.forward: x must hold floats"):
            graph.forward(np.ones((3, 4), np.float32))


def test_a_subclass_of_a_brick_is_a_user_layer():
    assert [kind.vetted for kind in (bg.Tanh, type("MyTanh", (bg.Tanh,), {}), Moody)] == [True, False, False]


def test_lone_numbers_come_out_the_same_in_every_run():
    a, b = bg.Input("a"), bg.Input("b")
    graph = bg.Graph([a, b], bg.Exp()(a * b))
    runs = [(graph.forward(np.float32(2), np.float32(0.5)), *graph.backward()) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert {type(number) for run in runs for number in run} == {np.float32}


def test_a_graph_in_a_workspace_is_guarded_after_other_inputs_came_in_between(guards):
    graph = chain(bg.Tanh(), bg.Sigmoid(), name="g")
    with graph.workspace():
        for n in (2, 2, 3):
            both(graph, np.zeros((n, 3), np.float32))
    assert guards == ["Graph[g]", "Tanh", "Sigmoid", "Graph[g]", "Graph[g]", "Tanh", "Sigmoid"]


def test_what_a_layer_or_a_graph_holds_is_let_go_of_at_once():
    gc.collect()
    gc.disable()
    try:
        layer, x = bg.Affine(3, 4, rng=0), np.zeros((2, 3), np.float32)
        held = [weakref.ref(layer.forward(x)), weakref.ref(layer.params["W"]), weakref.ref(layer)]
        graph = chain(bg.Exp(), bg.Tanh())
        held.append(weakref.ref(graph.forward(x)))
        graph.forward_again(x), held.append(weakref.ref(graph))
        del layer, graph
        assert [ref() for ref in held] == [None] * 5
    finally:
        gc.enable()


class Peek(bg.Layer):
    """Passes x on; notes which of the arrays that were seen before are still there."""

    seen: list = []  # noqa: RUF012  # shared on purpose
    alive: list = []  # noqa: RUF012

    def forward(self, x):
        Peek.alive.append(sum(ref() is not None for ref in Peek.seen))
        y = x.copy()
        Peek.seen.append(weakref.ref(y))
        return y

    def backward(self, dy):
        return dy


@pytest.mark.parametrize(("keep", "most"), [(False, 1), (True, 4)])
def test_values_that_nothing_reads_any_more_are_let_go_of_unless_they_are_kept(keep, most):
    Peek.seen, Peek.alive = [], []
    graph = chain(*(Peek() for _ in range(5)), keep=keep)
    graph.forward(np.zeros(3))
    assert max(Peek.alive) == most


def test_values_read_twice_and_outputs_stay_until_they_are_no_longer_needed():
    x = bg.Input("x")
    y = bg.Exp()(x)
    z = y * 2.0
    graph = bg.Graph(x, [y, z, z + y], keep=False)
    one = np.ones(2)
    for _ in range(2):
        np.testing.assert_allclose(graph.forward(one), [np.e * one, 2 * np.e * one, 3 * np.e * one])
        np.testing.assert_allclose(graph.backward(one, one, one), 6 * np.e * one)


def test_a_layer_frozen_by_itself_has_nothing_to_replay_here_in_the_second_run_either():
    layer, x = bg.ELU(), np.array([[-1.0, 2.0, -3.0, 4.0]])
    graph = chain(layer)
    layer.forward(x)
    for _ in range(2):
        with layer.frozen(), pytest.raises(RuntimeError, match="it is frozen, but has no forward of its own to replay"):
            graph.forward(x)
        graph.forward(x)


def test_zeros_for_outputs_that_nothing_reads_are_those_of_this_run():
    split = bg.Split([1, 2])
    x = bg.Input("x")
    a, _ = split(bg.Tanh()(x))
    graph = bg.Graph(x, a, allow_unused=True)
    graph.forward(np.ones((2, 3)))
    split.lengths = [2, 1]
    graph.forward(np.ones((2, 3)))
    assert graph.backward(np.ones((2, 2))).shape == (2, 3)


@pytest.mark.parametrize("how", ["workspace", "frozen"])
def test_after_a_forward_that_failed_over_the_last_one_there_is_nothing_to_go_back_from(how):
    x, t = bg.Input("x"), bg.Input("t", dtype=int)
    hidden = bg.ReLU()(x)
    graph = bg.Graph([x, t], bg.SoftmaxWithLoss()(hidden, t))
    data, labels = np.random.default_rng(0).normal(size=(2, 3)), np.array([0, 1])
    graph.forward(data, labels)
    with graph.workspace() if how == "workspace" else graph.frozen():
        graph.forward(data, labels)
        with pytest.raises(ValueError, match="labels"):
            graph.forward(-data, np.array([0, 9]))
        for look in (graph.backward, lambda: graph.value(hidden), lambda: graph.grad(hidden)):
            with pytest.raises(RuntimeError, match=r"Graph: there is nothing to go back from: the last forward failed"):
                look()
        graph.forward(data, labels)
        graph.backward()


def test_after_a_forward_that_failed_by_itself_the_last_run_still_stands():
    x, t = bg.Input("x"), bg.Input("t", dtype=int)
    graph = bg.Graph([x, t], bg.SoftmaxWithLoss()(bg.ReLU()(x), t))
    data, labels = np.random.default_rng(0).normal(size=(2, 3)), np.array([0, 1])
    graph.forward(data, labels)
    expected, _ = graph.backward()
    with pytest.raises(ValueError, match="labels"):
        graph.forward(-data, np.array([0, 9]))
    assert graph.backward()[0].tobytes() == expected.tobytes()


def test_forward_again_gives_the_bits_of_forward_and_leaves_nothing_behind():
    graph = chain(bg.Affine(3, 4, rng=0), bg.ReLU(), bg.Affine(4, 2, rng=1), keep=False)
    x, other = np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(-2, 3, 6).reshape(2, 3)
    assert graph.forward_again(x) is None  # its guards have not seen the like
    expected = graph.forward(other)
    graph.forward(x)
    gradient = graph.backward(np.ones((2, 2)))
    found = graph.forward_again(other)
    assert found.tobytes() == expected.tobytes()
    assert graph.backward(np.ones((2, 2))).tobytes() == gradient.tobytes()
    assert not np.shares_memory(graph.forward_again(x), found)


def test_forward_again_is_none_where_guards_or_branches_count():
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    mine, graph = chain(bg.Tanh(), Peek()), chain(bg.ReLU())
    mine.forward(x), graph.forward(x)
    assert mine.forward_again(x) is None
    for other in (x.astype(np.float32), x.tolist(), x[:1], x.astype(int), 1.0):
        assert graph.forward_again(other) is None
    with graph.frozen():
        assert graph.forward_again(x) is None


def test_forward_again_in_a_workspace_returns_arrays_to_keep():
    graph, x = chain(bg.Tanh(), bg.ReLU(), keep=False), np.linspace(-1, 1, 6).reshape(2, 3)
    with graph.workspace():
        kept = graph.forward(x), graph.forward_again(x)
        assert kept[1].tobytes() == kept[0].tobytes()
        assert not np.shares_memory(*kept)
        assert not np.shares_memory(kept[1], graph.forward_again(-x))
