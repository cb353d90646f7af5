"""What a picture is made of: rectangles, lines, text and thumbnails, each in a role that says how it looks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from brickgrad.layers import Array

Point = tuple[float, float]
SMALL, LARGE = 11.5, 13.5  # letters, in pixels
ADVANCE = 0.602  # the width of a letter of a monospaced typeface, in its size


@dataclass
class Mark:
    """One mark.

    Attributes
        role : what it shows, such as "box" or "grad": its colours hang on that.
        at : the state of a walk through the graph from which on it is there.
        item : the number of the brick it belongs to, as a path through the nested graphs, or "".
    """

    role: str
    at: int = 0
    item: str = ""


@dataclass
class Rect(Mark):
    """A rectangle with round corners."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    radius: float = 0.0
    hint: str = ""


@dataclass
class Line(Mark):
    """A line through points. Where two of them lie on no one row or column it bends, and arrives as it left."""

    points: list[Point] = field(default_factory=list)
    arrow: bool = False
    to_right: bool = True


@dataclass
class Text(Mark):
    """A line of text; `anchor` is start, middle or end; `y` its base line."""

    x: float = 0.0
    y: float = 0.0
    text: str = ""
    anchor: str = "start"
    size: float = SMALL


@dataclass
class Picture(Mark):
    """A thumbnail."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    pixels: Array | None = None


@dataclass
class Sheet:
    """A finished picture: its marks, from the undermost to the topmost, and its size."""

    width: float
    height: float
    marks: list[Mark]


def moved(marks: Iterable[Mark], dx: float, dy: float, under: str) -> list[Mark]:
    """The marks at another place, their bricks inside the brick `under`."""
    found: list[Mark] = []
    for mark in marks:
        item = f"{under}.{mark.item}" if mark.item else under
        if isinstance(mark, Line):
            found.append(replace(mark, item=item, points=[(x + dx, y + dy) for x, y in mark.points]))
        elif isinstance(mark, Rect | Text | Picture):
            found.append(replace(mark, item=item, x=mark.x + dx, y=mark.y + dy))
    return found


def width_of(text: str, size: float = SMALL) -> float:
    """How wide a text is, every letter being equally wide."""
    return len(text) * ADVANCE * size


def escape(text: str) -> str:
    """Text as XML can hold it: its own signs written out, and what no XML may hold shown as a replacement sign.

    >>> escape('a < "b"') + escape("\x1b")
    'a &lt; &quot;b&quot;�'
    """
    return html.escape(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text))
