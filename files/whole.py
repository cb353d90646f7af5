"""Writing a file so that after any crash there is the old one or the new one, whole, and never half of either."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def write_whole(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write the parts one after another as the file `path`, in place of what may be there.

    They go into a file beside it, which is flushed to the disk and then takes the name, in one step; then the folder's
    own entry is flushed. On an error what was there is there still, and nothing else is left.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.bin", [b"one ", b"two"])
    ...     (Path(folder) / "a.bin").read_bytes()
    b'one two'
    """
    target = Path(path)
    with _named(target):
        _write(target, parts)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left; only where no other can be writing now."""
    for file in folder.glob(".*.unfinished"):
        with contextlib.suppress(OSError):
            file.unlink()


@contextlib.contextmanager
def _named(target: Path) -> Iterator[None]:
    """Errors of the system name the file that is to be, not the unfinished one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            error.filename = str(target)
            del error.filename2
        raise


def _write(target: Path, parts: Iterable[bytes | memoryview]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".unfinished", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _usual_mode())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(target.parent)


def _usual_mode() -> int:
    """What a file made by open() may be done with: mkstemp's is for its owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry of the new name; where a system has no such call, its rename is all there is."""
    with contextlib.suppress(OSError, AttributeError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
