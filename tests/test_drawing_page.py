"""The page that steps through a graph, as a browser shows it: Chromium, where there is one."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import brickgrad as bg

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

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


def apples():
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    graph = bg.Graph([apple, count, tax], apple * count * tax)
    graph.forward(100.0, 2.0, 1.1)
    graph.backward(1.0)
    return graph


def browse(graph, folder, script, size="900,700"):
    """What `script`, which ends in an expression, gives in a browser that shows the graph's page."""
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    graph.draw(folder / "x.html")
    page = (folder / "x.html").read_text(encoding="utf-8")
    asked = f"{LOOK}\ndocument.title = 'found' + JSON.stringify((() => {{ {script} }})());"
    wrong = "window.onerror = (text) => { document.title = 'error ' + text; };"
    page = page.replace("<body>", f"<body><script>{wrong}</script>").replace(
        "</body>", f"<script>{asked}</script></body>"
    )
    (folder / "asked.html").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", *QUIET, f"--user-data-dir={folder / 'profile'}", f"--window-size={size}", "--dump-dom",
         (folder / "asked.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]
    assert title.startswith("found"), title
    return json.loads(title.removeprefix("found").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


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
             right: Math.max(...tops.map((button) => button.getBoundingClientRect().right)) };
    """
    found = browse(apples(), tmp_path, script, size="500,800")
    assert found["wide"] <= found["width"]
    assert found["right"] <= found["width"]
    assert min(found["heights"]) >= 36


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


def test_the_page_is_one_file_that_fetches_nothing(tmp_path):
    apples().draw(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
