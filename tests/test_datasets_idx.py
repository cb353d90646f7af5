"""IDX files: what is written is read back, and every bad file says what is wrong with it."""

import gzip
import os
import struct
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brickgrad.datasets import IdxError, read_idx, write_idx

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
CODES = dict(zip(DTYPES, (0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E), strict=True))
SMALL = np.arange(6, dtype=np.int16).reshape(2, 3)


def idx_bytes(code=0x08, shape=(3,), body=b"\x05\x00\x04", lead=b"\0\0"):
    return lead + struct.pack(f">BB{len(shape)}I", code, len(shape), *shape) + body


def message_of(path, **options):
    with pytest.raises(IdxError) as caught:
        read_idx(path, **options)
    message = str(caught.value)
    assert message.startswith(f"read_idx: {path} must ")
    return message


@pytest.fixture(params=["raw", "gzip"])
def store(request, tmp_path):
    """A function that puts bytes in a file, as they are or compressed."""

    def put(content):
        path = tmp_path / "file"
        path.write_bytes(gzip.compress(content) if request.param == "gzip" else content)
        return path

    return put


# ---- round trip


@given(
    array=hnp.arrays(
        st.sampled_from([order + np.dtype(name).str[1:] for name in DTYPES for order in "<>"]).map(np.dtype),
        hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4),
    ),
    name=st.sampled_from(["a", "a.gz"]),
    layout=st.sampled_from(["C", "F", "strided", "backwards"]),
)
def test_idx_round_trip_gives_the_same_array(array, name, layout):
    given_array = {
        "C": array,
        "F": np.asfortranarray(array),
        "strided": np.repeat(array, 2, axis=-1)[..., ::2],
        "backwards": array[::-1],
    }[layout]
    before = given_array.copy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write_idx(path, given_array)
        found = read_idx(path)
    assert given_array.tobytes() == before.tobytes()
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.writeable
    np.testing.assert_array_equal(found, given_array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_write_idx_each_dtype_writes_big_endian_bytes(tmp_path, dtype):
    array = np.array([[1, 2], [3, 100]], dtype=dtype)
    write_idx(tmp_path / "a", array)
    expected = idx_bytes(CODES[dtype], (2, 2), array.astype(array.dtype.newbyteorder(">")).tobytes())
    assert (tmp_path / "a").read_bytes() == expected


def test_write_idx_gz_suffix_in_any_case_compresses(tmp_path):
    for name in "a.gz", "b.GZ":
        write_idx(tmp_path / name, SMALL)
        assert (tmp_path / name).read_bytes()[:2] == b"\x1f\x8b"
    write_idx(str(tmp_path / "c.idx"), SMALL)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == (tmp_path / "c.idx").read_bytes()


def test_write_idx_same_array_gives_same_bytes_at_any_time_and_name(tmp_path, monkeypatch):
    write_idx(tmp_path / "a.gz", SMALL)
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_idx(tmp_path / "b.gz", SMALL)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("name", ["misnamed.gz", "misnamed"])
@pytest.mark.parametrize("compress", [True, False])
def test_read_idx_compression_is_told_by_content_not_by_name(tmp_path, name, compress):
    path = tmp_path / name
    path.write_bytes(gzip.compress(idx_bytes()) if compress else idx_bytes())
    assert read_idx(path).tolist() == [5, 0, 4]
    assert read_idx(str(path)).tolist() == [5, 0, 4]


def test_read_idx_gzip_of_two_members_is_read_as_one(tmp_path):
    content = idx_bytes()
    (tmp_path / "a").write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
    assert read_idx(tmp_path / "a").tolist() == [5, 0, 4]


def test_read_idx_body_longer_than_a_chunk_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("brickgrad.datasets.idx._CHUNK", 5)
    array = np.arange(23, dtype=np.int32)
    for name in "a", "a.gz":
        write_idx(tmp_path / name, array)
        np.testing.assert_array_equal(read_idx(tmp_path / name), array)


# ---- bad files


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_read_idx_raw_cut_anywhere_says_truncated(tmp_path, dtype):
    path = tmp_path / "cut"
    whole = idx_bytes(CODES[dtype], (2, 3), np.arange(6, dtype=dtype).tobytes())
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        message = message_of(path)
        assert "truncated" in message
        if size < 12:
            due, found = (4, size) if size < 4 else (8, size - 4)
            assert f"{due} bytes of header expected, {found} found" in message
        else:
            assert f"hold {len(whole) - 12} bytes of values, 2 x 3 of {dtype}; it holds {size - 12} " in message


def test_read_idx_gzip_cut_anywhere_says_damaged(tmp_path):
    path = tmp_path / "cut.gz"
    whole = gzip.compress(idx_bytes(0x08, (4, 9), bytes(range(36))))
    for size in range(2, len(whole)):
        path.write_bytes(whole[:size])
        assert "be a whole gzip file; it is damaged (EOFError: " in message_of(path)


def test_read_idx_gzip_with_any_byte_changed_is_refused_or_harmless(tmp_path):
    path = tmp_path / "changed.gz"
    content = idx_bytes(0x08, (40,), bytes(range(40)))
    whole = gzip.compress(content, mtime=0)
    refused = set()
    for place in range(2, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            found = read_idx(path)
        except IdxError:
            message_of(path)
            refused.add(place)
        else:
            assert found.tolist() == list(range(40))
    # Only time, compression level and system, which say nothing of the content, may change unseen.
    assert refused >= {2, 3, *range(10, len(whole))}


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda packed: packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:], "BadGzipFile: CRC check failed"),
        (lambda packed: packed[:10] + b"\xff" + packed[11:], "error: Error -3"),
        (lambda packed: packed + b"trailing", "BadGzipFile: Not a gzipped file"),
    ],
    ids=["crc", "deflate", "after-the-end"],
)
def test_read_idx_damaged_gzip_names_the_damage(tmp_path, damage, named):
    path = tmp_path / "damaged.gz"
    path.write_bytes(damage(gzip.compress(idx_bytes())))
    message = message_of(path)
    assert "be a whole gzip file; it is damaged (" in message
    assert named in message


