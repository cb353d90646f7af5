"""Where a kernel's or a pool's windows lie on an image: their size, stride, padding and dilation, and the errors."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .memory import Array
from .scalars import is_whole

Pair = tuple[int, int]
Pad = int | str | tuple[int | Pair, int | Pair]


@dataclass(frozen=True)
class Windows:
    """The windows of one layer: their size, how far apart they lie, and what is put around the image.

    Attributes
        size, stride, dilation : (rows, columns), each at least 1.
        pad : "same", or ((top, bottom), (left, right)), each at least 0.
    """

    size: Pair
    stride: Pair
    pad: str | tuple[Pair, Pair]
    dilation: Pair

    @classmethod
    def read(cls, owner: str, size: Any, stride: Any = 1, pad: Any = 0, dilation: Any = 1) -> Windows:
        """The windows that a layer's arguments describe; ValueError where they describe none."""
        return cls(
            _pair(owner, "the window", size, 1),
            _pair(owner, "stride", stride, 1),
            _read_pad(owner, pad),
            _pair(owner, "dilation", dilation, 1),
        )

    @property
    def reach(self) -> Pair:
        """How many rows and columns a window spans, the holes that dilation makes included."""
        return (self.size[0] - 1) * self.dilation[0] + 1, (self.size[1] - 1) * self.dilation[1] + 1

    def on(self, owner: str, shape: tuple[int, ...], method: str = ".forward") -> Grid:
        """The windows on images of a shape (N, C, H, W); ValueError where not one of them fits."""
        owner += method
        if len(shape) != 4:
            hint = " Add the channel axis with x[:, np.newaxis]." if len(shape) == 3 else ""
            raise ValueError(f"{owner}: x must be (N, C, H, W); got {shape}.{hint}")
        grid = _grid(self, (shape[2], shape[3]))
        if min(grid.out) < 1:
            raise ValueError(
                f"{owner}: the window must fit into the padded image; it spans {_by(self.reach)}"
                f"{self._dilated()}, and the image is {_by(shape[2:])}{self._padded(grid.padded)}. "
                "Take a smaller window or more padding."
            )
        return grid

    def _same(self, lengths: tuple[int, ...]) -> tuple[Pair, Pair]:
        """Padding that gives ⌈length / stride⌉ windows, the odd one below and to the right."""
        pads = []
        for length, stride, reach in zip(lengths, self.stride, self.reach, strict=True):
            whole = max((-(-length // stride) - 1) * stride + reach - length, 0)
            pads.append((whole // 2, whole - whole // 2))
        return pads[0], pads[1]

    def _dilated(self) -> str:
        return f" ({_by(self.size)} with dilation {self.dilation})" if self.dilation != (1, 1) else ""

    def _padded(self, sizes: Pair) -> str:
        return f", {_by(sizes)} with padding {self.pad}" if self.pad != ((0, 0), (0, 0)) else ""


class Windowed:
    """What a layer with windows shows of them: its arguments as they were read."""

    windows: Windows

    @property
    def size(self) -> Pair:
        """(rows, columns) of a window."""
        return self.windows.size

    @property
    def stride(self) -> Pair:
        """How many rows and columns lie between windows."""
        return self.windows.stride

    @property
    def pad(self) -> str | tuple[Pair, Pair]:
        """ "same", or ((top, bottom), (left, right))."""
        return self.windows.pad

    @property
    def dilation(self) -> Pair:
        """How many rows and columns lie from one entry of a window to the next."""
        return self.windows.dilation


@dataclass(frozen=True)
class Grid:
    """Windows on images of one size; `pads` in numbers, `image` and `out` the rows and columns in and out."""

    size: Pair
    stride: Pair
    pads: tuple[Pair, Pair]
    dilation: Pair
    image: Pair
    out: Pair

    @functools.cached_property
    def padded(self) -> Pair:
        """The rows and columns of the padded image."""
        return self.image[0] + sum(self.pads[0]), self.image[1] + sum(self.pads[1])

    @functools.cached_property
    def inside(self) -> tuple[slice, slice]:
        """Where the image lies in the padded one."""
        (top, _), (left, _) = self.pads
        return slice(top, top + self.image[0]), slice(left, left + self.image[1])

    @functools.cached_property
    def overlaps(self) -> bool:
        """Whether an entry of the padded image may lie in several windows."""
        return any(step < size for step, size in zip(self.stride, self.size, strict=True)) or self.dilation != (1, 1)

    def places(self, i: int, j: int) -> tuple[slice, slice]:
        """Where entry (i, j) of every window lies in the padded image."""
        starts = i * self.dilation[0], j * self.dilation[1]
        return (
            slice(starts[0], starts[0] + (self.out[0] - 1) * self.stride[0] + 1, self.stride[0]),
            slice(starts[1], starts[1] + (self.out[1] - 1) * self.stride[1] + 1, self.stride[1]),
        )


@functools.lru_cache(maxsize=1024)
def _grid(windows: Windows, image: Pair) -> Grid:
    """Where windows lie on an image; `out` may be less than 1, where none fits."""
    pads = windows.pad if isinstance(windows.pad, tuple) else windows._same(image)
    out = tuple(
        (length + sum(pad) - reach) // step + 1
        for length, pad, reach, step in zip(image, pads, windows.reach, windows.stride, strict=True)
    )
    return Grid(windows.size, windows.stride, pads, windows.dilation, image, (out[0], out[1]))


def windows_of(padded: Array, grid: Grid) -> Array:
    """A view of padded images (n, C, H, W), contiguous, that shows every window's entries: (n, C, h, w, rows, columns).

    As NumPy's `as_strided` makes it, with less around it.
    """
    n, channels, *apart = padded.strides
    within = (step * dilation for step, dilation in zip(apart, grid.dilation, strict=True))
    between = (step * stride for step, stride in zip(apart, grid.stride, strict=True))
    shape = *padded.shape[:2], *grid.size, *grid.out
    return np.ndarray(shape, padded.dtype, padded, 0, (n, channels, *within, *between))


def add_up(shares: Array, grid: Grid, images: Array, top: int = 0) -> None:
    """Add every window's entries (n, C, h, w, rows, columns) to their places in padded images; `top`: the first row."""
    start, height = top * grid.stride[0], shares.shape[4]
    for i in range(grid.size[0]):
        for j in range(grid.size[1]):
            down, across = grid.places(i, j)
            down = slice(down.start + start, down.start + start + (height - 1) * grid.stride[0] + 1, grid.stride[0])
            images[:, :, down, across] += shares[:, :, i, j]


def _pair(owner: str, what: str, value: Any, least: int) -> Pair:
    """One whole number for both directions, or one for each; ValueError for anything else."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(is_whole(number, least) for number in pair):
        raise ValueError(
            f"{owner}: {what} must be a whole number of at least {least}, or one for rows and one for columns; "
            f"got {value!r}."
        )
    return int(pair[0]), int(pair[1])


def _read_pad(owner: str, pad: Any) -> str | tuple[Pair, Pair]:
    if isinstance(pad, str):
        if pad == "valid":
            return (0, 0), (0, 0)
        if pad == "same":
            return pad
        raise ValueError(f'{owner}: pad must be "same", "valid" or whole numbers; got {pad!r}.')
    rows, columns = pad if isinstance(pad, tuple | list) and len(pad) == 2 else (pad, pad)
    return _pair(owner, "pad", rows, 0), _pair(owner, "pad", columns, 0)


def _by(lengths: Any) -> str:
    return " x ".join(str(int(length)) for length in lengths)
