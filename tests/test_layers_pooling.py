"""Pooling: values by hand, ties, borders, errors."""

import numpy as np
import pytest
import references

import brickgrad as bg
from brickgrad.layers.largest import largest_of_windows

X = np.array([[[[1.0, 5.0, 2.0], [5.0, 0.0, 7.0], [4.0, 4.0, 4.0]]]])


def test_max_pooling_of_overlapping_windows_adds_up_their_gradients():
    pool = bg.MaxPooling(2, stride=1)
    assert pool.forward(X).tolist() == [[[[5.0, 7.0], [5.0, 7.0]]]]
    dx = pool.backward(np.array([[[[1.0, 10.0], [100.0, 1000.0]]]]))
    assert dx.tolist() == [[[[0.0, 1.0, 0.0], [100.0, 0.0, 1010.0], [0.0, 0.0, 0.0]]]]


def test_max_pooling_of_ties_gives_the_gradient_to_the_first():
    pool = bg.MaxPooling(2)
    pool.forward(np.ones((1, 1, 2, 2)))
    assert pool.backward(np.full((1, 1, 1, 1), 3.0)).tolist() == [[[[3.0, 0.0], [0.0, 0.0]]]]


def test_max_pooling_never_picks_its_padding():
    pool = bg.MaxPooling(2, pad=1)
    assert pool.forward(-X).tolist() == [[[[-1.0, -2.0], [-4.0, -0.0]]]]
    assert pool.backward(np.ones((1, 1, 2, 2))).sum() == 4.0


def test_max_pooling_leaves_out_rows_that_no_window_reaches():
    pool = bg.MaxPooling(2)
    assert pool.forward(X).tolist() == [[[[5.0]]]]
    assert pool.backward(np.ones((1, 1, 1, 1))).tolist() == [[[[0.0, 1.0, 0.0], [0.0] * 3, [0.0] * 3]]]


@pytest.mark.parametrize(("size", "stride"), [((3, 2), (3, 2)), ((3, 2), (2, 1)), ((1, 1), (1, 1)), ((1, 4), (2, 4))])
def test_max_pooling_of_wide_images_finds_every_largest_entry(size, stride):
    x = (
        np.random.default_rng(0).integers(0, 4, (2, 2, 9, 301)).astype(float)
    )  # with ties; rows longer than a byte counts
    options = {"size": size, "stride": stride, "dilation": (1, 1), "pad": ((0, 0), (0, 0))}
    numbers = np.arange(x.size, dtype=float).reshape(x.shape)
    taken = references.max_pooling_at(x, numbers, **options).astype(int)
    pool = bg.MaxPooling(*size, stride=stride)
    assert (pool.forward(x) == x.ravel()[taken]).all()
    dy = numbers.ravel()[: taken.size].reshape(taken.shape)
    assert (pool.backward(dy).ravel() == np.bincount(taken.ravel(), weights=dy.ravel(), minlength=x.size)).all()


def test_max_pooling_lets_nan_through():
    x = X.copy()
    x[0, 0, 0, 0] = np.nan
    assert np.isnan(bg.MaxPooling(2).forward(x)[0, 0, 0, 0])


def test_average_pooling_does_not_count_its_padding():
    pool = bg.AveragePooling(2, stride=2, pad=((1, 0), (1, 0)))
    assert pool.forward(X).tolist() == [[[[1.0, 3.5], [4.5, 3.75]]]]
    dx = pool.backward(np.ones((1, 1, 2, 2)))
    assert dx.tolist() == [[[[1.0, 0.5, 0.5], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]]]


def test_max_pooling_of_nan_sends_the_gradient_to_it_and_shows_it_when_frozen():
    x = np.array([[[[1.0, np.nan, 0.5, np.nan], [0.0, 3.0, 2.0, 9.0]]]])
    for pool, place in ((bg.MaxPooling(2, 4), 1), (bg.MaxPooling(1, 2, pad=((0, 0), (1, 0))), 1)):
        y = pool.forward(x)
        assert np.isnan(y).any()
        with pool.frozen():
            assert np.isnan(pool.forward(x)).tolist() == np.isnan(y).tolist()
        assert pool.backward(np.ones_like(y)).ravel()[place] == 1


def test_average_pooling_of_float16_sums_in_float32():
    x = np.full((1, 1, 8, 8), 30000, np.float16)
    pool = bg.AveragePooling(8)
    assert pool.forward(x) == 30000
    assert pool.backward(np.full((1, 1, 1, 1), 64, np.float16)).tolist() == np.ones((1, 1, 8, 8)).tolist()


def test_global_average_pooling_gives_one_number_a_channel():
    pool = bg.GlobalAveragePooling()
    assert pool.forward(X).tolist() == [[X.mean()]]
    assert pool.backward(np.array([[9.0]])).tolist() == np.ones((1, 1, 3, 3)).tolist()


@pytest.mark.parametrize("kind", [bg.MaxPooling, bg.AveragePooling])
@pytest.mark.parametrize(
    ("size", "options", "text"),
    [
        ((2,), {"pad": 2}, r"pad must be less than the window, \(2, 2\); got 2"),
        ((2, 3, 4), {}, "the window must be a whole number of at least 1"),
        ((0,), {}, "the window must be a whole number of at least 1"),
    ],
    ids=str,
)
def test_pool_of_bad_settings_raises_value_error(kind, size, options, text):
    with pytest.raises(ValueError, match=text):
        kind(*size, **options)


@pytest.mark.parametrize("kind", [bg.MaxPooling, bg.AveragePooling])
def test_pool_larger_than_the_image_raises_value_error(kind):
    with pytest.raises(ValueError, match=r"forward: the window must fit .*; it spans 4 x 4, and the image is 3 x 3\."):
        kind(4).forward(X)


def test_global_average_pooling_of_no_image_raises_value_error():
    with pytest.raises(ValueError, match=r"GlobalAveragePooling.forward: x must be \(N, C, H, W\), .*; got \(3, 4\)"):
        bg.GlobalAveragePooling().forward(np.ones((3, 4)))


@pytest.mark.parametrize(("size", "stride"), [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 1)), ((1, 2), (1, 3))])
def test_max_pooling_gives_nothing_of_what_its_memory_held_before(size, stride):
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 9, 8)).astype(np.float32)
    grid = bg.MaxPooling(*size, stride=stride).windows.on("pool", x.shape)
    found = []
    for fill in (0x00, 0x7F, 0xFF):  # zeros; numbers; NaN

        def room(name, shape, dtype, fill=fill):
            return np.frombuffer(bytearray([fill]) * (np.dtype(dtype).itemsize * int(np.prod(shape))), dtype).reshape(
                shape
            )

        y = np.empty((2, 3, *grid.out), np.float32)
        found.append((largest_of_windows(x, grid, y, room).tobytes(), y.tobytes()))
    assert found[0] == found[1] == found[2]
