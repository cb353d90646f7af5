"""Embedding: the rows named, gradients of repeated words summed, every wrong index an error that names it."""

import numpy as np
import pytest
from layer_table import bits, over_dtypes

import brickgrad as bg


def make(**options):
    words = bg.Embedding(4, 3, dtype=np.float64, rng=0, **options)
    words.params["W"] = np.arange(12.0).reshape(4, 3)
    return words


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0), (2, 1, 3)])
def test_embedding_of_any_shape_and_integer_gives_the_rows(shape, dtype):
    x = np.random.default_rng(0).integers(0, 4, shape).astype(dtype)
    words = make()
    np.testing.assert_array_equal(words.forward(x), words.params["W"][x])
    assert words.backward(np.ones((*shape, 3))) is None
    np.testing.assert_array_equal(words.grads["W"], np.tile(np.bincount(x.ravel().astype(int), minlength=4), (3, 1)).T)


def test_embedding_of_a_number_and_of_a_list():
    assert make().forward(2).tolist() == [6.0, 7.0, 8.0]
    assert make().forward([3, 0]).tolist() == [[9.0, 10.0, 11.0], [0.0, 1.0, 2.0]]


def test_embedding_is_a_one_hot_row_times_the_table():
    rng = np.random.default_rng(0)
    x, dy = rng.integers(0, 4, (6, 2)), rng.normal(size=(6, 2, 3))
    words = make()
    affine = bg.Affine(4, 3, bias=False, dtype=np.float64)
    affine.params["W"] = words.params["W"]
    np.testing.assert_array_equal(words.forward(x), affine.forward(np.eye(4)[x]))
    words.backward(dy)
    affine.backward(dy)
    np.testing.assert_allclose(words.grads["W"], affine.grads["W"], rtol=1e-12, atol=1e-14)


def test_embedding_repeated_words_sum_in_the_order_they_stand_in():
    words = make()
    words.forward(np.array([1, 3, 1, 1]))
    words.backward(np.array([[1e16] * 3, [5.0] * 3, [1.0] * 3, [-1e16] * 3]))
    assert words.grads["W"][:, 0].tolist() == [0.0, (1e16 + 1) - 1e16, 0.0, 5.0]


def test_embedding_words_overwritten_after_forward_change_no_gradient():
    words, x = make(), np.array([1, 1])
    words.forward(x)
    x[...] = 3
    words.backward(np.ones((2, 3)))
    assert words.grads["W"][:, 0].tolist() == [0.0, 2.0, 0.0, 0.0]


def test_embedding_gradient_reaches_a_table_stored_by_columns():
    words = bg.Embedding(4, 3, init=lambda rng, shape: np.asfortranarray(np.ones(shape)))
    words.forward(np.array([1, 1]))
    words.backward(np.array([[1, 2, 3], [10, 20, 30]], np.float32))
    assert words.grads["W"].tolist() == [[0, 0, 0], [11, 22, 33], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("x", "wrong", "place"),
    [
        (np.array([0, 4]), 4, "(1,)"),
        (np.array([[0, 1], [-1, 9]]), -1, "(1, 0)"),
        (np.array(7), 7, "()"),
        (np.array([255], np.uint8), 255, "(0,)"),
        ([2, -4], -4, "(1,)"),
    ],
)
def test_embedding_index_out_of_range_is_value_error_with_the_index_and_its_place(x, wrong, place):
    words = make(name="table")
    with pytest.raises(ValueError, match="rows of W") as error:
        words.forward(x)
    assert str(error.value) == (f"Embedding[table].forward: x must lie in 0..3, the rows of W; got {wrong} at {place}.")


@pytest.mark.parametrize("x", [np.array([0.0, 1.0]), np.array([1.5], np.float32), np.array([True, False]), 1.0])
def test_embedding_index_that_is_no_integer_is_type_error_with_the_dtype(x):
    with pytest.raises(TypeError, match="integers") as error:
        make(name="table").forward(x)
    assert str(error.value) == (
        f"Embedding[table].forward: x must hold integers, the rows to take; got {np.asarray(x).dtype}."
    )


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2.0, 3), ("2", 3), (None, 3)])
def test_embedding_of_no_size_is_value_error_with_both(sizes):
    with pytest.raises(ValueError, match="n_words") as error:
        bg.Embedding(*sizes, name="table")
    assert str(error.value) == f"Embedding[table]: sizes must be (n_words, size), each at least 1; got {sizes}."


def test_embedding_of_an_integer_dtype_is_type_error():
    with pytest.raises(TypeError, match="Embedding: dtype must be a float"):
        bg.Embedding(3, 2, dtype=int)


@over_dtypes
def test_embedding_rows_start_about_one_long_and_from_the_seed(dtype):
    words = bg.Embedding(1000, 64, rng=3, dtype=dtype)
    assert words.params["W"].dtype == words.forward([0]).dtype == dtype
    assert words.params["W"].std() == pytest.approx(1 / 8, rel=0.02)  # 64,000 draws
    assert bits(words.params) == bits(bg.Embedding(1000, 64, rng=3, dtype=dtype).params)
    assert bg.Embedding(1000, 64, init=0.01, rng=0).params["W"].std() == pytest.approx(0.01, rel=0.02)


def test_embedding_in_a_graph_takes_words_and_passes_its_gradient_check():
    x = bg.Input("words", 5, dtype=int)
    vectors = bg.Embedding(7, 3, dtype=np.float64, rng=0)(x)
    graph = bg.Graph(x, bg.Affine(2, dtype=np.float64, rng=0)(bg.Tanh()(bg.Mean(axis=1)(vectors))))
    report = bg.gradcheck(graph, np.random.default_rng(0).integers(0, 7, (4, 5)))
    assert report.passed, report
