"""Logic gates: their truth tables, on numbers and on arrays."""

import numpy as np
import pytest

import brickgrad as bg

CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1)]
TRUTH = {
    bg.AND: [0, 0, 0, 1],
    bg.NAND: [1, 1, 1, 0],
    bg.OR: [0, 1, 1, 1],
    bg.XOR: [0, 1, 1, 0],
}


@pytest.mark.parametrize("gate", TRUTH, ids=lambda gate: gate.__name__)
def test_gate_on_numbers_gives_its_truth_table_as_integers(gate):
    results = [gate(*corner) for corner in CORNERS]
    assert results == TRUTH[gate]
    assert {type(y) for y in results} == {int}


@pytest.mark.parametrize("gate", TRUTH, ids=lambda gate: gate.__name__)
def test_gate_on_arrays_gives_its_truth_table(gate):
    x1, x2 = np.array(CORNERS).T
    y = gate(x1, x2)
    np.testing.assert_array_equal(y, TRUTH[gate])
    assert y.dtype.kind == "i"


@pytest.mark.parametrize("gate", TRUTH, ids=lambda gate: gate.__name__)
def test_gate_on_grids_broadcasts(gate):
    expected = np.reshape(TRUTH[gate], (2, 2))  # rows x2, columns x1
    np.testing.assert_array_equal(gate(np.array([0, 1]), np.array([[0], [1]])), expected)
    np.testing.assert_array_equal(gate(1, np.array([0, 1])), expected[:, 1])


@pytest.mark.parametrize("gate", TRUTH, ids=lambda gate: gate.__name__)
def test_logic_gate_is_a_graph_from_corners_to_its_truth_table(gate):
    graph = bg.logic_gate(gate.__name__)
    assert isinstance(graph, bg.Graph)
    np.testing.assert_array_equal(graph.forward(np.array(CORNERS, float)), np.reshape(TRUTH[gate], (4, 1)))


def test_xor_takes_two_layers_of_perceptrons_and_the_others_one():
    names = {kind: sorted({name.split(".")[0] for name in bg.logic_gate(kind).params}) for kind in ("AND", "XOR")}
    assert names == {"AND": ["AND"], "XOR": ["AND", "NAND", "OR"]}


def test_perceptron_fires_only_above_its_line():
    neuron = bg.perceptron([1.0, -2.0, 0.5], -1.0)
    x = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.125], [3.0, 1.0, 0.0], [3.0, 0.5, 0.0]])  # w·x + b: 0, > 0, 0, > 0
    np.testing.assert_array_equal(neuron.forward(x).ravel(), [0, 1, 0, 1])
    np.testing.assert_array_equal(neuron.params["perceptron.W"], [[1.0], [-2.0], [0.5]])
    np.testing.assert_array_equal(neuron.params["perceptron.b"], [-1.0])


def test_perceptron_has_the_name_it_is_given():
    assert list(bg.perceptron([1.0], 0.0, name="majority").params) == ["majority.W", "majority.b"]


@pytest.mark.parametrize("kind", ["and", "NOR", "", None, 3])
def test_logic_gate_of_an_unknown_kind_raises_value_error_listing_the_kinds(kind):
    with pytest.raises(ValueError, match=rf"logic_gate: kind must be AND, NAND, OR or XOR; got {kind!r}"):
        bg.logic_gate(kind)
