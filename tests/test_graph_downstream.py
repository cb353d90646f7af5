"""Re-running only what a moved entry reaches gives what two whole forwards for each entry give."""

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.graph.downstream import Downstream
from brickgrad.graph.lanes import Lanes
from brickgrad.graph.replay import Replay

H = 1e-5
RNG = np.random.default_rng(5)


class LessMean(bg.Layer):
    """Mixes the samples."""

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


class Whiten(bg.Layer):
    """Batch normalization in training mode, with a scale and a running mean that it keeps to itself."""

    def __init__(self, n, name=None):
        super().__init__(name)
        self.add_param("scale", np.linspace(0.5, 1.5, n))
        self.running = np.zeros(n)

    def forward(self, x):
        if not self.training:
            return (x - self.running) * self.params["scale"]
        self.running = 0.9 * self.running + 0.1 * x.mean(axis=0)
        return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) * self.params["scale"]


class Twisted(bg.Layer):
    """A parameter none of whose axes is one of the output's: y = x · sin(W·Wᵀ) · Σ W."""

    def __init__(self, n, name=None):
        super().__init__(name)
        self.add_param("W", np.random.default_rng(n).normal(size=(n, 3)))

    def forward(self, x):
        W = self.params["W"]
        return x @ np.sin(W @ W.T) * W.sum()


class ByLargest(bg.Layer):
    """Each slice of W reaches its own slice, but for the largest, which reaches all."""

    def __init__(self):
        self.add_param("W", np.array([0.3, 2.0, -0.4, 0.1]))

    def forward(self, x):
        W = self.params["W"]
        return x * W / np.abs(W).max()


class Neighbours(bg.Layer):
    """Each row takes a share of the one before it; the shape says nothing."""

    def forward(self, x):
        return x + 1e-3 * np.roll(x, 1, axis=0)


class ShareOfBatch(bg.Layer):
    """Rows apart, but divided by how many there are."""

    def forward(self, x):
        return np.square(x) / len(x)


class Halves(bg.Layer):
    n_outputs = 2

    def __init__(self):
        self.add_param("a", np.array([0.7, -0.2]))

    def forward(self, x):
        return x[:, :2] * self.params["a"], np.sin(x[:, 2:] * self.params["a"].sum())


class Drop(bg.Layer):
    """Dropout: its branch is a mask of the batch's shape, inside a dict."""

    def __init__(self):
        self.rng = np.random.default_rng(2)

    def forward(self, x):
        mask = self.branch(lambda: {"mask": self.rng.random(x.shape) < 0.5})["mask"]
        return x * mask


def affine(n, m, name=None):
    return bg.Affine(n, m, rng=n + m, dtype=np.float64, name=name)


def mlp(x):
    return affine(5, 3)(bg.ReLU()(affine(4, 5)(x)))


def inner():
    x = bg.Input("x")
    return bg.Graph(x, affine(4, 4, "in")(bg.ReLU()(affine(4, 4, "out")(x)) * 2.0) ** 2, name="block")


def fan_out(x):
    h = bg.Tanh()(affine(4, 4)(x))
    return h * affine(4, 4)(h) + h / (bg.Exp()(h) + 2.0)


def shared(x):
    layer, relu = affine(4, 4, "shared"), bg.ReLU()
    return affine(4, 2)(layer(bg.Sigmoid()(relu(layer(x)))))


def shared_in_blocks(x):
    block = inner()
    return block(bg.Tanh()(block(x)) * 0.1)


def several_outputs(x):
    a, b = Halves()(affine(4, 4)(x))
    return [a, bg.Tanh()(b), a * b, x]


def after_the_mix(x):
    return affine(4, 2)(bg.ReLU()(LessMean()(affine(4, 4)(x))))


