"""Numbers and arrays as a picture or an explanation shows them."""

from __future__ import annotations

from typing import Any

import numpy as np

FEW = 4  # entries that are shown one by one


def number(value: Any, digits: int = 5) -> str:
    """A number without its noise: at most so many digits, and no more zeros than it needs.

    >>> number(110.00000000000001), number(-0.0), number(1e-9), number(0.1 + 0.2), number(123456.0)
    ('110', '0', '1e-9', '0.3', '123456')
    """
    if np.asarray(value).dtype.kind in "iub":
        return str(int(value))
    real = float(value) + 0.0  # -0 becomes 0
    if real == int(real) if np.isfinite(real) and abs(real) < 1e6 else False:
        return str(int(real))
    text = f"{real:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def describe(array: Any) -> str:
    """A number; a few numbers in a row; else an array's shape, and its least and its largest entry.

    >>> describe(np.array([1.0, 2.5])), describe(np.linspace(-1, 2, 6).reshape(2, 3))
    ('[1, 2.5]', '(2, 3)  -1 … 2')
    """
    x = np.asarray(array)
    if x.size == 1:
        return number(x.ravel()[0])
    if x.ndim == 1 and 0 < x.size <= FEW:
        return f"[{', '.join(number(entry, 3) for entry in x)}]"
    if not x.size:
        return shape_text(x)
    return f"{shape_text(x)}  {span(x)}"


def span(array: Any) -> str:
    """The least and the largest entry of an array."""
    return f"{number(np.min(array), 3)} … {number(np.max(array), 3)}"


def shape_text(array: Any) -> str:
    """The shape of an array: (3,) or (2, 3)."""
    return str(tuple(int(size) for size in np.shape(array)))
