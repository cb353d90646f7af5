"""From a scene to a sheet: how large everything is, where it goes, and the marks that show it.

A brick and all that is written around it is one block of the layout: in front of it what it alone hands back to an edge
that several bricks read, behind it the stems of its outputs with the value on one side and the gradient on the other.
So nothing that is written can lie over anything else. Edges run to the right, or down the page where a graph is long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .layout import Block, Edge, Placed, place
from .marks import LARGE, Line, Mark, Picture, Rect, Sheet, Text, moved, width_of
from .scene import Item, Scene, Shown, Stem

WIDEST = 1000.0  # a picture that would be wider runs down the page
MARGIN, PAD = 16.0, 9.0
LEADING = 15.0  # from one line of text to the next
THUMB = 44.0  # the longer side of a thumbnail
CIRCLE = 34.0
FUNNEL = 26.0  # where edges that stand wider than a brick run together


@dataclass
class _Row:
    """An edge where it meets a brick: how far what is written there reaches along it, and to either side of it."""

    length: float
    side: float


class _Rows:
    """The edges on one side of a brick: in front of it or behind it.

    Attributes
        length : of the longest row, and of the funnel where the rows stand wider than the brick.
        places, ends : where each edge meets the block, and where the brick.
    """

    def __init__(self, rows: list[_Row]) -> None:
        self.rows = rows
        self.breadth = 2 * sum(row.side for row in rows)
        self.longest = max((row.length for row in rows), default=0.0)
        self.places: list[float] = []
        self.ends: list[float] = []
        self.funnel = 0.0

    @property
    def length(self) -> float:
        return self.longest + self.funnel

    def spread(self, breadth: float, brick: float, is_round: bool) -> None:
        """Spread the rows evenly over a block; those that would miss the brick in its middle run together."""
        spare = (breadth - self.breadth) / max(len(self.rows), 1)
        at = 0.0
        for row in self.rows:
            self.places.append(at + spare / 2 + row.side)
            at += 2 * row.side + spare
        start, edge = (breadth - brick) / 2, brick / 4 if is_round else 6.0
        if all(start + edge <= place <= start + brick - edge for place in self.places):
            self.ends = list(self.places)
        else:
            self.funnel = FUNNEL
            step = brick / (len(self.places) + 1)
            self.ends = [start + step * (number + 1) for number in range(len(self.places))]


@dataclass
class _Body:
    """A brick's own box, the rows of edges in front of it and behind it, and the sheet inside it."""

    width: float
    height: float
    is_round: bool
    ports: _Rows
    stems: _Rows
    inside: Sheet | None = None

    def inset(self, end: float, middle: float) -> float:
        """How far behind the front of its box a round brick begins, at some place across."""
        radius = self.width / 2
        off = min(abs(end - middle), radius)
        return radius - math.sqrt(radius**2 - off**2) if self.is_round else 0.0


def sketch(scene: Scene, to_right: bool | None = None) -> Sheet:
    """The sheet of a scene; where `to_right` is None, what would be too wide for a page runs down it."""
    if to_right is None:
        sheet = _Sketch(scene, True).sheet()
        return sheet if sheet.width <= WIDEST else _Sketch(scene, False).sheet()
    return _Sketch(scene, to_right).sheet()


