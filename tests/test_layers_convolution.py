"""Convolution and its inner loops: values by hand, the texts' im2col, the memory that columns take, and errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brickgrad as bg
from brickgrad.layers import columns, correlation, layout, rows
from brickgrad.layers.turned import turned

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 3, 6, 7))


def convolve(x, **options):
    layer = bg.Convolution(4, x.shape[1], 3, 2, dtype=np.float64, rng=0, **options)
    y = layer.forward(x)
    dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
    return y, dx, layer.grads["W"].copy()


def test_convolution_adds_up_windows_times_kernel():
    layer = bg.Convolution(1, 1, 2, 2, init=lambda rng, shape: np.arange(4.0).reshape(shape), dtype=np.float64)
    layer.params["b"] = [10.0]
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    assert layer.forward(x).tolist() == [[[[29.0, 35.0], [47.0, 53.0]]]]
    dx = layer.backward(np.array([[[[1.0, 0.0], [0.0, 2.0]]]]))
    assert dx.tolist() == [[[[0.0, 1.0, 0.0], [2.0, 3.0, 2.0], [0.0, 4.0, 6.0]]]]
    assert layer.grads["W"].tolist() == [[[[8.0, 11.0], [17.0, 20.0]]]]
    assert layer.grads["b"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (4, 5)),
        ({"pad": "valid"}, (4, 5)),
        ({"pad": "same"}, (6, 6)),
        ({"pad": "same", "stride": 2}, (3, 3)),
        ({"pad": ((1, 0), (0, 2))}, (5, 7)),
        ({"stride": (2, 3)}, (2, 2)),
        ({"dilation": (2, 3)}, (2, 3)),
    ],
    ids=str,
)
def test_convolution_gives_as_many_windows_as_fit(options, shape):
    y, _, _ = convolve(IMAGES[..., :6], **options)
    assert y.shape == (2, 4, *shape)


def allow(patch, n_bytes, products=layout.LARGEST_PRODUCT):
    """Let a block of convolution take so much memory, and its products so many multiply-adds."""
    for module in (columns, correlation, layout):
        patch.setattr(module, "COLUMN_BYTES", n_bytes)
    patch.setattr(layout, "LARGEST_PRODUCT", products)
    patch.setattr(rows, "layout_of", layout.layout_of.__wrapped__)  # which has not kept those of before


@pytest.mark.parametrize("budget", [1, 700, 5000])
@pytest.mark.parametrize("options", [{"pad": 1}, {"stride": 2}, {"dilation": 2, "pad": 2}], ids=str)
def test_convolution_gives_the_same_whatever_memory_columns_may_take(monkeypatch, options, budget):
    expected = convolve(IMAGES, **options)
    allow(monkeypatch, budget)
    for one, other in zip(convolve(IMAGES, **options), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@given(st.data())
def test_convolution_gives_the_same_whether_windows_share_their_columns(data):
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    size, stride, dilation = data.draw(pair, "size"), data.draw(pair, "stride"), data.draw(pair, "dilation")
    pad = (data.draw(pair, "rows of zeros"), data.draw(pair, "columns of zeros"))
    groups = data.draw(st.integers(1, 2), "groups")
    image = [data.draw(st.integers((s - 1) * d + 1, 9), "side") for s, d in zip(size, dilation, strict=True)]
    x = np.random.default_rng(1).normal(size=(data.draw(st.integers(0, 4), "images"), 3 * groups, *image))
    found = []
    for fewest in (1, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(correlation, "FEWEST_ROWS", fewest)
            patch.setattr(correlation, "FEWEST_CHANNELS", fewest)
            budget, products = st.sampled_from([1, 2000, 1 << 20]), st.sampled_from([1, 500, 10**6])
            allow(patch, data.draw(budget, "budget"), data.draw(products, "products"))
            layer = bg.Convolution(
                2 * groups, *x.shape[1:2], *size, stride=stride, pad=pad, dilation=dilation, groups=groups, rng=0,
                dtype=np.float64,
            )  # fmt: skip
            y = layer.forward(x)
            found.append((y, layer.backward(np.cos(np.arange(y.size)).reshape(y.shape)), layer.grads["W"]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)  # sums of some hundred terms in another order


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("size", "stride", "pad", "image"),
    [
        ((3, 3), (2, 2), 1, (9, 8)),
        ((3, 2), (2, 3), (1, 0), (8, 11)),  # columns between windows that none of them meets
        ((5, 4), (3, 2), ((2, 1), (1, 2)), (11, 10)),
        ((1, 1), (2, 2), 0, (5, 4)),
        ((3, 3), (2, 2), 1, (5, 1)),  # the kernels' first and last columns meet nothing but padding
    ],
    ids=str,
)
def test_convolution_with_strides_goes_back_by_convolutions_as_by_shares(size, stride, pad, image, groups, monkeypatch):
    layer = bg.Convolution(4, 2 * groups, *size, stride=stride, pad=pad, groups=groups, rng=0, dtype=np.float64)
    x = np.random.default_rng(1).normal(size=(3, 2 * groups, *image))
    assert turned(layer.windows.on("x", x.shape)) is not None
    monkeypatch.setattr(correlation, "MOST_CONVOLUTIONS", 25)
    found = []
    for fewest in (1, 10**6):
        monkeypatch.setattr(correlation, "FEWEST_ROWS", fewest)
        monkeypatch.setattr(correlation, "FEWEST_CHANNELS", fewest)
        dy = np.cos(np.arange(layer.forward(x).size)).reshape(layer.forward(x).shape)
        found.append((layer.backward(dy), layer.grads["W"].copy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("stride", [4, 10**8])
def test_convolution_with_large_strides_keeps_little_in_a_workspace(stride):
    layer = bg.Convolution(8, 8, 4, 4, stride=stride, rng=0)
    layer.memory.arrays = {}
    y = layer.forward(np.ones((200, 8, 48, 48), np.float32))
    layer.backward(y.copy())
    kept = sum(array.nbytes for name, array in layer.memory.arrays.items() if name not in ("y", "dx"))
    assert kept < 6 * columns.COLUMN_BYTES


@pytest.mark.parametrize("fewest", [1, 10**6], ids=["rows", "columns"])
@pytest.mark.parametrize("wants", [True, False], ids=["with dx", "without"])
def test_convolution_keeps_an_entry_that_no_window_meets_out_of_its_gradient(fewest, wants, monkeypatch):
    monkeypatch.setattr(correlation, "FEWEST_ROWS", fewest)
    layer = bg.Convolution(2, 8, 2, 2, stride=2, rng=0)
    layer.memory.wanted = (wants,)
    x = np.ones((2, 8, 5, 5), np.float32)
    x[:, :, 4], x[:, :, :, 4] = np.nan, np.inf
    layer.backward(np.ones_like(layer.forward(x)))
    np.testing.assert_array_equal(layer.grads["W"], 8.0)  # 2 images of 2 x 2 windows


@pytest.mark.parametrize("kind", [columns.Columns, rows.Rows])
@pytest.mark.parametrize("stride", [1, 3])
def test_blocks_never_take_more_than_their_budget(kind, stride):
    taken = {}

    def buffer(name, shape, dtype):
        array = np.empty(shape, dtype)
        taken[name] = array.nbytes
        return array

    layer = bg.Convolution(16, 32, 3, 3, stride=stride, pad=1, rng=0)
    grid = layer.windows.on("Convolution", (100, 32, 28, 28))
    x, kernels = np.zeros((100, 32, 28, 28), np.float32), layer.params["W"]
    blocks, y = kind(x, 16, grid, 1, buffer), np.empty((100, 16, *grid.out), np.float32)
    for place, block in blocks:
        blocks.multiply(blocks.kernels(kernels), block, y[place])
    tail = 32 * 30 * 2 * 4  # what the last window of each row reads beyond it
    assert max(taken.values()) <= columns.COLUMN_BYTES + tail, taken


@pytest.mark.parametrize(
    ("channels", "size", "image"),
    [(64, 3, (600, 3)), (128, 3, (9, 9)), (512, 1, (7, 7))],
    ids=["of many rows", "of many channels", "of few places"],
)
def test_convolution_takes_little_memory_beside_its_outputs(channels, size, image):
    layer = bg.Convolution(channels, channels, size, size, pad="same", rng=0)
    x = np.ones((8, channels, *image), np.float32)
    tracemalloc.start()
    try:
        y = layer.forward(x)
        forward = tracemalloc.get_traced_memory()[1] - y.nbytes
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        dx = layer.backward(y)
        backward = tracemalloc.get_traced_memory()[1] - before - dx.nbytes
    finally:
        tracemalloc.stop()
    kernels = layer.params["W"].nbytes  # backward turns them about, and adds up and turns about their gradient
    assert forward < 4 * columns.COLUMN_BYTES
    assert backward < 4 * columns.COLUMN_BYTES + 3 * kernels


@pytest.mark.parametrize(
    ("n_in", "n_out", "groups", "kind"),
    [
        (64, 64, 1, rows.Rows),
        (8, 8, 1, columns.Columns),
        (128, 128, 1, columns.Columns),
        (128, 128, 2, rows.Rows),
    ],
)
def test_convolution_copies_windows_of_few_channels_and_for_many_kernels(n_in, n_out, groups, kind):
    grid = bg.Convolution(n_out, n_in, 3, 3, pad=1, groups=groups).windows.on("Convolution", (1, n_in, 5, 5))
    x = np.zeros((1, n_in, 5, 5), np.float32)
    assert type(correlation.lay_out(x, n_out, grid, groups, lambda name, *spec: np.empty(*spec))) is kind


@pytest.mark.parametrize("channels", [1, 32])
@pytest.mark.parametrize("image", [(0, 4), (4, 0)])
def test_convolution_of_images_without_an_entry_gives_its_bias(channels, image):
    layer = bg.Convolution(2, channels, 2, 2, pad=1, rng=0)
    layer.params["b"] = [3.0, 5.0]
    y = layer.forward(np.ones((2, channels, *image), np.float32))
    assert (y == np.reshape([3.0, 5.0], (2, 1, 1))).all()
    assert layer.backward(y).shape == (2, channels, *image)
    assert not layer.grads["W"].any()
    assert layer.grads["b"].tolist() == [3.0 * y[:, 0].size, 5.0 * y[:, 1].size]


def test_convolution_in_groups_is_as_many_convolutions_side_by_side():
    layer = bg.Convolution(4, 6, 3, 3, groups=2, rng=0, dtype=np.float64)
    x = RNG.normal(size=(2, 6, 5, 5))
    y = layer.forward(x)
    for group in range(2):
        alone = bg.Convolution(2, 3, 3, 3, dtype=np.float64)
        alone.params["W"] = layer.params["W"][2 * group : 2 * group + 2]
        np.testing.assert_allclose(
            alone.forward(x[:, 3 * group : 3 * group + 3]), y[:, 2 * group : 2 * group + 2], rtol=1e-12, atol=1e-14
        )


def test_convolution_of_one_window_is_an_affine_layer():
    convolution = bg.Convolution(4, 3, 6, 7, rng=0, dtype=np.float64)
    affine = bg.Affine(3 * 6 * 7, 4, dtype=np.float64)
    affine.params["W"] = convolution.params["W"].reshape(4, -1).T
    y = convolution.forward(IMAGES)
    np.testing.assert_allclose(y[:, :, 0, 0], affine.forward(IMAGES.reshape(2, -1)), rtol=1e-12, atol=1e-14)


def test_convolution_of_float16_is_summed_in_float32():
    x = np.full((1, 1, 40, 40), 0.1, np.float16)
    layer = bg.Convolution(1, 1, 40, 40, init=lambda rng, shape: np.full(shape, 0.01), dtype=np.float16)
    y = layer.forward(x)
    assert y.dtype == np.float16
    assert float(y[0, 0, 0, 0]) == pytest.approx(1600 * float(x[0, 0, 0, 0]) * float(np.float16(0.01)), rel=1e-3)
    assert layer.backward(y).dtype == np.float16


def test_convolution_takes_channels_from_its_first_input():
    layer = bg.Convolution(4, 3, 2)
    assert not layer.sized
    assert layer.forward(IMAGES).shape == (2, 4, 4, 6)
    assert layer.params["W"].shape == (4, 3, 3, 2)


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (
            lambda: bg.Convolution(4, 3, 9, 2, pad=1, name="c1"),
            (2, 3, 6, 7),
            r"Convolution\[c1\]\.forward: the window must fit into the padded image; it spans 9 x 2, and the image is "
            r"6 x 7, 8 x 9 with padding",
        ),
        (
            lambda: bg.Convolution(4, 3, 4, 2, dilation=(3, 1)),
            (2, 3, 6, 7),
            r"it spans 10 x 2 \(4 x 2 with dilation \(3, 1\)\), and the image is 6 x 7\.",
        ),
        (
            lambda: bg.Convolution(4, 5, 3, 3),
            (2, 3, 6, 7),
            r"x must be \(N, 5, H, W\) to match W \(4, 5, 3, 3\); got \(2, 3, 6, 7\)",
        ),
        (
            lambda: bg.Convolution(4, 6, 3, 3, groups=2),
            (2, 3, 6, 7),
            r"x must be \(N, 6, H, W\) to match W \(4, 3, 3, 3\) in 2 groups; got",
        ),
        (lambda: bg.Convolution(4, 3, 3), (3, 6, 7), r"x must be \(N, C, H, W\); got \(3, 6, 7\)\. Add the channel"),
        (lambda: bg.Convolution(4, 3, 3, groups=2), (2, 3, 6, 7), r"groups must divide the 3 channels; got 2"),
    ],
)
def test_convolution_of_what_does_not_fit_raises_value_error(make, shape, text):
    layer = make()
    with pytest.raises(ValueError, match=text):
        layer.forward(np.zeros(shape))


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((4, 3), {}, r"sizes must be \(FN, C, FH, FW\) or \(FN, FH, FW\), each at least 1; got \(4, 3\)"),
        ((4, 3, 3, 0), {}, "each at least 1"),
        ((4, 3, 3), {"stride": 0}, "stride must be a whole number of at least 1, or one for rows and one for columns"),
        ((4, 3, 3), {"pad": -1}, "pad must be a whole number of at least 0"),
        ((4, 3, 3), {"pad": "full"}, 'pad must be "same", "valid" or whole numbers; got \'full\''),
        ((4, 3, 3), {"dilation": 1.5}, "dilation must be a whole number of at least 1"),
        ((4, 3, 3), {"groups": 3}, "groups must divide the 4 kernels; got 3"),
        ((4, 3, 3, 3), {"groups": 2}, "groups must divide the 3 channels; got 2"),
    ],
    ids=str,
)
def test_convolution_of_bad_settings_raises_value_error(arguments, options, text):
    with pytest.raises(ValueError, match=text):
        bg.Convolution(*arguments, **options)


def test_shared_convolution_adds_up_what_both_uses_ask_for():
    x = bg.Input("x", (1, 5, 5))
    layer = bg.Convolution(1, 1, 3, 3, pad=1, rng=0, dtype=np.float64, name="twice")
    graph = bg.Graph(x, layer(layer(x)))
    report = bg.gradcheck(graph, RNG.normal(size=(2, 1, 5, 5)))
    assert report, report


@pytest.mark.parametrize("channels", [3, 20])
def test_convolution_passes_the_gradient_check_with_few_channels_and_with_many(channels):
    layer = bg.Convolution(2, channels, 3, 2, pad=(1, 0), rng=0, dtype=np.float64)
    report = bg.gradcheck(layer, RNG.normal(size=(2, channels, 4, 5)))
    assert report, report


def test_im2col_gives_the_texts_shapes():
    assert bg.im2col(np.zeros((1, 3, 7, 7)), 5, 5, stride=1, pad=0).shape == (9, 75)
    assert bg.im2col(np.zeros((10, 3, 7, 7)), 5, 5, stride=1, pad=0).shape == (90, 75)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), ((2, 3), 2)])
def test_im2col_times_kernels_is_convolution(stride, pad):
    layer = bg.Convolution(4, 3, 3, 2, stride=stride, pad=pad, rng=0, dtype=np.float64)
    y = layer.forward(IMAGES)
    col = bg.im2col(IMAGES, 3, 2, stride, pad)
    flat = (col @ layer.params["W"].reshape(4, -1).T + layer.params["b"]).reshape(2, *y.shape[2:], 4)
    np.testing.assert_allclose(flat.transpose(0, 3, 1, 2), y, rtol=1e-12, atol=1e-14)


def test_col2im_is_the_adjoint_of_im2col():
    col = bg.im2col(IMAGES, 3, 2, 2, 1)
    v = RNG.normal(size=col.shape)
    back = bg.col2im(v, IMAGES.shape, 3, 2, 2, 1)
    assert np.sum(col * v) == pytest.approx(np.sum(IMAGES * back), rel=1e-12)


def test_col2im_of_the_wrong_shape_raises_value_error():
    with pytest.raises(ValueError, match=r"col2im: col must be \(4, 4\) for images \(1, 1, 3, 3\); got \(3, 4\)"):
        bg.col2im(np.zeros((3, 4)), (1, 1, 3, 3), 2, 2)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bg.im2col(IMAGES, 9, 2), r"^im2col: the window must fit .* it spans 9 x 2, and the image is 6 x 7"),
        (lambda: bg.im2col(IMAGES[0], 2, 2), r"^im2col: x must be \(N, C, H, W\); got \(3, 6, 7\)"),
        (lambda: bg.im2col(IMAGES, 2, 2, stride=0), "^im2col: stride must be a whole number of at least 1"),
        (lambda: bg.col2im(np.zeros((4, 4)), (3, 3), 2, 2), r"^col2im: input_shape must be .* got \(3, 3\)"),
        (lambda: bg.col2im(np.zeros((4, 4)), 9, 2, 2), r"^col2im: input_shape must be .* got 9"),
    ],
)
def test_im2col_and_col2im_of_what_does_not_fit_raise_value_error_in_their_own_name(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("pad", [0, 1, "same"])
def test_im2col_of_images_of_integers_or_of_any_layout_copies_them(pad):
    images = np.asfortranarray(np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)[:, ::-1])
    col = bg.im2col(images, 3, 2, stride=2, pad=pad, dilation=(1, 2))
    assert col.dtype == images.dtype
    np.testing.assert_array_equal(col, bg.im2col(images.astype(np.float64), 3, 2, 2, pad, (1, 2)))