def test_read_idx_trailing_bytes_are_refused(store):
    assert "hold 3 bytes of values, 3 of uint8; it holds more" in message_of(store(idx_bytes() + b"\0"))


def test_read_idx_not_idx_says_how_it_starts(store):
    assert "starts with bytes 00 00; it starts with 89 50 4e 47" in message_of(store(b"\x89PNG and so on"))
    assert "it starts with 00 01 08 01" in message_of(store(idx_bytes(lead=b"\0\1")))


@pytest.mark.parametrize("code", sorted(set(range(256)) - set(CODES.values())))
def test_read_idx_unknown_type_code_is_refused(tmp_path, code):
    (tmp_path / "a").write_bytes(idx_bytes(code))
    message = message_of(tmp_path / "a")
    assert f"it has 0x{code:02X}." in message
    assert "0x08 uint8" in message
    assert "0x0E float64" in message


def test_read_idx_no_axes_is_refused(store):
    assert "at least 1 axis; its header says 0" in message_of(store(idx_bytes(shape=())))


@pytest.mark.parametrize("shape", [(2**32 - 1, 1000), (2**16, 2**16, 2**16), (0, 2**32 - 1, 2**32 - 1)])
def test_read_idx_claim_of_terabytes_is_refused(store, shape):
    message = message_of(store(idx_bytes(shape=shape)))
    assert f"hold at most {2**31} bytes (max_bytes); its header says {' x '.join(map(str, shape))} of uint8" in message


def test_read_idx_claim_of_many_axes_is_named_in_brief(store):
    message = message_of(store(idx_bytes(0x0E, (7,) * 255)))
    assert "its header says 7 x 7 x 7 x 7 x 7 x 7 x 7 x 7 x ... (255 axes) of float64" in message


def test_read_idx_more_axes_than_numpy_holds_is_refused(store):
    assert "be an array that NumPy can hold; it has 255 axes (" in message_of(
        store(idx_bytes(shape=(1,) * 255, body=b"\5"))
    )


@pytest.mark.parametrize("code", [0x08, 0x0E])
def test_read_idx_max_bytes_counts_the_values(store, code):
    size = 3 * (8 if code == 0x0E else 1)
    path = store(idx_bytes(code, (3,), bytes(size)))
    assert read_idx(path, max_bytes=size).shape == (3,)
    assert f"hold at most {size - 1} bytes" in message_of(path, max_bytes=size - 1)


