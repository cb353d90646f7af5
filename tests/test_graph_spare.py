"""What layers may write over in a graph: where nobody reads it again, and nowhere else."""

import numpy as np
import pytest

import brickgrad as bg

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


class ReadsItsOutput(bg.Layer):
    """x², going back by its own y."""

    def forward(self, x):
        self.saved = np.square(x), x
        return self.saved[0]

    def backward(self, dy):
        y, x = self.saved
        assert (y == np.square(x)).all(), "somebody wrote over it"
        return dy * 2 * x


class ReadsItsInputAgain(bg.ReLU):
    """Of a subclass's own: the input and the gradient are read after the brick has had them."""

    def forward(self, x):
        return super().forward(x) + 0.5 * x

    def backward(self, dy):
        return super().backward(dy) + 0.5 * dy


class Notes:
    """A mixin that keeps what a brick gives."""

    def forward(self, x):
        self.y = super().forward(x)
        return self.y


class NotingAffine(Notes, bg.Affine):
    """An Affine whose forward is a mixin's."""


def affine(x, n_in=6, n_out=6, seed=0):
    return bg.Affine(n_in, n_out, rng=seed)(x)


def chain(x):
    return bg.ReLU()(affine(bg.ReLU()(affine(x)), seed=1))


def fork(x):
    h = affine(x)
    return bg.ReLU()(h) + bg.Tanh()(h) * h


def after_a_saved_output(x):
    return bg.ReLU()(bg.Tanh()(affine(x)))


def after_a_view(x):
    h = affine(x)
    return bg.ReLU()(bg.Reshape(3, 2)(h)), h


def of_an_input(x):
    return bg.ReLU()(x)


def outputs_on_the_way(x):
    h = affine(x)
    return h, bg.ReLU()(h)


def after_a_layer_of_someone(x):
    return bg.ReLU()(ReadsItsOutput()(affine(x)))


def after_dropout_that_passes_on(x):
    h = affine(x)
    return bg.ReLU()(bg.Dropout(0.0)(h)) + h


def of_a_subclass_that_reads_on(x):
    return affine(ReadsItsInputAgain()(affine(x)), seed=1)


def summed_gradients(x):
    h = bg.ReLU()(affine(x))
    return affine(h, seed=1) + bg.ReLU()(affine(h, seed=2) + h)


GRAPHS = [
    chain, fork, after_a_saved_output, after_a_view, of_an_input, outputs_on_the_way, after_a_layer_of_someone,
    after_dropout_that_passes_on, of_a_subclass_that_reads_on, summed_gradients,
]  # fmt: skip


def run_twice(build, keep, workspace):
    """The results of two runs, with two ways back each, on different inputs."""
    x = bg.Input("x", (6,))
    made = build(x)
    graph = bg.Graph(x, list(made) if isinstance(made, tuple) else [made], keep=keep)
    if workspace:
        graph.memory = bg.Memory(arrays={})
    found = []
    for scale in (1, 1, -2):  # from the second run on without guards
        given = scale * X
        outputs = graph.forward(given)
        found += [y.copy() for y in outputs]
        d_outputs = [np.random.default_rng(3).normal(size=y.shape).astype(np.float32) for y in outputs]
        before = [dy.copy() for dy in d_outputs]
        for _ in range(2):
            found.append(graph.backward(*d_outputs).copy())
            found += [grad.copy() for grad in graph.grads.values()]
        assert (given == scale * X).all()
        assert all((dy == old).all() for dy, old in zip(d_outputs, before, strict=True))
    return found


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("workspace", [False, True], ids=["alone", "workspace"])
def test_graph_that_writes_over_spare_arrays_gives_the_bits_of_one_that_keeps_all(build, workspace):
    kept = run_twice(build, True, False)
    spared = run_twice(build, False, workspace)
    assert [a.tobytes() for a in kept] == [a.tobytes() for a in spared]


def test_graph_activation_takes_the_place_of_what_nobody_else_reads():
    x = bg.Input("x", (6,))
    graph = bg.Graph(x, affine(bg.ReLU()(affine(x)), seed=1), keep=False)
    graph.memory = bg.Memory(arrays={})
    graph.backward(graph.forward(X))
    first, relu, last = graph.memory.arrays["memories"]
    assert set(relu.arrays) == {"on"}  # neither y nor dx
    assert last.saved[0] is first.arrays["y"]


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_graph_that_goes_once_more_in_a_workspace_gives_the_bits_of_one_that_keeps_all(build):
    found = []
    for keep in (True, False):
        x = bg.Input("x", (6,))
        made = build(x)
        ends = [bg.Sum()(y) for y in (made if isinstance(made, tuple) else (made,))]
        graph = bg.Graph(x, sum(ends[1:], ends[0]), keep=keep)
        if not keep:
            graph.memory = bg.Memory(wanted=(False,), arrays={})
        run = []
        for scale in (1, 1, -2, 3):
            run.append(np.asarray(graph.forward_and_backward(scale * X)).tobytes())
            run += [grad.tobytes() for grad in graph.grads.values()]
            graph.forward_again(5 * X)  # a prediction between two steps changes nothing
        found.append(run)
    assert found[0] == found[1]


def test_graph_leaves_what_a_mixins_forward_keeps():
    noting = NotingAffine(6, 6, rng=0)
    x = bg.Input("x", (6,))
    bg.Graph(x, bg.ReLU()(noting(x)), keep=False).forward(X)
    assert noting.y.min() < 0
    assert not noting.sample_wise
    assert noting.hands_over == ()


def test_graph_writes_over_nothing_where_somebody_looks_on():
    x, first = bg.Input("x", (6,)), bg.Affine(6, 6, rng=0)
    relu = bg.ReLU()
    graph = bg.Graph(x, bg.Affine(6, 6, rng=1)(relu(first(x))), keep=False)
    seen, given = [], X.copy()
    forward = first.forward
    first.forward = lambda x: seen.append(forward(x)) or seen[-1]
    graph.forward(given)
    assert (seen[0] < 0).any()
    first.forward = lambda x: x
    graph.forward(given)
    assert (given == X).all()


def test_graph_with_a_backward_put_on_it_calls_that_at_every_step():
    net = bg.Sequential(bg.Affine(6, 3, rng=0))
    backward, calls = net.graph.backward, []
    net.graph.backward = lambda *d: calls.append(d) or backward(*d)
    with net.workspace():
        for _ in range(4):
            net.loss_and_gradient(X, np.zeros(4, int))
    assert len(calls) == 4


class KeepsItsGradient(bg.Layer):
    """2 x, which remembers the gradient that it handed back, and what that held."""

    def forward(self, x):
        self.saved = x.shape
        return 2 * x

    def backward(self, dy):
        self.handed = 2 * dy
        self.held = self.handed.copy()
        return self.handed


def test_graph_activation_leaves_a_gradient_alone_that_its_maker_may_read():
    x, keeps = bg.Input("x", (6,)), KeepsItsGradient()
    graph = bg.Graph(x, bg.Sum()(keeps(bg.ReLU()(affine(x)))), keep=False)
    graph.memory = bg.Memory(wanted=(False,), arrays={})
    for _ in range(3):  # from the second run on laid out beforehand
        graph.forward_and_backward(X)
        assert (keeps.handed == keeps.held).all()
