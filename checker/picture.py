"""A gradient check as a picture: numerical against backward's values, and where in an array they disagree."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from typing import Any

import numpy as np

from brickgrad.layers import Array

from .entries import Entries
from .report import FAIL_RATIO, PASS_RATIO, VERDICTS, GradcheckReport, GradcheckRow

# By verdict: a colour that the colour-blind tell apart too, a marker, and how large it is.
_LOOKS = {
    "pass": ("#1a7f37", "o", 5),
    "kink": ("#1f5fbf", "^", 6),
    "inconclusive": ("#b36b00", "s", 5),
    "fail": ("#c81e1e", "X", 7),
}
_WORST = "#1f5fbf"
_MOST_POINTS = 1000  # of a row and a verdict; more would hide each other
_MOST_LABELS = 16
_MOST_NUMBERS = (8, 7)  # the largest array, (rows, columns), whose cells have room for numbers


def draw(report: GradcheckReport, ax: Any = None) -> Any:
    """Draw a report: each row a point, numerical against backward's value, with the numerical one's error bar.

    Agreement lies on the diagonal. A row whose entries were all compared shows a point for each of them; any other
    shows its slope along a random direction. Colour and marker tell the verdict. The axes are linear, or logarithmic
    to both sides of 0 where sizes differ by more than 1000. Of a graph the brick at fault is drawn, as in
    `report.worst()`.

    A new figure gets a second panel where entries of a row are wrong: the worst row as an image, each cell the
    disagreement as a multiple of what its bar and round-off explain. Small arrays show the numbers too: backward's
    above, the numerical one below.

    Parameters
        report : GradcheckReport, what gradcheck returned.
        ax : matplotlib Axes, optional, to draw the points on; without, a figure of pyplot's is made.
    Shapes       a parameter of (n, m) is an image of n by m; (n,) is one row, () one cell; with more axes the first
                 stays and the others are laid out in one, which the title says
    Returns      matplotlib Axes, those of the points
    Errors       ImportError: matplotlib is not installed
    """
    at = report.worst()
    row = _worst_row(at) if ax is None else None
    ax, panel = (ax, None) if ax is not None else _new_axes(row is not None)
    _draw_points(ax, at)
    title = [*textwrap.wrap(f"{at.title}: {at.verdict.upper()}", 60)]
    if at is not report:
        title += textwrap.wrap(f"the brick at fault in {report.title}", 70)
    said = at.faults[0] if at.faults else at.guess
    ax.set_title("\n".join([*title, *(textwrap.wrap(said.text, 70) if said else [])]), fontsize=10)
    if panel is not None and row is not None:
        _draw_entries(panel, row)
    return ax


def _new_axes(with_panel: bool) -> tuple[Any, Any]:
    """New Axes on a figure of pyplot's, so that plt.show() shows them: for the points, and for the entries or None."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "GradcheckReport.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
        ) from error
    if with_panel:
        left, right = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")[1]
        return left, right
    return plt.subplots(figsize=(7, 5.5), layout="constrained")[1], None


def _worst_row(at: GradcheckReport) -> GradcheckRow | None:
    """The failed row that is furthest off, of those whose entries were compared."""
    rows = [row for row in at.rows if row.verdict == "fail" and row.entries is not None]
    return max(rows, key=lambda row: np.nan_to_num(row.ratio, nan=np.inf), default=None)


def _points(row: GradcheckRow) -> list[tuple[str, Array]]:
    """The points of a row by verdict: arrays (analytic, numeric, bar), each (3, n)."""
    if row.entries is None:
        return [(row.verdict, np.array([[row.analytic], [row.numeric], [row.bar]]))]
    values = np.stack([np.asarray(part, np.float64).ravel() for part in row.entries])
    ratio = Entries(*row.entries).ratio.ravel()
    is_kink = row.verdict == "kink"
    masks = {
        "kink" if is_kink else "pass": ratio <= PASS_RATIO,
        "inconclusive": (ratio > PASS_RATIO) & (ratio <= FAIL_RATIO),
        "fail": ~(ratio <= FAIL_RATIO),
    }
    return [(verdict, values[:, mask]) for verdict, mask in masks.items() if mask.any()]


