"""Where images that are laid row by row stand, and where the matrices of their windows begin: see `rows`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .columns import COLUMN_BYTES, evenly
from .windows import Grid, Pair

LARGEST_PRODUCT = 10**6  # multiply-adds: up to here OpenBLAS's AVX-512 kernels read their matrices where they stand


class Strip(NamedTuple):
    """Every s-th column of a padded image: those with the numbers phase, phase + s, …

    Attributes
        phase : the number of the first of them.
        first, n : which column of the image is the first of them, and how many columns of the image windows meet.
        before, behind : how many columns of zeros windows meet before and behind these.
    """

    phase: int
    first: int
    n: int
    before: int
    behind: int


@dataclass(frozen=True)
class Layout:
    """How images are laid, a block of some at a time, and where the matrices of their windows begin.

    Attributes
        images : in a block, at most.
        rows : of outputs that are made at a time, at most.
        high : how many of a window's rows one product takes: all, or one where dilation sets them apart.
        depth : the entries of a window that one group sees in one product.
        strips : those that a row is cut into.
        left, pitch : how many zeros stand before an image in a strip, and how many places it has there. The zeros
            before the next image are those behind it.
        starts : (row, place) where the matrix of each product begins.
        length : the places of a row, to where the last window reads.
    """

    images: int
    rows: int
    high: int
    depth: int
    strips: Sequence[Strip]
    left: int
    pitch: int
    starts: Sequence[Pair]
    length: int


@functools.lru_cache(maxsize=1024)  # worked out at every step otherwise; a net has a few
def layout_of(n: int, channels: int, n_out: int, grid: Grid, groups: int, item: int) -> Layout:
    """The layout of n images whose entries take `item` bytes in the products.

    Two images of 8 columns, in windows of 3 with a zero on each side: of each row stands 0 aaaaaaaa 0 bbbbbbbb 0, and a
    window's second and third columns are met one and two places further on.

    >>> grid = Grid(size=(3, 3), stride=(1, 1), pads=((1, 1), (1, 1)), dilation=(1, 1), image=(8, 8), out=(8, 8))
    >>> layout = layout_of(2, channels=16, n_out=16, grid=grid, groups=1, item=4)
    >>> layout.left, layout.pitch, layout.starts, layout.length
    (1, 9, ((0, 0), (0, 1), (0, 2)), 20)
    """
    strips, high = _strips(grid), high_of(grid)
    depth = channels // groups * high
    left = max(max(strip.before, strip.behind) for strip in strips)
    pitch = max(left + max(strip.n for strip in strips), grid.out[1])
    bytes_of_image = channels * grid.padded[0] * pitch * len(strips) * item
    most = min(COLUMN_BYTES // bytes_of_image, LARGEST_PRODUCT // (depth * (n_out // groups) * pitch))
    images = evenly(n, most)
    made = n_out * max(images * pitch, depth)  # numbers, of a row of outputs, forward or back
    rows = evenly(grid.out[0], COLUMN_BYTES // (made * item))

    def start(column: int) -> int:
        """Where the entries that a window's column meets begin in each row."""
        number = next(i for i, strip in enumerate(strips) if strip.phase == column % grid.stride[1])
        return number * images * pitch + left - strips[number].before + column // grid.stride[1]

    starts = tuple(
        (i * grid.dilation[0], start(j * grid.dilation[1]))
        for i, j in itertools.product(range(0, grid.size[0], high), range(grid.size[1]))
    )
    length = max(place for _, place in starts) + images * pitch
    return Layout(images, rows, high, depth, strips, left, pitch, starts, length)


def high_of(grid: Grid) -> int:
    """How many of a window's rows stand one below the other."""
    return grid.size[0] if grid.dilation[0] == 1 else 1


def _strips(grid: Grid) -> tuple[Strip, ...]:
    """The strips that windows meet."""
    step, before = grid.stride[1], grid.pads[1][0]
    columns = [j * grid.dilation[1] for j in range(grid.size[1])]
    strips = []
    for phase in sorted({column % step for column in columns}):
        first = (phase - before) % step
        zeros = (before + first) // step
        last = max(column for column in columns if column % step == phase) // step + grid.out[1]
        n = min(len(range(first, grid.image[1], step)), max(last - zeros, 0))
        strips.append(Strip(phase, first, n, zeros, max(last - zeros - n, 0)))
    return tuple(strips)