GRAPHS = {
    "mlp": mlp,
    "fan_out": fan_out,
    "shared": shared,
    "shared_in_blocks": shared_in_blocks,
    "nested": lambda x: affine(4, 3)(inner()(affine(4, 4)(x))),
    "several_outputs": several_outputs,
    "mix": after_the_mix,
    "whiten": lambda x: bg.Tanh()(Whiten(4)(affine(4, 4)(x))),
    "twisted": lambda x: bg.Sigmoid()(affine(4, 2)(Twisted(4)(x))),
    "by_largest": lambda x: bg.Tanh()(ByLargest()(x)),
    "neighbours": lambda x: bg.Tanh()(Neighbours()(affine(4, 4)(x))),
    "share_of_batch": lambda x: ShareOfBatch()(affine(4, 4)(x)),
    "dropout": lambda x: affine(4, 3)(Drop()(affine(4, 4)(x))),
    "constants": lambda x: affine(4, 4)(x) * np.array([1.0, 2.0, 3.0, 4.0]) + 1.5,
    "constant_rows": lambda x: bg.Sigmoid()(affine(4, 3)(x) * np.array([[1.0], [2.0], [3.0]])),
    "concat": lambda x: bg.Concat()(affine(4, 2)(x), bg.Tanh()(affine(4, 3)(x)), x),
    "concat_rows": lambda x: bg.Concat(axis=0)(affine(4, 4)(x), x) ** 2,
    "reshape": lambda x: bg.Softmax()(bg.Flatten()(bg.Tanh()(bg.Reshape(3, 2)(affine(4, 6)(x))))),
    "softmax_over_batch": lambda x: bg.Softmax(axis=0)(affine(4, 4)(x)) ** 2,
    "step": lambda x: affine(4, 2)(bg.Step()(affine(4, 4)(x)) * x),
}


NEEDS_SAMPLES = ("mix", "whiten", "share_of_batch")  # they divide by their number


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def plain(graph, inputs, h=H):
    """Two whole forwards for each entry, in float64 with the branches of one run: the reference."""
    twin = graph.replica(np.float64)
    inputs = [np.array(x) for x in inputs]
    names = [node.name for node in twin.inputs] if isinstance(twin, bg.Graph) else twin.input_names
    grad = [node.grad for node in twin.inputs] if isinstance(twin, bg.Graph) else [True] * len(names)
    twin.forward(*inputs)
    arrays = dict(twin.params)
    arrays |= {n: x for n, x, g in zip(names, inputs, grad, strict=True) if g and x.dtype.kind == "f"}
    gradients = {}
    with twin.frozen():
        for name, array in arrays.items():
            gradient = gradients[name] = np.zeros(array.shape)
            for index in np.ndindex(array.shape):
                before = array[index]
                array[index] = before + h
                above = as_tuple(twin.forward(*inputs))
                array[index] = before - h
                below = as_tuple(twin.forward(*inputs))
                array[index] = before
                gradient[index] = sum(np.sum(a - b) for a, b in zip(above, below, strict=True)) / (2 * h)
    return gradients


def assert_same(found, expected):
    assert list(found) == list(expected)
    size = max([np.abs(gradient).max(initial=0.0) for gradient in expected.values()], default=0.0)
    for name, gradient in expected.items():
        assert (found[name].shape, found[name].dtype) == (gradient.shape, np.float64)
        # 1e-9, and where values are summed in another order, their last bits over 2h: 1e-16 / 2e-5
        np.testing.assert_allclose(found[name], gradient, rtol=1e-9, atol=2e-10 * max(size, 1.0), err_msg=name)


def build(make):
    x = bg.Input("x")
    return bg.Graph(x, make(x))


@pytest.mark.parametrize(
    ("name", "n"),
    [(name, n) for name in GRAPHS for n in (0, 1, 3, 4) if n or name not in NEEDS_SAMPLES if name != "constant_rows"]
    + [("constant_rows", 1), ("constant_rows", 3)],
)
def test_downstream_of_any_graph_agrees_with_two_whole_forwards_an_entry(name, n):
    graph = build(GRAPHS[name])
    x = np.random.default_rng(n).normal(size=(n, 4))
    assert_same(bg.numerical_gradient(graph, x, h=H), plain(graph, [x]))


@pytest.mark.parametrize("stack", [1, 50, 300])
@pytest.mark.parametrize("name", ["mlp", "shared", "several_outputs", "twisted", "mix"])
def test_downstream_with_small_stacks_gives_the_same(name, stack, monkeypatch):
    monkeypatch.setattr("brickgrad.graph.downstream.STACK", stack)
    graph = build(GRAPHS[name])
    x = RNG.normal(size=(3, 4))
    assert_same(bg.numerical_gradient(graph, x), plain(graph, [x]))


