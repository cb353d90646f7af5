"""Checkpoint: a run saved as it goes, so that after any end it goes on as if it had never stopped."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import blas

from .batches import check_count
from .callbacks import Callback
from .health import is_sound
from .state import put_back, take
from .state_check import read_values

if TYPE_CHECKING:
    from .trainer import Trainer

KIND = "checkpoint 1"
NAME = re.compile(r"epoch-\d{6}-batch-\d{8}\.safetensors")


def save(trainer: Trainer, path: str | os.PathLike[str]) -> None:
    """Write where the run stands, as one sealed file."""
    from brickgrad.files.tensors import FORMAT, write_tensors

    arrays, values = take(trainer)
    values["versions"] = versions()
    write_tensors(path, arrays, {FORMAT: KIND, "state": json.dumps(values)})
    trainer.last_saved = Path(path)


def resume(trainer: Trainer, path: str | os.PathLike[str]) -> Path:
    """Put the state of a file, or of a folder's newest good one, into the trainer; return which file it was."""
    from brickgrad.files.errors import FileError
    from brickgrad.files.tensors import read_tensors

    place = Path(path)
    candidates = newest_first(place) if place.is_dir() else [place]
    if not candidates:
        raise FileNotFoundError(f"Trainer.resume: there is no checkpoint in {place}. Was the run given Checkpoint()?")
    damaged = []
    for file in candidates:
        try:
            found = read_tensors(file, sealed=True)
        except FileError as error:
            damaged.append(str(error))
            continue
        values = _values(file, found)
        put_back(trainer, found.arrays, values)
        trainer.resumed = trainer.last_saved = file
        for line in (*damaged, *_other_versions(values["versions"])):
            trainer.progress.say(line)
        return file
    raise FileError(f"Trainer.resume: no checkpoint in {place} is good: {' '.join(damaged)}")


