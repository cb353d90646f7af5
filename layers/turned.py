"""The gradient of a convolution's input as convolutions of its output's gradient, by kernels turned about.

With stride 1 there is one. With stride s the kernels' every s-th entries make one convolution each, which gives every
s-th entry of the input, by rows and by columns.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from .windows import Grid, Pair


@dataclass(frozen=True)
class Turned:
    """A convolution of an output's gradient by which some of the input's is found.

    Attributes
        grid : Grid of its windows on the output's gradient.
        kernel : which rows and columns of the kernels it takes, to be turned about.
        places : of which rows and columns of the input it gives the gradient; of none that no window meets behind the
            last, for such an entry, though it were NaN, has no part in the kernels' gradient.
    """

    grid: Grid
    kernel: tuple[slice, slice]
    places: tuple[slice, slice]


@dataclass(frozen=True)
class _Line:
    """A `Turned` along one direction: n places, `size` entries of a kernel, `pad` zeros before and behind."""

    n: int
    size: int
    pad: Pair
    kernel: slice
    places: slice


@functools.lru_cache(maxsize=1024)
def turned(grid: Grid) -> Sequence[Turned] | None:
    """The convolutions that the gradient of the input of a convolution is; None where it is none.

    >>> grid = Grid(size=(3, 3), stride=(2, 2), pads=((1, 1), (1, 1)), dilation=(1, 1), image=(8, 8), out=(4, 4))
    >>> [one.grid.size for one in turned(grid)]
    [(2, 2), (2, 1), (1, 2), (1, 1)]
    """
    if 0 in grid.image:
        return None
    down, across = (
        _lines(size, stride, dilation, pad, image, out)
        for size, stride, dilation, pad, image, out in zip(
            grid.size, grid.stride, grid.dilation, grid.pads, grid.image, grid.out, strict=True
        )
    )
    if down is None or across is None:
        return None
    found = []
    for row in down:
        for column in across:
            size, pads, image = (row.size, column.size), (row.pad, column.pad), (row.n, column.n)
            windows = Grid(size, (1, 1), pads, grid.dilation, grid.out, image)
            found.append(Turned(windows, (row.kernel, column.kernel), (row.places, column.places)))
    return tuple(found)


def _lines(size: int, stride: int, dilation: int, pad: Pair, image: int, out: int) -> list[_Line] | None:
    """The convolutions along one direction; None where there are none: pads that are wide, strides with dilation."""
    if stride > 1 and dilation > 1 and size > 1:
        return None
    lines = []
    for phase in range(min(stride, size)):  # a kernel's entries phase, phase + stride, … meet the input's first, …
        first = (phase - pad[0]) % stride
        n, entries = len(range(first, image, stride)), len(range(phase, size, stride))
        if not n:
            continue
        reach = (entries - 1) * dilation
        before = reach - (pad[0] + first - phase) // stride
        n = min(n, before + out)  # that windows meet
        behind = n + reach - before - out
        if before < 0 or behind < 0:
            return None
        kernel, places = slice(phase, size, stride), slice(first, first + (n - 1) * stride + 1, stride)
        lines.append(_Line(n, entries, (before, behind), kernel, places))
    return lines
