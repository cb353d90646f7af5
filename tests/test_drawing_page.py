"""The page that steps through a graph, as a browser shows it. Where there is no Chromium, conftest.py leaves it out."""

import browser
import numpy as np
import pytest
from test_drawing_draw import apples

import brickgrad as bg

# What a reader sees: the numbers that are not hidden, the lit bricks, the panel.
LOOK = """
const look = () => ({
  values: [...document.querySelectorAll("text.value")].filter(seen).map((mark) => mark.textContent),
  grads: [...document.querySelectorAll("text.grad")].filter(seen).map((mark) => mark.textContent),
  lit: document.querySelectorAll(".lit").length,
  way: document.getElementById("way").textContent,
  title: document.getElementById("title").textContent,
  lines: document.getElementById("lines").textContent,
  count: document.getElementById("count").textContent,
  scale: view.scale, x: view.x,
  page: getComputedStyle(document.body).backgroundColor,
});
const seen = (mark) => getComputedStyle(mark).visibility === "visible" && !mark.closest("[hidden]");
const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
"""


def browse(graph, folder, script, size=(900, 700)):
    """What `script`, which ends in a return, gives in a browser that shows the graph's page."""
    graph.draw(folder / "x.html")
    return browser.browse((folder / "x.html").read_text(encoding="utf-8"), folder, f"{LOOK}\n{script}", size)


def test_the_page_steps_through_the_apple_graph_and_shows_the_texts_numbers(tmp_path):
    script = """
    const states = [look()];
    while (!document.getElementById("next").disabled) { document.getElementById("next").click(); states.push(look()); }
    return states;
    """
    start, first, second, turn, back, end = browse(apples(), tmp_path, script)
    assert sorted(start["values"]) == ["1.1", "100", "2"]
    assert start["grads"] == []
    assert (first["way"], first["lit"]) == ("forward", 1)
    assert "200" in first["values"]
    assert "200" in first["lines"]
    assert "220" not in first["values"]
    assert "220" in second["values"]
    assert turn["grads"] == ["1"]
    assert (back["way"], back["lit"]) == ("backward", 1)
    assert sorted(back["grads"]) == sorted(["1", "1.1", "200"])
    assert sorted(end["grads"]) == sorted(["1", "1.1", "200", "2.2", "110"])
    assert "2.2" in end["lines"]
    assert "dy = dz · x = 1.1 · 100 = 110" in end["lines"]
    assert "chain rule: ∂L/∂count = ∂L/∂mul1 · ∂mul1/∂count" in end["lines"]
    assert end["count"] == "6 / 6"


def test_keys_walk_there_and_back_zoom_and_turn_dark(tmp_path):
    script = """
    const start = look();
    press("ArrowRight"); const one = look();
    press("ArrowLeft"); const back = look();
    press("End"); const end = look();
    press("ArrowRight"); const still = look();
    press("Home"); const home = look();
    press("+"); const larger = look();
    press("0"); const fitted = look();
    press("d"); const other = look();
    return {start, one, back, end, still, home, larger, fitted, other};
    """
    found = browse(apples(), tmp_path, script)
    assert found["start"] == found["back"] == found["home"] == found["fitted"]
    assert found["one"]["count"] == "2 / 6"
    assert found["end"] == found["still"]
    assert found["larger"]["scale"] > found["start"]["scale"]
    assert found["other"]["page"] != found["start"]["page"]


def test_the_picture_moves_with_the_pointer(tmp_path):
    script = """
    const stage = document.getElementById("stage"), before = look();
    const point = (kind, x) => stage.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: x, clientY: 50 }));
    point("pointerdown", 100); point("pointermove", 130); point("pointerup", 130); point("pointermove", 200);
    return [before.x, look().x];
    """
    before, after = browse(apples(), tmp_path, script)
    assert after == pytest.approx(before + 30)


def test_on_a_phone_nothing_runs_off_the_screen_and_buttons_are_large(tmp_path):
    script = """
    const tops = [...document.querySelectorAll("nav button")].filter((button) => button.offsetParent);
    return { width: innerWidth, wide: document.documentElement.scrollWidth,
             heights: tops.map((button) => button.getBoundingClientRect().height),
             right: Math.max(...tops.map((button) => button.getBoundingClientRect().right)),
             panel: document.getElementById("panel").getBoundingClientRect().right };
    """
    found = browse(apples(), tmp_path, script, size=(390, 844))
    assert found["width"] == 390
    assert max(found["wide"], found["right"], found["panel"]) <= 390
    assert min(found["heights"]) >= 36


@pytest.mark.parametrize("size", [(390, 844), (1200, 800)], ids=["phone", "desktop"])
def test_what_is_long_can_be_read_and_the_lit_brick_is_in_sight(size, tmp_path):
    x = node = bg.Input("x", (6,))
    for _ in range(15):
        node = bg.Tanh()(bg.Affine(6, 6, rng=0)(node))
    graph = bg.Graph(x, node)
    graph.forward(np.ones((2, 6)))
    graph.backward(np.ones((2, 6)))
    script = """
    const found = [];
    for (let step = 0; step < 61; step++) {
      press("ArrowRight");
      const box = [...document.querySelectorAll(".lit")].find(seen);
      if (!box) continue;
      const room = document.getElementById("stage").getBoundingClientRect(), at = box.getBoundingClientRect();
      found.push(at.left >= room.left && at.right <= room.right && at.top >= room.top && at.bottom <= room.bottom);
    }
    return { found, scale: view.scale };
    """
    found = browse(graph, tmp_path, script, size)
    assert found["found"] == [True] * 60
    assert found["scale"] >= 0.75


def test_graphs_inside_open_and_close(tmp_path):
    u = bg.Input("u", (3,))
    encoder = bg.Graph(u, bg.ReLU(name="inmost")(bg.Affine(3, 2, rng=0)(u)), name="encoder")
    x = bg.Input("x", (3,))
    graph = bg.Graph(x, bg.Affine(2, 2, rng=0)(encoder(x)))
    graph.forward(np.ones((1, 3)))
    graph.backward(np.ones((1, 2)))
    script = """
    const names = () => [...document.querySelectorAll("text.title")].filter(seen).map((mark) => mark.textContent);
    const open = names(); press("o"); const closed = names();
    const box = [...document.querySelectorAll("rect.graph")].find(seen);
    box.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    return [open, closed, names()];
    """
    opened, closed, again = browse(graph, tmp_path, script)
    assert "ReLU[inmost]" in opened
    assert "ReLU[inmost]" not in closed
    assert "Graph[encoder]" in closed
    assert again == opened


def test_before_backward_the_page_says_that_there_is_no_gradient_yet(tmp_path):
    graph = apples()
    graph.forward(100.0, 2.0, 1.1)
    script = "press('End'); return look();"
    found = browse(graph, tmp_path, script)
    assert found["grads"] == []
    assert found["title"] == "No gradients yet"