def _draw_points(ax: Any, at: GradcheckReport) -> None:
    """All rows' points, the diagonal, the legend and the rows' names."""
    groups: dict[str, list[Array]] = defaultdict(list)
    total: dict[str, int] = defaultdict(int)
    for row in at.rows:
        for verdict, values in _points(row):
            total[verdict] += values.shape[1]
            finite = values[:, np.isfinite(values[:2]).all(axis=0)]
            step = -(-finite.shape[1] // _MOST_POINTS) or 1
            groups[verdict].append(finite[:, ::step])
    drawn = {verdict: np.concatenate(groups[verdict], axis=1) for verdict in VERDICTS if verdict in groups}
    _scale(ax, list(drawn.values()))
    for verdict, (analytic, numeric, bar) in drawn.items():
        color, marker, size = _LOOKS[verdict]
        count = f"{len(analytic):,} of {total[verdict]:,} drawn" if len(analytic) < total[verdict] else len(analytic)
        ax.errorbar(
            analytic, numeric, yerr=np.where(np.isfinite(bar), bar, 0), fmt=marker, color=color, markersize=size,
            alpha=0.8, capsize=3, linestyle="none", markeredgecolor="white", markeredgewidth=0.5,
            label=f"{verdict} ({count})",
        )  # fmt: skip
    slopes = any(row.entries is None and row.index is None for row in at.rows)
    ax.set_xlabel("backward's value" + ("\n(slope: of all entries, along one random direction)" if slopes else ""))
    ax.set_ylabel("numerical value ± bar, from forward alone")
    ax.grid(alpha=0.3)
    if drawn:
        ax.legend(loc="upper left", fontsize=8)
    else:
        ax.text(0.5, 0.5, "no gradient could be compared", ha="center", va="center", transform=ax.transAxes)
    _name_rows(ax, at.rows)


def _scale(ax: Any, drawn: list[Array]) -> None:
    """One scale for both axes, wide enough for every value, and on it the diagonal."""
    values = np.concatenate([part[:2].ravel() for part in drawn]) if drawn else np.zeros(0)
    sizes = np.abs(values[values != 0])
    smallest = 10.0 ** np.floor(np.log10(np.quantile(sizes, 0.02))) if sizes.size else 1.0
    if sizes.size and sizes.max() > 1000 * smallest:
        for axis, set_scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
            set_scale("symlog", linthresh=smallest)
            axis.get_major_locator().set_params(numticks=7)
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    if low == high:
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
    transform = ax.xaxis.get_transform()
    start, end = transform.transform(np.array([low, high]))
    margin = 0.08 * (end - start)
    limits = transform.inverted().transform(np.array([start - margin, end + margin]))
    ax.plot(limits, limits, color="0.6", linewidth=1, zorder=0, label="agreement")
    ax.set(xlim=limits, ylim=limits, box_aspect=1)


def _name_rows(ax: Any, rows: tuple[GradcheckRow, ...]) -> None:
    """The rows' names to the right, each with a line to its point; the worst first where there are too many."""
    named = sorted(rows, key=lambda row: -VERDICTS.index(row.verdict))[:_MOST_LABELS]
    named.sort(key=lambda row: np.nan_to_num(row.numeric))
    places = np.linspace(0, 1, len(named) + 2)[1:-1]
    for row, place in zip(named, places, strict=True):
        kind = "entries" if row.entries is not None else "slope" if row.index is None else f"at {_bracket(row.index)}"
        color = _LOOKS[row.verdict][0]
        finite = np.isfinite(row.analytic) and np.isfinite(row.numeric)
        ax.annotate(
            f"{row.name}: {row.verdict}\n{kind}" + ("" if finite else ", not finite"),
            xy=(row.analytic, row.numeric) if finite else (1.0, place),
            xycoords="data" if finite else "axes fraction", xytext=(1.03, place), textcoords="axes fraction",
            color=color, fontsize=8, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "alpha": 0.35, "linewidth": 0.8} if finite else None,
        )  # fmt: skip
    if len(named) < len(rows):
        ax.text(1.03, 0, f"and {len(rows) - len(named)} more", transform=ax.transAxes, fontsize=8, va="center")


