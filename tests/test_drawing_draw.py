"""Graphs drawn: what stands on every edge, in what order it appears, and files written whole or not at all."""

import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.drawing.marks import Line, Picture, Rect, Text, width_of
from brickgrad.drawing.scene import scene_of
from brickgrad.drawing.sketch import sketch
from brickgrad.drawing.thumbnails import png, thumbnail

RNG = np.random.default_rng(0)


def apples(run=True):
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    graph = bg.Graph([apple, count, tax], apple * count * tax)
    if run:
        graph.forward(100.0, 2.0, 1.1)
        graph.backward(1.0)
    return graph


def residual():
    x = bg.Input("x", (6,))
    h = bg.ReLU()(bg.Affine(6, 6, rng=0, name="enc")(x))
    graph = bg.Graph(x, bg.Affine(6, 6, rng=1)(h) + h)
    graph.forward(RNG.normal(size=(3, 6)))
    graph.backward(np.ones((3, 6)))
    return graph


def nested():
    u = bg.Input("u", (6,))
    encoder = bg.Graph(u, bg.ReLU()(bg.Affine(6, 4, rng=0)(u)), name="encoder")
    x = bg.Input("x", (6,))
    graph = bg.Graph(x, bg.Affine(4, 2, rng=0)(encoder(x)))
    graph.forward(RNG.normal(size=(3, 6)))
    graph.backward(np.ones((3, 2)))
    return graph


def texts(graph, role, **options):
    return [
        mark.text for mark in sketch(scene_of(graph, **options)).marks if isinstance(mark, Text) and mark.role == role
    ]


def test_the_apple_graph_shows_the_texts_numbers():
    graph = apples()
    assert sorted(texts(graph, "value")) == sorted(["100", "2", "1.1", "200", "220"])
    assert sorted(texts(graph, "grad")) == sorted(["2.2", "110", "200", "1.1", "1"])
    assert texts(graph, "title") == ["apple", "count", "tax", "×", "×"]


def test_the_apple_and_orange_graph_shows_the_texts_numbers():
    names = ("apple", "apple count", "orange", "orange count", "tax")
    a, na, o, no, tax = (bg.Input(name) for name in names)
    graph = bg.Graph([a, na, o, no, tax], (a * na + o * no) * tax)
    graph.forward(100.0, 2.0, 150.0, 3.0, 1.1)
    graph.backward(1.0)
    assert {"200", "450", "650", "715"} < set(texts(graph, "value"))
    assert sorted(texts(graph, "grad")) == sorted(["2.2", "110", "3.3", "165", "650", "1.1", "1.1", "1.1", "1"])


def test_fan_out_is_shown_as_a_sum():
    x, y = bg.Input("x"), bg.Input("y")
    t = x + y
    graph = bg.Graph([x, y], t * t)
    graph.forward(2.0, 3.0)
    graph.backward(1.0)
    assert sorted(texts(graph, "grad")) == sorted(["10", "10", "5 + 5 = 10", "5", "5", "1"])
    assert sum(isinstance(mark, Rect) and mark.role == "joint" for mark in sketch(scene_of(graph)).marks) == 1
    assert any(text.startswith("Σ (3, 6)") for text in texts(residual(), "grad"))


def test_before_a_run_it_says_so_and_shows_no_zeros():
    graph = apples(run=False)
    assert texts(graph, "value") == texts(graph, "grad") == []
    assert texts(graph, "remark") == ["No values yet: call forward first."]
    graph.forward(100.0, 2.0, 1.1)
    assert "220" in texts(graph, "value")
    assert texts(graph, "grad") == []
    assert texts(graph, "remark") == ["No gradients yet: call backward first."]


def test_values_and_grads_can_be_left_out():
    assert texts(apples(), "value", values=False) == []
    assert texts(apples(), "grad", values=False) != []
    assert texts(apples(), "grad", grads=False) == []
    assert texts(apples(), "remark", grads=False) == []


def test_a_graph_that_keeps_nothing_says_how_to_keep_it():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.ReLU()(x), keep=False)
    graph.forward(1.0)
    assert texts(graph, "remark") == ["This graph keeps no values: build it with keep=True."]


def test_a_graph_that_never_ran_shows_the_shapes_it_knows():
    x = bg.Input("x", (6,))
    assert texts(bg.Graph(x, bg.Affine(6, 4, rng=0)(x)), "value") == ["(N, 6)", "(N, 4)"]


def test_parameters_stand_at_their_layer_with_their_gradients():
    graph = residual()
    assert [text.split(" ")[0] for text in texts(graph, "param")] == ["W", "b", "W", "b"]
    assert sum(text.startswith("dW") for text in texts(graph, "grad")) == 2


