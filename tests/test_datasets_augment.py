"""Augmenting: shifts against loops over pixels, draws from the given generator, the input as it was."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brickgrad as bg

RNG = np.random.default_rng(0)


def shifted_by_loops(images, down, right, fill):
    """The formula of `shift`, pixel by pixel."""
    y = np.full_like(images, fill)
    height, width = images.shape[-2:]
    for n in range(len(images)):
        for i in range(height):
            for j in range(width):
                if 0 <= i - down[n] < height and 0 <= j - right[n] < width:
                    y[n, ..., i, j] = images[n, ..., i - down[n], j - right[n]]
    return y


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(3, 4, 5), (2, 3, 4, 5), (1, 1, 1), (4, 2, 6, 1), (0, 3, 3), (0, 2, 3, 3)]),
    furthest=st.integers(0, 8),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.int64]),
    fill=st.sampled_from([0, 7]),
)
def test_shift_is_that_of_loops_over_the_pixels(shape, furthest, seed, dtype, fill):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 200, shape).astype(dtype)
    down, right = rng.integers(-furthest, furthest + 1, (2, len(images)))
    before = images.copy()
    images.flags.writeable = False
    y = bg.shift(images, down, right, fill=fill)
    np.testing.assert_array_equal(y, shifted_by_loops(images, down, right, fill), strict=True)
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(y, images)
    assert y.flags.writeable


def test_shift_of_an_image_of_any_memory_layout_is_the_same():
    images = RNG.normal(size=(4, 5, 6))
    odd = np.asfortranarray(images)
    np.testing.assert_array_equal(bg.shift(odd, 1, -2), bg.shift(images, 1, -2))


def test_shifts_draws_from_the_generator_each_image_its_own_and_every_shift_as_often():
    image = np.zeros((1, 5, 5), np.float32)
    image[0, 2, 2] = 1
    images = np.repeat(image, 5000, axis=0)
    y = bg.Shifts(1)(images, np.random.default_rng(3))
    assert y.tobytes() == bg.Shifts(1)(images, np.random.default_rng(3)).tobytes()
    counts = y.sum(axis=0)
    assert counts.sum() == 5000
    assert counts[[0, 4]].sum() == counts[:, [0, 4]].sum() == 0
    # 9 places of probability 1/9 each: 555.6 expected, with a deviation of 22.2; five of them either way
    assert np.abs(counts[1:4, 1:4] - 5000 / 9).max() < 111


def test_shifts_of_flat_images_are_those_of_the_images_and_channels_move_together():
    images = RNG.normal(size=(6, 2, 4, 3)).astype(np.float32)
    y = bg.Shifts(2, fill=-1)(images, np.random.default_rng(1))
    flat = bg.Shifts(2, fill=-1, image_shape=(2, 4, 3))(images.reshape(6, 24), np.random.default_rng(1))
    np.testing.assert_array_equal(flat, y.reshape(6, 24), strict=True)
    alone = bg.Shifts(2, fill=-1)(images[:, 0], np.random.default_rng(1))
    np.testing.assert_array_equal(y[:, 0], alone, strict=True)


def test_shifts_by_no_pixels_is_a_copy():
    images = RNG.normal(size=(3, 4, 4))
    y = bg.Shifts(0)(images, np.random.default_rng(0))
    np.testing.assert_array_equal(y, images, strict=True)
    assert not np.shares_memory(y, images)


def test_shifts_print_what_they_were_made_of():
    assert repr(bg.Shifts(3)) == "Shifts(3)"
    assert repr(bg.Shifts(1, fill=0.5, image_shape=(28, 28))) == "Shifts(1, fill=0.5, image_shape=(28, 28))"


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([[[1.0]]], {}, TypeError, "shift: images must be an array of numbers; got list."),
        (np.full((1, 1, 1), "a"), {}, TypeError, "shift: images must be an array of numbers; got <U1."),
        (np.ones((2, 4)), {}, ValueError, "shift: images must be (N, H, W) or (N, C, H, W); got (2, 4). Flat images"),
        (np.ones(4), {}, ValueError, "shift: images must be (N, H, W) or (N, C, H, W); got (4,)."),
        (np.ones((2, 3, 3)), {"down": 0.5}, TypeError, "shift: down must hold whole numbers; got float64."),
        (np.ones((2, 3, 3)), {"right": [1, 2, 3]}, ValueError, "one for each image, (2,); got (3,)."),
        (np.ones((2, 3, 3)), {"fill": "0"}, TypeError, "shift: fill must be a number; got '0'."),
        (np.ones((2, 3, 3), np.uint8), {"fill": 300}, ValueError, "a number that uint8 can hold; got 300."),
        (np.ones((2, 3, 3), np.uint8), {"fill": 0.5}, ValueError, "a number that uint8 can hold; got 0.5."),
    ],
)
def test_shift_of_what_it_cannot_move_says_what_it_expected(images, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        bg.shift(images, **{"down": 0, "right": 0, **options})


@pytest.mark.parametrize("pixels", [-1, 1.5, "2", True, None])
def test_shifts_of_pixels_that_are_none_raises_value_error(pixels):
    with pytest.raises(
        ValueError, match=re.escape(f"Shifts: pixels must be a whole number of 0 or more; got {pixels!r}")
    ):
        bg.Shifts(pixels)


def test_shifts_says_what_is_wrong_with_shape_images_and_generator():
    with pytest.raises(ValueError, match=r"Shifts: image_shape must be \(H, W\) or \(C, H, W\); got \(784,\)"):
        bg.Shifts(image_shape=(784,))
    with pytest.raises(ValueError, match=r"Shifts: x must hold images of \(28, 28\); got \(2, 700\)"):
        bg.Shifts(image_shape=(28, 28))(np.ones((2, 700)), np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"Shifts: images must be .*Shifts\(2, image_shape=\(28, 28\)\)"):
        bg.Shifts()(np.ones((2, 784)), np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"Shifts: rng must be a numpy\.random\.Generator; got int"):
        bg.Shifts()(np.ones((2, 3, 3)), 0)
