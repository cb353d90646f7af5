"""plot_digits: what stands where on the page, and what is refused."""

import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from brickgrad.datasets import load_mnist, plot_digits

RED = "#c81e1e"


@pytest.fixture
def images():
    return np.random.default_rng(0).random((7, 4, 4))


def captions(figure):
    return [axes.get_title() for axes in figure.axes]


def shown(figure):
    return np.array([axes.images[0].get_array() for axes in figure.axes])


def is_framed(axes):
    return all(same_color(spine.get_edgecolor(), RED) and spine.get_linewidth() > 2 for spine in axes.spines.values())


@pytest.mark.parametrize("shape", [(7, 16), (7, 4, 4), (7, 1, 4, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_plot_digits_each_form_of_images_is_drawn_in_order(images, shape, dtype):
    pictures = (images * 200).astype(dtype)
    given = pictures.reshape(shape)
    before = given.copy()
    figure = plot_digits(given)
    assert isinstance(figure, Figure)
    np.testing.assert_array_equal(shown(figure), pictures)
    np.testing.assert_array_equal(given, before)
    assert captions(figure) == [""] * 7


def test_plot_digits_single_flat_image_is_drawn(images):
    np.testing.assert_array_equal(shown(plot_digits(images[0].reshape(16))), images[:1])


def test_plot_digits_images_that_are_not_square_are_drawn():
    pictures = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(shown(plot_digits(pictures)), pictures)


def test_plot_digits_labels_stand_above(images):
    labels = [5, 0, 4, 1, 9, 2, 1]
    expected = [str(label) for label in labels]
    for form in labels, np.array(labels, np.uint8), np.eye(10)[labels], np.eye(10, dtype=int)[labels]:
        assert captions(plot_digits(images, form)) == expected


def test_plot_digits_predictions_alone_are_called_so(images):
    predictions = np.array([5, 0, 4, 1, 9, 2, 1])
    scores = np.eye(10)[predictions] * 3 - 1
    for form in predictions, scores:
        figure = plot_digits(images, predictions=form)
        assert captions(figure) == [f"pred {number}" for number in predictions]
        assert not any(is_framed(axes) for axes in figure.axes)


def test_plot_digits_only_wrong_predictions_are_marked_red(images):
    figure = plot_digits(images, [5, 0, 4, 1, 9, 2, 1], [5, 3, 4, 1, 9, 2, 7])
    assert captions(figure) == ["5", "pred 3 (is 0)", "4", "1", "9", "2", "pred 7 (is 1)"]
    for index, axes in enumerate(figure.axes):
        wrong = index in (1, 6)
        assert is_framed(axes) is wrong
        assert same_color(axes.title.get_color(), RED if wrong else "black")


@pytest.mark.parametrize(("columns", "rows", "across"), [(10, 1, 7), (3, 3, 3), (1, 7, 1), (np.int64(7), 1, 7)])
def test_plot_digits_columns_make_the_grid_without_overlap(images, columns, rows, across):
    figure = plot_digits(images, range(7), columns=columns, title="Seven")
    figure.canvas.draw()
    boxes = [axes.get_position() for axes in figure.axes]
    lefts, bottoms = (
        {round(float(edge), 6) for edge in edges} for edges in zip(*(box.p0 for box in boxes), strict=True)
    )
    assert (len(bottoms), len(lefts)) == (rows, across)
    # Left to right, then down; image and caption together stay clear of all others and on the page.
    assert [(-round(box.y0, 6), round(box.x0, 6)) for box in boxes] == sorted(
        (-round(b.y0, 6), round(b.x0, 6)) for b in boxes
    )
    tight = [axes.get_tightbbox() for axes in figure.axes] + [figure.texts[0].get_window_extent()]
    for index, box in enumerate(tight):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in tight[:index])


def test_plot_digits_title_stands_on_the_page_however_long(images):
    title = "One image, and a title that is much wider than the image itself"
    figure = plot_digits(images[:1], title=title)
    figure.canvas.draw()
    assert figure.get_suptitle() == title
    box = figure.texts[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    image = figure.axes[0].get_position()
    assert image.x0 + image.x1 == pytest.approx(1)  # in the middle below it
    assert plot_digits(images).get_suptitle() == ""


def test_plot_digits_page_is_no_wider_than_its_images(images):
    assert plot_digits(images[:2], columns=10).get_figwidth() == plot_digits(images, columns=2).get_figwidth()


def test_plot_digits_all_images_share_one_scale_and_large_is_dark():
    pictures = np.array([[0.0, 0.5], [-1.0, 2.0]]).reshape(2, 1, 2)
    figure = plot_digits(pictures)
    assert [axes.images[0].get_clim() for axes in figure.axes] == [(-1, 2), (-1, 2)]
    assert plot_digits(np.full((1, 4), 100, np.uint8)).axes[0].images[0].get_clim() == (0, 255)
    shades = figure.axes[1].images[0].to_rgba(pictures[1])[0, :, 0]
    assert shades.tolist() == [1.0, 0.0]


def test_plot_digits_a_page_of_mnist_is_saved_as_a_picture(tmp_path):
    _, (x_test, t_test) = load_mnist()
    plot_digits(x_test[:20], t_test[:20], title="MNIST").savefig(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_plot_digits_needs_and_leaves_no_pyplot():
    script = (
        "import sys, numpy\n"
        "from brickgrad.datasets import plot_digits\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plot_digits(numpy.zeros((3, 16)))\n"
        "assert 'matplotlib.figure' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_plot_digits_without_matplotlib_says_how_to_install_it(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    expected = "plot_digits: needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
    with pytest.raises(ImportError, match=re.escape(expected)):
        plot_digits(images)


# ---- what is refused


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((3, 15)), "got (3, 15). For a single image write images[np.newaxis]."),
        (np.zeros((28, 28)), "got (28, 28). For a single image write images[np.newaxis]."),
        (np.zeros((2, 3, 4, 4)), "(N, H, W) or (N, 1, H, W); got (2, 3, 4, 4)."),
        (np.zeros((1, 1, 1, 4, 4)), "got (1, 1, 1, 4, 4)."),
        (1.5, "got ()."),
        (np.zeros((0, 16)), "hold at least one image; got (0, 16)."),
        (np.zeros((2, 0)), "hold at least one image; got (2, 0)."),
        (np.zeros((1001, 4)), "be at most 1000 to a page; got 1001."),
        ([[1.0, 2.0], [1.0]], "be an array, or rows of equal length; got neither."),
        ([[0.0, np.nan, np.inf, 1.0]], "be finite; 2 values are not."),
    ],
)
def test_plot_digits_images_of_a_wrong_shape_are_refused(given, words):
    with pytest.raises(ValueError, match="^plot_digits: images must .*" + re.escape(words)):
        plot_digits(given)


@pytest.mark.parametrize(("given", "got"), [(["five"], "<U4"), (np.zeros((1, 4), bool), "bool"), (None, "object")])
def test_plot_digits_images_that_are_no_numbers_are_refused(given, got):
    with pytest.raises(TypeError, match=rf"plot_digits: images must hold numbers, uint8 or float; got {got}\."):
        plot_digits(given)


@pytest.mark.parametrize("name", ["labels", "predictions"])
@pytest.mark.parametrize("shape", [(6,), (8,), (), (6, 10), (7, 1), (7, 0), (7, 2, 2)])
def test_plot_digits_numbers_of_a_wrong_shape_are_refused(images, name, shape):
    expected = f"plot_digits: {name} must be (7,), or (7, classes) with 2 classes at least, for 7 images; got {shape}."
    with pytest.raises(ValueError, match=re.escape(expected)):
        plot_digits(images, **{name: np.zeros(shape, int)})


@pytest.mark.parametrize("name", ["labels", "predictions"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros(7), "be whole numbers, or rows of scores; got float64 with shape (7,)."),
        (["a"] * 7, "hold numbers; got <U1 with shape (7,)."),
        (np.zeros((7, 2), bool), "hold numbers; got bool with shape (7, 2)."),
    ],
)
def test_plot_digits_numbers_of_a_wrong_kind_are_refused(images, name, given, words):
    with pytest.raises(TypeError, match=re.escape(f"plot_digits: {name} must {words}")):
        plot_digits(images, **{name: given})


@pytest.mark.parametrize("columns", [0, -3, 2.0, "3", None, True])
def test_plot_digits_columns_outside_their_domain_are_refused(images, columns):
    expected = f"plot_digits: columns must be an integer, at least 1; got {columns!r}."
    with pytest.raises(ValueError, match=re.escape(expected)):
        plot_digits(images, columns=columns)