@pytest.mark.parametrize("loss", [bg.SoftmaxWithLoss, bg.SigmoidWithLoss, bg.MeanSquaredLoss])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_downstream_of_losses_agrees_with_two_whole_forwards_an_entry(loss, n):
    x, t = bg.Input("x", grad=False), bg.Input("t", dtype=int)
    scores = mlp(x)
    graph = bg.Graph([x, t], [loss()(scores, t), scores])
    targets = RNG.dirichlet(np.ones(3), size=n)
    inputs = [RNG.normal(size=(n, 4)), targets]
    found = bg.numerical_gradient(graph, *inputs)
    assert "x" not in found
    assert "t" not in found
    assert_same(found, plain(graph, inputs))


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (bg.Mul(), [RNG.normal(size=(3, 4)), RNG.normal(size=(4,))]),
        (bg.Div(), [RNG.normal(size=(3, 4)), RNG.uniform(1, 2, size=(3, 1))]),
        (bg.Add(), [np.float64(2.0), np.float64(3.0)]),
        (bg.MeanSquaredLoss(), [RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))]),
        (affine(4, 3), [RNG.normal(size=4)]),
        (affine(4, 4), [RNG.normal(size=(2, 4, 4))]),
        (Twisted(4), [RNG.normal(size=(2, 4))]),
        (bg.ReLU(), [np.array([1e-7, -1e-7, 0.0])]),  # nearer to 0 than the step
    ],
    ids=lambda value: type(value).__name__,
)
def test_downstream_of_a_layer_alone_agrees_with_two_whole_forwards_an_entry(layer, inputs):
    assert_same(bg.numerical_gradient(layer, *inputs), plain(layer, inputs))


def watched(calls):
    class Watch(bg.Layer):
        """Counts its forwards and the rows they had."""

        def forward(self, x):
            calls.append(len(x))
            return x + 0.0

    return Watch


def test_downstream_runs_nothing_that_the_parameter_does_not_reach():
    before, after = [], []
    x = bg.Input("x", grad=False)
    graph = bg.Graph(x, watched(after)()(affine(6, 5)(watched(before)()(x))))
    graph.replica().forward(np.ones((2, 6)))
    runs = len(before)
    bg.numerical_gradient(graph, RNG.normal(size=(2, 6)))
    assert len(before) == runs + 1  # the base run
    assert len(after) < 12  # 2 · 35 whole forwards in stacks, and the trial
    assert max(after) > 2


def test_downstream_runs_nothing_behind_entries_that_change_nothing():
    calls = []
    x = bg.Input("x", grad=False)
    graph = bg.Graph(x, watched(calls)()(LessMean()(affine(6, 5)(x))))
    values = np.zeros((3, 6))
    bg.numerical_gradient(graph, values)
    few = len(calls)
    calls.clear()
    bg.numerical_gradient(graph, values + 1.0)
    assert few < len(calls)


class OneByOne(bg.Layer):
    """Takes nothing but three rows, and decides on their values."""

    def forward(self, x):
        if len(x) != 3:
            raise ValueError("three rows")
        return np.tanh(x) if x[0, 0] > -100 else x


def test_downstream_takes_no_stack_where_a_layer_cannot_and_goes_on_one_by_one():
    def make(x):
        h = affine(4, 2)(x)
        return [bg.Tanh()(OneByOne()(h)), h]

    graph = build(make)
    values = RNG.normal(size=(3, 4))
    replay = Replay(graph.replica(np.float64), [values])
    places = {type(step.layer).__name__: place for place, step in enumerate(replay.steps)}
    with replay.graph.frozen():
        assert replay.mode(places["OneByOne"], replay.steps[places["OneByOne"]].reads) is None
        assert replay.mode(places["Affine"], replay.steps[places["Affine"]].reads) == "tile"
    assert_same(bg.numerical_gradient(graph, values), plain(graph, [values]))


def test_downstream_of_a_parameter_that_may_not_move_as_a_whole_moves_it_entry_by_entry():
    class Careful(bg.Layer):
        """Refuses a parameter that is far from what it was."""

        def __init__(self):
            self.add_param("a", np.ones(4))

        def forward(self, x):
            if np.sum(self.params["a"] != 1) > 1:
                raise ValueError("too much at once")
            return x * self.params["a"] ** 2

    graph = build(lambda x: Careful()(x))
    values = RNG.normal(size=(3, 4))
    assert_same(bg.numerical_gradient(graph, values), plain(graph, [values]))


