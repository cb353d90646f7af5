"""Graph: the texts' values and gradients, edges, what costs nothing, replicas, frozen branches, errors with a place."""

import copy
import re

import numpy as np
import pytest

import brickgrad as bg


class Fails(bg.Layer):
    """Raises in forward or in backward."""

    def __init__(self, forward=None, backward=None, name=None):
        self.name = name
        self.raised = forward, backward

    def forward(self, x):
        if self.raised[0] is not None:
            raise self.raised[0]
        return x + 0

    def backward(self, dy):
        raise self.raised[1]


class Asked(bg.Layer):
    """x · y that notes at each backward which gradients were wanted, and gives no other."""

    def __init__(self):
        self.asked = []

    def forward(self, x, y):
        self.saved = x, y
        return x * y

    def backward(self, dy):
        x, y = self.saved
        wants = self.wants(0), self.wants(1)
        self.asked.append(wants)
        return dy * y if wants[0] else None, dy * x if wants[1] else None


class Noise(bg.Layer):
    """Adds noise from a generator of its own, and holds a float array besides."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.scale = np.array([0.5], np.float32)

    def forward(self, x):
        return x + (self.scale * self.rng.standard_normal(x.shape)).astype(x.dtype)

    def backward(self, dy):
        return dy.copy()


class Lookup(bg.Layer):
    """Rows of a table by number."""

    integer_inputs = ("i",)

    def __init__(self, table):
        self.add_param("table", np.array(table))

    def forward(self, i):
        self.saved = i
        return self.params["table"][i]

    def backward(self, dy):
        self.grads["table"] = np.zeros_like(self.params["table"])
        np.add.at(self.grads["table"], self.saved, dy)


def small_graph(dtype=np.float64):
    """Two affine layers with ReLU between, on an input of width 3."""
    x = bg.Input("x", (3,))
    h = bg.ReLU(name="act")(bg.Affine(3, 4, rng=0, name="enc", dtype=dtype)(x))
    return bg.Graph(x, bg.Affine(4, 2, rng=1, name="head", dtype=dtype)(h), name="small")


# The texts' examples


def test_graph_of_apples_gives_220_and_the_texts_gradients():
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    total = bg.Mul()(apple, count)
    graph = bg.Graph([apple, count, tax], bg.Mul()(total, tax))
    assert graph.forward(100.0, 2.0, 1.1) == pytest.approx(220, rel=1e-15)
    assert graph.backward(1.0) == pytest.approx((2.2, 110, 200), rel=1e-15)
    assert (graph.value(total), graph.grad(total)) == (200.0, 1.1)


def test_graph_of_apples_and_oranges_gives_715_and_the_texts_gradients():
    names = ("apple_count", "apple", "orange", "orange_count", "tax")
    apple_count, apple, orange, orange_count, tax = inputs = [bg.Input(name) for name in names]
    graph = bg.Graph(inputs, (apple * apple_count + orange * orange_count) * tax)
    assert graph.forward(2, 100, 150, 3, 1.1) == pytest.approx(715, rel=1e-15)
    assert graph.backward(1.0) == pytest.approx((110, 2.2, 3.3, 165, 650), rel=1e-15)


def test_graph_of_a_squared_sum_gives_both_gradients_by_the_chain_rule():
    x, y = bg.Input("x"), bg.Input("y")
    total = x + y
    graph = bg.Graph([x, y], total**2)
    assert graph.forward(3.0, 4.0) == 49.0
    assert graph.backward(1.0) == (14.0, 14.0)
    assert graph.grad(total) == 14.0


def test_graph_backward_of_a_lone_number_needs_no_gradient_given():
    x = bg.Input("x")
    graph = bg.Graph(x, x**2)
    graph.forward(3.0)
    assert graph.backward() == 6.0


# In and out


def test_graph_with_one_output_gives_an_array_and_with_a_list_of_one_a_tuple():
    x = bg.Input("x")
    y = x * 2
    assert bg.Graph(x, y).forward(3.0) == 6.0
    assert bg.Graph([x], [y]).forward(3.0) == (6.0,)


def test_graph_with_several_outputs_takes_a_gradient_for_each():
    x, y = bg.Input("x"), bg.Input("y")
    graph = bg.Graph([x, y], [x * y, x - y, y * 3])
    a, b = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    for found, expected in zip(graph.forward(a, b), (a * b, a - b, 3 * b), strict=True):
        np.testing.assert_array_equal(found, expected)
    d1, d2, d3 = np.array([1.0, 2.0]), np.array([10.0, 20.0]), np.array([100.0, 200.0])
    dx, dy = graph.backward(d1, d2, d3)
    np.testing.assert_array_equal(dx, d1 * b + d2)
    np.testing.assert_array_equal(dy, d1 * a - d2 + 3 * d3)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_graph_backward_with_the_wrong_number_of_gradients_raises_type_error(count):
    x = bg.Input("x")
    graph = bg.Graph(x, [x * 2, x * 3])
    graph.forward(1.0)
    with pytest.raises(TypeError, match=rf"Graph\.backward: takes 2 gradients.*got {count}"):
        graph.backward(*[1.0] * count)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_graph_forward_with_the_wrong_number_of_inputs_raises_type_error_naming_them(count):
    x, y = bg.Input("apple"), bg.Input("count")
    with pytest.raises(TypeError, match=rf"takes 2 inputs \(apple, count\); got {count}"):
        bg.Graph([x, y], x * y).forward(*[1.0] * count)


def test_graph_takes_inputs_by_name():
    x, y = bg.Input("x"), bg.Input("y")
    assert bg.Graph([x, y], x / y).forward(y=4.0, x=8.0) == 2.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_graph_keeps_the_precision_of_its_inputs_in_outputs_and_gradients(dtype):
    graph = small_graph(dtype)
    y = graph.forward(np.ones((2, 3), dtype))
    assert (y.dtype, graph.backward(np.ones_like(y)).dtype) == (dtype, dtype)
    assert {g.dtype for g in graph.grads.values()} == {np.dtype(dtype)}


def test_graph_changes_neither_inputs_nor_gradients_given_and_backward_repeats():
    graph = small_graph()
    x, dy = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 2))
    x.flags.writeable = dy.flags.writeable = False
    graph.forward(x)
    first = graph.backward(dy).tobytes(), {k: g.tobytes() for k, g in graph.grads.items()}
    assert (graph.backward(dy).tobytes(), {k: g.tobytes() for k, g in graph.grads.items()}) == first


def test_graph_returns_arrays_that_later_runs_leave_alone():
    graph = small_graph()
    rng = np.random.default_rng(0)
    y = graph.forward(rng.normal(size=(5, 3)))
    dx = graph.backward(np.ones((5, 2)))
    before = y.copy(), dx.copy()
    graph.forward(rng.normal(size=(5, 3)))
    graph.backward(np.full((5, 2), 7.0))
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(dx, before[1])


def test_graph_whose_layers_hand_on_what_they_are_given_gives_arrays_of_its_own():
    class Through(bg.Layer):
        def forward(self, x):
            return x.copy()

        def backward(self, dy):
            return dy

    x = bg.Input("x")
    graph = bg.Graph(x, Through()(x))
    graph.forward(np.ones(3))
    dy = np.ones(3)
    assert not np.shares_memory(graph.backward(dy), dy)
    assert not np.shares_memory(graph.grad(x), dy)


def test_graph_output_that_is_an_input_is_an_array_of_its_own():
    x = bg.Input("x")
    graph = bg.Graph(x, [x, x * 2])
    values = np.ones(3)
    assert not np.shares_memory(graph.forward(values)[0], values)


@pytest.mark.parametrize("n", [0, 1])
def test_graph_of_no_or_one_sample_gives_gradients_of_that_many(n):
    graph = small_graph()
    assert graph.forward(np.ones((n, 3))).shape == (n, 2)
    assert graph.backward(np.ones((n, 2))).shape == (n, 3)
    np.testing.assert_array_equal(graph.grads["head.b"], [n, n])


# Nested


def test_graph_inside_a_graph_gives_what_its_layers_would_on_their_own():
    inner = small_graph()
    y = bg.Input("y")
    outer = bg.Graph(y, bg.Tanh()(inner(bg.Sigmoid()(y))))
    values, dy = np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=(5, 2))

    flat = small_graph()  # the same seeds, so the same weights
    sigmoid, tanh = bg.Sigmoid(), bg.Tanh()
    expected = tanh.forward(flat.forward(sigmoid.forward(values)))
    expected_dx = sigmoid.backward(flat.backward(tanh.backward(dy)))
    np.testing.assert_array_equal(outer.forward(values), expected)
    np.testing.assert_array_equal(outer.backward(dy), expected_dx)
    for key, gradient in flat.grads.items():
        np.testing.assert_array_equal(outer.grads[f"small.{key}"], gradient)


def test_graph_inside_a_graph_takes_part_in_modes_and_leaves():
    inner = small_graph()
    y = bg.Input("y")
    outer = bg.Graph(y, inner(y))
    outer.eval()
    assert [leaf.training for leaf in outer.leaves()] == [False] * 3
    outer.train()
    assert [leaf.training for leaf in outer.leaves()] == [True] * 3


# Long graphs


def test_graph_of_ten_thousand_layers_builds_and_runs():
    x = bg.Input("x")
    node = x
    for _ in range(10_000):
        node = node + 1.0
    graph = bg.Graph(x, node)
    assert graph.forward(0.0) == 10_000.0
    assert graph.backward(3.0) == 3.0


# Edges


def test_graph_value_and_grad_of_every_edge_are_those_of_the_last_run():
    x, y = bg.Input("x"), bg.Input("y")
    product = x * y
    out = product + x
    graph = bg.Graph([x, y], out)
    graph.forward(2.0, 5.0)
    graph.backward(10.0)
    assert [graph.value(n) for n in (x, y, product, out)] == [2.0, 5.0, 10.0, 12.0]
    assert [graph.grad(n) for n in (x, y, product, out)] == [60.0, 20.0, 10.0, 10.0]
    graph.forward(3.0, 7.0)
    assert [graph.value(n) for n in (x, y, product, out)] == [3.0, 7.0, 21.0, 24.0]


def test_graph_value_and_grad_reach_constants_and_the_edges_of_layers_with_several_outputs():
    class Fork(bg.Layer):
        n_outputs = 2

        def forward(self, x):
            return 2 * x, 3 * x

        def backward(self, d_twice, d_thrice):
            return 2 * d_twice + 3 * d_thrice

    x = bg.Input("x")
    twice, thrice = Fork()(x)
    out = twice * 5.0 + thrice
    graph = bg.Graph(x, out)
    graph.forward(1.0)
    graph.backward(1.0)
    constant = out.call.inputs[0].call.inputs[1]
    assert (graph.value(twice), graph.value(thrice), graph.value(constant)) == (2.0, 3.0, 5.0)
    assert (graph.grad(twice), graph.grad(thrice), graph.grad(constant)) == (5.0, 1.0, None)


def test_graph_value_before_forward_and_grad_before_backward_raise_runtime_error():
    x = bg.Input("x")
    graph = bg.Graph(x, x * 2)
    with pytest.raises(RuntimeError, match=r"Graph.*forward first"):
        graph.value(x)
    with pytest.raises(RuntimeError, match=r"Graph.*forward first"):
        graph.grad(x)
    with pytest.raises(RuntimeError, match=r"Graph\.backward.*forward first"):
        graph.backward(1.0)
    graph.forward(1.0)
    with pytest.raises(RuntimeError, match=r"Graph\.grad: there are no gradients yet\. Call backward first"):
        graph.grad(x)
    graph.backward(1.0)
    graph.forward(2.0)
    with pytest.raises(RuntimeError, match="Call backward first"):  # those of the run before are no longer right
        graph.grad(x)


@pytest.mark.parametrize("what", ["value", "grad"])
def test_graph_asked_about_a_foreign_node_raises_value_error_naming_it(what):
    x, other = bg.Input("x"), bg.Input("other")
    graph = bg.Graph(x, x * 2)
    graph.forward(1.0)
    graph.backward(1.0)
    with pytest.raises(ValueError, match=rf"Graph\.{what}: .*Input\[other\].*not a node of this graph"):
        getattr(graph, what)(other)


def test_graph_that_keeps_nothing_gives_the_same_results_but_no_edges():
    x = bg.Input("x")
    y = x**2 + x
    graph = bg.Graph(x, y, keep=False)
    assert graph.forward(3.0) == 12.0
    assert graph.backward(1.0) == 7.0
    for what in ("value", "grad"):
        with pytest.raises(RuntimeError, match=rf"Graph\.{what}: .*keep=True"):
            getattr(graph, what)(y)


# What needs no gradient


def test_graph_input_that_wants_no_gradient_costs_none():
    x, y = bg.Input("x", grad=False), bg.Input("y")
    asked, above = Asked(), Asked()
    graph = bg.Graph([x, y], above(asked(x, x), y))
    graph.forward(2.0, 3.0)
    assert graph.backward(1.0) == (None, 4.0)
    assert asked.asked == []  # nothing below it wants anything, so it is not run back at all
    assert above.asked == [(False, True)]


def test_graph_constant_costs_no_gradient():
    x = bg.Input("x")
    asked = Asked()
    graph = bg.Graph(x, asked(x, 3.0))
    graph.forward(2.0)
    assert graph.backward(1.0) == 3.0
    assert asked.asked == [(True, False)]


@pytest.mark.parametrize("join", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b])
def test_graph_grad_of_what_needs_none_is_none_whatever_the_layer_gave(join):
    x, fixed = bg.Input("x"), bg.Input("fixed", grad=False)
    first = join(x, 5.0)
    graph = bg.Graph([x, fixed], join(fixed, first))
    graph.forward(2.0, 3.0)
    graph.backward(1.0)
    assert graph.grad(fixed) is None
    assert graph.grad(first.call.inputs[1]) is None
    assert graph.grad(x) is not None


def test_graph_with_parameters_below_runs_back_to_them_but_not_to_an_unwanted_input():
    x = bg.Input("x", grad=False)
    affine, asked = bg.Affine(3, 3, rng=0, dtype=np.float64), Asked()
    h = affine(x)
    graph = bg.Graph(x, asked(h, h))
    values = np.array([[1.0, 2.0, 3.0]])
    graph.forward(values)
    assert graph.backward(np.ones((1, 3))) is None
    assert asked.asked == [(True, True)]
    W = affine.params["W"]
    np.testing.assert_allclose(affine.grads["W"], np.outer(values, 2 * values @ W), rtol=1e-12)


def test_graph_passes_on_to_a_graph_inside_which_gradients_are_wanted():
    a, b = bg.Input("a"), bg.Input("b")
    asked = Asked()
    inner = bg.Graph([a, b], asked(a, b))
    x, y = bg.Input("x"), bg.Input("y", grad=False)
    graph = bg.Graph([x, y], inner(x, y))
    graph.forward(2.0, 3.0)
    assert graph.backward(1.0) == (3.0, None)
    inner.forward(2.0, 3.0)
    assert inner.backward(1.0) == (3.0, 2.0)  # on its own it wants both
    assert asked.asked == [(True, False), (True, True)]


def test_graph_integer_inputs_get_none():
    x, t = bg.Input("x"), bg.Input("t", dtype=int)
    graph = bg.Graph([x, t], bg.SoftmaxWithLoss()(x, t))
    graph.forward(np.array([[0.0, 0.0]]), np.array([1]))
    dx, dt = graph.backward()
    np.testing.assert_array_equal(dx, [[0.5, -0.5]])
    assert dt is None


def test_graph_float_input_to_which_its_layer_gives_no_gradient_does_not_get_zeros_for_one():
    x, t = bg.Input("x"), bg.Input("t")
    graph = bg.Graph([x, t], bg.SoftmaxWithLoss()(x, t))
    graph.forward(np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]))
    dt = graph.backward()[1]  # the loss does change with t, so 0 would be a false answer; None is the layer's own
    assert dt is None or dt.all()


def test_graph_integer_input_through_a_table_reaches_the_parameters_alone():
    i = bg.Input("i", dtype=int)
    lookup = Lookup([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    graph = bg.Graph(i, bg.Neg()(lookup(i)))
    np.testing.assert_array_equal(graph.forward(np.array([2, 0, 2])), [[-5, -6], [-1, -2], [-5, -6]])
    assert graph.backward(np.ones((3, 2))) is None
    np.testing.assert_array_equal(lookup.grads["table"], [[-1, -1], [0, 0], [-2, -2]])


def test_graph_output_of_integers_takes_no_gradient():
    i = bg.Input("i", dtype=int)
    lookup = Lookup([[1.0, 2.0], [3.0, 4.0]])
    graph = bg.Graph(i, [i, lookup(i)])
    numbers, rows = graph.forward(np.array([1, 0]))
    np.testing.assert_array_equal(numbers, [1, 0])
    np.testing.assert_array_equal(rows, [[3.0, 4.0], [1.0, 2.0]])
    assert graph.backward(np.array([9, 9]), np.array([[1.0, 2.0], [3.0, 4.0]])) is None
    np.testing.assert_array_equal(lookup.grads["table"], [[3.0, 4.0], [1.0, 2.0]])


def test_graph_float_input_given_integers_raises_type_error_naming_it():
    x = bg.Input("pixels")
    with pytest.raises(TypeError, match=r"pixels must hold floats; got an array of uint8"):
        bg.Graph(x, bg.ReLU()(x)).forward(np.zeros((2, 3), np.uint8))


# Parameters


def test_graph_params_written_by_entry_or_as_a_whole_write_into_the_layers():
    graph = small_graph()
    leaves = dict(graph.named_leaves())
    arrays = dict(graph.params)
    graph.params["enc.W"] = np.full((3, 4), 2.0)
    graph.params = {"head.b": [5.0, 6.0]}
    np.testing.assert_array_equal(leaves["enc"].params["W"], np.full((3, 4), 2.0))
    np.testing.assert_array_equal(leaves["head"].params["b"], [5.0, 6.0])
    assert all(graph.params[name] is array for name, array in arrays.items())


def test_graph_grads_written_write_into_the_layers():
    graph = small_graph()
    graph.grads = {"head.b": [5.0, 6.0]}
    np.testing.assert_array_equal(dict(graph.named_leaves())["head"].grads["b"], [5.0, 6.0])


@pytest.mark.parametrize("kind", ["params", "grads"])
def test_graph_params_of_an_unknown_name_raise_value_error_listing_those_there_are(kind):
    graph = small_graph()
    with pytest.raises(ValueError, match=rf"Graph\[small\]\.{kind}\['enc\.w'\].*enc\.W, enc\.b, head\.W, head\.b"):
        getattr(graph, kind)["enc.w"] = np.zeros((3, 4))


# Workspace


@pytest.mark.parametrize("nested", [False, True])
def test_graph_workspace_gives_the_same_bits_for_batches_of_changing_size(nested):
    def build():
        inner = small_graph(np.float32)
        if not nested:
            return inner
        y = bg.Input("y")
        return bg.Graph(y, bg.Sigmoid()(inner(bg.Tanh()(y))) + 1.0)

    plain, reusing = build(), build()
    rng = np.random.default_rng(0)
    with reusing.workspace():
        for n in (5, 5, 2, 7, 0, 5):
            x, dy = rng.normal(size=(n, 3)).astype(np.float32), rng.normal(size=(n, 2)).astype(np.float32)
            assert reusing.forward(x).tobytes() == plain.forward(x).tobytes()
            assert reusing.backward(dy).tobytes() == plain.backward(dy).tobytes()
            assert [g.tobytes() for g in reusing.grads.values()] == [g.tobytes() for g in plain.grads.values()]


def test_graph_workspace_uses_its_arrays_again_and_the_next_run_outside_it_does_not():
    graph = small_graph()
    x = np.ones((5, 3))
    with graph.workspace():
        assert np.shares_memory(graph.forward(x), graph.forward(x))
    assert not np.shares_memory(graph.forward(x), graph.forward(x))


def test_graph_workspace_keeps_the_uses_of_a_layer_apart():
    x = bg.Input("x")
    relu = bg.ReLU()
    graph = bg.Graph(x, relu(x) + relu(-x) * 10.0)
    with graph.workspace():
        for _ in range(2):
            np.testing.assert_array_equal(graph.forward(np.array([-1.0, 2.0])), [10.0, 2.0])
            np.testing.assert_array_equal(graph.backward(np.ones(2)), [-10.0, 1.0])


def test_graph_workspace_left_by_an_error_is_left():
    graph = small_graph()
    graph.forward(np.ones((5, 3)))
    memory = graph.memory
    with pytest.raises(KeyError), graph.workspace():
        raise KeyError
    assert graph.memory is memory


# Replicas


def test_graph_replica_shares_parameters_but_neither_gradients_nor_memory():
    graph = small_graph()
    twin = graph.replica()
    assert all(twin.params[name] is graph.params[name] for name in graph.params)
    x = np.random.default_rng(0).normal(size=(5, 3))
    graph.forward(x)
    graph.backward(np.ones((5, 2)))
    before = {name: g.copy() for name, g in graph.grads.items()}
    with pytest.raises(RuntimeError, match="forward first"):
        twin.backward(np.ones((5, 2)))
    twin.forward(-3 * x)
    twin.backward(np.full((5, 2), 7.0))
    for name, g in graph.grads.items():
        np.testing.assert_array_equal(g, before[name])
        assert not np.shares_memory(g, twin.grads[name])
    graph.backward(np.ones((5, 2)))  # from its own forward, which the twin's did not touch
    for name, g in graph.grads.items():
        np.testing.assert_array_equal(g, before[name])
    graph.params["head.b"] = [3.0, 4.0]
    np.testing.assert_array_equal(twin.params["head.b"], [3.0, 4.0])


def test_graph_replica_has_its_own_generators():
    x = bg.Input("x")
    noise = Noise(0)
    graph = bg.Graph(x, noise(x))
    state = noise.rng.bit_generator.state
    first = graph.replica().forward(np.zeros(3))
    assert noise.rng.bit_generator.state == state
    np.testing.assert_array_equal(graph.forward(np.zeros(3)), first)


def test_graph_replica_of_layers_that_share_a_generator_shares_it_too():
    x = bg.Input("x")
    rng = np.random.default_rng(0)
    first, second = Noise(rng), Noise(rng)
    graph = bg.Graph(x, [first(x), second(x)])
    twin = graph.replica()
    found = [y.tolist() for y in twin.forward(np.zeros(3))]
    assert found[0] != found[1]  # two draws, not the same one twice
    assert found == [y.tolist() for y in graph.forward(np.zeros(3))]


def test_graph_replica_in_float64_is_a_copy_in_that_precision():
    x = bg.Input("x", (3,))
    affine, noise = bg.Affine(3, 2, rng=0), Noise(0)
    graph = bg.Graph(x, noise(affine(x)))
    before = {name: param.tobytes() for name, param in graph.params.items()}
    twin = graph.replica(np.float64)
    assert {param.dtype for param in twin.params.values()} == {np.dtype(np.float64)}
    for name, param in twin.params.items():
        np.testing.assert_array_equal(param, graph.params[name])  # float32 in float64 is exact
        param += 1
    assert twin.forward(np.ones((2, 3))).dtype == np.float64
    twin.backward(np.ones((2, 2)))
    assert {g.dtype for g in twin.grads.values()} == {np.dtype(np.float64)}
    assert {name: param.tobytes() for name, param in graph.params.items()} == before
    assert noise.scale.dtype == np.float32


def test_graph_replica_in_float64_has_its_constants_in_that_precision():
    x = bg.Input("x", (2,))
    factor = np.array([0.1, 0.2], np.float32)
    graph = bg.Graph(x, x * factor + 1)
    twin = graph.replica(np.float64)
    np.testing.assert_array_equal(twin.forward(np.ones((1, 2))), [factor.astype(np.float64) + 1])
    assert graph.forward(np.ones((1, 2), np.float32)).dtype == np.float32


def test_graph_deep_copy_is_a_graph_with_parameters_of_its_own():
    x, y = bg.Input("x"), bg.Input("y")
    affine = bg.Affine(3, 3, rng=0, dtype=np.float64)
    graph = bg.Graph(y, affine(bg.Graph(x, affine(x))(y)))
    twin = copy.deepcopy(graph)
    values = np.random.default_rng(0).normal(size=(2, 3))
    expected = graph.forward(values)
    np.testing.assert_array_equal(twin.forward(values), expected)
    assert len(twin.leaves()) == 1
    for param in twin.params.values():
        param[...] = 0
    np.testing.assert_array_equal(twin.forward(values), np.zeros((2, 3)))
    np.testing.assert_array_equal(graph.forward(values), expected)


def test_graph_replica_of_a_shared_layer_shares_it_too():
    x, y = bg.Input("x"), bg.Input("y")
    affine = bg.Affine(3, 3, rng=0, dtype=np.float64)
    inner = bg.Graph(x, affine(x))
    graph = bg.Graph(y, affine(inner(inner(y))))
    for twin in (graph.replica(), graph.replica(np.float64)):
        assert len(twin.leaves()) == 1
        values, dy = np.random.default_rng(0).normal(size=(2, 5, 3))
        np.testing.assert_array_equal(twin.forward(values), graph.forward(values))
        np.testing.assert_array_equal(twin.backward(dy), graph.backward(dy))
        np.testing.assert_array_equal(*(g.leaves()[0].grads["W"] for g in (twin, graph)))


# Frozen


def nested_relu():
    x, y = bg.Input("x"), bg.Input("y")
    return bg.Graph(y, bg.Graph(x, bg.ReLU()(x))(y) * 2.0)


def flat_relu():
    x = bg.Input("x")
    return bg.Graph(x, bg.ReLU()(x) * 2.0)


@pytest.mark.parametrize("build", [flat_relu, nested_relu])
def test_graph_frozen_replays_the_branches_of_its_last_forward(build):
    graph = build()
    graph.forward(np.array([-1.0, 2.0, 3.0]))
    with graph.frozen():
        np.testing.assert_array_equal(graph.forward(np.array([5.0, -6.0, 7.0])), [0.0, -12.0, 14.0])
        np.testing.assert_array_equal(graph.backward(np.ones(3)), [0.0, 2.0, 2.0])
        np.testing.assert_array_equal(graph.forward(np.array([8.0, 9.0, -1.0])), [0.0, 18.0, -2.0])
    np.testing.assert_array_equal(graph.forward(np.array([5.0, -6.0, 7.0])), [10.0, 0.0, 14.0])


def test_graph_frozen_replays_each_node_of_a_shared_layer_with_its_own_branches():
    x = bg.Input("x")
    relu = bg.ReLU()
    graph = bg.Graph(x, [relu(x), relu(-x)])
    graph.forward(np.array([1.0]))
    with graph.frozen():
        assert graph.forward(np.array([-3.0])) == (np.array([-3.0]), np.array([0.0]))


def test_graph_frozen_before_forward_raises_runtime_error():
    with pytest.raises(RuntimeError, match=r"Graph\.frozen: .*Call forward first"), flat_relu().frozen():
        pass


def test_graph_frozen_left_by_an_error_thaws():
    graph = flat_relu()
    graph.forward(np.array([-1.0]))
    with pytest.raises(KeyError), graph.frozen():
        raise KeyError
    np.testing.assert_array_equal(graph.forward(np.array([3.0])), [6.0])


# NaN and infinity


def test_graph_find_nonfinite_names_input_and_sample():
    graph = small_graph()
    x = np.ones((4, 3))
    assert graph.find_nonfinite(x) is None
    x[2, 1] = np.nan
    assert graph.find_nonfinite(x) == "Input[x], sample 2"
    x[1, 0] = np.inf
    assert graph.find_nonfinite(x) == "Input[x], sample 1"


def test_graph_find_nonfinite_names_the_parameter():
    graph = small_graph()
    graph.params["head.W"][1, 1] = np.inf
    assert graph.find_nonfinite(np.ones((4, 3))) == "the parameter head.W"


def test_graph_find_nonfinite_names_the_first_layer_its_place_and_sample():
    x = bg.Input("x")
    bad = bg.Log(name="log")(x)
    graph = bg.Graph(x, bg.Exp()(bad) + 1.0)
    found = graph.find_nonfinite(np.array([1.0, 2.0, 0.0]))
    assert found == f"the output of Log[log] ({bad.where}), sample 2"


def test_graph_find_nonfinite_of_a_single_number_names_no_sample():
    x = bg.Input("x")
    bad = bg.Log(name="log")(x)
    assert bg.Graph(x, bad).find_nonfinite(0.0) == f"the output of Log[log] ({bad.where})"


def test_graph_find_nonfinite_in_a_constant_says_so():
    x = bg.Input("x")
    graph = bg.Graph(x, x * np.array([1.0, np.nan]))
    assert "Constant" in graph.find_nonfinite(np.ones(2))


def test_graph_find_nonfinite_leaves_the_graph_as_it_was():
    x = bg.Input("x")
    y = Noise(0)(x) * 2.0
    graph = bg.Graph(x, y)
    value = np.array(graph.forward(np.ones(3)))
    memory, state = graph.memory, graph.leaves()[0].rng.bit_generator.state
    graph.find_nonfinite(np.full(3, np.nan))
    assert graph.memory is memory
    assert graph.leaves()[0].rng.bit_generator.state == state
    np.testing.assert_array_equal(graph.value(y), value)


def test_graph_find_nonfinite_works_where_nothing_is_kept():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.Log(name="log")(x), keep=False)
    assert "Log[log]" in graph.find_nonfinite(np.zeros(2))
    assert graph.keep is False


# Errors inside


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError])
@pytest.mark.parametrize("when", ["forward", "backward"])
def test_graph_error_of_a_layer_names_node_file_line_and_graph(kind, when):
    x = bg.Input("x")
    node = Fails(**{when: kind("Fails: no")}, name="bad")(x)
    graph = bg.Graph(x, node, name="outer")
    with pytest.raises(kind, match=r"^Fails: no\n") as caught:
        graph.backward(graph.forward(np.ones(2)))
    assert f"at Fails[bad] ({node.where}) in Graph[outer]" in str(caught.value)
    assert re.fullmatch(r"test_graph_graph\.py:\d+", node.where)


@pytest.mark.parametrize("when", ["forward", "backward"])
def test_graph_error_of_another_kind_keeps_its_arguments_and_gets_a_note(when):
    x = bg.Input("x")
    error = KeyError("lost")
    node = Fails(**{when: error}, name="bad")(x)
    graph = bg.Graph(x, node, name="outer")
    with pytest.raises(KeyError) as caught:
        graph.backward(graph.forward(np.ones(2)))
    assert caught.value is error
    assert error.args == ("lost",)
    assert error.__notes__ == [f"at Fails[bad] ({node.where}) in Graph[outer]"]


def test_graph_error_of_a_layer_in_a_graph_inside_names_both_places():
    x, y = bg.Input("x"), bg.Input("y")
    inside = Fails(ValueError("Fails: no"), name="bad")(x)
    inner = bg.Graph(x, inside, name="inner")
    outside = inner(y)
    with pytest.raises(ValueError, match="Fails: no") as caught:
        bg.Graph(y, outside, name="outer").forward(np.ones(2))
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[1:] == [
        f"at Fails[bad] ({inside.where}) in Graph[inner]",
        f"at Graph[inner] ({outside.where}) in Graph[outer]",
    ]


def test_graph_error_in_forward_leaves_memories_parameters_and_the_last_run_as_they_were():
    x = bg.Input("x")
    affine = bg.Affine(3, 2, rng=0, dtype=np.float64)
    loss = bg.SoftmaxWithLoss()
    t = bg.Input("t", dtype=int)
    graph = bg.Graph([x, t], loss(affine(x), t))
    values = np.random.default_rng(0).normal(size=(2, 3))
    graph.forward(values, np.array([0, 1]))
    expected = graph.backward()[0].tobytes(), affine.grads["W"].tobytes()
    own = affine.memory, loss.memory
    params = affine.params["W"].tobytes()
    with pytest.raises(ValueError, match="labels"):
        graph.forward(values * 5, np.array([0, 7]))
    assert (affine.memory, loss.memory) == own
    assert affine.params["W"].tobytes() == params
    assert (graph.backward()[0].tobytes(), affine.grads["W"].tobytes()) == expected


def test_graph_error_in_backward_gives_the_layers_their_own_memory_back():
    x = bg.Input("x")
    fails = Fails(backward=ValueError("no"))
    graph = bg.Graph(x, fails(x))
    own = fails.memory
    graph.forward(np.ones(2))
    with pytest.raises(ValueError, match="no"):
        graph.backward(np.ones(2))
    assert fails.memory is own


def test_graph_run_leaves_a_layers_own_memory_alone():
    relu = bg.ReLU()
    relu.forward(np.array([-1.0, 2.0]))
    x = bg.Input("x")
    graph = bg.Graph(x, relu(x))
    graph.forward(np.array([3.0, 3.0]))
    graph.backward(np.ones(2))
    np.testing.assert_array_equal(relu.backward(np.ones(2)), [0.0, 1.0])


def test_graph_gradient_of_the_wrong_shape_raises_value_error():
    graph = small_graph()
    graph.forward(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"Graph\[small\]\.backward: the gradient dy must be \(5, 2\).*got \(2,\)"):
        graph.backward(np.ones(2))


def test_an_input_that_needs_no_gradient_any_more_gets_none():
    x, y = bg.Input("x"), bg.Input("y")
    graph = bg.Graph([x, y], x * y)
    graph.forward(2.0, 3.0)
    assert graph.backward(1.0) == (3.0, 2.0)
    x.grad = False
    assert graph.backward(1.0) == (None, 2.0)


def test_graph_gives_values_and_gradients_of_nodes_in_graphs_inside_and_explains_them():
    v, u, x = bg.Input("v"), bg.Input("u"), bg.Input("x")
    square = v * v
    inmost = bg.Graph(v, square, name="inmost")
    made = inmost(u) + 1.0
    graph = bg.Graph(x, bg.Graph(u, made * 3.0, name="inner")(x))
    with pytest.raises(RuntimeError, match="Call forward first"):
        graph.value(square)
    graph.forward(5.0)
    assert (graph.value(square), graph.value(made), graph.value(v)) == (25.0, 26.0, 5.0)
    with pytest.raises(RuntimeError, match="no gradients yet"):
        graph.grad(square)
    graph.backward(2.0)
    assert (graph.grad(square), graph.grad(v), graph.grad(x)) == (6.0, 60.0, 60.0)
    assert "dx = dz · y = 6 · 5 = 30" in graph.explain(v)


def test_graph_asked_about_a_node_of_a_graph_at_two_places_says_that_it_has_two_values():
    u, x = bg.Input("u"), bg.Input("x")
    square = u * u
    inner = bg.Graph(u, square, name="inner")
    once = inner(x)
    graph = bg.Graph(x, inner(once))
    graph.forward(3.0)
    with pytest.raises(ValueError, match=r"value: .* stands at 2 places, as Graph\[inner\] does"):
        graph.value(square)
    assert graph.value(once) == 9.0


def test_graph_and_a_graph_inside_on_the_same_nodes_give_the_graphs_own_value():
    x = bg.Input("x")
    square = x * x
    graph = bg.Graph(x, bg.Graph(x, square)(square))
    assert graph.forward(3.0) == 81.0
    assert (graph.value(x), graph.value(square)) == (3.0, 9.0)
