"""A page of images, to look at what goes into a net and what it makes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .idx import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 1000
_WRONG = "#c81e1e"


def plot_digits(
    images: Any, labels: Any = None, predictions: Any = None, *, columns: int = 10, title: str | None = None
) -> Figure:
    """Draw images in a grid, each with its label above, and mark in red those that were predicted wrong.

    Above an image stands its label; "pred 3" where only the prediction is known; and where the two differ
    "pred 3 (is 5)", in red, with a red frame around the image. Large values are dark, on one scale for the whole page.

    Parameters
        images : array, 1 to 1000 images, of uint8 or float.
        labels : array or list, optional. What each image is: a number each, or one-hot rows.
        predictions : array or list, optional. What a net said it is: a number each, or its scores, of which the
            largest counts.
        columns : int at least 1, default 10. Images in a row.
        title : str, optional. A line above the page.
    Shapes       images (N, H·H), (N, H, W) or (N, 1, H, W), or a single flat image (H·H,); labels and predictions
                 (N,) or (N, classes)
    Returns      matplotlib.figure.Figure. A notebook shows it; a script saves it: figure.savefig("digits.png")
    Errors       ImportError: matplotlib is not installed. TypeError: text or other things that are not numbers.
                 ValueError: shapes that do not fit, too many images, NaN or infinity
    Example
        >>> figure = plot_digits(np.eye(4).reshape(1, 16), labels=[5], predictions=[3])
        >>> figure.axes[0].get_title()
        'pred 3 (is 5)'
    """
    pictures = _as_pictures(images)
    n = len(pictures)
    is_whole = isinstance(columns, int | np.integer) and not isinstance(columns, bool)
    if not is_whole or columns < 1:
        raise ValueError(f"plot_digits: columns must be an integer, at least 1; got {columns!r}.")
    truths = _as_numbers("labels", labels, n)
    guesses = _as_numbers("predictions", predictions, n)
    figure_class = _figure_class()

    columns = min(int(columns), n)
    rows = math.ceil(n / columns)
    # In inches: a cell holds an image and the line above it; a letter of the title takes about a tenth of an inch.
    cell_width, cell_height, margin, top = 1.0, 1.2, 0.15, 0.45 if title else 0.1
    width = max(columns * cell_width, 0.1 * len(title or "")) + 2 * margin
    height = rows * cell_height + margin + top
    first = (width - columns * cell_width) / 2
    figure = figure_class(figsize=(width, height))
    darkest, lightest = (255, 0) if pictures.dtype == np.uint8 else (pictures.max(), pictures.min())
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left, bottom = first + column * cell_width, margin + (rows - 1 - row) * cell_height
        axes = figure.add_axes(((left + 0.07) / width, (bottom + 0.07) / height, 0.86 / width, 0.86 / height))
        axes.imshow(picture, cmap="gray_r", vmin=lightest, vmax=darkest, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        text, wrong = _caption(truths, guesses, index)
        axes.set_title(text, fontsize=8, pad=3, color=_WRONG if wrong else "black")
        for spine in axes.spines.values():
            spine.set(color=_WRONG if wrong else "0.8", linewidth=2.5 if wrong else 0.8)
    if title:
        figure.suptitle(title, y=1 - 0.1 / height, va="top", fontsize=12)
    return figure


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot_digits: needs matplotlib. Install it with: pip install 'brickgrad[plot]'") from error
    return Figure


def _as_array(name: str, given: Any) -> Array:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(f"plot_digits: {name} must be an array, or rows of equal length; got neither.") from error


def _as_pictures(images: Any) -> Array:
    """The images as (N, H, W)."""
    x = _as_array("images", images)
    if x.dtype.kind not in "uif":
        raise TypeError(f"plot_digits: images must hold numbers, uint8 or float; got {x.dtype}.")
    if x.ndim == 1:
        x = x[np.newaxis]
    side = math.isqrt(x.shape[1]) if x.ndim == 2 else 0
    if x.ndim == 2 and side**2 == x.shape[1]:
        x = x.reshape(len(x), side, side)
    elif x.ndim == 4 and x.shape[1] == 1:
        x = x[:, 0]
    if x.ndim != 3:
        hint = " For a single image write images[np.newaxis]." if x.ndim == 2 else ""
        raise ValueError(
            "plot_digits: images must be (N, H·H) for square images, (N, H, W) or (N, 1, H, W); "
            f"got {np.shape(images)}.{hint}"
        )
    if x.size == 0:
        raise ValueError(f"plot_digits: images must hold at least one image; got {np.shape(images)}.")
    if len(x) > _MOST:
        raise ValueError(
            f"plot_digits: images must be at most {_MOST} to a page; got {len(x)}. Pass images[:100], say."
        )
    if not np.isfinite(x).all():
        raise ValueError(f"plot_digits: images must be finite; {np.count_nonzero(~np.isfinite(x))} values are not.")
    return x


def _as_numbers(name: str, given: Any, n: int) -> list[int] | None:
    """One number for each image, from numbers, one-hot rows or scores."""
    if given is None:
        return None
    t = _as_array(name, given)
    if t.dtype.kind not in ("uif" if t.ndim == 2 else "ui"):
        wanted = "be whole numbers, or rows of scores" if t.dtype.kind == "f" else "hold numbers"
        raise TypeError(f"plot_digits: {name} must {wanted}; got {t.dtype} with shape {t.shape}.")
    if t.shape != (n,) and not (t.ndim == 2 and len(t) == n and t.shape[1] > 1):
        raise ValueError(
            f"plot_digits: {name} must be ({n},), or ({n}, classes) with 2 classes at least, for {n} images; "
            f"got {t.shape}."
        )
    numbers: list[int] = (t.argmax(axis=1) if t.ndim == 2 else t).tolist()
    return numbers


def _caption(truths: list[int] | None, guesses: list[int] | None, index: int) -> tuple[str, bool]:
    """The words above an image, and whether its prediction is wrong."""
    if guesses is None:
        return ("" if truths is None else str(truths[index])), False
    if truths is None:
        return f"pred {guesses[index]}", False
    wrong = guesses[index] != truths[index]
    return (f"pred {guesses[index]} (is {truths[index]})" if wrong else str(truths[index])), wrong
