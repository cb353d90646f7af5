"""MatMul: products of matrices and of stacks of them, gradients summed over what was stretched, errors."""

import numpy as np
import pytest

import brickgrad as bg


def test_matmul_multiplies_rows_by_columns():
    matmul = bg.MatMul()
    x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    assert matmul.forward(x, y).tolist() == [[19.0, 22.0], [43.0, 50.0]]
    dx, dy = matmul.backward(np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert dx.tolist() == [[5.0, 7.0], [0.0, 0.0]]
    assert dy.tolist() == [[1.0, 0.0], [2.0, 0.0]]


@pytest.mark.parametrize(
    ("shape_x", "shape_y", "shape_z"),
    [
        ((2, 3), (3, 4), (2, 4)),
        ((5, 2, 3), (3, 4), (5, 2, 4)),
        ((2, 3), (5, 3, 4), (5, 2, 4)),
        ((5, 1, 2, 3), (6, 3, 4), (5, 6, 2, 4)),
        ((1, 2, 3), (5, 3, 4), (5, 2, 4)),
        ((0, 2, 3), (3, 4), (0, 2, 4)),
        ((2, 0), (0, 4), (2, 4)),
        ((0, 3), (3, 0), (0, 0)),
    ],
)
def test_matmul_stacks_broadcast_and_gradients_have_their_inputs_shapes(shape_x, shape_y, shape_z):
    rng = np.random.default_rng(0)
    x, y, dz = rng.normal(size=shape_x), rng.normal(size=shape_y), rng.normal(size=shape_z)
    matmul = bg.MatMul()
    np.testing.assert_allclose(matmul.forward(x, y), x @ y, rtol=1e-12, atol=1e-14)
    dx, dy = matmul.backward(dz)
    wide_x, wide_y = (
        np.broadcast_to(x, (*shape_z[:-2], *x.shape[-2:])),
        np.broadcast_to(y, (*shape_z[:-2], *y.shape[-2:])),
    )
    # The slope in one direction, which any gradient of the wrong layout or sum would miss.
    step_x, step_y = rng.normal(size=shape_x), rng.normal(size=shape_y)
    assert dx.shape == shape_x
    assert dy.shape == shape_y
    np.testing.assert_allclose(np.sum(dx * step_x), np.sum(dz * (step_x @ wide_y)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.sum(dy * step_y), np.sum(dz * (wide_x @ step_y)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape_x", "shape_y"), [((3,), (3, 4)), ((2, 3), (3,)), ((), ()), ((2, 3), (4, 3)), ((5, 2, 3), (5, 2, 3))]
)
def test_matmul_of_no_matrices_that_fit_is_value_error_with_both_shapes(shape_x, shape_y):
    with pytest.raises(ValueError, match="must be") as error:
        bg.MatMul(name="m").forward(np.zeros(shape_x), np.zeros(shape_y))
    assert str(error.value) == (
        f"MatMul[m].forward: x and y must be (..., n, k) and (..., k, m); got {shape_x} and {shape_y}."
    )


def test_matmul_of_stacks_that_do_not_broadcast_is_value_error_with_both_shapes():
    with pytest.raises(ValueError, match="broadcast") as error:
        bg.MatMul(name="m").forward(np.zeros((2, 4, 3)), np.zeros((5, 3, 4)))
    assert str(error.value) == (
        "MatMul[m].forward: x and y must have axes before the last two that broadcast; got (2, 4, 3) and (5, 3, 4)."
    )


def test_matmul_of_float16_gives_float16():
    matmul, x = bg.MatMul(), np.ones((2, 3), np.float16)
    z = matmul.forward(x, x.T)
    assert {z.dtype, *(g.dtype for g in matmul.backward(z))} == {np.dtype(np.float16)}


def test_matmul_with_transpose_and_softmax_is_attention_and_passes_its_gradient_check():
    q, k, v = (bg.Input(name, (4, 3)) for name in "qkv")
    shares = bg.Softmax()(bg.MatMul()(q, bg.Transpose(0, 2, 1)(k)))
    graph = bg.Graph([q, k, v], bg.MatMul()(shares, v))
    arrays = np.random.default_rng(0).normal(size=(3, 2, 4, 3))
    powers = np.exp(np.einsum("nik,njk->nij", arrays[0], arrays[1]))
    expected = np.einsum("nij,njk->nik", powers / powers.sum(axis=2, keepdims=True), arrays[2])
    np.testing.assert_allclose(graph.forward(*arrays), expected, rtol=1e-12, atol=1e-14)
    assert bg.gradcheck(graph, *arrays).passed
