"""Arrays in a file that any tool can read: safetensors, a JSON header and then the numbers, and no code.

    8 bytes, little-endian: the header's length | the header, JSON | the arrays' bytes, one after another, no gaps

Files of ours are sealed: a SHA-256 over all of the file stands in the header, and one of each array. A file from
elsewhere has no seal; its structure is held to the same rules.

Source: the safetensors format, https://github.com/huggingface/safetensors, as its README describes it
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import FileError
from .whole import write_whole

Array = np.ndarray[Any, np.dtype[Any]]

MOST_HEADER = 16 << 20  # bytes
MOST_FILE = 64 << 30
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}
SEAL, DIGESTS, FORMAT = "brickgrad.seal", "brickgrad.sha256", "brickgrad.format"
UNSEALED = "0" * 64


@dataclass(frozen=True)
class Tensors:
    """What a file holds: arrays by name, which are read-only, and texts by name; and whether it was sealed."""

    arrays: dict[str, Array]
    metadata: dict[str, str]
    sealed: bool


def write_tensors(path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays and texts as one sealed file; whole, or not at all.

    Errors       TypeError: a dtype that the format does not know, such as complex. ValueError: texts too long to read
    """
    write_whole(path, put_together(arrays, metadata))


def put_together(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> list[bytes]:
    """The content of such a file, in parts."""
    ordered = {name: np.asarray(array) for name, array in arrays.items()}
    header: dict[str, Any] = {}
    digests, blocks, at = {}, [], 0
    for name, array in sorted(ordered.items(), key=lambda pair: (-pair[1].dtype.itemsize, pair[0])):
        little = np.asarray(array, array.dtype.newbyteorder("<"))
        if little.dtype not in NAMES:
            raise TypeError(f"write_tensors: {name!r} must hold numbers of {', '.join(DTYPES)}; got {array.dtype}.")
        block = little.tobytes()  # in C order whatever the array's own
        header[name] = {"dtype": NAMES[little.dtype], "shape": array.shape, "data_offsets": [at, at + len(block)]}
        digests[name] = hashlib.sha256(block).hexdigest()
        blocks.append(block)
        at += len(block)
    known = {**metadata, DIGESTS: json.dumps(digests), SEAL: UNSEALED}
    text = json.dumps({"__metadata__": known, **header}, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER:
        raise ValueError(f"write_tensors: the header must have at most {MOST_HEADER:,} bytes; got {len(text):,}.")
    start = len(text).to_bytes(8, "little") + text
    seal = _seal([start, *blocks])
    return [start.replace(UNSEALED.encode(), seal.encode(), 1), *blocks]


def _seal(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def read_tensors(path: str | os.PathLike[str], *, sealed: bool = False) -> Tensors:
    """Read a file; `sealed` asks for one of ours, of which not a bit has changed.

    Errors       FileError: no such format, a header that is wrong in any way, a seal that is broken or, where it is
                 asked for, missing. OSError: the file cannot be read. Nothing larger than the file is ever allocated.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_FILE:
            raise _wrong(path, f"it has {size:,} bytes, more than {MOST_FILE:,}")
        content = file.read(size)  # and no more, should it be a device that never ends
    return take_apart(path, content, sealed=sealed)


def take_apart(path: str | os.PathLike[str], content: bytes, *, sealed: bool = False) -> Tensors:
    """What the content of a file holds; `path` is named in errors, which are those of `read_tensors`."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= min(MOST_HEADER, len(content) - 8):
        raise _wrong(path, f"its first 8 bytes say a header of {length:,} bytes; the file has {len(content):,}")
    header = parse(path, content[8 : 8 + length], "its header")
    metadata = _metadata(path, header.pop("__metadata__", {}))
    data = memoryview(content)[8 + length :]
    arrays = _arrays(path, header, data)
    has_seal = SEAL in metadata
    if has_seal:
        _check_seal(path, content, 8 + length, metadata[SEAL])
    elif sealed or any(key.startswith("brickgrad") for key in metadata):
        raise _wrong(path, "it has no seal, which every file of brickgrad's has")
    return Tensors(arrays, {key: text for key, text in metadata.items() if key not in (SEAL, DIGESTS)}, has_seal)


def check_format(path: str | os.PathLike[str], found: Tensors, due: str, what: str) -> None:
    """FileError unless the file is of the form that is due, "net 1" say; `what` it would be is named in the error."""
    form = found.metadata.get(FORMAT)
    if form != due:
        newer = str(form).startswith(due.partition(" ")[0])
        why = "a newer brickgrad wrote it" if newer else f"it is no {what}"
        raise FileError(f"{os.fspath(path)}: must be a {due!r}; it is a {str(form)[:40]!r}: {why}. Nothing was loaded.")


def _wrong(path: str | os.PathLike[str], what: str) -> FileError:
    return FileError(f"{os.fspath(path)}: must be a whole safetensors file; {what}. Nothing was loaded.")


def _check_seal(path: str | os.PathLike[str], content: bytes, start: int, seal: str) -> None:
    head, mark = content[:start], seal.encode("utf-8", "replace")
    if len(mark) != 64 or head.count(mark) != 1:
        raise _wrong(path, "its seal is no SHA-256")
    if _seal([head.replace(mark, UNSEALED.encode()), content[start:]]) != seal:
        raise _wrong(path, "its bytes are not those that were sealed when it was written: it is damaged")


def parse(path: str | os.PathLike[str], text: bytes, what: str) -> dict[str, Any]:
    """A JSON object in a file, as a dict; FileError where it is none, for what JSON forbids and for a name twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError("a name stands in it twice")
        return names

    def no_constant(name: str) -> Any:
        raise ValueError(f"it holds {name}")

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"{what} is no JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise _wrong(path, f"{what} is no JSON object")
    return found


def _metadata(path: str | os.PathLike[str], found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise _wrong(path, "its __metadata__ must be texts by name")
    return found


def _arrays(path: str | os.PathLike[str], header: dict[str, Any], data: memoryview) -> dict[str, Array]:
    """Views of the data as the header describes them: every byte in one array, and in no two."""
    arrays, spans = {}, []
    for name, entry in header.items():
        dtype, shape, (start, end) = _entry(path, name, entry)
        if end - start != dtype.itemsize * math.prod(shape):
            raise _wrong(path, f"{name!r} is {shape} of {entry['dtype']} but has {end - start} bytes")
        if end > len(data):
            raise _wrong(path, f"{name!r} ends at byte {end} of {len(data)}")
        spans.append((start, end))
        array = np.frombuffer(data[start:end], dtype).reshape(shape)
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        array.flags.writeable = False
        arrays[name] = array
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise _wrong(path, f"bytes {min(start, at)} to {max(start, at)} of its data are in no array or in two")
        at = end
    if at != len(data):
        raise _wrong(path, f"{len(data) - at} bytes behind its last array belong to none")
    return arrays


def _entry(
    path: str | os.PathLike[str], name: str, entry: Any
) -> tuple[np.dtype[Any], tuple[int, ...], tuple[int, int]]:
    """An array's dtype, shape and place, once they are what they must be."""

    def whole(numbers: Any) -> bool:
        return isinstance(numbers, list) and all(type(n) is int and 0 <= n <= MOST_FILE for n in numbers)

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _wrong(path, f"{name!r} must have dtype, shape and data_offsets and nothing else")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise _wrong(
            path, f"{name!r} has the dtype {reprlib.repr(entry['dtype'])}, which is none of {', '.join(DTYPES)}"
        )
    if not whole(entry["shape"]) or len(entry["shape"]) > 32:
        raise _wrong(path, f"{name!r} has the shape {reprlib.repr(entry['shape'])}")
    offsets = entry["data_offsets"]
    if not whole(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _wrong(path, f"{name!r} has the data_offsets {reprlib.repr(offsets)}")
    return np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"]), (offsets[0], offsets[1])
