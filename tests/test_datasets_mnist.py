"""MNIST as it ships, and sets of the same format in a folder."""

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

import brickgrad.datasets
from brickgrad.datasets import IdxError, load_idx, load_mnist, mnist, read_idx, write_idx

DATA = Path(mnist.__file__).parent / "data"
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DOTTED = tuple(name.replace("-idx", ".idx") for name in NAMES)


@pytest.fixture(scope="module")
def loaded():
    return load_mnist()


@pytest.fixture(scope="module")
def stored():
    return [read_idx(DATA / f"{name}.gz") for name in NAMES]


def small_set():
    """Five training and two test images of 2 by 3; labels up to 3 in training and up to 6 in testing."""
    pixels = np.arange(42, dtype=np.uint8).reshape(7, 2, 3) * 6
    return [pixels[:5], np.array([3, 0, 1, 2, 0], np.uint8), pixels[5:], np.array([6, 1], np.uint8)]


def put(folder, arrays, names=NAMES):
    for name, array in zip(names, arrays, strict=True):
        write_idx(folder / name, array)


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, small_set())
    return tmp_path


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """The SHA-256 of the small set's files, which stand in the place of those that ship."""
    put(tmp_path, small_set(), [f"{name}.gz" for name in NAMES])
    digests = {
        name: hashlib.sha256(gzip.decompress((tmp_path / f"{name}.gz").read_bytes())).hexdigest() for name in NAMES
    }
    monkeypatch.setattr(mnist, "_DATA", tmp_path)
    monkeypatch.setattr(mnist, "_DIGESTS", digests)
    return digests


# ---- MNIST


def test_load_mnist_default_gives_flat_float32_in_0_to_1(loaded, stored):
    (x_train, t_train), (x_test, t_test) = loaded
    for x, t, pixels, labels in (x_train, t_train, *stored[:2]), (x_test, t_test, *stored[2:]):
        assert (x.dtype, t.dtype) == (np.float32, np.int64)
        assert (x.min(), x.max()) == (0.0, 1.0)
        np.testing.assert_array_equal(x, pixels.reshape(-1, 784).astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(t, labels)
    assert (x_train.shape, x_test.shape) == ((60000, 784), (10000, 784))
    assert t_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert t_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(t_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_load_mnist_plain_pixels_are_uint8_with_channel(stored):
    (x_train, _), (x_test, _) = load_mnist(normalize=False, flatten=False)
    assert (x_train.shape, x_test.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert (x_train.dtype, x_test.dtype) == (np.uint8, np.uint8)
    np.testing.assert_array_equal(x_train[:, 0], stored[0])
    np.testing.assert_array_equal(x_test[:, 0], stored[2])


def test_load_mnist_one_hot_rows_have_a_single_one_at_the_label(loaded):
    (_, t_train), (_, t_test) = load_mnist(one_hot_label=True)
    for rows, t in (t_train, loaded[0][1]), (t_test, loaded[1][1]):
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, np.arange(10) == t[:, np.newaxis])


def test_load_mnist_arguments_stand_in_the_order_normalize_flatten_one_hot(loaded):
    (x_train, t_train), _ = load_mnist(False, False, True)
    assert (x_train.shape, x_train.dtype, t_train.shape) == ((60000, 1, 28, 28), np.uint8, (60000, 10))


@pytest.mark.parametrize("options", [{}, {"normalize": False}, {"flatten": False}, {"one_hot_label": True}])
def test_load_mnist_arrays_are_fresh_and_may_be_changed(options, shipped):
    first = load_mnist(**options)
    kept = [array[:3].copy() for split in first for array in split]
    for split in first:
        for array in split:
            array[...] = 7
    again = [array for split in load_mnist(**options) for array in split]
    for array, expected in zip(again, kept, strict=True):
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array[:3], expected)


def test_load_mnist_files_are_the_ones_that_notice_lists():
    notice = (DATA / "NOTICE.md").read_text(encoding="utf-8")
    for name in NAMES:
        packed = (DATA / f"{name}.gz").read_bytes()
        row = next(line for line in notice.splitlines() if line.startswith(f"| {name}.gz "))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        raw = hashlib.sha256(gzip.decompress(packed)).hexdigest()
        assert cells[2:] == [str(len(packed)), hashlib.sha256(packed).hexdigest(), raw]
    for words in "LeCun", "Cortes", "Burges", "CC BY-SA 3.0":
        assert words in notice


@pytest.mark.parametrize("changed", NAMES)
def test_load_mnist_changed_data_names_file_digests_and_remedy(tmp_path, shipped, changed):
    assert load_mnist()[0][0].shape == (5, 6)

    array = read_idx(tmp_path / f"{changed}.gz")
    array.flat[-1] ^= 1
    write_idx(tmp_path / f"{changed}.gz", array)
    found = hashlib.sha256(gzip.decompress((tmp_path / f"{changed}.gz").read_bytes())).hexdigest()
    with pytest.raises(IdxError) as caught:
        load_mnist()
    message = str(caught.value)
    assert message.startswith(
        f"load_mnist: {tmp_path / changed}.gz must have SHA-256 {shipped[changed]}; it has {found}."
    )
    assert message.endswith("Reinstall brickgrad to mend it: pip install --force-reinstall --no-deps brickgrad")


def test_load_mnist_damaged_or_missing_data_advises_to_reinstall(tmp_path, monkeypatch):
    for name in NAMES:
        shutil.copy(DATA / f"{name}.gz", tmp_path)
    monkeypatch.setattr(mnist, "_DATA", tmp_path)
    damaged = tmp_path / f"{NAMES[3]}.gz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(IdxError, match=r"load_mnist: .*t10k-labels-idx1-ubyte\.gz .*damaged.* Reinstall brickgrad"):
        load_mnist()
    damaged.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"load_mnist: looked in .*t10k-labels-idx1-ubyte.* Reinstall brickgrad"
    ):
        load_mnist()


