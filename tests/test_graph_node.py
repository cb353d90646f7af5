"""Nodes: operators on either side, inputs, constants, arity, and the place where each was written."""

import operator
import sys

import numpy as np
import pytest

import brickgrad as bg

# Each operator with the derivatives by its two sides, written out.
OPERATORS = {
    "add": (operator.add, lambda a, b: (np.ones_like(a), np.ones_like(b))),
    "sub": (operator.sub, lambda a, b: (np.ones_like(a), -np.ones_like(b))),
    "mul": (operator.mul, lambda a, b: (b, a)),
    "div": (operator.truediv, lambda a, b: (1 / b, -a / b**2)),
    "pow": (operator.pow, lambda a, b: (b * a ** (b - 1), a**b * np.log(a))),
}
A = np.array([[0.5, 1.5, 2.0], [3.0, 0.25, 1.0]])
B = np.array([[2.0, 0.75, 1.25], [0.5, 3.0, 1.5]])
D = np.array([[1.0, -2.0, 0.5], [3.0, -0.5, 2.0]])


def here() -> str:
    """The file and line it is called from, as nodes give it."""
    return f"test_graph_node.py:{sys._getframe(1).f_lineno}"


class Halves(bg.Layer):
    """Two outputs: the first column and the rest."""

    n_outputs = 2

    def forward(self, x):
        self.saved = x.shape
        return x[:, :1].copy(), x[:, 1:].copy()

    def backward(self, d_first, d_rest):
        return np.concatenate([d_first, d_rest], axis=1)


