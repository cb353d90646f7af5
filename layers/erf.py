"""The normal distribution function, which NumPy does not have."""

from __future__ import annotations

import numpy as np

from .memory import Array

# Cody's coefficients, highest powers first: below 0.67449, up to √32, and beyond.
# fmt: off
_NEAR = (
    (0.065682337918207449113, 2.2352520354606839287, 161.02823106855587881, 1067.6894854603709582,
     18154.981253343561249),
    (1.0, 47.20258190468824187, 976.09855173777669322, 10260.932208618978205,
     45507.789335026729956),
)
_MIDDLE = (
    (1.0765576773720192317e-8, 0.39894151208813466764, 8.8831497943883759412, 93.506656132177855979,
     597.27027639480026226, 2494.5375852903726711, 6848.1904505362823326, 11602.651437647350124,
     9842.7148383839780218),
    (1.0, 22.266688044328115691, 235.38790178262499861, 1519.377599407554805,
     6485.558298266760755, 18615.571640885098091, 34900.952721145977266, 38912.003286093271411,
     19685.429676859990727),
)
_FAR = (
    (0.02307344176494017303, 0.21589853405795699, 0.1274011611602473639, 0.022235277870649807,
     0.001421619193227893466, 2.9112874951168792e-5),
    (1.0, 1.28426009614491121, 0.468238212480865118, 0.0659881378689285515,
     0.00378239633202758244, 7.29751555083966205e-5),
)
# fmt: on


def normal_cdf(x: Array) -> Array:
    """Φ(x) = ½ erfc(-x / √2) to a relative error of 1e-14 in both tails, for as long as Φ(x) is a normal number.

    Dtype        that of x; computed in float64
    Source       Cody (1969), Rational Chebyshev approximations for the error function
    Example
        >>> normal_cdf(np.array([-10.0, 0.0, 1.0]))
        array([7.61985302e-24, 5.00000000e-01, 8.41344746e-01])
    """
    wide = np.asarray(x, np.float64)
    size = np.minimum(np.abs(wide), 40.0)  # Φ(-40) is 0 in float64 already, and infinities would give inf / inf
    y = np.full(wide.shape, np.nan)
    near, far = size < 0.67448975, size > np.sqrt(32)
    middle = (size >= 0.67448975) & ~far  # three conditions that NaN meets none of: it stays NaN
    y[near] = 0.5 + wide[near] * _ratio(_NEAR, np.square(wide[near]))
    s = size[middle]
    y[middle] = _ratio(_MIDDLE, s) * bell(s)
    s = size[far]
    inverse = 1 / np.square(s)
    y[far] = (1 / np.sqrt(2 * np.pi) - inverse * _ratio(_FAR, inverse)) / s * bell(s)
    np.subtract(1, y, out=y, where=(wide > 0) & ~near)
    return y.astype(np.result_type(x), copy=False)


def bell(x: Array) -> Array:
    """e^(-x²/2) to full precision: x² is rounded, which its exponential would show, so x is split.

    >>> print(bell(np.array([0.0, 1.0])).round(4))
    [1.     0.6065]
    """
    head = np.trunc(x * 16) / 16  # its square is exact
    y: Array = np.exp(-0.5 * head * head) * np.exp(-0.5 * (x - head) * (x + head))
    return y


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """A quotient of two polynomials, by Horner's rule."""
    over, under = (np.full(x.shape, side[0]) for side in coefficients)
    for a, b in zip(coefficients[0][1:], coefficients[1][1:], strict=True):
        over, under = over * x + a, under * x + b
    y: Array = over / under
    return y
