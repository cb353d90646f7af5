"""The stepper: one HTML page that walks through a graph, forward and then backward, with the live numbers."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from .marks import escape
from .scene import Scene, scene_of
from .sketch import sketch
from .svg import COLOURS, STYLE, body
from .walk import walk

if TYPE_CHECKING:
    from brickgrad.graph.graph import Graph


def to_html(graph: Graph, nested: bool = True, to_right: bool | None = None) -> str:
    """The whole page: nothing in it is fetched from anywhere.

    Where graphs stand in the graph there are two sheets, their boxes closed and open; `nested` says which comes first.
    """
    closed = scene_of(graph, nested=False)
    scenes = [closed]
    if any(item.kind == "graph" for item in closed.items):
        scenes.insert(0 if nested else 1, scene_of(graph, nested=True))
    files = resources.files("brickgrad.drawing")
    light, dark = (";".join(f"--{name}:{pair[mode]}" for name, pair in COLOURS.items()) for mode in (0, 1))
    parts = {
        "TITLE": escape(graph.title),
        "STYLE": f":root {{{light}}} :root.dark {{{dark}}}{STYLE}"
        + files.joinpath("stepper.css").read_text(encoding="utf-8"),
        "SHEETS": "\n".join(_sheet(scene, to_right) for scene in scenes),
        "STATES": json.dumps([state.plain() for state in walk(graph, closed)], ensure_ascii=False).replace(
            "<", "\\u003c"
        ),
        "SCRIPT": files.joinpath("stepper.js").read_text(encoding="utf-8"),
    }
    page, *rest = files.joinpath("stepper.html").read_text(encoding="utf-8").split("{{")
    for part in rest:  # piece by piece, so that nothing that is put in is looked at again
        name, after = part.split("}}", 1)
        page += parts[name] + after
    return page


def _sheet(scene: Scene, to_right: bool | None) -> str:
    scene.remark = ""
    sheet = sketch(scene, to_right)
    return f'<g class="sheet" data-width="{sheet.width:.0f}" data-height="{sheet.height:.0f}">{body(sheet)}</g>'