@pytest.mark.parametrize("name", OPERATORS)
def test_node_operator_on_two_nodes_gives_numpys_value_and_both_gradients(name):
    apply, derive = OPERATORS[name]
    x, y = bg.Input("x"), bg.Input("y")
    graph = bg.Graph([x, y], apply(x, y))
    np.testing.assert_array_equal(graph.forward(A, B), apply(A, B))
    dx, dy = graph.backward(D)
    by_a, by_b = derive(A, B)
    np.testing.assert_allclose(dx, D * by_a, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dy, D * by_b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("other", [3, 2.5, np.float64(1.75), B, B[0]], ids=["int", "float", "scalar", "array", "row"])
@pytest.mark.parametrize("name", OPERATORS)
def test_node_operator_with_a_number_or_array_on_the_right_gives_numpys_value_and_gradient(name, other):
    apply, derive = OPERATORS[name]
    x = bg.Input("x")
    graph = bg.Graph(x, apply(x, other))
    full = np.broadcast_to(np.asarray(other, float), A.shape)
    np.testing.assert_allclose(graph.forward(A), apply(A, full), rtol=1e-15)
    np.testing.assert_allclose(graph.backward(D), D * derive(A, full)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("other", [3, 2.5, np.float64(1.75), A, A[0]], ids=["int", "float", "scalar", "array", "row"])
@pytest.mark.parametrize("name", OPERATORS)
def test_node_operator_with_a_number_or_array_on_the_left_gives_numpys_value_and_gradient(name, other):
    apply, derive = OPERATORS[name]
    x = bg.Input("x")
    node = apply(other, x)
    assert isinstance(node, bg.Node)  # not an array of nodes, as NumPy would make it
    graph = bg.Graph(x, node)
    full = np.broadcast_to(np.asarray(other, float), B.shape)
    np.testing.assert_allclose(graph.forward(B), apply(full, B), rtol=1e-15)
    np.testing.assert_allclose(graph.backward(D), D * derive(full, B)[1], rtol=1e-12, atol=1e-14)


def test_node_negated_gives_minus_value_and_gradient():
    x = bg.Input("x")
    graph = bg.Graph(x, -x)
    np.testing.assert_array_equal(graph.forward(A), -A)
    np.testing.assert_array_equal(graph.backward(D), -D)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_node_operator_with_numbers_keeps_the_precision_of_the_data(dtype):
    x = bg.Input("x")
    graph = bg.Graph(x, 1 - 2.5 * x**2 / 3)
    assert graph.forward(A.astype(dtype)).dtype == dtype
    assert graph.backward(D.astype(dtype)).dtype == dtype


def test_node_operator_with_an_array_takes_a_copy_of_it():
    factor = np.array([2.0, 3.0])
    x = bg.Input("x")
    graph = bg.Graph(x, x * factor)
    factor[:] = 100.0
    np.testing.assert_array_equal(graph.forward(np.ones(2)), [2.0, 3.0])


def test_node_operator_with_an_array_where_the_input_has_a_shape_builds_and_runs_in_float64():
    x = bg.Input("x", (2,))
    graph = bg.Graph(x, x * np.array([2.0, 3.0]))
    np.testing.assert_array_equal(graph.forward(np.ones((4, 2))), np.tile([2.0, 3.0], (4, 1)))


@pytest.mark.parametrize("other", [[1.0, 2.0], "two", None, {1: 2}], ids=["list", "text", "none", "dict"])
def test_node_operator_with_something_else_raises_type_error_with_the_place(other):
    x = bg.Input("x")
    with pytest.raises(TypeError) as caught:
        x + other
    assert f"test_graph_node.py:{caught.traceback[0].lineno + 1}" in str(caught.value)
    assert type(other).__name__ in str(caught.value)


def test_node_where_is_the_file_and_line_of_the_user():
    x, expected_x = bg.Input("x"), here()
    y, expected_y = x * 2 + 1, here()
    (a, b), expected_halves = Halves()(x), here()
    assert (x.where, y.where, a.where, b.where) == (expected_x, expected_y, expected_halves, expected_halves)


def test_node_repr_names_layer_and_place():
    x = bg.Input("pixels")
    node = bg.ReLU(name="act")(x)
    assert repr(node) == f"<ReLU[act] at {node.where}>"
    assert repr(x) == f"<Input[pixels] at {x.where}>"


def test_node_repr_of_a_large_constant_stays_short():
    x = bg.Input("x")
    constant = (x + np.zeros(10_000)).call.inputs[1]
    assert len(repr(constant)) < 100
    assert "Constant" in repr(constant)


def test_node_asked_for_truth_raises_type_error():
    x = bg.Input("x")
    with pytest.raises(TypeError, match=r"Input\[x\].*neither true nor false"):
        bool(x)


def test_node_from_a_layer_with_two_outputs_is_a_tuple_of_two():
    x = bg.Input("x")
    nodes = Halves()(x)
    assert isinstance(nodes, tuple)
    assert [type(node) for node in nodes] == [bg.Node, bg.Node]
    assert nodes[0].call is nodes[1].call


def test_layer_called_on_arrays_runs_and_on_a_mix_with_nodes_joins():
    x = bg.Input("x")
    assert bg.Add()(2.0, 3.0) == 5.0
    assert isinstance(bg.Add()(np.ones(2), x), bg.Node)


@pytest.mark.parametrize("count", [1, 3])
def test_call_with_the_wrong_number_of_nodes_raises_type_error_naming_layer_place_and_inputs(count):
    x = bg.Input("x")
    with pytest.raises(TypeError) as caught:
        bg.Add(name="total")(*[x] * count)
    message = str(caught.value)
    for part in ("Add[total]", "takes 2 inputs (x, y)", f"got {count}", f":{caught.traceback[0].lineno + 1}"):
        assert part in message


def test_call_of_a_layer_with_any_number_of_inputs_takes_any_number():
    nodes = [bg.Input(f"x{i}") for i in range(5)]
    graph = bg.Graph(nodes, bg.Concat()(*nodes))
    np.testing.assert_array_equal(graph.forward(*[np.array([float(i)]) for i in range(5)]), [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("given", "expected"), [(None, None), (784, (784,)), ((), ()), ([3, 4], (3, 4)), ((1, 28, 28), (1, 28, 28))]
)
def test_input_shape_of_any_form_becomes_a_tuple(given, expected):
    assert bg.Input("x", given).shape == expected


def test_input_shape_of_numpys_integer_is_a_size():
    assert bg.Input("x", np.int64(784)).shape == (784,)


@pytest.mark.parametrize(("dtype", "grad"), [(float, True), (np.float32, True), (int, False), (np.uint8, False)])
def test_input_dtype_of_integers_has_no_gradient(dtype, grad):
    assert bg.Input("x", dtype=dtype).grad is grad


def test_input_told_to_have_no_gradient_has_none():
    assert bg.Input("x", grad=False).grad is False


@pytest.mark.parametrize("name", ["", None, 3, b"x"])
def test_input_name_that_is_no_name_raises_type_error(name):
    with pytest.raises(TypeError, match="Input: name must be a string"):
        bg.Input(name)


@pytest.mark.parametrize("shape", [(-1,), (3, -2), -4, (2.5,), "ab", (None, 784)])
def test_input_shape_that_is_none_raises_value_error_naming_input_and_shape(shape):
    with pytest.raises(ValueError, match=r"Input\[x\]: shape must be sizes") as caught:
        bg.Input("x", shape)
    assert repr(shape).strip("()") in str(caught.value) or "'a', 'b'" in str(caught.value)


@pytest.mark.parametrize("dtype", [complex, bool, str, object])
def test_input_dtype_that_is_no_number_raises_type_error_naming_it(dtype):
    with pytest.raises(TypeError, match=r"Input\[x\]: dtype must be float or int; got"):
        bg.Input("x", dtype=dtype)