def test_arrays_show_shape_range_and_a_thumbnail():
    graph = residual()
    assert any(re.fullmatch(r"\(3, 6\)  -?[\d.]+ … [\d.]+", text) for text in texts(graph, "value"))
    pictures = [mark for mark in sketch(scene_of(graph)).marks if isinstance(mark, Picture)]
    assert {mark.pixels.shape for mark in pictures} == {(3, 6, 3)}


def test_nested_graphs_are_boxes_that_open():
    graph = nested()
    assert "u" in texts(graph, "title")
    assert "Graph[encoder]" in texts(graph, "title")
    assert "u" not in texts(graph, "title", nested=False)
    scene = scene_of(graph)
    box = next(item for item in scene.items if item.kind == "graph")
    inner = next(item for item in box.inside.items if item.kind == "layer")
    assert inner.stems[0].value is not None
    assert inner.params[0].grad.at == 2 * 2 + 1 - 0


def test_everything_lies_on_the_sheet_and_no_writing_over_other_writing():
    for graph in (apples(), residual(), nested()):
        for to_right in (True, False):
            sheet = sketch(scene_of(graph), to_right)
            boxes = []
            for mark in sheet.marks:
                if isinstance(mark, Text):
                    left = mark.x - {"start": 0, "middle": 0.5, "end": 1}[mark.anchor] * width_of(mark.text, mark.size)
                    boxes.append((left, mark.y - mark.size * 0.75, left + width_of(mark.text, mark.size), mark.y))
                elif isinstance(mark, Picture):
                    boxes.append((mark.x, mark.y, mark.x + mark.width, mark.y + mark.height))
                elif isinstance(mark, Line):
                    assert all(0 <= x <= sheet.width and 0 <= y <= sheet.height for x, y in mark.points)
            for number, (x, y, far, low) in enumerate(boxes):
                assert 0 <= x <= far <= sheet.width
                assert 0 <= y <= low <= sheet.height
                for other in boxes[number + 1 :]:
                    assert far <= other[0] or other[2] <= x or low <= other[1] or other[3] <= y


def test_what_would_be_too_wide_runs_down_the_page():
    assert sketch(scene_of(apples())).width > sketch(scene_of(apples())).height
    sheet = sketch(scene_of(residual()))
    assert sheet.height > sheet.width
    assert sketch(scene_of(residual()), to_right=True).width > 1000