def _draw_entries(ax: Any, row: GradcheckRow) -> None:
    """One row's entries over the array's shape: how far each is off, and the worst marked."""
    import matplotlib as mpl
    from matplotlib.colors import LogNorm

    assert row.entries is not None
    ratio = Entries(*row.entries).ratio
    index = row.index if row.index is not None else np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    worst = tuple(int(i) for i in index)
    cells = _fold(ratio)
    finite = cells[np.isfinite(cells)]
    top = max(float(finite.max(initial=0.0)), 10 * FAIL_RATIO)
    image = ax.imshow(
        np.ma.masked_invalid(cells).clip(1, top), norm=LogNorm(1, top), interpolation="nearest", aspect="auto",
        cmap=mpl.colormaps["Reds"].with_extremes(bad="black"),
    )  # fmt: skip
    ax.set_box_aspect(min(max(cells.shape[0] / cells.shape[1], 0.25), 1.5))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_label(f"disagreement / (bar + round-off); over {FAIL_RATIO:g}: wrong")
    for axis, size in ((ax.xaxis, cells.shape[1]), (ax.yaxis, cells.shape[0])):
        if size <= 12:
            axis.set_ticks(range(size))
        else:
            axis.get_major_locator().set_params(integer=True)
    if all(size <= most for size, most in zip(cells.shape, _MOST_NUMBERS, strict=True)):
        _write_numbers(ax, cells, top, row)
    down, across = np.unravel_index(int(np.ravel_multi_index(worst, ratio.shape)) if worst else 0, cells.shape)
    ax.add_patch(mpl.patches.Rectangle((across - 0.5, down - 0.5), 1, 1, fill=False, color=_WORST, linewidth=2.5))
    if cells.size > 400:  # a cell is too small to be seen
        ax.plot(across, down, marker="o", markersize=16, markerfacecolor="none", color=_WORST, markeredgewidth=1.5)
    folded = f", laid out as {cells.shape}" if ratio.ndim > 2 else ""
    black = "; black: not finite" if not np.isfinite(cells).all() else ""
    ax.set_title("\n".join(textwrap.wrap(f"gradient of {row.name}, shape {row.shape}{folded}: {row.note}{black}", 62)),
                 fontsize=10)  # fmt: skip
    analytic, numeric, near = (float(part[worst]) for part in row.entries)
    said = f"worst entry {row.name}{_bracket(worst)}: backward {analytic:.6g}, numerical {numeric:.6g} ± {near:.1g}"
    ax.set_xlabel(said, color=_WORST)


def _write_numbers(ax: Any, cells: Array, top: float, row: GradcheckRow) -> None:
    """Backward's value and under it the numerical one, into every cell."""
    assert row.entries is not None
    analytic, numeric = (_fold(part) for part in row.entries[:2])
    for down, across in np.ndindex(*cells.shape):
        dark = not cells[down, across] < top**0.6  # the upper part of a logarithmic scale
        ax.text(
            across, down, f"{analytic[down, across]:.3g}\n{numeric[down, across]:.3g}", ha="center", va="center",
            fontsize=7, color="white" if dark else "black",
        )  # fmt: skip


def _fold(array: Array) -> Array:
    """An array as (rows, columns): 0-d as one cell, 1-D as one row, more axes than two with all but the first as one.

    >>> [_fold(np.zeros(shape)).shape for shape in [(), (3,), (3, 4), (2, 3, 4)]]
    [(1, 1), (1, 3), (3, 4), (2, 12)]
    """
    return array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(1, -1)


def _bracket(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]"