# ---- any set of that format


@pytest.mark.parametrize("spelling", [NAMES, DOTTED, [f"{n}.gz" for n in NAMES], [f"{n}.gz" for n in DOTTED]])
def test_load_idx_each_spelling_of_the_names_is_found(tmp_path, spelling):
    arrays = small_set()
    put(tmp_path, arrays, spelling)
    for folder in tmp_path, str(tmp_path):
        (x_train, t_train), (x_test, t_test) = load_idx(folder)
        for x, pixels in (x_train, arrays[0]), (x_test, arrays[2]):
            assert x.dtype == np.float32
            np.testing.assert_array_equal(x, pixels.reshape(-1, 6) / np.float32(255))
        assert (t_train.dtype, t_test.dtype) == (np.int64, np.int64)
        assert (t_train.tolist(), t_test.tolist()) == ([3, 0, 1, 2, 0], [6, 1])


def test_load_idx_raw_file_comes_before_the_compressed_one(folder):
    write_idx(folder / f"{NAMES[1]}.gz", np.full(5, 9, np.uint8))
    assert load_idx(folder)[0][1].tolist() == [3, 0, 1, 2, 0]


def test_load_idx_options_are_those_of_load_mnist(folder):
    arrays = small_set()
    (x_train, t_train), (x_test, t_test) = load_idx(folder, False, False, True)
    assert x_train.dtype == np.uint8
    np.testing.assert_array_equal(x_train, arrays[0][:, np.newaxis])
    np.testing.assert_array_equal(x_test, arrays[2][:, np.newaxis])
    # 7 classes: the largest label, 6, is one of the test set.
    np.testing.assert_array_equal(t_train, np.eye(7)[[3, 0, 1, 2, 0]])
    np.testing.assert_array_equal(t_test, np.eye(7)[[6, 1]])
    assert t_train.dtype == t_test.dtype == np.float32


def test_load_idx_one_hot_width_may_come_from_the_training_set(folder):
    write_idx(folder / NAMES[3], np.array([0, 1], np.uint8))
    assert [t.shape for _, t in load_idx(folder, one_hot_label=True)] == [(5, 4), (2, 4)]


def test_load_idx_empty_test_set_is_empty(folder):
    write_idx(folder / NAMES[2], np.zeros((0, 2, 3), np.uint8))
    write_idx(folder / NAMES[3], np.zeros(0, np.uint8))
    _, (x_test, t_test) = load_idx(folder, one_hot_label=True)
    assert (x_test.shape, t_test.shape) == ((0, 6), (0, 4))


