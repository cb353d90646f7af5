"""Training that is killed again and again, and each time resumed: it must end as a run that nothing disturbed.

A small net trains on a part of MNIST with all that a checkpoint has to keep: Adam, a schedule, dropout, batch
normalization, shifted images, a validation split, EarlyStopping and BestWeights. Processes are killed by SIGKILL, half
of them at a random time and half within a save; others end by Ctrl-C, an exception, or a file that cannot be written.
The next process goes on from the folder. A run that comes to its end must have the SHA-256 and the history of the
undisturbed one. POSIX only.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import brickgrad as bg
from brickgrad.files import whole
from brickgrad.trainers import checkpoint

STAGES = ("training", "in a save, before its file", "writing and syncing", "renaming", "removing older ones")
ENDS = ("kill", "ctrl-c", "exception", "full disk")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="processes killed by SIGKILL (default: 300)")
    parser.add_argument("--others", type=int, default=30, help="processes ended in other ways (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn here (default: 0)")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # what follows: one process of those
    parser.add_argument("--end", choices=(*ENDS, "none"), default="none", help=argparse.SUPPRESS)
    parser.add_argument("--after", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder is not None:
        train(args.folder, args.end, args.after, args.every)
    else:
        disturb(args.kills, args.others, args.seed)


def train(folder: Path, end: str, after: int, every: int) -> None:
    """One process: go on where the folder's run stands, and print what it ended with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    with np.load(folder.parent / "digits.npz") as digits:
        x, t, x_test, t_test = (digits[name] for name in ("x", "t", "x_test", "t_test"))
    net = bg.MultiLayerNet(784, [24, 24], 10, use_batchnorm=True, dropout_ratio=0.2, rng=0)
    callbacks: list[Any] = [bg.EarlyStopping(3), bg.BestWeights(), bg.Checkpoint(folder, every_batches=every)]
    trainer = bg.Trainer(
        net, bg.Adam(lr=bg.CosineDecay(0.01, 400)), batch_size=25, epochs=20, seed=1, validation=0.2,
        augment=bg.Shifts(1, image_shape=(28, 28)), callbacks=[*callbacks, Ends(end, after)], progress=False,
    )  # fmt: skip
    with contextlib.suppress(FileNotFoundError):
        trainer.resume(folder)
    show_stages(folder.parent / "stage")
    print("ready", flush=True)
    trainer.fit(x, t, x_test, t_test)
    print(json.dumps(outcome(trainer)))


class Ends(bg.Callback):
    """Ends the process after so many batches, in one of the ways that it can do by itself."""

    def __init__(self, end: str, after: int) -> None:
        self.end, self.left = end, after

    def on_batch(self, trainer: bg.Trainer) -> None:
        """Count the batches."""
        self.left -= 1
        if self.left != 0:
            return
        if self.end == "exception":
            raise ArithmeticError("an exception")
        if self.end == "ctrl-c":
            signal.raise_signal(signal.SIGINT)
        if self.end == "full disk":  # from now on no file may be larger: the next save fails within its write
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def outcome(trainer: bg.Trainer) -> dict[str, Any]:
    """What must be the same: every bit of the net, and the history but for its times."""
    digest = hashlib.sha256()
    net: Any = trainer.net
    for name, array in net.snapshot().items():
        digest.update(name.encode() + array.tobytes())
    history = {name: series for name, series in vars(trainer.history).items() if name != "seconds"}
    return {"sha256": digest.hexdigest(), "history": history, "stopped": trainer.stopped}


def show_stages(path: Path) -> None:
    """Let one byte of a file say at which of the STAGES this process is, so that it is known where a kill hit it."""
    file = path.open("r+b")
    stage = mmap.mmap(file.fileno(), 1)

    def marked(function: Any, within: int, after: int) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if within > 1 and stage[0] == 0:  # a part of saving, not within a save
                return function(*args, **options)
            stage[0] = within
            try:
                return function(*args, **options)
            finally:
                stage[0] = after

        return call

    stage[0] = 0
    bg.Checkpoint.save = marked(bg.Checkpoint.save, 1, 0)  # type: ignore[method-assign]  # watched, not changed
    whole.tempfile.mkstemp = marked(tempfile.mkstemp, 2, 2)  # type: ignore[assignment]
    whole.os.replace = marked(os.replace, 3, 3)
    checkpoint.newest_first = marked(checkpoint.newest_first, 4, 4)


def disturb(kills: int, others: int, seed: int) -> None:
    """All processes, one after another; the figures at the end, and status 1 where a run ended otherwise."""
    rng, seen, runs, wrong = random.Random(seed), collections.Counter[str](), 0, 0
    ends = ["kill"] * kills + [ENDS[1 + number % 3] for number in range(others)]
    rng.shuffle(ends)
    start_time = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (x, t), (x_test, t_test) = bg.load_mnist()
        np.savez(place / "digits.npz", x=x[:500], t=t[:500], x_test=x_test[:100], t_test=t_test[:100])
        (place / "stage").write_bytes(b"\0")
        expected = finish(start(place / "whole"))
        print(f"undisturbed: SHA-256 {expected['sha256'][:16]}, {len(expected['history']['losses'])} batches")
        while ends:
            process = start(place / f"run{runs}", ends[-1], rng.randint(1, 40), rng.choice((1, 1, 3, 10)))
            where = end(process, ends[-1], rng, place / "stage")
            if where is None:  # it came to its end before it was hit: a run that can be compared
                runs += 1
                wrong += finish(process) != expected
                continue
            seen[where] += 1
            ends.pop()
        runs += 1
        wrong += finish(start(place / f"run{runs - 1}")) != expected
    report(seen, runs, wrong, time.perf_counter() - start_time)
    sys.exit(1 if wrong else 0)


def start(folder: Path, end: str = "none", after: int = 0, every: int = 3) -> subprocess.Popen[str]:
    """A process that is about to train."""
    command = [sys.executable, __file__, "--folder", folder, "--end", end, "--after", after, "--every", every]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(process.stderr.read())
    return process


def end(process: subprocess.Popen[str], how: str, rng: random.Random, stage: Path) -> str | None:
    """End a process and say where that hit it; None where it was at its end already."""
    if how != "kill":
        _, error = process.communicate()
        expected = {"ctrl-c": "KeyboardInterrupt", "exception": "ArithmeticError", "full disk": "could not save"}[how]
        if process.returncode and expected not in error:
            raise RuntimeError(error)
        return how if process.returncode else None
    time.sleep(rng.uniform(0.0, 0.5))
    if rng.random() < 0.5:
        while process.poll() is None and stage.read_bytes() == b"\0":
            pass
        time.sleep(rng.uniform(0.0, 0.006))
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.returncode != -signal.SIGKILL:
        return None
    process.communicate()
    return STAGES[stage.read_bytes()[0]]


def finish(process: subprocess.Popen[str]) -> Any:
    """What a process printed that came to its end."""
    out, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error)
    return json.loads(out.splitlines()[-1])


def report(seen: collections.Counter[str], runs: int, wrong: int, seconds: float) -> None:
    """Print what was done and what came of it."""
    kills = sum(seen[name] for name in STAGES)
    inside = kills - seen[STAGES[0]]
    print(f"{kills} kills, {inside} of them inside a save; {seconds:.0f} s")
    for name in (*STAGES, *ENDS[1:]):
        print(f"  {name:28} {seen[name]:4}")
    print(f"{runs} runs came to their end, {runs - wrong} with the bits and the history of the undisturbed one")


if __name__ == "__main__":
    main()
