"""Copies row by row: what an assignment gives, whatever the arrays' strides and dtypes."""

import numpy as np
import pytest

from brickgrad.layers.copying import copy_rows

DTYPES = [np.bool_, np.uint8, np.float16, np.int32, np.float32, np.float64, np.longdouble, ">f4", object]


def arrays(dtype, shape, layout):
    """An array of a shape, with its entries laid in memory in some way."""
    whole = np.zeros((*shape[:-1], 3 * shape[-1] + 4), dtype)
    if layout == "side by side":
        return np.ascontiguousarray(whole[..., : shape[-1]])
    if layout == "rows apart":
        return whole[..., 2 : 2 + shape[-1]]
    if layout == "every second":
        return whole[..., 1 : 1 + 2 * shape[-1] : 2]
    if layout == "backwards":
        return whole[..., shape[-1] + 1 : 1 : -1]
    if layout == "rows backwards":
        return whole[::-1, ..., : shape[-1]]
    return np.moveaxis(np.zeros((shape[-1], *shape[:-1]), dtype), 0, -1)


LAYOUTS = ["side by side", "rows apart", "every second", "backwards", "rows backwards", "last axis first"]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("to_layout", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_copy_rows_gives_what_an_assignment_gives(layout, to_layout, dtype):
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 5), (4, 1), (1, 7), (0, 3), (3, 0)):
        source, to = arrays(dtype, shape, layout), arrays(dtype, shape, to_layout)
        source[...] = rng.integers(0, 9, shape)
        copy_rows(source, to)
        np.testing.assert_array_equal(to, source)


@pytest.mark.parametrize(("dtype", "other"), [("i4", "f4"), ("f4", "i4"), ("f4", "f8"), ("f2", "f4"), ("f4", ">f4")])
def test_copy_rows_to_another_dtype_converts_the_numbers(dtype, other):
    source, to = np.arange(12).reshape(3, 4).astype(dtype), np.zeros((3, 4), other)
    copy_rows(source, to)
    np.testing.assert_array_equal(to, np.arange(12).reshape(3, 4))


def test_copy_rows_of_one_entry_fills_rows():
    to = np.zeros((3, 4))
    copy_rows(np.arange(3.0).reshape(3, 1), to)
    np.testing.assert_array_equal(to, np.arange(3.0).reshape(3, 1) + np.zeros(4))


@pytest.mark.parametrize(("length", "other"), [(2, 4), (4, 2), (3, 4)])
def test_copy_rows_to_rows_of_another_length_is_refused_as_an_assignment_is(length, other):
    with pytest.raises(ValueError, match="could not broadcast"):
        copy_rows(np.ones((3, length)), np.zeros((3, other)))


def test_copy_rows_keeps_every_bit_of_nan():
    source = np.array([[0x7FC00001, 0xFFC12345]], np.uint32).view(np.float32)
    to = np.zeros_like(source)
    copy_rows(source, to)
    assert to.tobytes() == source.tobytes()