@pytest.mark.parametrize("missing", range(4))
def test_load_idx_missing_file_lists_the_sought_and_the_found(folder, missing):
    (folder / NAMES[missing]).unlink()
    (folder / "notes.txt").touch()
    with pytest.raises(FileNotFoundError) as caught:
        load_idx(folder)
    message = str(caught.value)
    name, dotted = NAMES[missing], DOTTED[missing]
    assert message.startswith(
        f"load_idx: looked in {folder} for {name} or {dotted} or {name}.gz or {dotted}.gz; found "
    )
    held = sorted({*NAMES, "notes.txt"} - {name})
    assert message.endswith(f"; found {', '.join(held)}.")


def test_load_idx_empty_folder_and_crowded_folder_are_told_in_brief(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"; found nothing\.$"):
        load_idx(tmp_path)
    for index in range(23):
        (tmp_path / f"{index:02}.png").touch()
    with pytest.raises(FileNotFoundError, match=r"; found 00\.png, .*, 19\.png and 3 more\.$"):
        load_idx(tmp_path)


def test_load_idx_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        load_idx(tmp_path / "absent")
    assert str(missing.value) == f"load_idx: there is no folder {tmp_path / 'absent'}."
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as wrong:
        load_idx(tmp_path / "file")
    assert str(wrong.value) == f"load_idx: folder must be a folder; {tmp_path / 'file'} is a file."
    with pytest.raises(TypeError, match=r"load_idx: folder must be a str or a Path; got NoneType None\."):
        load_idx(None)


@pytest.mark.parametrize(
    ("index", "array", "words"),
    [
        (0, np.zeros((5, 6), np.uint8), "must hold images, (N, H, W) of uint8; it holds (5, 6) of uint8."),
        (2, np.zeros((2, 2, 3), np.int16), "must hold images, (N, H, W) of uint8; it holds (2, 2, 3) of int16."),
        (1, np.zeros((5, 1), np.uint8), "must hold labels, (N,) of uint8; it holds (5, 1) of uint8."),
        (3, np.zeros(2, np.int8), "must hold labels, (N,) of uint8; it holds (2,) of int8."),
    ],
)
def test_load_idx_array_of_a_wrong_kind_names_its_file(folder, index, array, words):
    write_idx(folder / NAMES[index], array)
    with pytest.raises(IdxError) as caught:
        load_idx(folder)
    assert str(caught.value) == f"load_idx: {folder / NAMES[index]} {words}"


@pytest.mark.parametrize(("images", "labels", "n"), [(0, 1, 5), (2, 3, 2)])
def test_load_idx_labels_of_another_length_are_refused(folder, images, labels, n):
    write_idx(folder / NAMES[labels], np.zeros(n + 1, np.uint8))
    with pytest.raises(IdxError) as caught:
        load_idx(folder)
    assert str(caught.value) == (
        f"load_idx: {folder / NAMES[labels]} must hold a label for each of the {n} images of "
        f"{folder / NAMES[images]}; it holds {n + 1}."
    )


def test_load_idx_test_images_of_another_size_are_refused(folder):
    write_idx(folder / NAMES[2], np.zeros((2, 3, 2), np.uint8))  # as many pixels, but another shape
    with pytest.raises(IdxError) as caught:
        load_idx(folder)
    assert str(caught.value) == (
        f"load_idx: training and test images must be of one size; got (2, 3) in {folder / NAMES[0]} and (3, 2) in "
        f"{folder / NAMES[2]}."
    )


def test_load_idx_damaged_file_is_reported_in_its_own_name(folder):
    (folder / NAMES[3]).write_bytes(b"\0\0\x08\x01\0\0\0\x02\x01")
    with pytest.raises(IdxError) as caught:
        load_idx(folder)
    assert str(caught.value).startswith(f"load_idx: {folder / NAMES[3]} must hold 2 bytes of values")
    assert "Reinstall" not in str(caught.value)


# ---- the package


def test_datasets_exports_are_sorted_and_all_there():
    exported = brickgrad.datasets.__all__
    assert exported == sorted(exported)
    expected = "IdxError Shifts load_idx load_mnist plot_digits read_idx shift standardize whiten write_idx"
    assert set(exported) == set(expected.split())
    assert all(hasattr(brickgrad.datasets, name) for name in exported)
