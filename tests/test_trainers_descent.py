"""gradient_descent: the texts' paths and digits, from a start that stays as it was."""

import numpy as np
import pytest

import brickgrad as bg


def bowl(x):
    """The texts' x₀² + x₁²."""
    return np.sum(x**2)


def line(x):
    """The texts' 0.01 x² + 0.1 x."""
    return 0.01 * x**2 + 0.1 * x


def test_descent_on_the_bowl_ends_where_the_texts_do():
    x = bg.gradient_descent(bowl, np.array([-3.0, 4.0]), lr=0.1, step_num=100)
    np.testing.assert_allclose(x, [-6.11110793e-10, 8.14814391e-10], rtol=1e-8)


def test_descent_with_a_rate_of_10_diverges_as_in_the_texts():
    x = bg.gradient_descent(bowl, np.array([-3.0, 4.0]), lr=10.0, step_num=100)
    assert np.all(np.abs(x) > 1e10)


def test_descent_with_a_rate_of_1e_10_hardly_moves_as_in_the_texts():
    x = bg.gradient_descent(bowl, np.array([-3.0, 4.0]), lr=1e-10, step_num=100)
    np.testing.assert_allclose(x, [-2.99999994, 3.99999992], rtol=1e-9)


@pytest.mark.parametrize(("steps", "expected"), [(10_000, -1.648426583231277), (20_000, -2.753391126403293)])
def test_descent_in_one_variable_gives_the_texts_digits(steps, expected):
    assert bg.gradient_descent(line, 0.0, lr=0.002, step_num=steps) == expected


def test_descent_step_is_the_rate_times_the_gradient():
    x = bg.gradient_descent(bowl, np.array([-3.0, 4.0]), lr=0.1, step_num=1)
    np.testing.assert_allclose(x, [-3.0 + 0.1 * 6.0, 4.0 - 0.1 * 8.0], rtol=1e-10)


def test_descent_without_numbers_takes_100_steps_of_a_hundredth():
    given = bg.gradient_descent(bowl, [-3.0, 4.0], lr=0.01, step_num=100)
    np.testing.assert_array_equal(bg.gradient_descent(bowl, [-3.0, 4.0]), given)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, int])
def test_descent_leaves_its_start_as_it_was_and_gives_float64(dtype):
    start = np.array([-3, 4], dtype)
    before = start.tobytes()
    x = bg.gradient_descent(bowl, start, lr=0.1, step_num=3)
    assert start.tobytes() == before
    assert not np.shares_memory(x, start)
    assert x.dtype == np.float64
    np.testing.assert_allclose(x, np.array([-3, 4]) * 0.8**3, rtol=1e-9)


def test_descent_path_holds_every_place_from_start_to_end():
    x, path = bg.gradient_descent(bowl, np.array([-3.0, 4.0]), lr=0.1, step_num=20, path=True)
    assert path.shape == (21, 2)
    np.testing.assert_allclose(path, np.array([-3.0, 4.0]) * 0.8 ** np.arange(21)[:, None], rtol=1e-9)
    np.testing.assert_array_equal(path[-1], x)


def test_descent_path_in_one_variable_is_a_row_of_numbers():
    x, path = bg.gradient_descent(line, 0.0, lr=0.1, step_num=4, path=True)
    assert (np.ndim(x), path.shape, path[0], path[-1]) == (0, (5,), 0.0, x)


def test_descent_of_no_steps_stays_where_it_is():
    x, path = bg.gradient_descent(bowl, [-3.0, 4.0], step_num=0, path=True)
    np.testing.assert_array_equal(x, [-3.0, 4.0])
    np.testing.assert_array_equal(path, [[-3.0, 4.0]])


def test_descent_of_negative_steps_raises_value_error_naming_them():
    with pytest.raises(ValueError, match="gradient_descent: step_num must be 0 or more; got -1"):
        bg.gradient_descent(bowl, [-3.0, 4.0], step_num=-1)
