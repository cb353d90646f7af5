"""A sheet as PNG, drawn by matplotlib: for documents that take no SVG."""

from __future__ import annotations

import io
from typing import Any

from .marks import Line, Picture, Point, Rect, Sheet, Text
from .svg import COLOURS, curve, tip

DOTS_PER_PIXEL = 2
PER_INCH = 100  # pixels of the sheet
FRAMED = {"box": ("fill", "frame", "-"), "graph": ("page", "frame", "--"), "input": ("page", "frame", "-")}
WRITTEN = {"param": "faint", "remark": "faint", "value": "value", "grad": "grad"}


def to_png(sheet: Sheet) -> bytes:
    """The whole file."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "draw: a PNG needs matplotlib. Install it with: pip install 'brickgrad[plot]'; or draw an SVG."
        ) from error
    figure = Figure(figsize=(sheet.width / PER_INCH, sheet.height / PER_INCH), dpi=PER_INCH * DOTS_PER_PIXEL)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    axes.axis("off")
    for order, mark in enumerate(sheet.marks):
        if isinstance(mark, Rect):
            _rectangle(axes, mark, order)
        elif isinstance(mark, Line):
            _line(axes, mark, order)
        elif isinstance(mark, Picture) and mark.pixels is not None:
            sides = (mark.x, mark.x + mark.width, mark.y + mark.height, mark.y)
            axes.imshow(mark.pixels, extent=sides, aspect="auto", interpolation="nearest", zorder=order)
            axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
        elif isinstance(mark, Text):
            _text(axes, mark, order)
    written = io.BytesIO()
    figure.savefig(written, format="png", facecolor=_colour("page"), metadata={"Software": None})
    return written.getvalue()


def _colour(name: str) -> str:
    return COLOURS[name][0]


def _rectangle(axes: Any, mark: Rect, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    if mark.role == "constant":
        return
    fill, frame, dashes = FRAMED.get(mark.role, ("line", "line", "-"))
    style = f"round,pad=0,rounding_size={min(mark.radius, mark.height / 2)}"
    patch = FancyBboxPatch((mark.x, mark.y), mark.width, mark.height, boxstyle=style, zorder=order)
    patch.set(facecolor=_colour(fill), edgecolor=_colour(frame), linewidth=0.8, linestyle=dashes)
    axes.add_patch(patch)


def _line(axes: Any, mark: Line, order: int) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    points: list[Point] = []
    codes: list[Any] = []
    for piece in curve(mark):
        points += piece if len(piece) == 1 else piece[1:]
        codes += {1: [Path.MOVETO], 2: [Path.LINETO], 4: [Path.CURVE4] * 3}[len(piece)]
    axes.add_patch(PathPatch(Path(points, codes), fill=False, edgecolor=_colour("line"), linewidth=0.9, zorder=order))
    if mark.arrow:
        axes.add_patch(Polygon(tip(mark), facecolor=_colour("line"), edgecolor="none", zorder=order))


def _text(axes: Any, mark: Text, order: int) -> None:
    axes.text(
        mark.x,
        mark.y,
        mark.text,
        ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
        va="baseline",
        fontsize=mark.size * 72 / PER_INCH,
        fontfamily="DejaVu Sans Mono",
        fontweight="bold" if mark.role == "title" else "normal",
        color=_colour(WRITTEN.get(mark.role, "ink")),
        parse_math=False,
        zorder=order,
    )