def test_read_idx_lying_header_and_gzip_bomb_cost_no_memory(tmp_path):
    liar, bomb = tmp_path / "liar", tmp_path / "bomb"
    liar.write_bytes(idx_bytes(shape=(2**31 - 1,)))
    bomb.write_bytes(gzip.compress(idx_bytes(shape=(10,), body=bytes(2**26))))
    tracemalloc.start()
    try:
        assert "it holds 3 (it is truncated)" in message_of(liar)
        assert "it holds more" in message_of(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_read_idx_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        read_idx(tmp_path / "absent")
    assert str(caught.value) == f"read_idx: there is no file {tmp_path / 'absent'}."


def test_read_idx_folder_is_refused(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        read_idx(tmp_path)
    assert str(caught.value) == f"read_idx: {tmp_path} must be an IDX file; it is a folder."


@pytest.mark.parametrize("function", [read_idx, lambda path: write_idx(path, SMALL)])
def test_idx_path_of_a_wrong_kind_is_refused(function):
    with pytest.raises(TypeError, match=r"_idx: path must be a str or a Path; got int 7\."):
        function(7)


@pytest.mark.parametrize("max_bytes", [1.5, "10", None, True])
def test_read_idx_max_bytes_of_a_wrong_kind_is_refused(tmp_path, max_bytes):
    with pytest.raises(TypeError, match=f"read_idx: max_bytes must be an integer; got {max_bytes!r}"):
        read_idx(tmp_path / "absent", max_bytes=max_bytes)


def test_read_idx_max_bytes_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"read_idx: max_bytes must be at least 1; got 0\."):
        read_idx(tmp_path / "absent", max_bytes=0)


def test_idx_error_is_a_value_error():
    assert issubclass(IdxError, ValueError)


# ---- writing that cannot be


@pytest.mark.parametrize(
    "dtype", ["int64", "uint16", "uint32", "float16", "bool", "complex64", "object", "U3", "M8[s]"]
)
def test_write_idx_impossible_dtype_names_the_possible_ones(tmp_path, dtype):
    with pytest.raises(TypeError) as caught:
        write_idx(tmp_path / "a", np.empty(2, dtype=dtype))
    message = str(caught.value)
    assert message.startswith("write_idx: array must be one of ")
    assert all(name in message for name in DTYPES)
    assert f"got {np.dtype(dtype)}." in message
    assert list(tmp_path.iterdir()) == []


def test_write_idx_list_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"write_idx: array must be a NumPy array; got list\."):
        write_idx(tmp_path / "a", [1, 2])


def test_write_idx_no_axes_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"write_idx: array must have 1 to 255 axes; got shape \(\)\."):
        write_idx(tmp_path / "a", np.array(5, dtype=np.uint8))


@pytest.mark.skipif(sys.maxsize < 2**32, reason="needs an axis that a 32-bit machine cannot have")
def test_write_idx_axis_too_long_for_the_header_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"shorter than 2\*\*32; got shape \(2, 4294967296\)"):
        write_idx(tmp_path / "a", np.broadcast_to(np.uint8(0), (2, 2**32)))


def test_write_idx_folder_in_its_place_is_refused(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        write_idx(tmp_path, SMALL)
    assert str(caught.value) == f"write_idx: path must be a file; {tmp_path} is a folder."


def test_write_idx_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_idx(tmp_path / "absent" / "a.gz", SMALL)
    assert str(caught.value) == f"write_idx: there is no folder {tmp_path / 'absent'} to write a.gz in."


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize("step", ["os.fsync", "os.replace", "brickgrad.datasets.idx._write_stream"])
@pytest.mark.parametrize("failure", [OSError("the disk is full"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_write_idx_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, name, step, failure):
    path = tmp_path / name
    write_idx(path, SMALL)
    before = path.read_bytes()

    def fail(*args, **options):
        assert len(list(tmp_path.iterdir())) == 2  # the temporary file stands in the same folder
        raise failure

    monkeypatch.setattr(step, fail)
    with pytest.raises(type(failure)) as caught:
        write_idx(path, SMALL + 1)
    assert caught.value is failure
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_write_idx_reaches_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    expected = len(idx_bytes(0x0B, (2, 3), bytes(12)))

    def watched_fsync(descriptor):
        steps.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def watched_replace(source, target):
        steps.append(("replace", Path(source).stat().st_size))
        replace(source, target)

    monkeypatch.setattr("os.fsync", watched_fsync)
    monkeypatch.setattr("os.replace", watched_replace)
    write_idx(tmp_path / "a", SMALL)
    assert steps == [("fsync", expected), ("replace", expected)]


def test_write_idx_existing_file_is_replaced(tmp_path):
    write_idx(tmp_path / "a", np.zeros(100))
    write_idx(tmp_path / "a", SMALL)
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), SMALL)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_write_idx_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_idx(tmp_path / "a", SMALL)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