def _values(file: Path, found: Any) -> dict[str, Any]:
    """The values of a whole file; FileError where it is none of ours, or a newer one's."""
    from brickgrad.files.errors import FileError
    from brickgrad.files.tensors import check_format

    check_format(file, found, KIND, "checkpoint of a trainer")
    try:
        return read_values(found.metadata.get("state", ""))
    except ValueError as error:
        raise FileError(f"{file}: must be a checkpoint with the state of a run. {str(error)[:200]}") from None


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the newest first."""
    return sorted((file for file in folder.iterdir() if NAME.fullmatch(file.name)), reverse=True)


def versions() -> dict[str, str]:
    """What the bits of a run hang on, besides its seed."""
    library, threads = blas.in_use()
    return {"NumPy": np.__version__, "BLAS": library, "machine": platform.machine(), "BLAS threads": threads}


def _other_versions(before: dict[str, str]) -> Iterator[str]:
    """A line where the run goes on under something else than it was begun with: its last bits may then differ."""
    now = versions()
    then = {key: text if text.isprintable() else repr(text) for key, text in before.items()}  # it is from a file
    changed = [f"{key} {then.get(key)} then, {value} now" for key, value in now.items() if then.get(key) != value]
    if changed:
        yield f"resumed under other versions, so the last bits may differ: {'; '.join(changed)}"


class Checkpoint(Callback):
    """Saves the run into a folder as it goes. `trainer.resume(folder)` before `fit` goes on where it stood.

    The resumed run ends with the same bytes of parameters and the same history as one that was never stopped, on one
    machine, NumPy and number of BLAS threads. The times of its epochs alone are its own.

    Parameters
        folder : str or path; made if it is not there.
        every : int >= 1, default 1. Saves after so many epochs.
        every_batches : int >= 1, optional. Saves after so many batches as well.
        keep : int >= 1, default 2. How many of the newest stay.
    Errors       ValueError: a bad setting, another trainer at work in the folder. OSError: it cannot be written to;
                 what was saved before stays good.
    Example
        >>> import tempfile, brickgrad as bg
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> def trainer(folder, epochs):
        ...     net = bg.Sequential(bg.Affine(1, 2, rng=0))
        ...     return bg.Trainer(net, bg.Adam(), epochs=epochs, callbacks=Checkpoint(folder), progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = trainer(folder, 5).fit(x, t)
        ...     again = trainer(folder, 5)
        ...     print(again.resume(folder).name, again.fit(x, t) == history)
        epoch-000005-batch-00000000.safetensors True
    """

    goes_last = True

    def __init__(
        self, folder: str | os.PathLike[str], *, every: int = 1, every_batches: int | None = None, keep: int = 2
    ) -> None:
        check_count("Checkpoint", "every", every)
        check_count("Checkpoint", "keep", keep)
        if every_batches is not None:
            check_count("Checkpoint", "every_batches", every_batches)
        self.folder, self.every, self.every_batches, self.keep = Path(folder), every, every_batches, keep
        self._lock: Any = None

    def on_start(self, trainer: Trainer) -> None:
        """Make the folder and take it for this run alone; clear away what a killed process has left unfinished."""
        from brickgrad.files.whole import remove_unfinished

        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder)
        remove_unfinished(self.folder)
        ahead = [file for file in newest_first(self.folder) if file.name > self._place(trainer).name]
        own = trainer.resumed is not None and trainer.resumed.parent.resolve() == self.folder.resolve()
        if ahead and not own:
            raise ValueError(
                f"Checkpoint: {self.folder} holds a run that went further, {ahead[0].name}. Go on with it by "
                "trainer.resume, or give this run a folder of its own."
            )

    def on_batch(self, trainer: Trainer) -> None:
        """Save, if so many batches are done."""
        if self.every_batches is not None and len(trainer.history.losses) % self.every_batches == 0:
            self.save(trainer)

    def on_epoch(self, trainer: Trainer) -> None:
        """Save, if so many epochs are done; the last always."""
        if trainer.epoch % self.every == 0 or trainer.epoch == trainer.last_epoch or trainer.stopped is not None:
            self.save(trainer)

    def on_interrupt(self, trainer: Trainer) -> None:
        """Save, and say how to go on."""
        file = self.save(trainer)
        saved = f"saved {file}" if file is not None else f"the last that was saved is {trainer.last_saved}"
        trainer.progress.say(f"interrupted; {saved}. trainer.resume({str(self.folder)!r}) goes on from there.")

    def on_end(self, trainer: Trainer) -> None:
        """Leave the folder to others."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save(self, trainer: Trainer) -> Path | None:
        """Save now, and remove the oldest beyond `keep`. Returns the file; None if the net is sick and is not saved."""
        if not is_sound(trainer.net):
            trainer.progress.say(
                f"not saved: parameters or running statistics are not finite; {self.folder} stays as it is"
            )
            return None
        file = self._place(trainer)
        try:
            save(trainer, file)
        except OSError as error:
            good = "There is none before it" if trainer.last_saved is None else f"{trainer.last_saved} stays good"
            raise OSError(error.errno, f"Checkpoint: could not save ({error.strerror}). {good}", str(file)) from error
        older = [other for other in newest_first(self.folder) if other.name < file.name]
        for other in {*newest_first(self.folder)} - {file, *older[: self.keep - 1]}:
            with contextlib.suppress(OSError):
                other.unlink()
        return file

    def _place(self, trainer: Trainer) -> Path:
        """The file for where the run stands."""
        done = trainer.batches.done if trainer.in_epoch and trainer.batches is not None else 0
        return self.folder / f"epoch-{trainer.epoch:06}-batch-{done:08}.safetensors"


def _lock(folder: Path) -> Any:
    """A lock on the folder that ends with the process, however that ends; None where a system has none."""
    try:
        import fcntl
    except ImportError:
        return None
    file = open(folder / ".lock", "w")  # noqa: SIM115  # open as long as the lock is to hold
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ValueError(
            f"Checkpoint: another trainer is at work in {folder}. Give each run a folder of its own."
        ) from None
    except OSError:  # a file system that knows no locks
        file.close()
        return None
    return file
