"""Sums: over fan-out, over the nodes that share a layer, and on random graphs against a reference written here."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import brickgrad as bg


class Share(bg.Layer):
    """The sum of two inputs; hands out the array it was given as both gradients, which a careless += would spoil."""

    def forward(self, x, y):
        return x + y

    def backward(self, dy):
        return dy, dy


class Keep(bg.Layer):
    """Doubles, and keeps every array it was given or gave, with a copy to compare it with."""

    def __init__(self):
        self.seen = []

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        dx = 2 * dy
        self.seen += [(dy, dy.copy()), (dx, dx.copy())]
        return dx


class Fork(bg.Layer):
    """Two outputs, 2x and 3x."""

    n_outputs = 2

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, d_twice, d_thrice):
        return 2 * d_twice + 3 * d_thrice


class Scale(bg.Layer):
    """x times one parameter; saves what both gradients need."""

    def __init__(self, factor):
        self.add_param("k", np.array(factor))

    def forward(self, x):
        self.saved = x
        return x * self.params["k"]

    def backward(self, dy):
        self.grads["k"] = np.sum(dy * self.saved)
        return dy * self.params["k"]


@pytest.mark.parametrize("fan_out", range(1, 9))
@pytest.mark.parametrize("use", [lambda v, k: v * k, lambda v, k: Share()(v, bg.Mul()(v, k - 1.0))], ids=["mul", "raw"])
def test_run_fan_out_sums_every_branch_once(fan_out, use):
    x = bg.Input("x")
    middle = bg.Tanh()(x)
    factors = [2.0**i for i in range(fan_out)]  # any branch left out or counted twice shows
    graph = bg.Graph(x, [use(middle, k) for k in factors])
    values = np.array([[0.3, -0.7, 1.1]])
    graph.forward(values)
    dys = [np.array([[1.0, 0.5, -2.0]]) * (i + 1) for i in range(fan_out)]
    expected = sum(k * dy for k, dy in zip(factors, dys, strict=True))
    np.testing.assert_allclose(graph.backward(*dys), expected * (1 - np.tanh(values) ** 2), rtol=1e-12)
    np.testing.assert_array_equal(graph.grad(middle), expected)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_run_fan_out_writes_into_no_array_of_a_layer(order):
    x = bg.Input("x")
    middle = bg.Neg()(x)
    keeps = [Keep() for _ in range(4)]
    outs = [keep(middle) for keep in keeps] + [Share()(middle, middle)]
    graph = bg.Graph(x, [outs[i] for i in order])
    dys = [np.full((2, 3), 10.0**i) for i in order]
    graph.forward(np.ones((2, 3)))
    np.testing.assert_array_equal(graph.backward(*dys), np.full((2, 3), -22222.0))
    assert all(len(keep.seen) == 2 for keep in keeps)
    for array, copy in (pair for keep in keeps for pair in keep.seen):
        np.testing.assert_array_equal(array, copy)
    for i, dy in zip(order, dys, strict=True):
        np.testing.assert_array_equal(dy, np.full((2, 3), 10.0**i))
        np.testing.assert_array_equal(graph.grad(outs[i]), dy)


def test_run_residual_block_gets_the_gradient_of_both_ways():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.ReLU()(x) + x)
    values = np.array([[-1.0, 2.0], [3.0, -4.0]])
    graph.forward(values)
    np.testing.assert_array_equal(graph.backward(np.ones((2, 2))), [[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.parametrize("first", [True, False])
def test_run_output_that_no_one_uses_counts_as_zero(first):
    x = bg.Input("x")
    twice, thrice = Fork()(x)
    graph = bg.Graph(x, twice if first else thrice, allow_unused=True)
    graph.forward(np.ones(3))
    np.testing.assert_array_equal(graph.backward(np.array([1.0, 2.0, 3.0])), (2 if first else 3) * np.arange(1.0, 4.0))


def test_run_layer_with_two_outputs_gets_each_ones_gradient():
    x = bg.Input("x")
    twice, thrice = Fork()(x)
    graph = bg.Graph(x, [twice * twice, thrice])
    twice_squared, thrice_value = graph.forward(np.array([1.0, -2.0]))
    np.testing.assert_array_equal(twice_squared, [4.0, 16.0])
    np.testing.assert_array_equal(thrice_value, [3.0, -6.0])
    # d(4x²)/dx = 8x, d(3x)/dx = 3
    np.testing.assert_array_equal(graph.backward(np.array([1.0, 10.0]), np.array([100.0, 1000.0])), [308.0, 2840.0])


def test_run_node_given_as_output_twice_sums_both_gradients():
    x = bg.Input("x")
    y = x * 3
    graph = bg.Graph(x, [y, y])
    graph.forward(1.0)
    assert graph.backward(1.0, 10.0) == 33.0


def test_run_input_given_as_output_passes_its_gradient_on():
    x = bg.Input("x")
    graph = bg.Graph(x, [x, x * 3])
    assert graph.forward(2.0) == (2.0, 6.0)
    assert graph.backward(1.0, 10.0) == 31.0


def test_run_node_inside_that_is_an_output_too_sums_both_gradients():
    x = bg.Input("x")
    inner = x * 3
    graph = bg.Graph(x, [inner, inner * 5])
    graph.forward(1.0)
    assert graph.backward(1.0, 10.0) == 3 * (1 + 50)


# One layer at several nodes


def test_run_layer_at_two_nodes_sums_its_gradients_and_saves_per_node():
    x = bg.Input("x")
    affine = bg.Affine(3, 3, rng=0, dtype=np.float64)
    affine.params["b"] = [0.1, -0.2, 0.3]
    graph = bg.Graph(x, affine(bg.Tanh()(affine(x))))
    rng = np.random.default_rng(1)
    values, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    y = graph.forward(values)
    dx = graph.backward(dy)

    W, b = affine.params["W"].copy(), affine.params["b"].copy()
    hidden = np.tanh(values @ W + b)
    d_inner = (dy @ W.T) * (1 - hidden**2)
    np.testing.assert_allclose(y, hidden @ W + b, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, d_inner @ W.T, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(affine.grads["W"], hidden.T @ dy + values.T @ d_inner, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(affine.grads["b"], dy.sum(0) + d_inner.sum(0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("uses", range(1, 9))
def test_run_layer_at_many_nodes_sums_over_all_of_them(uses):
    x = bg.Input("x")
    scale = Scale(2.0)
    node = x
    for _ in range(uses):
        node = scale(node)
    graph = bg.Graph(x, node)
    assert graph.forward(3.0) == 3.0 * 2.0**uses
    assert graph.backward(1.0) == 2.0**uses
    assert scale.grads["k"] == 3.0 * uses * 2.0 ** (uses - 1)


def test_run_backward_twice_gives_the_same_sums_twice():
    x = bg.Input("x")
    scale = Scale(2.0)
    graph = bg.Graph(x, scale(scale(x)) + scale(x) + x)
    graph.forward(3.0)
    first = graph.backward(1.0), float(scale.grads["k"])
    assert first == (7.0, 15.0)
    assert (graph.backward(1.0), float(scale.grads["k"])) == first
    graph.forward(3.0)
    assert (graph.backward(1.0), float(scale.grads["k"])) == first


def test_run_layer_with_two_outputs_at_two_nodes_saves_per_node():
    x, y = bg.Input("x"), bg.Input("y")
    fork = Fork()
    (a, b), (c, d) = fork(x), fork(y)
    graph = bg.Graph([x, y], a * c + b * d)  # 4xy + 9xy
    assert graph.forward(5.0, 7.0) == 13 * 35.0
    assert graph.backward(1.0) == (13 * 7.0, 13 * 5.0)


def test_run_graph_used_twice_sums_the_gradients_of_its_layers():
    x, y = bg.Input("x"), bg.Input("y")
    scale = Scale(2.0)
    inner = bg.Graph(x, scale(x) * x)  # k x²
    graph = bg.Graph(y, inner(inner(y)))  # k (k y²)² = k³ y⁴
    assert graph.forward(3.0) == 8 * 81.0
    assert graph.backward(1.0) == 8 * 4 * 27.0
    assert scale.grads["k"] == 3 * 4 * 81.0


def test_run_layer_inside_a_graph_and_outside_it_sums_both():
    x, y = bg.Input("x"), bg.Input("y")
    scale = Scale(2.0)
    inner = bg.Graph(x, scale(x) * x)
    graph = bg.Graph(y, scale(inner(scale(y))))  # k · k · (k y)² = k⁴ y²
    assert graph.forward(3.0) == 16 * 9.0
    assert graph.backward(1.0) == 16 * 6.0
    assert scale.grads["k"] == 4 * 8 * 9.0


def test_run_layer_twice_inside_a_graph_and_once_outside_it_sums_all_three():
    x, y = bg.Input("x"), bg.Input("y")
    scale = Scale(2.0)
    inner = bg.Graph(x, scale(scale(x)))
    graph = bg.Graph(y, scale(inner(y)))  # k³ y
    assert graph.forward(5.0) == 40.0
    assert graph.backward(1.0) == 8.0
    assert scale.grads["k"] == 3 * 4 * 5.0


def test_run_graphs_three_deep_sum_as_one():
    x, y, z = bg.Input("x"), bg.Input("y"), bg.Input("z")
    scale = Scale(2.0)
    innermost = bg.Graph(x, scale(x))
    middle = bg.Graph(y, scale(innermost(y)) + y)  # (k² + 1) y
    graph = bg.Graph(z, middle(middle(z)) + scale(z))  # (k² + 1)² z + k z
    assert graph.forward(3.0) == 25 * 3.0 + 6.0
    assert graph.backward(1.0) == 27.0
    assert scale.grads["k"] == 3.0 * (2 * 5 * 4 + 1)


# Random graphs of whole numbers, where every sum and product is exact: any slip of the wiring shows in the last bit.

SHAPES = [(), (3,), (2, 1), (2, 3)]
OPERATIONS = ["add", "sub", "mul", "neg", "fork"]


def fit(gradient, shape):
    """An array of Python integers summed, entry by entry, to the shape that was broadcast to it."""
    total = np.zeros(shape, dtype=object)
    for index in np.ndindex(gradient.shape):
        tail = index[len(index) - len(shape) :]
        total[tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))] += gradient[index]
    return total


def reference(values, calls, outputs, d_outputs):
    """Forward and reverse mode over Python's integers: the values of all nodes, and their gradients."""
    values = [np.array(v, dtype=object) for v in values]
    parents = [[] for _ in values]
    for operation, i, j in calls:
        a, b = values[i], values[j]
        one_a, one_b = np.ones(a.shape, dtype=object), np.ones(b.shape, dtype=object)
        made = {
            "add": [(a + b, [(i, one_a), (j, one_b)])],
            "sub": [(a - b, [(i, one_a), (j, -one_b)])],
            "mul": [(a * b, [(i, b), (j, a)])],
            "neg": [(-a, [(i, -one_a)])],
            "fork": [(2 * a, [(i, 2 * one_a)]), (3 * a, [(i, 3 * one_a)])],
        }[operation]
        for value, edges in made:
            values.append(np.array(value, dtype=object))
            parents.append(edges)
    grads = [np.zeros(v.shape, dtype=object) for v in values]
    for output, dy in zip(outputs, d_outputs, strict=True):
        grads[output] = grads[output] + dy
    for node in reversed(range(len(values))):
        for parent, slope in parents[node]:
            grads[parent] = grads[parent] + fit(np.array(grads[node] * slope, dtype=object), values[parent].shape)
    return values, [np.array(gradient, dtype=object) for gradient in grads]


