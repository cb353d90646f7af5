"""The wiring: order, names, and an error that says who, where and where for each way to get it wrong."""

import re

import numpy as np
import pytest

import brickgrad as bg


def raises(kind, *parts):
    """pytest.raises for a message that has all parts, in this order."""
    return pytest.raises(kind, match="(?s)" + ".*".join(map(re.escape, parts)))


def test_wiring_with_an_input_missing_names_it_its_consumer_and_both_places():
    x, y = bg.Input("x"), bg.Input("y")
    total = bg.Add(name="total")(x, y)
    with raises(
        ValueError,
        "Graph[sum]",
        f"Input[y] ({y.where})",
        f"Add[total] ({total.where})",
        "not",
        "inputs (x)",
    ):
        bg.Graph([x], total, name="sum")


def test_wiring_with_a_foreign_input_as_output_raises_value_error_naming_it():
    x, y = bg.Input("x"), bg.Input("y")
    with raises(ValueError, "Graph", f"Input[y] ({y.where})", "none of the graph's inputs"):
        bg.Graph(x, [x * 2, y])


def test_wiring_with_an_input_that_reaches_no_output_names_it_and_the_outputs():
    x, spare = bg.Input("x"), bg.Input("spare")
    spare * 3  # goes nowhere
    out = bg.ReLU(name="act")(x)
    with raises(ValueError, "Graph", f"Input[spare] ({spare.where})", "reaches no output", f"ReLU[act] ({out.where})"):
        bg.Graph([x, spare], out)


def test_wiring_in_a_circle_names_every_node_of_it_and_no_other():
    x = bg.Input("x")
    before = bg.Tanh(name="before")(x)
    first = bg.Add(name="first")(before, x)
    second = bg.ReLU(name="second")(first)
    after = bg.Sigmoid(name="after")(second)
    first.call.inputs = (before, second)
    with pytest.raises(ValueError, match="circle") as caught:
        bg.Graph(x, after)
    message = str(caught.value)
    for part in (f"Add[first] ({first.where})", f"ReLU[second] ({second.where})"):
        assert part in message
    assert "after" not in message
    assert "before" not in message


def test_wiring_of_a_node_that_feeds_itself_is_a_circle():
    x = bg.Input("x")
    node = bg.Add(name="loop")(x, 1.0)
    node.call.inputs = (x, node)
    with raises(ValueError, "circle", f"Add[loop] ({node.where})", "->", "Add[loop]"):
        bg.Graph(x, node)


def test_wiring_of_two_layers_with_one_name_names_both_kinds_and_places():
    x = bg.Input("x")
    first = bg.ReLU(name="act")(x)
    second = bg.Tanh(name="act")(first)
    with raises(ValueError, "two layers", "'act'", f"ReLU at {first.where}", f"Tanh at {second.where}"):
        bg.Graph(x, second)


def test_wiring_of_two_inputs_with_one_name_names_both_places():
    first = bg.Input("x")
    second = bg.Input("x")
    with raises(ValueError, "two inputs", "'x'", first.where, second.where):
        bg.Graph([first, second], first + second)


def test_wiring_of_one_input_twice_names_it():
    x = bg.Input("x")
    with raises(ValueError, "Graph", f"Input[x] ({x.where})", "twice"):
        bg.Graph([x, x], x * 2)


@pytest.mark.parametrize("given", [np.ones(2), ["y"], [1.0], [None], [bg.ReLU()]])
def test_wiring_of_outputs_that_hold_no_nodes_raises_type_error_saying_what_came(given):
    x = bg.Input("x")
    with raises(TypeError, "Graph", "outputs must be nodes", "got"):
        bg.Graph(x, given)


@pytest.mark.parametrize("given", [bg.ReLU(), None, 3.0], ids=["layer", "none", "number"])
def test_wiring_of_an_output_that_is_no_node_raises_type_error_saying_what_came(given):
    x = bg.Input("x")
    with raises(TypeError, "Graph", "outputs must be nodes", "got", type(given).__name__):
        bg.Graph(x, given)


def test_wiring_from_a_node_that_is_no_input_raises_type_error_naming_it():
    x = bg.Input("x")
    middle = bg.ReLU(name="middle")(x)
    with raises(TypeError, "Graph", "inputs must be Input nodes", "ReLU[middle]"):
        bg.Graph(middle, middle * 2)


