"""Flatten, Reshape, Transpose, Concat: every entry ends where it should, there and back, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_table import several

import brickgrad as bg


def test_flatten_images_lays_rows_end_to_end():
    x = np.arange(12.0).reshape(2, 1, 2, 3)
    flatten = bg.Flatten()
    assert flatten.forward(x).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert flatten.backward(np.arange(12.0).reshape(2, 6)).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("shape", "flat"), [((3,), (3, 1)), ((0, 2, 3), (0, 6)), ((3, 0, 2), (3, 0)), ((3, 4), (3, 4))]
)
def test_flatten_odd_shapes_become_rows(shape, flat):
    flatten = bg.Flatten()
    assert flatten.forward(np.zeros(shape)).shape == flat
    assert flatten.backward(np.zeros(flat)).shape == shape


def test_flatten_without_batch_axis_is_value_error():
    with pytest.raises(
        ValueError, match=r"^Flatten\[f\]\.forward: x must be \(N, \.\.\.\), with a batch axis; got \(\)\.$"
    ):
        bg.Flatten(name="f").forward(np.array(1.0))


@pytest.mark.parametrize(
    ("shape", "given_shape", "expected"),
    [
        ((1, 2, 3), (5, 6), (5, 1, 2, 3)),
        ((-1,), (5, 2, 3), (5, 6)),
        ((2, -1), (5, 6), (5, 2, 3)),
        ((-1, 3), (0, 6), (0, 2, 3)),
        ((), (5, 1), (5,)),
        ((1,), (5,), (5, 1)),
        ((0,), (5, 2, 0), (5, 0)),
        ((-1, 2), (5, 0), (5, 0, 2)),
        ((np.int64(3), 2), (5, 6), (5, 3, 2)),
    ],
)
def test_reshape_gives_samples_their_new_shape(shape, given_shape, expected):
    reshape = bg.Reshape(*shape)
    x = np.arange(np.prod(given_shape), dtype=float).reshape(given_shape)
    y = reshape.forward(x)
    assert (y.shape, y.ravel().tolist()) == (expected, x.ravel().tolist())
    assert reshape.backward(y).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("shape", "given_shape", "entries"),
    [((2, 3), (5, 7), 7), ((-1, 4), (5, 6), 6), ((0, -1), (5, 6), 6), ((), (5, 2), 2), ((3,), (), 1), ((6,), (6,), 1)],
)
def test_reshape_that_does_not_fit_is_value_error_with_both(shape, given_shape, entries):
    with pytest.raises(ValueError, match="fill") as error:
        bg.Reshape(*shape, name="r").forward(np.zeros(given_shape))
    assert str(error.value) == (
        f"Reshape[r].forward: x must be (N, ...) with samples that fill {shape}; got {given_shape}, "
        f"{entries} entries a sample."
    )


@pytest.mark.parametrize("shape", [(-1, -1), (-2,), (2.0,), ("2",), ((2, 3),), (None,)])
def test_reshape_to_no_shape_is_an_error_with_what_came(shape):
    with pytest.raises((ValueError, TypeError)) as error:
        bg.Reshape(*shape, name="r")
    assert str(error.value) == f"Reshape[r]: shape must be sizes of 0 or more, with -1 once at most; got {shape}."


@given(
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    other=st.lists(st.integers(1, 3), max_size=2),
    place=st.integers(0, 2),
    negative=st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_concat_of_any_parts_is_cut_apart_again(sizes, other, place, negative):
    place %= len(other) + 1
    axis = place - len(other) - 1 if negative else place
    arrays, start = [], 0
    for size in sizes:
        shape = (*other[:place], size, *other[place:])
        arrays.append(np.arange(start, start + np.prod(shape), dtype=float).reshape(shape))
        start += arrays[-1].size
    concat = bg.Concat(axis)
    y = concat.forward(*arrays)
    before = 0
    for a in arrays:
        part = np.take(y, range(before, before + a.shape[axis]), axis)
        assert part.tolist() == a.tolist()
        before += a.shape[axis]
    assert y.shape[axis] == before
    assert [part.tolist() for part in several(concat.backward(y * 10))] == [(a * 10).tolist() for a in arrays]


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, [(2, 3), (3, 3)]),
        (0, [(2, 3), (2, 4)]),
        (2, [(2, 3), (2, 3)]),
        (-1, [()]),
        (-1, [(2, 3), (3,)]),
        (0, [(2,), (2, 1)]),
        (1, [(2, 3), (2,)]),
    ],
)
def test_concat_of_unlike_parts_is_value_error_with_all_shapes(axis, shapes):
    concat = bg.Concat(axis, name="c")
    with pytest.raises(ValueError, match="alike") as error:
        concat.forward(*map(np.zeros, shapes))
    assert str(error.value) == (
        f"Concat[c].forward: inputs must have axis {axis} and be alike along all others; got "
        f"{', '.join(map(str, shapes))}."
    )


def test_concat_mixed_precision_names_both_inputs():
    with pytest.raises(
        TypeError, match=r"^Concat\.forward: x is float32 but input 2 is float64, and nothing is promoted"
    ):
        bg.Concat().forward(np.ones(1, np.float32), np.ones(2, np.float32), np.ones(3))


@pytest.mark.parametrize("axes", [(), (0, 1, 2), (2, 1, 0), (0, 2, 1), (2, 0, 1), (-1, 0, 1), (np.int64(1), 2, 0)])
def test_transpose_is_that_of_numpy_and_its_gradient_goes_back(axes):
    x = np.arange(24.0).reshape(2, 3, 4)
    transpose = bg.Transpose(*axes)
    y = transpose.forward(x)
    assert y.tolist() == np.transpose(x, axes or None).tolist()
    assert transpose.backward(y).tolist() == x.tolist()


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3, 4, 5)])
def test_transpose_without_axes_reverses_any_number_of_them(shape):
    x = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
    y = bg.Transpose().forward(x)
    assert np.array_equal(y, x.T)
    assert np.shape(y) == shape[::-1]


@pytest.mark.parametrize(
    "axes", [(0, 0), (0, 2), (0, -2), (-3, 0), (1,), (0, 1.0), ("0",), ((0, 1),), (True, 0), (None,)]
)
def test_transpose_of_no_permutation_is_value_error_with_what_came(axes):
    with pytest.raises(ValueError, match="permutation") as error:
        bg.Transpose(*axes, name="t")
    assert str(error.value) == f"Transpose[t]: axes must be each of 0..n - 1 once, a permutation; got {axes}."


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4), ()])
def test_transpose_of_another_number_of_axes_is_value_error_with_the_shape(shape):
    with pytest.raises(ValueError, match="axes") as error:
        bg.Transpose(-1, 0, name="t").forward(np.ones(shape))
    assert str(error.value) == f"Transpose[t].forward: x must have 2 axes, to be put as (1, 0); got {shape}."


def test_split_cuts_and_its_gradient_joins():
    x = np.arange(12.0).reshape(2, 6)
    for parts, lengths in ((3, [2, 2, 2]), ([1, 0, 5], [1, 0, 5])):
        split = bg.Split(parts)
        ys = split.forward(x)
        assert [y.shape for y in ys] == [(2, n) for n in lengths]
        np.testing.assert_array_equal(np.concatenate(ys, axis=1), x)
        np.testing.assert_array_equal(split.backward(*ys), x)
    assert [y.shape for y in bg.Split(2, axis=0).forward(x)] == [(1, 6), (1, 6)]
    assert bg.gradcheck(bg.Split([2, 4]), x, rng=0)


@pytest.mark.parametrize("parts", [0, -1, [], [1, -1], [1.5], True])
def test_split_of_bad_parts_raises_value_error(parts):
    with pytest.raises(ValueError, match="Split: parts must be a number of at least 1, or a list of lengths"):
        bg.Split(parts)


def test_split_that_does_not_fit_raises_value_error():
    with pytest.raises(ValueError, match=r"axis -1 of x must fill 4 parts of one length; got \(2, 6\)"):
        bg.Split(4).forward(np.zeros((2, 6)))
    with pytest.raises(ValueError, match=r"must fill parts of \[1, 2\]; got \(2, 6\)"):
        bg.Split([1, 2]).forward(np.zeros((2, 6)))
    with pytest.raises(ValueError, match=r"axis 3 of x"):
        bg.Split(2, axis=3).forward(np.zeros((2, 6)))


@pytest.mark.parametrize("parts", [3, [1, 5], [2, 0, 4]], ids=str)
def test_split_keeps_the_whole_contract_of_a_layer(parts):
    report = bg.check_layer(lambda: bg.Split(parts), np.arange(12.0).reshape(2, 6) / 7, rng=0)
    assert report, str(report)


def test_split_shares_no_memory_with_its_input():
    x = np.zeros((2, 4))
    for y in bg.Split(2).forward(x):
        y += 1
    assert not x.any()


def test_slice_of_bad_keys_raises():
    with pytest.raises(TypeError, match="key must be of whole numbers, slices and"):
        bg.Slice([0, 1])
    with pytest.raises(TypeError, match="key must be"):
        bg.Slice(None)
    with pytest.raises(ValueError, match=r"x must have the places \(slice\(None, None, None\), 5\); got \(2, 3\)"):
        bg.Slice(slice(None), 5).forward(np.zeros((2, 3)))


def test_indexing_a_node_is_a_slice():
    x = bg.Input("x", (3,))
    graph = bg.Graph(x, x[:, 0] * x[:, 1] + x[..., 2])
    assert graph.forward(np.array([[2.0, 3.0, 4.0]])).tolist() == [10.0]
    assert graph.backward(np.array([1.0])).tolist() == [[3.0, 2.0, 1.0]]
    with pytest.raises(TypeError, match=r"Cut it apart with Split"):
        list(x)