@pytest.mark.parametrize("make", [apples, residual, nested])
def test_draw_writes_svg_that_is_xml_and_fetches_nothing(make, tmp_path):
    make().draw(tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    addresses = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert [file.name for file in tmp_path.iterdir()] == ["x.svg"]


def test_names_are_escaped(tmp_path):
    x = bg.Input('<b>&"x"')
    graph = bg.Graph(x, bg.ReLU(name="</svg>")(x))
    for kind in ("svg", "html"):
        graph.draw(tmp_path / f"x.{kind}")
    ET.fromstring((tmp_path / "x.svg").read_text(encoding="utf-8"))
    assert "<b>" not in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_draw_writes_png(tmp_path):
    pytest.importorskip("matplotlib")
    apples().draw(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    first = (tmp_path / "x.png").read_bytes()
    apples().draw(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == first


def test_draw_of_a_png_without_matplotlib_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'brickgrad\[plot\]'"):
        apples().draw(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_draw_refuses_other_kinds_of_file(tmp_path):
    with pytest.raises(ValueError, match=r"Graph.draw: path must end in .svg, .png, .html; got .*x.gif"):
        apples().draw(tmp_path / "x.gif")


def test_draw_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "x.svg"
    file.write_text("before", encoding="utf-8")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        apples().draw(file)
    assert file.read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["x.svg"]


def test_drawing_changes_nothing(tmp_path):
    graph = residual()
    before = {name: param.copy() for name, param in graph.params.items()}, graph.saved
    graph.draw(tmp_path / "x.html")
    assert graph.saved is before[1]
    for name, param in graph.params.items():
        np.testing.assert_array_equal(param, before[0][name])


def test_notebooks_show_the_picture():
    ET.fromstring(apples()._repr_html_())


def test_a_net_draws_itself_with_a_batch_and_is_left_as_it_was(tmp_path):
    net = bg.TwoLayerNet(6, 5, 3, rng=0)
    grads = net.grad_vector.copy()
    net.draw(tmp_path / "empty.svg")
    assert "No values yet" in (tmp_path / "empty.svg").read_text(encoding="utf-8")
    net.draw(tmp_path / "x.svg", RNG.normal(size=(4, 6)).astype(np.float32), np.array([0, 1, 2, 0]))
    assert "(4, 5)" in (tmp_path / "x.svg").read_text(encoding="utf-8")
    np.testing.assert_array_equal(net.grad_vector, grads)
    assert net.graph.keep is False


def test_thumbnails_show_the_sign_and_bound_their_size():
    pixels = thumbnail(np.array([[-2.0, 0.0, 2.0], [1.0, -1.0, 0.5]]))
    assert pixels.shape == (2, 3, 3)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]
    assert pixels[0, 2, 0] > pixels[0, 2, 2]
    assert tuple(pixels[0, 1]) == (247, 247, 247)
    assert max(thumbnail(np.ones((1000, 3000))).shape) <= 40
    assert thumbnail(np.zeros((2, 4, 3, 3))).shape == (6, 6, 3)
    assert thumbnail(np.ones(3)) is None


def test_png_of_pixels_reads_back():
    image = pytest.importorskip("matplotlib.image")
    import io

    pixels = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    found = image.imread(io.BytesIO(png(pixels)))
    np.testing.assert_array_equal(np.round(found * 255).astype(np.uint8), pixels)


def test_a_net_of_thirty_layers_stays_narrow():
    layers = [bg.Affine(20, 20, rng=0) if number % 2 == 0 else bg.ReLU() for number in range(30)]
    net = bg.Sequential(*layers)
    net.graph.keep = True
    net.graph.forward(RNG.normal(size=(4, 20)), np.array([0, 1, 2, 3]))
    net.graph.backward()
    sheet = sketch(scene_of(net.graph))
    assert sheet.width < 700
    assert sheet.height < 160 * 31


def test_gradients_of_parameters_are_those_of_the_drawn_run_and_of_each_place(tmp_path):
    affine = bg.Affine(2, 2, init=1.0, dtype=np.float64)
    affine.params["W"] = np.ones((2, 2))
    x = bg.Input("x")
    one, other = bg.Graph(x, affine(x)), bg.Graph(x, bg.Tanh()(affine(x)))
    ones = np.ones((1, 2))
    one.forward(ones)
    one.backward(ones)
    other.forward(ones)
    other.backward(100 * ones)
    assert "dW 1 … 1" in one._repr_html_()
    twice = bg.Graph(x, affine(affine(x)))
    twice.forward(ones)
    twice.backward(ones)
    assert "dW 2 … 2" in twice._repr_html_()  # the same at both places here: 1 · 2 and 2 · 1; not 4, their sum


@pytest.mark.parametrize("name", ["a\x1bb", "a\x00b", "a\x0bb", "\ufffe", "\ud800"])
def test_names_that_no_xml_may_hold_are_drawn_all_the_same(tmp_path, name):
    x = bg.Input(name)
    graph = bg.Graph(x, bg.Tanh()(x))
    ET.fromstring(graph._repr_html_())
    for suffix in ("svg", "html"):
        graph.draw(tmp_path / f"x.{suffix}")


def test_thumbnail_shows_what_is_not_finite_and_the_largest_numbers():
    x = np.ones((3, 4))
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.inf, -np.inf
    pixels = thumbnail(x)
    assert [tuple(pixels[k, k]) for k in range(3)] == [(20, 20, 20)] * 3
    assert tuple(pixels[0, 1]) == (214, 96, 20)
    assert tuple(thumbnail(np.full((100, 100), 1e308))[5, 5]) == (214, 96, 20)
    assert tuple(thumbnail(np.full((3, 3), np.inf))[0, 0]) == (20, 20, 20)
    assert tuple(thumbnail(np.zeros((3, 3)))[0, 0]) == (247, 247, 247)


def test_a_folder_that_is_not_there_is_named_by_the_file_that_was_asked_for(tmp_path):
    x = bg.Input("x")
    path = tmp_path / "none" / "x.svg"
    with pytest.raises(FileNotFoundError) as info:
        bg.Graph(x, bg.Tanh()(x)).draw(path)
    assert str(path) in str(info.value)
    assert "unfinished" not in str(info.value)
    (tmp_path / "x.svg").mkdir()
    with pytest.raises(OSError, match=r"x\.svg'$") as info:
        bg.Graph(x, bg.Tanh()(x)).draw(tmp_path / "x.svg")
    assert "unfinished" not in str(info.value)


def test_the_page_is_one_file_that_fetches_nothing(tmp_path):
    apples().draw(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