def test_wiring_without_inputs_or_outputs_raises_value_error():
    x = bg.Input("x")
    with raises(ValueError, "Graph", "at least one input and one output", "got 0 and 1"):
        bg.Graph([], x * 2)
    with raises(ValueError, "Graph", "at least one input and one output", "got 1 and 0"):
        bg.Graph([x], [])


def test_wiring_that_fails_leaves_nodes_and_layers_as_they_were():
    x, spare = bg.Input("x", (3,)), bg.Input("spare")
    affine = bg.Affine(3, 2, name="enc", rng=0)
    before = {key: param.copy() for key, param in affine.params.items()}
    y = affine(x)
    memory, inputs = affine.memory, y.call.inputs
    with pytest.raises(ValueError, match="spare"):
        bg.Graph([x, spare], y)
    assert affine.memory is memory
    assert y.call.inputs is inputs
    assert affine.name == "enc"
    for key, param in affine.params.items():
        np.testing.assert_array_equal(param, before[key])
    assert bg.Graph(x, y).forward(np.ones((1, 3), np.float32)).shape == (1, 2)  # and the right wiring still builds


@pytest.mark.parametrize(
    "held", [bg.ReLU(), [bg.ReLU()], (1, bg.ReLU()), {"act": bg.ReLU()}], ids=["layer", "list", "tuple", "dict"]
)
def test_wiring_of_a_layer_that_holds_layers_raises_type_error_naming_it_and_the_attribute(held):
    class Block(bg.Layer):
        def __init__(self):
            self.inside = held

        def forward(self, x):
            return x + 0

        def backward(self, dy):
            return dy + 0

    x = bg.Input("x")
    node = Block()(x)
    with raises(TypeError, f"Block ({node.where})", "holds layers of its own in 'inside'", "Graph"):
        bg.Graph(x, node)
    with raises(TypeError, "Block", "holds layers of its own in 'inside'", "Graph"):
        bg.gradcheck(Block(), np.ones(3))


def test_wiring_runs_each_layer_after_those_it_needs():
    x = bg.Input("x")
    a = bg.Neg(name="a")(x)
    b = bg.Neg(name="b")(a)
    c = bg.Add(name="c")(b, a)
    d = bg.Mul(name="d")(c, b)
    order = [step.name for step in bg.Graph(x, [d, a]).wiring.steps]
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order.index("a") < order.index("b") < order.index("c") < order.index("d")


def test_wiring_leaves_out_what_leads_to_no_output():
    x = bg.Input("x")
    wanted = bg.Neg(name="wanted")(x)
    bg.Exp(name="unwanted")(x)
    assert [step.name for step in bg.Graph(x, wanted).wiring.steps] == ["wanted"]


def test_wiring_names_layers_without_a_name_by_kind_and_number():
    x = bg.Input("x")
    y = bg.Affine(3, 4)(x)
    y = bg.ReLU()(y)
    y = bg.Affine(4, 2, name="head")(y)
    y = bg.Affine(2, 1)(y)
    names = list(bg.Graph(x, y).params)
    assert names == ["affine1.W", "affine1.b", "head.W", "head.b", "affine2.W", "affine2.b"]


def test_wiring_gives_no_layer_a_name_that_the_user_gave_another():
    x = bg.Input("x")
    y = bg.Affine(4, 2, name="affine1", bias=False)(bg.Affine(3, 4, bias=False)(x))
    graph = bg.Graph(x, y)
    assert {name: param.shape for name, param in graph.params.items()} == {"affine1.W": (4, 2), "affine2.W": (3, 4)}


def test_wiring_gives_a_layer_at_two_nodes_one_name():
    x = bg.Input("x")
    affine = bg.Affine(3, 3)
    graph = bg.Graph(x, affine(affine(x)))
    assert [step.name for step in graph.wiring.steps] == ["affine1", "affine1"]
    assert list(graph.params) == ["affine1.W", "affine1.b"]


def test_wiring_names_the_parameters_of_a_graph_inside_by_both_names():
    x, y = bg.Input("x"), bg.Input("y")
    inner = bg.Graph(x, bg.Affine(3, 3, name="enc")(x), name="block")
    graph = bg.Graph(y, bg.Affine(3, 2, name="head")(inner(y)))
    assert list(graph.params) == ["block.enc.W", "block.enc.b", "head.W", "head.b"]
