"""Slopes from values: the bar holds the truth, also where central differences alone settle at wrong values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brickgrad as bg
from brickgrad.checker.slope import Line, differentiate, draw, noise_of, rounding_of, scale_of
from brickgrad.checker.subject import LayerSubject


def layer_of(f):
    class Function(bg.Layer):
        def forward(self, x):
            self.saved = x
            return f(x)

        def backward(self, dy):
            return dy

    return Function()


def slope_of(f, x, direction, rng, **options):
    subject = LayerSubject(layer_of(f), [x.copy()])
    base = subject.forward()
    line = Line(subject, subject.blocks[0], direction)
    return differentiate(line, base, noise_of(line, base, rounding_of(subject, base, rng)), **options)


FUNCTIONS = {
    "square": (lambda x: x**2, lambda x: 2 * x),
    "sine of 50 x": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    "exponential": (np.exp, np.exp),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "logarithm": (lambda x: np.log(np.abs(x)), lambda x: 1 / x),
    "cancelling": (lambda x: (x + 1e4) - 1e4, np.ones_like),
    "reciprocal": (lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "rounded away": (lambda x: 0 * x + 3.0, np.zeros_like),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-3, 1))
def test_slope_bar_holds_the_truth(name, seed, power):
    f, derivative = FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    x = rng.normal(size=7) * 10.0**power
    direction = scale_of(x) * draw(rng, x.shape)
    slope = slope_of(f, x, direction, rng)
    truth = derivative(x) * direction
    assert np.all(np.abs(slope.value - truth) <= 2 * slope.bar + 1e-13 * np.abs(truth))


def test_slope_bar_holds_where_rounding_makes_values_alike():
    """Sums rounded to 2e-12: differences that are 0 by chance look like a slope known exactly."""
    f, _ = FUNCTIONS["cancelling"]
    for seed in range(0, 2000, 5):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=7) * 1e-3
        direction = scale_of(x) * draw(rng, x.shape)
        slope = slope_of(f, x, direction, rng)
        assert np.all(np.abs(slope.value - direction) <= 2 * slope.bar + 1e-13 * np.abs(direction)), seed


@pytest.mark.parametrize("name", ["square", "exponential", "tanh", "reciprocal"])
def test_slope_of_a_smooth_function_is_exact_to_ten_digits(name):
    f, derivative = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 2.0, 9)
    slope = slope_of(f, x, x, rng)
    np.testing.assert_allclose(slope.value, derivative(x) * x, rtol=1e-10)
    assert np.all(slope.bar <= 1e-9 * np.abs(slope.value))


def test_slope_stays_within_the_domain():
    x = np.array([1e-7, 1.0, 2.0])
    slope = slope_of(np.log, x, scale_of(x) * np.array([1.5, 1.0, -1.0]), np.random.default_rng(0))
    truth = scale_of(x) * np.array([1.5, 1.0, -1.0]) / x
    assert np.all(np.abs(slope.value - truth) <= 2 * slope.bar)


def test_slope_of_a_linear_function_takes_few_looks():
    class Counted(bg.Layer):
        looks = 0

        def forward(self, x):
            Counted.looks += 1
            return 3 * x

        def backward(self, dy):
            return 3 * dy

    subject = LayerSubject(Counted(), [np.arange(1.0, 6.0)])
    base = subject.forward()
    line = Line(subject, subject.blocks[0], np.ones(5))
    noise = noise_of(line, base, rounding_of(subject, base, np.random.default_rng(0)))
    Counted.looks = 0
    differentiate(line, base, noise)
    assert Counted.looks <= 8


def test_line_puts_the_block_back_also_after_an_error():
    class Picky(bg.Layer):
        def forward(self, x):
            if np.any(x > 2):
                raise ValueError("too large")
            return x * 1.0

        def backward(self, dy):
            return dy

    subject = LayerSubject(Picky(), [np.array([1.0, 2.0])])
    line = Line(subject, subject.blocks[0], np.ones(2), frozen=False)
    with pytest.raises(ValueError, match="too large"):
        line.at(1.0)
    np.testing.assert_array_equal(subject.blocks[0].array, [1.0, 2.0])


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([1e4 - 1, 1e4 + 1]), [1.0, 1.0]),
        (np.array([0.0, 0.0]), [1.0, 1.0]),
        (np.array([5.0, 5.0]), [5.0, 5.0]),
        (np.array([0.0, 2.0]), [1e-3, 1.0]),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.array(-4.0), 4.0),
    ],
)
def test_scale_is_each_entrys_size_within_the_deviation(x, expected):
    np.testing.assert_allclose(scale_of(x), expected)