@st.composite
def graphs(draw):
    """Input arrays, calls of (operation, node, node), and which nodes are outputs."""
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    seed = draw(st.integers(0, 2**32 - 1))
    calls = []
    n_nodes = len(shapes)
    for _ in range(draw(st.integers(1, 9))):
        operation = draw(st.sampled_from(OPERATIONS))
        calls.append((operation, draw(st.integers(0, n_nodes - 1)), draw(st.integers(0, n_nodes - 1))))
        n_nodes += 2 if operation == "fork" else 1
    outputs = draw(st.lists(st.integers(0, n_nodes - 1), min_size=1, max_size=3))
    return shapes, seed, calls, outputs


def build(shapes, calls, order=None):
    """The same graph in brickgrad, its calls made in `order` as far as each one's inputs are there."""
    xs = [bg.Input(f"x{i}") for i in range(len(shapes))]
    firsts, count = [], len(xs)
    for operation, _, _ in calls:
        firsts.append(count)
        count += 2 if operation == "fork" else 1
    nodes = dict(enumerate(xs))
    todo = list(range(len(calls)) if order is None else order)
    while todo:
        k = next(k for k in todo if calls[k][1] in nodes and calls[k][2] in nodes)
        todo.remove(k)
        operation, i, j = calls[k]
        a, b = nodes[i], nodes[j]
        if operation == "fork":
            nodes[firsts[k]], nodes[firsts[k] + 1] = Fork()(a)
        else:
            make = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b}
            nodes[firsts[k]] = -a if operation == "neg" else make[operation](a, b)
    return xs, nodes