@pytest.mark.parametrize(
    ("layer", "t", "mode"),
    [
        (LessMean(), None, "lanes"),
        (Whiten(4), None, "lanes"),
        (Neighbours(), None, None),  # np.roll is none of the functions that lanes know
        (ShareOfBatch(), None, "lanes"),
        (bg.ReLU(), None, "tile"),
        (bg.SoftmaxWithLoss(), np.array([1, 0, 3]), "lanes"),
        (bg.SigmoidWithLoss(), np.eye(4)[:3], "lanes"),
        (bg.MeanSquaredLoss(), np.eye(4)[:3], "lanes"),
        (bg.Concat(axis=0), np.ones((3, 4)), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_replay_mode_of_a_layer_is_what_it_can_do(layer, t, mode):
    x, y = bg.Input("x"), bg.Input("t", dtype=int if t is not None and t.dtype.kind == "i" else float)
    graph = bg.Graph(x, layer(x)) if t is None else bg.Graph([x, y], layer(x, y))
    values = RNG.normal(size=(3, 4))
    replay = Replay(graph.replica(np.float64), [values] if t is None else [values, t])
    with replay.graph.frozen():
        assert replay.mode(0, replay.steps[0].reads[:1]) == mode


LANES = {
    "arithmetic": lambda x: 1.0 / (2.0 - x) + np.abs(x) * x - np.square(-x),
    "row": lambda x: x - np.arange(4.0),
    "sum": lambda x: x.sum(),
    "sum_rows": lambda x: np.sum(x, axis=0) + x,
    "sum_last": lambda x: x / x.sum(axis=-1, keepdims=True),
    "both_axes": lambda x: np.max(x, axis=(0, 1), keepdims=True) * x.min(axis=1)[0],
    "reduce": lambda x: np.add.reduce(x),
    "mean_var": lambda x: (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + np.std(x) + 1),
    "product": lambda x: x @ np.arange(8.0).reshape(4, 2),
    "product_left": lambda x: np.arange(6.0).reshape(2, 3) @ x,
    "where": lambda x: np.where(x > 0, x, 0.0) + np.where(np.arange(4) > 1, x[1], x),
    "entries": lambda x: x.reshape(-1, 4)[np.arange(3), [1, 0, 3]] + x[:, 2],
    "reversed": lambda x: x.T * np.arange(3.0),
    "shapes": lambda x: x.reshape((4, 3)) * np.ones(np.shape(x)[::-1]) * np.ndim(x) * np.size(x) * len(x),
    "copies": lambda x: np.ones_like(x) + np.zeros_like(x) + x.copy() + x.astype(np.float64) * x.size,
    "two_results": lambda x: np.modf(x)[0],
}


@pytest.mark.parametrize("name", LANES)
def test_lanes_give_what_each_array_gives(name):
    data = RNG.normal(size=(5, 3, 4))
    result = LANES[name](Lanes(data.copy())).data
    np.testing.assert_allclose(result, [LANES[name](array) for array in data], rtol=1e-12, atol=1e-14)


def test_lanes_are_written_to_in_place():
    data = RNG.normal(size=(5, 3, 4))
    lanes = Lanes(np.zeros((5, 3, 4)))
    np.copyto(lanes, Lanes(data))
    np.copyto(lanes, 7.0, where=np.arange(4) > 2)
    lanes -= 1.0
    np.multiply(lanes, 2.0, out=lanes)
    np.testing.assert_array_equal(lanes.data, 2 * (np.where(np.arange(4) > 2, 7.0, data) - 1))


@pytest.mark.parametrize(
    "use",
    [
        bool,
        float,
        np.asarray,
        lambda x: np.sort(x),
        lambda x: np.add.accumulate(x),
        lambda x: x[0] @ x[1],
        lambda x: x.sum(axis=2),
        lambda x: x.sum(axis=-3),
        lambda x: np.add(x, 1.0, where=False),
    ],
)
def test_lanes_refuse_what_they_do_not_know(use):
    with pytest.raises((TypeError, ValueError)):
        use(Lanes(np.ones((5, 3, 4))))


def test_downstream_puts_back_what_it_moves():
    x = bg.Input("x")
    graph = bg.Graph(x, shared(x)).replica(np.float64)
    before = {name: param.tobytes() for name, param in graph.params.items()}
    downstream = Downstream(graph, [RNG.normal(size=(3, 4))], H)
    first = downstream.of_params()
    assert {name: param.tobytes() for name, param in graph.params.items()} == before
    for name, gradient in downstream.of_params().items():
        np.testing.assert_array_equal(gradient, first[name])
