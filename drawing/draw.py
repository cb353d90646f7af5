"""The door: a graph drawn to a file, of the kind that the file's name says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from brickgrad.files.whole import write_whole

from .page import to_html
from .raster import to_png
from .scene import scene_of
from .sketch import sketch
from .svg import to_svg

if TYPE_CHECKING:
    from brickgrad.graph.graph import Graph

KINDS = (".svg", ".png", ".html")


def draw(
    graph: Graph, path: str | os.PathLike[str], values: bool, grads: bool, nested: bool, to_right: bool | None
) -> None:
    """Write the picture whole, or not at all."""
    file = Path(path)
    kind = file.suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"{graph.title}.draw: path must end in {', '.join(KINDS)}; got {os.fspath(path)!r}.")
    if kind == ".html":
        content = to_html(graph, nested, to_right).encode()
    else:
        sheet = sketch(scene_of(graph, values, grads, nested), to_right)
        content = to_png(sheet) if kind == ".png" else to_svg(sheet, graph.title).encode()
    write_whole(file, [content])


def inline(graph: Graph) -> str:
    """The picture for a notebook's page."""
    return to_svg(sketch(scene_of(graph)), graph.title)