class _Sketch:
    """Draws one scene in one direction."""

    def __init__(self, scene: Scene, to_right: bool) -> None:
        self.scene, self.to_right = scene, to_right
        self.readers = scene.readers()
        self.bodies = [self._body(item) for item in scene.items]
        self.marks: list[Mark] = []

    def sheet(self) -> Sheet:
        """Place everything and draw it."""
        placed = place([self._block(body) for body in self.bodies], self._edges())
        self._draw_edges(placed)
        for number, (item, body, block) in enumerate(zip(self.scene.items, self.bodies, placed.blocks, strict=True)):
            self._draw_item(str(number), item, body, block)
        width, height = self._turn(placed.length, placed.breadth)
        width, height = width + 2 * MARGIN, height + 2 * MARGIN
        if self.scene.remark:
            self.marks.append(Text("remark", 0, "", MARGIN, height, self.scene.remark))
            width, height = max(width, width_of(self.scene.remark) + 2 * MARGIN), height + LEADING
        return Sheet(width, height, self.marks)

    def _turn(self, along: float, across: float) -> tuple[float, float]:
        return (along, across) if self.to_right else (across, along)

    def _point(self, along: float, across: float) -> tuple[float, float]:
        x, y = self._turn(along, across)
        return x + MARGIN, y + MARGIN

    # How large things are.

    def _body(self, item: Item) -> _Body:
        inside = sketch(item.inside, self.to_right) if item.inside is not None else None
        is_round = bool(item.symbol) and not item.params
        if inside is not None:
            width, height = inside.width + PAD, inside.height + LEADING + PAD
        elif is_round:
            width = height = CIRCLE
        else:
            lines = _lines(item)
            width = max(width_of(item.title, LARGE), *(width_of(shown.text) for _, shown in lines), 0.0) + 2 * PAD
            height = LEADING * (1 + len(lines)) + PAD
        ports = _Rows([self._row(None, port.share) for port in item.ports])
        stems = _Rows([self._row(stem.value, stem.grad) for stem in item.stems])
        return _Body(width, height, is_round, ports, stems, inside)

    def _row(self, value: Shown | None, grad: Shown | None) -> _Row:
        """The room that a value and a gradient take beside an edge."""
        wide, high = (max(sizes) for sizes in zip(_extent(value), _extent(grad), strict=True))
        if self.to_right:
            return _Row(wide + 14 if wide else 0.0, max(high, 7.0))
        return _Row(high + 8 if high else 0.0, max(wide + 8, 12.0))

    def _block(self, body: _Body) -> Block:
        along, across = self._turn(body.width, body.height)
        breadth = max(across, body.ports.breadth, body.stems.breadth)
        for rows in (body.ports, body.stems):
            rows.spread(breadth, across, body.is_round)
        length = body.ports.length + along + max(body.stems.length, 12.0)
        return Block(length, breadth, body.ports.places, body.stems.places)

    def _edges(self) -> list[Edge]:
        return [
            Edge(number, place_out, reader, place_in)
            for number, item in enumerate(self.scene.items)
            for place_out, stem in enumerate(item.stems)
            for reader, place_in in self.readers.get(stem.slot, [])
        ]

    # What is drawn.

    def _draw_edges(self, placed: Placed) -> None:
        for edge, line in zip(self._edges(), placed.lines, strict=True):
            body, block = self.bodies[edge.target], placed.blocks[edge.target]
            along, across = line[-1]
            end = block.across + body.ports.ends[edge.in_port]
            inset = body.inset(end, block.across + block.breadth / 2)
            points = [*line, (along + body.ports.longest, across), (along + body.ports.length, end)]
            points.append((along + body.ports.length + inset, end))
            drawn = [self._point(*point) for point in points]
            self.marks.append(Line("edge", 0, str(edge.source), drawn, arrow=True, to_right=self.to_right))

    def _draw_item(self, name: str, item: Item, body: _Body, block: Block) -> None:
        along, across = self._turn(body.width, body.height)
        start, middle = block.along + body.ports.length, block.across + block.breadth / 2
        self._draw_box(name, item, body, *self._point(start, middle - across / 2))
        for port, row, off in zip(item.ports, body.ports.rows, body.ports.places, strict=True):
            begin = block.along + body.ports.longest - row.length
            self._write(name, None, port.share, begin, block.across + off)
        behind, end = start + along, block.along + block.length
        for number, stem in enumerate(item.stems):
            begin, far = (block.across + offs[number] for offs in (body.stems.ends, body.stems.places))
            inset = body.inset(begin, middle)
            self._draw_stem(name, stem, [(behind - inset, begin), (behind, begin)], (end, far), behind)
            self._write(name, stem.value, stem.grad, behind + body.stems.funnel, far)

    def _draw_stem(
        self, name: str, stem: Stem, begin: list[tuple[float, float]], end: tuple[float, float], behind: float
    ) -> None:
        """An output's line, from the brick to the end of its block; a joint where it goes on to several places."""
        readers, leaves = self.readers.get(stem.slot, []), stem.slot in self.scene.outputs
        bend = [begin[-1], (behind + FUNNEL, end[1])] if begin[-1][1] != end[1] else []
        points = [self._point(*point) for point in (*begin[:1], *bend, end)]
        if leaves or readers:
            last = leaves and not readers
            self.marks.append(Line("edge", 0, name, points, arrow=last, to_right=self.to_right))
        if len(readers) + leaves > 1:
            (x, y), size = points[-1], 3.5
            self.marks.append(Rect("joint", 0, name, x - size, y - size, 2 * size, 2 * size, size))

    def _draw_box(self, name: str, item: Item, body: _Body, x: float, y: float) -> None:
        hint = f"{item.title} ({item.where})" + (f"\n{item.about}" if item.about else "")
        role = "box" if item.kind == "layer" else item.kind
        radius = body.height / 2 if body.is_round or item.kind == "input" else 6.0
        self.marks.append(Rect(role, 0, name, x, y, body.width, body.height, radius, hint))
        centre = x + body.width / 2
        if body.inside is not None:
            self.marks.append(Text("title", 0, name, centre, y + LEADING, item.title, "middle", LARGE))
            self.marks += moved(body.inside.marks, x + PAD / 2, y + LEADING + PAD / 2, name)
            return
        title = item.symbol if body.is_round else item.title
        base = y + (body.height / 2 + LARGE * 0.35 if not item.params else LEADING)
        self.marks.append(Text("title", 0, name, centre, base, title, "middle", LARGE))
        for number, (role, shown) in enumerate(_lines(item), start=1):
            base = y + LEADING * (number + 1)
            self.marks.append(Text(role, shown.at, name, x + PAD, base, shown.text))

    def _write(self, name: str, value: Shown | None, grad: Shown | None, along: float, across: float) -> None:
        """Write a value on one side of an edge and a gradient on the other, from `along` on."""
        for role, shown, side in (("value", value, -1), ("grad", grad, 1)):
            if shown is None:
                continue
            wide, high = _thumb(shown)
            x, y = self._point(along, across)
            if self.to_right:
                base = y - 5 if side < 0 else y + LEADING - 2
                self.marks.append(Text(role, shown.at, name, x + 7, base, shown.text))
                top = y - LEADING - 3 - high if side < 0 else y + LEADING + 3
                left = x + 7
            else:
                anchor, left = ("end", x - 7 - wide) if side < 0 else ("start", x + 7)
                base = y + LEADING - 2
                self.marks.append(Text(role, shown.at, name, x + 7 * side, base, shown.text, anchor))
                top = y + LEADING + 3
            if shown.pixels is not None:
                self.marks.append(Picture(role, shown.at, name, left, top, wide, high, shown.pixels))


def _lines(item: Item) -> list[tuple[str, Shown]]:
    """The lines that a brick's parameters take, each with its role."""
    lines = []
    for param in item.params:
        lines.append(("param", param.value))
        if param.grad is not None:
            lines.append(("grad", param.grad))
    return lines


def _thumb(shown: Shown) -> tuple[float, float]:
    """The width and height of a thumbnail: its longer side THUMB, its pixels square unless they are very many."""
    if shown.pixels is None:
        return 0.0, 0.0
    rows, columns = shown.pixels.shape[:2]
    scale = min(THUMB / max(rows, columns), 10.0)
    return max(columns * scale, 6.0), max(rows * scale, 6.0)


def _extent(shown: Shown | None) -> tuple[float, float]:
    """The width and height of a text with its thumbnail."""
    if shown is None:
        return 0.0, 0.0
    wide, high = _thumb(shown)
    return max(width_of(shown.text), wide), LEADING + (high + 6 if high else 0.0)
