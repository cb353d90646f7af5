"""Initial values: the deviation that a name, a number or a function gives, measured; seeds; errors."""

import numpy as np
import pytest
from layer_table import over_dtypes

from brickgrad.layers.initial import deviation, initial_values, make_rng

SHAPE, N_IN = (50, 8000), 50  # 400,000 values: their deviation is known to 0.11 %


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ("xavier", (1 / N_IN) ** 0.5),
        ("sigmoid", (1 / N_IN) ** 0.5),
        ("tanh", (1 / N_IN) ** 0.5),
        ("he", (2 / N_IN) ** 0.5),
        ("relu", (2 / N_IN) ** 0.5),
        ("He", (2 / N_IN) ** 0.5),
        ("XAVIER", (1 / N_IN) ** 0.5),
        (0.01, 0.01),
        (3, 3.0),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(2), 2.0),
    ],
)
def test_initial_values_are_normal_with_the_deviation_asked_for(init, expected):
    np.testing.assert_allclose(deviation(init, N_IN), expected, rtol=1e-15)
    values = initial_values(init, SHAPE, N_IN, rng=0, dtype=np.float64) / expected
    np.testing.assert_allclose(values.std(), 1, rtol=0.005)
    np.testing.assert_allclose(values.mean(), 0, atol=0.008)
    # Within 1, 2 and 3 deviations, as of a normal distribution and of no other.
    for distance, share in [(1, 0.6827), (2, 0.9545), (3, 0.9973)]:
        np.testing.assert_allclose((np.abs(values) < distance).mean(), share, atol=0.004)


def test_initial_values_of_deviation_zero_are_zero():
    assert not initial_values(0, (3, 4), 3, rng=0).any()
    assert not initial_values(0.0, (3, 4), 3, rng=0).any()


def test_initial_values_no_inputs_are_no_division_by_zero():
    assert deviation("he", 0) == 2**0.5


def test_initial_values_function_gets_the_generator_and_the_shape():
    seen = []

    def init(rng, shape):
        seen.append(shape)
        return rng.uniform(-1, 1, shape)

    values = initial_values(init, (2, 3), 2, rng=5)
    assert seen == [(2, 3)]
    assert values.dtype == np.float32
    assert values.tolist() == np.random.default_rng(5).uniform(-1, 1, (2, 3)).astype(np.float32).tolist()
    assert initial_values(lambda rng, shape: [[1, 2]], (1, 2), 1).tolist() == [[1.0, 2.0]]


@over_dtypes
def test_initial_values_same_seed_gives_the_same_bits_in_both_precisions(dtype):
    values = initial_values("he", (4, 3), 4, rng=7, dtype=dtype)
    assert values.dtype == dtype
    assert values.tobytes() == initial_values("he", (4, 3), 4, rng=7, dtype=dtype).tobytes()
    assert values.tobytes() == initial_values("he", (4, 3), 4, rng=7, dtype=np.float64).astype(dtype).tobytes()
    assert values.tobytes() != initial_values("he", (4, 3), 4, rng=8, dtype=dtype).tobytes()


def test_initial_values_without_seed_differ():
    assert initial_values("he", (4, 3), 4).tobytes() != initial_values("he", (4, 3), 4).tobytes()


def test_initial_values_draw_from_the_generator_handed_in():
    rng = np.random.default_rng(7)
    first, second = (initial_values("he", (4, 3), 4, rng=rng) for _ in range(2))
    assert first.tobytes() == initial_values("he", (4, 3), 4, rng=7).tobytes()
    assert first.tobytes() != second.tobytes()


def test_initial_values_unknown_name_is_value_error_that_lists_the_known():
    with pytest.raises(ValueError, match="must be one of") as error:
        initial_values("glorot", (2, 3), 2)
    assert str(error.value) == (
        "initial_values: init must be one of xavier, sigmoid, tanh, identity, he, relu, leaky-relu, elu, softplus, "
        "swish, gelu, a number or a function; got 'glorot'."
    )


@pytest.mark.parametrize("init", [-0.1, float("nan"), float("inf"), None, [0.1], 1j])
def test_initial_values_no_deviation_is_an_error_with_what_came(init):
    with pytest.raises((ValueError, TypeError), match="must be a deviation") as error:
        initial_values(init, (2, 3), 2)
    assert str(error.value) == (
        f"initial_values: init must be a deviation of 0 or more, a name or a function; got {init!r}."
    )


@pytest.mark.parametrize("shape", [(3, 2), (2,), (), (2, 3, 1)])
def test_initial_values_function_of_another_shape_is_value_error_with_both(shape):
    with pytest.raises(ValueError, match="must give shape") as error:
        initial_values(lambda rng, _: np.zeros(shape), (2, 3), 2)
    assert str(error.value) == f"initial_values: init(rng, shape) must give shape (2, 3); got {shape}."


def test_make_rng_takes_a_generator_a_seed_or_nothing():
    rng = np.random.default_rng(3)
    assert make_rng("who", rng) is rng
    assert make_rng("who", 3).random() == make_rng("who", np.int64(3)).random() == np.random.default_rng(3).random()
    assert make_rng("who", None).random() != make_rng("who", None).random()


@pytest.mark.parametrize("rng", ["abc", 1.5, [1, 2], np.random])
def test_make_rng_of_another_kind_is_type_error_with_what_came(rng):
    with pytest.raises(TypeError) as error:
        make_rng("who", rng)
    assert str(error.value) == (
        f"who: rng must be a numpy.random.Generator, a seed or None; got {type(rng).__name__} {rng!r}."
    )