def used(calls, outputs, n_inputs):
    """Which nodes lead to an output."""
    parents = dict.fromkeys(range(n_inputs), ())
    for operation, i, j in calls:
        for _ in range(2 if operation == "fork" else 1):
            parents[len(parents)] = (i, i) if operation in ("neg", "fork") else (i, j)
    found, stack = set(), list(outputs)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += parents[node]
    return found


@settings(max_examples=150, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_run_random_graph_gives_the_references_values_and_gradients_in_any_order_of_making(drawn, shuffler):
    shapes, seed, calls, outputs = drawn
    reached = used(calls, outputs, len(shapes))
    assume(all(i in reached for i in range(len(shapes))))
    rng = np.random.default_rng(seed)
    inputs = [rng.integers(-3, 4, size=shape) for shape in shapes]
    n_nodes = len(shapes) + sum(2 if operation == "fork" else 1 for operation, _, _ in calls)
    values, _ = reference(inputs, calls, [], [])
    d_outputs = [np.array(rng.integers(-3, 4, size=values[o].shape), dtype=object) for o in outputs]
    values, grads = reference(inputs, calls, outputs, d_outputs)
    assume(all(abs(entry) < 2**50 for array in values + grads for entry in array.flat))

    order = list(range(len(calls)))
    shuffler.shuffle(order)
    found = []
    for making in (None, order):
        xs, nodes = build(shapes, calls, making)
        graph = bg.Graph(xs, [nodes[o] for o in outputs], allow_unused=True)
        results = graph.forward(*[x.astype(np.float64) for x in inputs])
        dxs = graph.backward(*[dy.astype(np.float64) for dy in d_outputs])
        for o, result in zip(outputs, results, strict=True):
            np.testing.assert_array_equal(result, values[o].astype(np.float64))
        dxs = dxs if len(shapes) > 1 else (dxs,)
        for i, dx in enumerate(dxs):
            np.testing.assert_array_equal(dx, grads[i].astype(np.float64))
        for k in range(n_nodes):
            if k in reached:
                np.testing.assert_array_equal(graph.value(nodes[k]), values[k].astype(np.float64))
                np.testing.assert_array_equal(graph.grad(nodes[k]), grads[k].astype(np.float64))
        found.append([np.asarray(dx).tobytes() for dx in dxs])
    assert found[0] == found[1]


def test_run_smooth_graph_made_in_two_orders_gives_the_same_bits():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3))
    weights = rng.normal(size=(3, 3))

    def run(reverse):
        x = bg.Input("x")
        makers = {
            "a": lambda: bg.Tanh()(x),
            "b": lambda: bg.Exp()(x) * 0.1,
            "c": lambda: bg.Affine(3, 3, init=lambda rng, shape: weights, dtype=np.float64)(x),
        }
        made = {key: makers[key]() for key in (reversed(makers) if reverse else makers)}
        graph = bg.Graph(x, made["a"] * made["b"] + made["c"] / 3)
        return graph.forward(values).tobytes(), graph.backward(np.full((4, 3), 0.7)).tobytes()

    assert run(False) == run(True)


def test_after_a_backward_that_failed_what_is_kept_is_that_of_the_last_whole_one():
    class Once(bg.Layer):
        backs = 0

        def forward(self, x):
            self.saved = x
            return x * 1.0

        def backward(self, dy):
            self.backs += 1
            if self.backs > 1:
                raise ValueError("not again")
            return dy

    x = bg.Input("x")
    out = bg.Neg()(Once()(x) * 3.0)
    graph = bg.Graph(x, out)
    graph.forward(2.0)
    graph.backward(1.0)
    with pytest.raises(ValueError, match="not again"):
        graph.backward(10.0)
    assert (graph.grad(out), graph.grad(x)) == (1.0, -3.0)
    assert graph.explain(x).endswith("= (-3) · 1 = -3")
