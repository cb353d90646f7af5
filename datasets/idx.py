"""The IDX format of MNIST and its relatives: one array a file, raw or gzip-compressed.

A file is a header and a body, all big-endian:

    0 0 | type code | number of axes | length of each axis, 4 bytes each | the values, last axis fastest
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
PathLike: TypeAlias = str | os.PathLike[str]

MAX_BYTES = 2**31

_STORED = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DTYPES = {code: np.dtype(name) for code, name in _STORED.items()}
_CODES = {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**20


class IdxError(ValueError):
    """A file that is not a whole and sound IDX file, or not the one that was expected."""


def read_idx(path: PathLike, *, max_bytes: int = MAX_BYTES) -> Array:
    """Read the array of an IDX file; whether it is compressed is told by its first bytes, not by its name.

    Parameters
        path : str or Path.
        max_bytes : int at least 1, default 2**31. The largest array to accept, in bytes. It is checked before anything
            is allocated, and memory grows only with what the file holds once unpacked, whatever its header claims.
    Shapes       as the header says, at least one axis
    Dtype        uint8, int8, int16, int32, float32 or float64, in the machine's byte order; writable and C-contiguous
    Errors       FileNotFoundError: no such file. IsADirectoryError: a folder. IdxError: not IDX, unknown type code, no
                 axes, too large, too short, too long, or damaged gzip. ValueError, TypeError: a bad max_bytes or path
    Source       Y. LeCun, C. Cortes & C. J. C. Burges, "The MNIST database of handwritten digits"
    Example
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_idx(f"{folder}/small.gz", np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int16))
        ...     read_idx(f"{folder}/small.gz")
        array([[1, 2, 3],
               [4, 5, 6]], dtype=int16)
    """
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int | np.integer):
        raise TypeError(f"read_idx: max_bytes must be an integer; got {max_bytes!r}.")
    if max_bytes < 1:
        raise ValueError(f"read_idx: max_bytes must be at least 1; got {max_bytes}.")
    return read_array("read_idx", as_path("read_idx", "path", path), int(max_bytes))


def read_array(who: str, path: Path, max_bytes: int = MAX_BYTES, tee: Callable[[bytes], object] | None = None) -> Array:
    """`read_idx` on behalf of `who`, whom its errors name; `tee` is handed the decompressed bytes as they come."""
    if path.is_dir():
        raise IsADirectoryError(f"{who}: {path} must be an IDX file; it is a folder.")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{who}: there is no file {path}.") from None
    with file:
        return read_open(f"{who}: {path}", file, max_bytes, tee)


def read_open(place: str, file: IO[bytes], max_bytes: int, tee: Callable[[bytes], object] | None = None) -> Array:
    """The same from a file that is open; `place` opens the errors."""
    compressed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file) if compressed else file as stream:
            return _read_stream(place, stream, max_bytes, tee or (lambda chunk: None))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise IdxError(
            f"{place} must be a whole gzip file; it is damaged ({type(error).__name__}: {error})."
        ) from error


def _read_stream(place: str, stream: Any, max_bytes: int, tee: Callable[[bytes], object]) -> Array:
    """The array in `stream`, an open file of decompressed bytes. `place` opens the errors."""
    magic = _read_header(place, stream, 4)
    if magic[:2] != b"\0\0":
        raise IdxError(f"{place} must be an IDX file, which starts with bytes 00 00; it starts with {magic.hex(' ')}.")
    code, ndim = magic[2:]
    if code not in _DTYPES:
        known = ", ".join(f"0x{code:02X} {dtype.name}" for code, dtype in _DTYPES.items())
        raise IdxError(f"{place} must have one of the type codes {known}; it has 0x{code:02X}.")
    if ndim == 0:
        raise IdxError(f"{place} must have at least 1 axis; its header says 0.")
    lengths = _read_header(place, stream, 4 * ndim)
    shape, dtype = struct.unpack(f">{ndim}I", lengths), _DTYPES[code]
    # An axis of length 0 must not hide the others: NumPy refuses (0, 2**32 - 1, 2**32 - 1) too.
    if math.prod(length or 1 for length in shape) * dtype.itemsize > max_bytes:
        raise IdxError(
            f"{place} must hold at most {max_bytes} bytes (max_bytes); its header says {_times(shape)} of {dtype.name}."
        )
    tee(magic)
    tee(lengths)
    size = math.prod(shape) * dtype.itemsize
    body = bytearray()
    # One byte more than is due: it tells a file that is too long, and takes gzip to its end, where the CRC is checked.
    while chunk := stream.read(min(_CHUNK, size + 1 - len(body))):
        tee(chunk)
        body += chunk
    if len(body) != size:
        found = f"{len(body)} (it is truncated)" if len(body) < size else "more (bytes trail behind the values)"
        raise IdxError(f"{place} must hold {size} bytes of values, {_times(shape)} of {dtype.name}; it holds {found}.")
    try:
        stored = np.frombuffer(body, dtype).reshape(shape)
    except ValueError as error:  # more axes than NumPy can hold
        raise IdxError(f"{place} must be an array that NumPy can hold; it has {ndim} axes ({error}).") from error
    return stored.astype(dtype.newbyteorder("="), copy=False)


def _read_header(place: str, stream: Any, size: int) -> bytes:
    header: bytes = stream.read(size)
    if len(header) < size:
        raise IdxError(
            f"{place} must be an IDX file; it is truncated: {size} bytes of header expected, {len(header)} found."
        )
    return header


def _times(shape: tuple[int, ...]) -> str:
    """The shape as text, cut short where a header claims dozens of axes."""
    return " x ".join(map(str, shape[:8])) + (f" x ... ({len(shape)} axes)" if len(shape) > 8 else "")


def write_idx(path: PathLike, array: Array) -> None:
    """Write an array as an IDX file, compressed where the name ends in `.gz`.

    The file appears whole or not at all: it is written beside its place and then moved there, so that a failure leaves
    what was there before. The same array always gives the same bytes.

    Parameters
        path : str or Path. The folder must exist; a file of that name is replaced.
        array : numpy.ndarray. Any memory order and any byte order.
    Shapes       at least one axis, each shorter than 2**32
    Dtype        uint8, int8, int16, int32, float32 or float64
    Errors       TypeError: not an array, or a dtype that IDX cannot hold. ValueError: no axes, or one too long.
                 FileNotFoundError: no such folder. IsADirectoryError: path is a folder
    Source       as `read_idx`
    Example
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_idx(f"{folder}/labels", np.array([5, 0, 4], dtype=np.uint8))
        ...     Path(folder, "labels").read_bytes().hex(" ")
        '00 00 08 01 00 00 00 03 05 00 04'
    """
    target = as_path("write_idx", "path", path)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"write_idx: array must be a NumPy array; got {type(array).__name__}.")
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        possible = ", ".join(dtype.name for dtype in _CODES)
        raise TypeError(f"write_idx: array must be one of {possible}; got {array.dtype}. Convert it with .astype().")
    if not 1 <= array.ndim <= 255:
        raise ValueError(f"write_idx: array must have 1 to 255 axes; got shape {array.shape}.")
    if max(array.shape) >= 2**32:
        raise ValueError(f"write_idx: array must have axes shorter than 2**32; got shape {array.shape}.")
    if target.is_dir():
        raise IsADirectoryError(f"write_idx: path must be a file; {target} is a folder.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"write_idx: there is no folder {target.parent} to write {target.name} in.")
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    body = np.ascontiguousarray(array, _DTYPES[code])
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            _write_stream(file, header, body, compress=target.suffix.lower() == ".gz")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_stream(file: IO[bytes], header: bytes, body: Array, *, compress: bool) -> None:
    if not compress:
        file.write(header)
        file.write(body.data)
        return
    # No name and no time in gzip's own header, so that the same array gives the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        packed.write(header)
        packed.write(body.data)


def as_path(who: str, name: str, path: PathLike) -> Path:
    """`path` as a Path; TypeError, which names the argument, for what is none.

    >>> as_path("read_idx", "path", "digits.gz").name
    'digits.gz'
    """
    try:
        return Path(path)
    except TypeError:
        raise TypeError(f"{who}: {name} must be a str or a Path; got {type(path).__name__} {path!r}.") from None
