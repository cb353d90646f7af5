"""Changes that make new training images of old ones: what they show stays what it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from .idx import Array


def shift(images: Array, down: Any, right: Any, *, fill: float = 0) -> Array:
    """Move images by whole pixels; what leaves the frame is lost, and what enters it is `fill`.

        y[n, ..., i, j] = images[n, ..., i - down[n], j - right[n]], or fill where that lies outside

    Parameters
        images : array of numbers. Stays as it was.
        down, right : int or array of int, (N,). Pixels; negative ones go up and left.
        fill : number, default 0. The value of the background.
    Shapes       (N, H, W) or (N, C, H, W) -> the same; all channels of an image move together
    Dtype        any of numbers; the output's is the input's
    Errors       TypeError: not an array of numbers, shifts that are not whole. ValueError: another shape, as many
                 shifts as there are no images, a fill that an image of integers cannot hold
    Example
        >>> shift(np.array([[[1, 2], [3, 4]]]), down=1, right=0)
        array([[[0, 0],
                [1, 2]]])
    """
    _check("shift", images, fill)
    n, (height, width) = len(images), images.shape[-2:]
    down = np.clip(_offsets("down", down, n), -height, height)  # further than out of sight is out of sight
    right = np.clip(_offsets("right", right, n), -width, width)
    margin = int(max(np.abs(down).max(initial=0), np.abs(right).max(initial=0)))
    channels = images.reshape(n, -1, height, width) if n else images.reshape(0, 1, height, width)
    framed = np.full((n, channels.shape[1], height + 2 * margin, width + 2 * margin), fill, images.dtype)
    framed[..., margin : margin + height, margin : margin + width] = channels
    views = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(2, 3))
    return views[np.arange(n), :, margin - down, margin - right].reshape(images.shape)


class Shifts:
    """Random shifts: each image by its own whole number of pixels down and right, drawn evenly from -pixels..pixels.

    What a trainer's `augment` takes; each batch is shifted anew. No edge of a digit is lost while its margin is wider
    than `pixels`.

    Parameters
        pixels : int at least 0, default 2.
        fill : number, default 0. The value of the background.
        image_shape : (H, W) or (C, H, W), optional. How to read images that come flat, (N, H·W); they leave flat too.
    Shapes       (N, H, W) or (N, C, H, W), or flat with `image_shape` -> the same
    Dtype        any of numbers; the output's is the input's
    Errors       as `shift`. ValueError: bad pixels or image_shape. TypeError: an rng that is no Generator
    Source       Simard, Steinkraus & Platt, "Best practices for convolutional neural networks" (2003), section 2
    Example
        >>> images = np.arange(1, 5).reshape(1, 2, 2)
        >>> Shifts(1)(images, np.random.default_rng(0))
        array([[[0, 0],
                [1, 2]]])
        >>> Shifts(1, image_shape=(2, 2))(images.reshape(1, 4), np.random.default_rng(0))
        array([[0, 0, 1, 2]])
    """

    def __init__(self, pixels: int = 2, *, fill: float = 0, image_shape: tuple[int, ...] | None = None) -> None:
        if isinstance(pixels, bool) or not isinstance(pixels, int | np.integer) or pixels < 0:
            raise ValueError(f"Shifts: pixels must be a whole number of 0 or more; got {pixels!r}.")
        if image_shape is not None and (not isinstance(image_shape, tuple) or len(image_shape) not in (2, 3)):
            raise ValueError(f"Shifts: image_shape must be (H, W) or (C, H, W); got {image_shape!r}.")
        self.pixels, self.fill, self.image_shape = int(pixels), fill, image_shape

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        """Return the images, shifted."""
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"Shifts: rng must be a numpy.random.Generator; got {type(rng).__name__}.")
        images = x
        if self.image_shape is not None:
            if not isinstance(x, np.ndarray) or x.ndim == 0 or x.size != len(x) * np.prod(self.image_shape):
                raise ValueError(f"Shifts: x must hold images of {self.image_shape}; got {np.shape(x)}.")
            images = x.reshape(len(x), *self.image_shape)
        _check("Shifts", images, self.fill)
        down, right = rng.integers(-self.pixels, self.pixels, size=(2, len(images)), endpoint=True)
        return shift(images, down, right, fill=self.fill).reshape(x.shape)

    def __repr__(self) -> str:
        options = "".join(
            f", {name}={value!r}"
            for name, value, default in (("fill", self.fill, 0), ("image_shape", self.image_shape, None))
            if value != default
        )
        return f"Shifts({self.pixels}{options})"


def _check(who: str, images: Any, fill: float) -> None:
    if not isinstance(images, np.ndarray) or images.dtype.kind not in "iubf":
        got = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise TypeError(f"{who}: images must be an array of numbers; got {got}.")
    if images.ndim not in (3, 4):
        hint = " Flat images need image_shape, as in Shifts(2, image_shape=(28, 28))." if images.ndim == 2 else ""
        raise ValueError(f"{who}: images must be (N, H, W) or (N, C, H, W); got {images.shape}.{hint}")
    if isinstance(fill, str) or not np.isscalar(fill):
        raise TypeError(f"{who}: fill must be a number; got {fill!r}.")
    with np.errstate(invalid="ignore"):
        kept = images.dtype.kind == "f" or np.array(fill).astype(images.dtype) == fill
    if not kept:
        raise ValueError(f"{who}: fill must be a number that {images.dtype} can hold; got {fill!r}.")


def _offsets(name: str, offsets: Any, n: int) -> Array:
    """One whole number for each of n images."""
    offsets = np.asarray(offsets)
    if offsets.dtype.kind not in "iu":
        raise TypeError(f"shift: {name} must hold whole numbers; got {offsets.dtype}.")
    if offsets.shape not in ((), (n,)):
        raise ValueError(f"shift: {name} must be one number, or one for each image, ({n},); got {offsets.shape}.")
    return np.broadcast_to(offsets, (n,)).astype(np.int64)
