"""LeakyReLU, ELU, Softplus, Swish, GELU, and the normal distribution function behind GELU."""

import math
from decimal import Decimal

import numpy as np
import pytest
from layer_table import over_dtypes

import brickgrad as bg
from brickgrad.layers.erf import normal_cdf

LAYERS = [bg.LeakyReLU, bg.ELU, bg.Softplus, bg.Swish, bg.GELU]
over_rectifiers = pytest.mark.parametrize("layer", LAYERS)


def both(layer, x):
    """The outputs and the slopes."""
    y = layer.forward(np.asarray(x))
    return y, layer.backward(np.ones_like(y))


def phi(x):
    """Φ(x) from math.erfc, corrected for the rounding of its argument, which the tail would show."""
    z = -x / math.sqrt(2)
    rest = float(-Decimal(x) / Decimal(2).sqrt() - Decimal(z))
    return (math.erfc(z) - rest * 2 / math.sqrt(math.pi) * math.exp(-z * z)) / 2


def test_normal_cdf_agrees_with_erfc_in_both_tails():
    x = np.linspace(-38, 38, 10_000)
    # below the smallest normal number floats thin out, so that there an absolute error is all that can be asked
    np.testing.assert_allclose(normal_cdf(x), [phi(v) for v in x], rtol=1e-14, atol=1e-322)


def test_normal_cdf_keeps_dtype_shape_and_nan():
    x = np.array([[-np.inf, 0.0, np.inf, np.nan]], np.float32)
    y = normal_cdf(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[0, 0.5, 1, np.nan]])
    assert normal_cdf(np.array(0.0)).shape == ()


@pytest.mark.parametrize(
    ("layer", "y", "dx"),
    [
        (bg.LeakyReLU(0.1), [-0.2, 0.0, 3.0], [0.1, 0.1, 1.0]),
        (bg.LeakyReLU(0), [0.0, 0.0, 3.0], [0.0, 0.0, 1.0]),
        (bg.ELU(2.0), [2 * math.expm1(-2), 0.0, 3.0], [2 * math.exp(-2), 2.0, 1.0]),
        (bg.Softplus(), [0.12692801104297263, 0.6931471805599453, 3.048587351573742], [0.11920292, 0.5, 0.95257413]),
        (bg.Swish(), [-0.23840584404423515, 0.0, 2.8577223804673], [-0.09078425, 0.5, 1.0881041]),
        (bg.GELU(), [-0.04550026389635842, 0.0, 2.99595030590511], [-0.08523180, 0.5, 1.01194567]),
    ],
)
def test_rectifier_gives_the_numbers_worked_out(layer, y, dx):
    got_y, got_dx = both(layer, [-2.0, 0.0, 3.0])
    np.testing.assert_allclose(got_y, y, rtol=1e-13)
    np.testing.assert_allclose(got_dx, dx, atol=5e-8)


def test_rectifier_slopes_keep_full_precision_in_the_tails():
    x = [-700.0, -100.0, -40.0]
    small = np.array([math.exp(v) for v in x])
    np.testing.assert_allclose(both(bg.ELU(), x)[1], small, rtol=1e-15)
    np.testing.assert_allclose(both(bg.Softplus(), x), [small, small], rtol=1e-15)
    np.testing.assert_allclose(both(bg.Swish(), x), [small * x, small * (1 + np.array(x))], rtol=1e-14)
    x = [-37.0, -20.0, -8.0]
    bells = np.array([math.exp(-v * v / 2) / math.sqrt(2 * math.pi) for v in x])
    cdf = np.array([phi(v) for v in x])
    y, dx = both(bg.GELU(), x)
    np.testing.assert_allclose(y, x * cdf, rtol=1e-14)
    np.testing.assert_allclose(dx, cdf + x * bells, rtol=1e-13)


@over_rectifiers
@over_dtypes
def test_rectifier_at_both_ends_warns_of_nothing_and_lets_nan_through(layer, dtype):
    with np.errstate(all="raise", under="ignore"):
        y, dx = both(layer(), np.array([-np.inf, -1e4, -90.0, 0.0, 90.0, 1e4, np.inf, np.nan], dtype))
    assert y.dtype == dx.dtype == dtype
    assert np.isfinite(dx[:-1]).all()
    assert not np.isnan(y[:-1]).any()
    assert np.isnan(y[-1])
    assert y[-2] == np.inf
    assert dx[-2] == 1


@over_rectifiers
def test_rectifier_of_float16_gives_float16(layer):
    y, dx = both(layer(), np.array([-100.0, -1.0, 0.0, 2.0, 6e4], np.float16))
    assert y.dtype == dx.dtype == np.float16
    np.testing.assert_allclose(y, layer().forward(np.array([-100.0, -1.0, 0.0, 2.0, 6e4])), rtol=4e-3, atol=1e-6)


@over_rectifiers
def test_rectifier_takes_a_name(layer):
    assert layer(name="act").title == f"{layer.__name__}[act]"


@pytest.mark.parametrize("slope", [-0.1, math.inf, math.nan, "0.1", True])
def test_leaky_relu_slope_out_of_range_is_value_error(slope):
    with pytest.raises(ValueError, match=r"^LeakyReLU: slope must be a finite number of 0 or more; got "):
        bg.LeakyReLU(slope)


@pytest.mark.parametrize("alpha", [0, -1.0, math.inf, math.nan, None])
def test_elu_alpha_out_of_range_is_value_error(alpha):
    with pytest.raises(ValueError, match=r"^ELU: alpha must be a finite number above 0; got "):
        bg.ELU(alpha)
