"""ArrayDict keeps its entries where they are; Memory holds what one use of a layer remembers."""

import copy

import numpy as np
import pytest

import brickgrad as bg

W = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.fixture
def affine():
    return bg.Affine(2, 3, rng=0, name="enc")


def test_array_dict_assignment_writes_into_the_entry(affine):
    before = affine.params["W"]
    affine.params["W"] = W
    assert affine.params["W"] is before
    assert before.tolist() == W
    assert before.dtype == np.float32


@pytest.mark.parametrize(
    "assign",
    [
        lambda params, value: params.update({"W": value}),
        lambda params, value: params.update(W=value),
        lambda params, value: params.__ior__({"W": value}),
    ],
    ids=["update", "update by name", "|="],
)
def test_array_dict_update_writes_into_the_entry(affine, assign):
    before = affine.params["W"]
    assign(affine.params, np.array(W))
    assert affine.params["W"] is before
    assert before.tolist() == W
    with pytest.raises(ValueError, match=r"^Affine\[enc\]\.params\['W'\]: must be \(2, 3\).*got \(3, 2\)"):
        assign(affine.params, np.zeros((3, 2)))


def test_array_dict_setdefault_checks_what_it_adds(affine):
    with pytest.raises(ValueError, match=r"^Affine\[enc\]\.grads\['V'\]: there is no such parameter"):
        affine.grads.setdefault("V", np.zeros(2))
    before = affine.params["W"]
    assert affine.params.setdefault("W", np.zeros((2, 3))) is before


def test_array_dict_new_entry_is_a_copy_of_the_value(affine):
    value = np.ones(3)
    affine.params["gain"] = value
    value[...] = 7
    assert affine.params["gain"].tolist() == [1.0, 1.0, 1.0]
    assert not np.shares_memory(affine.params["gain"], value)


@pytest.mark.parametrize("value", [np.ones(3, int), [1, 2], [True], ["a"], 1j, None], ids=repr)
def test_array_dict_new_entry_of_no_floats_is_type_error_with_its_dtype(affine, value):
    with pytest.raises(TypeError) as error:
        affine.params["gain"] = value
    assert str(error.value) == f"Affine[enc].params['gain']: must hold floats; got {np.asarray(value).dtype}."
    assert "gain" not in affine.params


def test_array_dict_assignment_from_another_entry_copies(affine):
    other = bg.Affine(2, 3, rng=1)
    other.params["W"] = affine.params["W"]
    assert not np.shares_memory(other.params["W"], affine.params["W"])
    assert other.params["W"].tolist() == affine.params["W"].tolist()


@pytest.mark.parametrize("value", [np.zeros((3, 2)), np.zeros((2, 3, 1)), 0.0, [1.0, 2.0, 3.0], "abc"])
def test_array_dict_value_of_another_shape_is_value_error_with_both(affine, value):
    before = affine.params["W"].tobytes()
    with pytest.raises(ValueError, match="must be") as error:
        affine.params["W"] = value
    assert str(error.value) == (f"Affine[enc].params['W']: must be (2, 3), as it was made; got {np.shape(value)}.")
    assert affine.params["W"].tobytes() == before


def test_array_dict_gradient_of_another_shape_is_value_error(affine):
    with pytest.raises(
        ValueError, match=r"^Affine\[enc\]\.grads\['b'\]: must be \(3,\), as it was made; got \(2,\)\.$"
    ):
        affine.grads["b"] = np.zeros(2)


def test_array_dict_gradient_of_no_parameter_is_value_error_that_lists_them(affine):
    with pytest.raises(ValueError, match="no such parameter") as error:
        affine.grads["V"] = np.zeros(2)
    assert str(error.value) == "Affine[enc].grads['V']: there is no such parameter; there are: W, b."
    with pytest.raises(ValueError, match=r"^ReLU\.grads\['W'\]: there is no such parameter; there are: none\.$"):
        bg.ReLU().grads["W"] = np.zeros(2)


def test_array_dict_gradient_takes_the_shape_and_dtype_of_its_parameter():
    class Gain(bg.Layer):
        def __init__(self):
            self.params["g"] = np.ones(3, np.float32)

    gain = Gain()
    with pytest.raises(ValueError, match=r"must be \(3,\)"):
        gain.grads["g"] = np.zeros(2)
    gain.grads["g"] = np.array([1.0, 2.0, 3.0])
    assert gain.grads["g"].dtype == np.float32


def test_array_dict_rebind_moves_the_values_and_counts():
    affine = bg.Affine(2, 3, rng=0)
    values, moves = affine.params["W"].copy(), bg.ArrayDict.moves
    flat = np.full(9, 7, np.float32)
    affine.params.rebind("W", flat[:6].reshape(2, 3))
    assert bg.ArrayDict.moves == moves + 1
    assert flat[:6].tolist() == values.ravel().tolist()
    assert flat[6:].tolist() == [7, 7, 7]
    affine.params["W"] = W
    assert flat[:6].tolist() == [1, 2, 3, 4, 5, 6]


def test_array_dict_gather_holds_the_arrays_themselves_and_no_others(affine):
    gathered = bg.ArrayDict.gather(affine, "params", {"enc.W": affine.params["W"]})
    assert gathered["enc.W"] is affine.params["W"]
    gathered["enc.W"] = W
    assert affine.params["W"].tolist() == W
    with pytest.raises(ValueError, match=r"^Affine\[enc\]\.params\['W'\]: there is no such parameter.*: enc\.W\.$"):
        gathered["W"] = W


def test_array_dict_close_takes_no_further_keys(affine):
    closed = affine.params.close()
    assert closed is affine.params
    with pytest.raises(ValueError, match="there are: W, b"):
        closed["V"] = np.zeros(1)
    closed["b"] = [1, 2, 3]
    assert affine.params["b"].tolist() == [1, 2, 3]


def test_array_dict_deep_copy_is_of_the_copied_layer(affine):
    twin = copy.deepcopy(affine)
    twin.name = "dec"
    twin.params["W"] = W
    assert affine.params["W"].tolist() != W
    with pytest.raises(ValueError, match=r"^Affine\[dec\]\.params\['W'\]"):
        twin.params["W"] = np.zeros(1)
    with pytest.raises(ValueError, match=r"^Affine\[dec\]\.grads\['V'\]: there is no such parameter; there are: W, b"):
        twin.grads["V"] = np.zeros(1)


def test_memory_when_new_remembers_nothing():
    memory = bg.Memory()
    assert (memory.saved, memory.branch, memory.inputs, memory.outputs) == (None, None, [], None)
    assert (memory.wanted, memory.arrays) == (None, None)
    memory = bg.Memory(wanted=(True, False), arrays={})
    assert (memory.wanted, memory.arrays) == ((True, False), {})
