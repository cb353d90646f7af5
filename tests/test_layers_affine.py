"""Affine: the texts' numbers, tensors, sizes fixed and taken from the first input, precision, and its errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_table import assert_close, bits, over_dtypes

import brickgrad as bg
from brickgrad.layers.precision import float_dtype


def filled(W, b, dtype=np.float64):
    affine = bg.Affine(*np.shape(W), dtype=dtype)
    affine.params["W"], affine.params["b"] = W, b
    return affine


# What it computes -----------------------------------------------------------------------------------------------------


def test_affine_net_of_2_3_2_2_gives_the_texts_numbers():
    first = filled([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]], [0.1, 0.2, 0.3])
    second = filled([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]], [0.1, 0.2])
    third = filled([[0.1, 0.3], [0.2, 0.4]], [0.1, 0.2])
    z1 = bg.Sigmoid().forward(first.forward(np.array([1.0, 0.5])))
    z2 = bg.Sigmoid().forward(second.forward(z1))
    y = bg.Identity().forward(third.forward(z2))
    np.testing.assert_allclose(z1, [0.57444252, 0.66818777, 0.75026011], rtol=0, atol=5e-9)
    np.testing.assert_allclose(z2, [0.62624937, 0.7710107], rtol=0, atol=5e-9)
    np.testing.assert_allclose(y, [0.31682708, 0.69627909], rtol=0, atol=5e-9)


def test_affine_gradients_are_the_texts_products():
    affine = filled([[1, 2, 3], [4, 5, 6]], [10, 20, 30])
    x, dy = np.array([[1.0, 10.0], [2.0, -1.0]]), np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]])
    assert affine.forward(x).tolist() == [[51.0, 72.0, 93.0], [8.0, 19.0, 30.0]]
    assert affine.backward(dy).tolist() == [[7.0, 16.0], [9.0, 21.0]]
    assert affine.grads["W"].tolist() == [[1.0, 6.0, 4.0], [10.0, -3.0, 19.0]]
    assert affine.grads["b"].tolist() == [1.0, 3.0, 3.0]


@given(lead=st.lists(st.integers(0, 3), max_size=3), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_affine_of_tensors_is_affine_of_their_rows(lead, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(*lead, 5)), rng.normal(size=(*lead, 2))
    affine, of_rows = (bg.Affine(5, 2, rng=0, dtype=np.float64) for _ in range(2))
    y, rows = affine.forward(x), of_rows.forward(x.reshape(int(np.prod(lead)), 5))
    assert_close(y, rows.reshape(dy.shape), 1e-12, 1e-14)
    dx, d_rows = affine.backward(dy), of_rows.backward(dy.reshape(int(np.prod(lead)), 2))
    assert_close(dx, d_rows.reshape(x.shape), 1e-12, 1e-14)
    for key in ("W", "b"):
        assert_close(affine.grads[key], of_rows.grads[key], 1e-12, 1e-14)


def test_affine_without_bias_has_no_b():
    affine = bg.Affine(2, 3, bias=False, dtype=np.float64)
    assert list(affine.params) == list(affine.grads) == ["W"]
    affine.params["W"] = [[1, 2, 3], [4, 5, 6]]
    assert affine.forward(np.array([1.0, 10.0])).tolist() == [41.0, 52.0, 63.0]
    affine.backward(np.ones(3))
    assert list(affine.grads) == ["W"]


def test_affine_layer_used_twice_keeps_each_uses_gradient_apart():
    affine = filled([[2.0]], [0.0])
    memories = [affine.memory, bg.Memory()]
    affine.forward(np.array([[3.0]]))
    affine.memory = memories[1]
    affine.forward(np.array([[5.0]]))
    seen = []
    for memory in memories:
        affine.memory = memory
        affine.backward(np.array([[1.0]]))
        seen.append(affine.grads["W"].item())
    assert seen == [3.0, 5.0]


def test_affine_backward_writes_into_the_gradient_arrays_that_are_there():
    affine = bg.Affine(2, 3, rng=0)
    flat = np.full(9, 7, np.float32)
    affine.grads.rebind("W", flat[:6].reshape(2, 3))
    affine.grads.rebind("b", flat[6:])
    affine.forward(np.ones((4, 2), np.float32))
    affine.backward(np.ones((4, 3), np.float32))
    assert flat.tolist() == [4.0] * 9


def test_affine_whose_input_wants_no_gradient_computes_none_but_its_own():
    affine, x, dy = bg.Affine(5, 3, rng=0, dtype=np.float64), np.ones((4, 5)), np.arange(12.0).reshape(4, 3)
    affine.forward(x)
    affine.backward(dy)
    expected = bits(affine.grads)
    affine.memory = bg.Memory(wanted=(False,))
    affine.forward(x)
    affine.grads["W"] = np.zeros((5, 3))
    assert affine.backward(dy) is None
    assert bits(affine.grads) == expected


def test_affine_in_a_workspace_allocates_no_large_array_the_second_time():
    affine, x = bg.Affine(400, 300, rng=0, dtype=np.float64), np.ones((500, 400))
    affine.memory = bg.Memory(arrays={})
    affine.backward(affine.forward(x))
    tracemalloc.start()
    try:
        affine.backward(affine.forward(x))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < affine.params["W"].nbytes // 2  # W is smaller than y and dx; NumPy itself takes 64 kB for + b


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_affine_lazy_takes_width_and_precision_of_its_first_input():
    lazy = bg.Affine(3, rng=0)
    assert (lazy.sized, lazy.n_in, lazy.n_out, dict(lazy.params)) == (False, None, 3, {})
    lazy.forward(np.ones((2, 5), np.float32))
    assert (lazy.sized, lazy.n_in, lazy.params["W"].shape, lazy.params["b"].shape) == (True, 5, (5, 3), (3,))
    assert lazy.params["W"].dtype == lazy.params["b"].dtype == np.float32
    double = bg.Affine(3, rng=0)
    double.forward(np.ones((0, 5)))
    assert double.params["W"].dtype == np.float64
    assert lazy.params["W"].tolist() == double.params["W"].astype(np.float32).tolist()


def test_affine_lazy_starts_from_the_same_weights_as_fixed():
    lazy, fixed = bg.Affine(3, rng=4), bg.Affine(5, 3, rng=4)
    lazy.forward(np.ones((1, 5), np.float32))
    assert bits(lazy.params) == bits(fixed.params)


def test_affine_lazy_with_a_dtype_keeps_it_whatever_comes():
    lazy = bg.Affine(3, dtype=np.float64)
    y = lazy.forward(np.ones((2, 5), np.float32))
    assert (y.dtype, lazy.params["W"].dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("shape", [(), (4, 0), (0,)])
def test_affine_lazy_input_without_width_is_value_error_and_it_stays_unsized(shape):
    lazy = bg.Affine(3, name="lazy")
    with pytest.raises(ValueError, match="n_in at least 1") as error:
        lazy.forward(np.zeros(shape))
    assert str(error.value) == f"Affine[lazy].forward: x must be (..., n_in) with n_in at least 1; got {shape}."
    assert not lazy.sized
    lazy.forward(np.ones((2, 5)))
    assert lazy.n_in == 5


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((100, 28, 28), " Flatten the images first."),
        ((7, 1, 28, 28), " Flatten the images first."),
        ((100, 783), ""),
        ((784, 100), ""),
        ((28, 28), ""),
        ((783,), ""),
        ((), ""),
        ((3, 4, 5), ""),
    ],
)
def test_affine_input_of_another_width_is_value_error_with_a_hint_for_images(shape, hint):
    affine = bg.Affine(784, 50, name="hidden", rng=0)
    with pytest.raises(ValueError, match="to match W") as error:
        affine.forward(np.zeros(shape))
    assert str(error.value) == (f"Affine[hidden].forward: x must be (N, 784) to match W (784, 50); got {shape}.{hint}")


@pytest.mark.parametrize("sizes", [(), (1, 2, 3), (0,), (0, 3), (3, 0), (-1, 3), (2.0, 3), (2.5,), ("2", 3), (None, 3)])
def test_affine_sizes_that_are_none_are_an_error_with_what_came(sizes):
    with pytest.raises((ValueError, TypeError)) as error:
        bg.Affine(*sizes, name="a")
    assert str(error.value) == (f"Affine[a]: sizes must be (n_in, n_out) or (n_out,), each at least 1; got {sizes}.")


def test_affine_sizes_may_be_numpy_integers():
    affine = bg.Affine(np.int64(2), np.uint8(3))
    assert affine.params["W"].shape == (2, 3)
    assert type(affine.n_out) is int


# Precision ------------------------------------------------------------------------------------------------------------


@over_dtypes
@pytest.mark.parametrize("param_dtype", [np.float32, np.float64])
def test_affine_results_follow_x_and_grads_the_parameters(dtype, param_dtype):
    affine = bg.Affine(5, 3, rng=0, dtype=param_dtype)
    affine.params["b"] = [0.1, 0.2, 0.3]
    x, dy = np.random.default_rng(1).normal(size=(4, 5)), np.random.default_rng(2).normal(size=(4, 3))
    y = affine.forward(x.astype(dtype))
    dx = affine.backward(dy.astype(dtype))
    assert y.dtype == dx.dtype == dtype
    assert affine.grads["W"].dtype == affine.grads["b"].dtype == param_dtype
    W, b = affine.params["W"].astype(np.float64), affine.params["b"].astype(np.float64)
    for actual, expected in [
        (y, x @ W + b),
        (dx, dy @ W.T),
        (affine.grads["W"], x.T @ dy),
        (affine.grads["b"], dy.sum(0)),
    ]:
        assert_close(actual, expected, 1e-5, 1e-5 * np.abs(expected).max())


def test_affine_in_half_precision_stays_in_it():
    affine = bg.Affine(5, 3, rng=0)
    assert affine.forward(np.ones((2, 5), np.float16)).dtype == np.float16
    assert affine.backward(np.ones((2, 3), np.float16)).dtype == np.float16


def test_affine_is_float32_unless_told():
    assert bg.Affine(2, 3).params["W"].dtype == np.float32
    assert bg.Affine(2, 3, dtype="float64").params["b"].dtype == np.float64


@pytest.mark.parametrize("dtype", [int, "int8", bool, complex, "no dtype", object, str])
def test_affine_dtype_of_no_float_is_type_error_with_what_came(dtype):
    with pytest.raises(TypeError) as error:
        bg.Affine(2, 3, dtype=dtype, name="a")
    assert str(error.value) == (f"Affine[a]: dtype must be a float, such as np.float32 or np.float64; got {dtype!r}.")


def test_float_dtype_of_any_float_is_its_dtype():
    assert float_dtype("x", "f4") == float_dtype("x", np.float32) == np.dtype(np.float32)
    assert float_dtype("x", float) == np.float64


# Initial values -------------------------------------------------------------------------------------------------------


def test_affine_starts_with_he_weights_and_a_bias_of_zeros():
    affine = bg.Affine(200, 500, rng=0)
    np.testing.assert_allclose(affine.params["W"].std(), np.sqrt(2 / 200), rtol=0.02)
    assert not affine.params["b"].any()
    assert not affine.grads["W"].any()


def test_affine_init_by_name_number_and_function():
    np.testing.assert_allclose(bg.Affine(200, 500, init="xavier", rng=0).params["W"].std(), 200**-0.5, rtol=0.02)
    np.testing.assert_allclose(bg.Affine(200, 500, init=0.01, rng=0).params["W"].std(), 0.01, rtol=0.02)
    assert bg.Affine(2, 3, init=lambda rng, shape: np.full(shape, 0.5)).params["W"].tolist() == [[0.5] * 3] * 2


def test_affine_same_seed_gives_the_same_bits_and_others_other():
    same = [bg.Affine(4, 3, rng=7).params["W"].tobytes() for _ in range(2)]
    assert same[0] == same[1]
    assert bg.Affine(4, 3, rng=8).params["W"].tobytes() != same[0]
    assert bg.Affine(4, 3).params["W"].tobytes() != bg.Affine(4, 3).params["W"].tobytes()


def test_affine_generator_handed_in_is_drawn_from():
    rng = np.random.default_rng(7)
    first, second = bg.Affine(4, 3, rng=rng), bg.Affine(4, 3, rng=rng)
    assert first.rng is rng
    assert first.params["W"].tobytes() == bg.Affine(4, 3, rng=7).params["W"].tobytes()
    assert first.params["W"].tobytes() != second.params["W"].tobytes()


def test_affine_rng_of_another_kind_is_type_error_with_what_came():
    with pytest.raises(TypeError, match=r"^Affine\[a\]: rng must be a numpy\.random\.Generator, a seed or None; got "):
        bg.Affine(2, 3, rng="abc", name="a")


def test_affine_lazy_failed_init_leaves_it_unsized():
    lazy = bg.Affine(3, init=lambda rng, shape: np.zeros(2))
    with pytest.raises(ValueError, match=r"must give shape \(5, 3\); got \(2,\)"):
        lazy.forward(np.ones((2, 5)))
    assert not lazy.sized
    assert (dict(lazy.params), dict(lazy.grads)) == ({}, {})
