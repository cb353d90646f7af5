"""A sheet as SVG: one file that any browser, editor or word processor shows, in light and in dark."""

from __future__ import annotations

import base64

from .marks import Line, Mark, Picture, Point, Rect, Sheet, Text, escape
from .thumbnails import png

COLOURS = {  # name: (in light, in dark)
    "page": ("#ffffff", "#16181d"), "ink": ("#1f2328", "#e6e8eb"), "faint": ("#6b7280", "#9aa3af"),
    "line": ("#59636e", "#8b949e"), "fill": ("#f4f6f8", "#22262e"), "frame": ("#8c959f", "#6b7480"),
    "value": ("#0b57a4", "#7ab7ff"), "grad": ("#b3400a", "#ff9d5c"), "lit": ("#ffe08a", "#6b5200"),
}  # fmt: skip

STYLE = """
text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--ink); }
.edge { fill: none; stroke: var(--line); stroke-width: 1.3; }
.tip, .joint { fill: var(--line); stroke: none; }
.box, .graph { fill: var(--fill); stroke: var(--frame); stroke-width: 1.2; }
.graph { fill: none; stroke-dasharray: 5 3; }
.input { fill: var(--page); stroke: var(--frame); stroke-width: 1.2; }
.constant { fill: none; stroke: none; }
.title { font-weight: 600; }
text.param, text.remark { fill: var(--faint); }
text.value { fill: var(--value); }
text.grad { fill: var(--grad); }
image { image-rendering: pixelated; }
image.value, image.grad { outline: 0.5px solid var(--frame); }
"""


def to_svg(sheet: Sheet, label: str) -> str:
    """The whole file."""
    light, dark = (";".join(f"--{name}:{pair[mode]}" for name, pair in COLOURS.items()) for mode in (0, 1))
    size = f"{sheet.width:.0f} {sheet.height:.0f}"
    width, height = size.split()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" height="{height}" '
            f'role="img" aria-label="{escape(label)}">',
            f"<style>svg {{{light}}} @media (prefers-color-scheme: dark) {{ svg {{{dark}}} }}{STYLE}</style>",
            f'<rect width="{width}" height="{height}" style="fill: var(--page)"/>',
            body(sheet),
            "</svg>\n",
        ]
    )


def body(sheet: Sheet) -> str:
    """The marks alone, without the sheet around them."""
    return "\n".join(_element(mark) for mark in sheet.marks)


def _element(mark: Mark) -> str:
    known = f'class="{mark.role}" data-at="{mark.at}" data-item="{mark.item}"'
    if isinstance(mark, Rect):
        shape = f'x="{mark.x:.1f}" y="{mark.y:.1f}" width="{mark.width:.1f}" height="{mark.height:.1f}"'
        hint = f"<title>{escape(mark.hint)}</title>" if mark.hint else ""
        return f'<rect {known} {shape} rx="{mark.radius:.1f}">{hint}</rect>'
    if isinstance(mark, Text):
        place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" text-anchor="{mark.anchor}" font-size="{mark.size}"'
        return f'<text {known} {place} xml:space="preserve">{escape(mark.text)}</text>'
    if isinstance(mark, Picture):
        assert mark.pixels is not None
        data = base64.b64encode(png(mark.pixels)).decode()
        place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" width="{mark.width:.1f}" height="{mark.height:.1f}"'
        return f'<image {known} {place} preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    assert isinstance(mark, Line)
    tip = f'<path class="tip" data-at="{mark.at}" d="{_tip(mark)}"/>' if mark.arrow else ""
    return f'<path {known} d="{_path(mark)}"/>{tip}'


def curve(line: Line) -> list[tuple[Point, ...]]:
    """The line piece by piece: one point moves there, two go straight, four bend (a cubic with two control points)."""
    pieces: list[tuple[Point, ...]] = [(line.points[0],)]
    for start, end in zip(line.points, line.points[1:], strict=False):
        if start == end:
            continue
        if start[0] == end[0] or start[1] == end[1]:
            pieces.append((start, end))
        elif line.to_right:
            half = (start[0] + end[0]) / 2
            pieces.append((start, (half, start[1]), (half, end[1]), end))
        else:
            half = (start[1] + end[1]) / 2
            pieces.append((start, (start[0], half), (end[0], half), end))
    return pieces


def _path(line: Line) -> str:
    words = []
    for piece in curve(line):
        kind = {1: "M", 2: "L", 4: "C"}[len(piece)]
        words.append(kind + " ".join(f"{x:.1f},{y:.1f}" for x, y in (piece if kind == "M" else piece[1:])))
    return " ".join(words)


def tip(line: Line) -> list[Point]:
    """The three corners of the arrow's head."""
    x, y = line.points[-1]
    if line.to_right:
        return [(x, y), (x - 7, y - 3.5), (x - 7, y + 3.5)]
    return [(x, y), (x - 3.5, y - 7), (x + 3.5, y - 7)]


def _tip(line: Line) -> str:
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in tip(line)) + " Z"
