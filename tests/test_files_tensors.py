"""Tensors in files: what was written is read, and what was changed is noticed."""

import json
import os
import stat
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import brickgrad as bg
from brickgrad.files import tensors
from brickgrad.files.tensors import read_tensors, write_tensors
from brickgrad.files.whole import write_whole

ARRAYS = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([1.5, -0.0, np.nan]),
    "count": np.array(7),
    "none": np.zeros((0, 4), np.float16),
    "mask": np.array([True, False]),
}
DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint8, np.bool_]


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, ARRAYS, {"a": "β"})
    return path


def test_what_is_written_is_read_bit_for_bit(file):
    found = read_tensors(file, sealed=True)
    assert found.sealed
    assert found.metadata == {"a": "β"}
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()
        assert not found.arrays[name].flags.writeable


@given(
    st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))),
    st.sampled_from(["as it is", "turned about", "every second", "big-endian", "Fortran"]),
)
@settings(deadline=None)
def test_arrays_of_any_layout_are_written_as_what_they_hold(tmp_path_factory, array, layout):
    path = tmp_path_factory.mktemp("files") / "x"
    array = {
        "as it is": lambda x: x,
        "turned about": lambda x: x.T,
        "every second": lambda x: x[::2] if x.ndim else x,
        "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
        "Fortran": np.asfortranarray,
    }[layout](array)
    write_tensors(path, {"x": array}, {})
    found = read_tensors(path).arrays["x"]
    assert found.shape == array.shape
    assert found.tobytes() == np.asarray(array, array.dtype.newbyteorder("<")).tobytes()


def test_every_single_byte_that_is_changed_is_noticed(file):
    good = file.read_bytes()
    for place in range(len(good)):
        for change in (1, 0x20, 0x80, 0xFF):
            bad = bytearray(good)
            bad[place] ^= change
            file.write_bytes(bad)
            with pytest.raises(bg.FileError, match="Nothing was loaded"):
                read_tensors(file)


def test_every_truncation_and_every_longer_file_is_noticed(file):
    good = file.read_bytes()
    for length in range(len(good)):
        file.write_bytes(good[:length])
        with pytest.raises(bg.FileError):
            read_tensors(file)
    file.write_bytes(good + b"\0")
    with pytest.raises(bg.FileError, match="behind its last array"):
        read_tensors(file)


F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "first 8 bytes"),
        (raw({}, length=2**63), "a header of 9,223,372,036,854,775,808 bytes"),
        (raw(b"[]"), "no JSON object"),
        (raw(b"{]"), "no JSON"),
        (raw(b"\xff\xff"), "no JSON"),
        (raw(b"[" * 100_000), "no JSON"),
        (raw(b'{"a": NaN}'), "NaN"),
        (raw(b'{"a": {}, "a": {}}'), "stands in it twice"),
        (raw(b'{"a": ' + b"9" * 5000 + b"}"), "no JSON"),
        (raw({"__metadata__": {"a": 1}}), "texts by name"),
        (raw({"__metadata__": []}), "texts by name"),
        (raw({"x": [1]}), "must have dtype, shape and data_offsets"),
        (raw({"x": {**F32, "more": 1}}), "and nothing else"),
        (raw({"x": {**F32, "dtype": "F31"}}, b"1234"), "F31"),
        (raw({"x": {**F32, "dtype": ["F32"]}}, b"1234"), "which is none of"),
        (raw({"x": {**F32, "shape": [-1]}}, b"1234"), "the shape"),
        (raw({"x": {**F32, "shape": [1.0]}}, b"1234"), "the shape"),
        (raw({"x": {**F32, "shape": [True]}}, b"1234"), "the shape"),
        (raw({"x": {**F32, "shape": [1] * 40}}, b"1234"), "the shape"),
        (raw({"x": {**F32, "shape": [2**30, 2**30]}}, b"1234"), "has 4 bytes"),
        (raw({"x": {**F32, "shape": [2]}}, b"1234"), "has 4 bytes"),
        (raw({"x": {**F32, "data_offsets": [4, 0]}}, b"1234"), "data_offsets"),
        (raw({"x": {**F32, "data_offsets": [0]}}, b"1234"), "data_offsets"),
        (raw({"x": F32}, b"12"), "ends at byte 4 of 2"),
        (raw({"x": F32, "y": F32}, b"1234"), "in no array or in two"),
        (raw({"x": {**F32, "data_offsets": [4, 8]}}, b"12345678"), "in no array or in two"),
        (raw({"x": F32}, b"12345"), "behind its last array"),
    ],
)
def test_what_is_no_such_file_raises_file_error(tmp_path, content, text):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(bg.FileError, match=text):
        read_tensors(tmp_path / "x")


def test_a_file_from_elsewhere_is_read_without_a_seal_unless_one_is_asked_for(tmp_path):
    (tmp_path / "x").write_bytes(raw({"x": F32}, struct.pack("<f", 1.5)))
    found = read_tensors(tmp_path / "x")
    assert (found.arrays["x"].tolist(), found.sealed) == ([1.5], False)
    with pytest.raises(bg.FileError, match="it has no seal"):
        read_tensors(tmp_path / "x", sealed=True)


def test_bfloat16_becomes_float32(tmp_path):
    entry = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    (tmp_path / "x").write_bytes(raw({"x": entry}, struct.pack("<2H", 0x3FC0, 0xC040)))
    array = read_tensors(tmp_path / "x").arrays["x"]
    assert (array.tolist(), array.dtype) == ([1.5, -3.0], np.float32)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_raises_file_error_and_nothing_else(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("files") / "x"
    path.write_bytes(noise)
    with pytest.raises(bg.FileError):
        read_tensors(path)


def test_a_large_file_is_refused_before_it_is_read(file, monkeypatch):
    monkeypatch.setattr(tensors, "MOST_FILE", 100)
    with pytest.raises(bg.FileError, match="more than 100"):
        read_tensors(file)


def test_the_safetensors_package_reads_our_files_and_we_read_its(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    arrays = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([1, 2], np.int64)}
    write_tensors(tmp_path / "ours", arrays, {"a": "b"})
    for name, array in theirs.load_file(tmp_path / "ours").items():
        np.testing.assert_array_equal(array, arrays[name])
    theirs.save_file(arrays, tmp_path / "theirs")
    for name, array in read_tensors(tmp_path / "theirs").arrays.items():
        np.testing.assert_array_equal(array, arrays[name])


def test_write_of_what_the_format_does_not_know_raises_type_error_and_leaves_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(TypeError, match="'z' must hold numbers of"):
        write_tensors(file, {"z": np.array([1j])}, {})
    assert file.read_bytes() == before


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_write_whole_leaves_the_old_file_and_nothing_else_after_an_error(tmp_path, monkeypatch, broken):
    path = tmp_path / "x"
    write_whole(path, [b"old"])

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, [b"new"])
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_write_whole_into_no_folder_and_over_a_folder_raises_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "x", [b""])
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", [b""])
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_a_file_may_be_read_by_whom_other_files_may(tmp_path):
    write_whole(tmp_path / "x", [b""])
    (tmp_path / "y").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE((tmp_path / "y").stat().st_mode)
