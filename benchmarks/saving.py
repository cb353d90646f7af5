"""What saving costs: a checkpoint after each epoch of the MLP of `examples/train_mnist.py`, beside the epoch itself.

The share is that of the medians. The first save looks at the data too, once a run; its time stands apart. On a busy
machine epochs take longer than saves do in proportion, so the save by the clock is also held against the processor time
of an epoch, which others do not change: with one thread for the matrix library, as deterministic runs have, no share is
larger than that.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import brickgrad as bg


class Timed(bg.Checkpoint):
    """A Checkpoint that notes how long each save took, and how large its file is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seconds: list[float] = []
        self.epochs: list[float] = []
        self.since = 0.0
        self.bytes = 0

    def on_start(self, trainer: bg.Trainer) -> None:
        """Look at the clock of the processor."""
        super().on_start(trainer)
        self.since = time.process_time()

    def on_epoch(self, trainer: bg.Trainer) -> None:
        """Note the processor's time for the epoch, and save."""
        self.epochs.append(time.process_time() - self.since)
        super().on_epoch(trainer)
        self.since = time.process_time()

    def save(self, trainer: bg.Trainer) -> Path | None:
        """Save, by the clock."""
        start = time.perf_counter()
        file = super().save(trainer)
        self.seconds.append(time.perf_counter() - start)
        self.bytes = 0 if file is None else file.stat().st_size
        return file


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="(default: 8)")
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured (default: a temporary folder)")
    args = parser.parse_args()
    (x, t), (x_test, t_test) = bg.load_mnist()
    net = bg.MultiLayerNet(784, [400, 100], 10, rng=0)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        timed = Timed(Path(folder) / "run")
        trainer = bg.Trainer(
            net, bg.Momentum(lr=0.1), epochs=args.epochs, callbacks=timed, progress=False, deterministic=True
        )
        history = trainer.fit(x, t, x_test, t_test)
    first, *others = timed.seconds
    epoch, save = statistics.median(history.seconds), statistics.median(others or [first])
    busy = statistics.median(timed.epochs)
    print(f"an epoch, both accuracies included: {epoch:.3f} s (median of {args.epochs})")
    print(f"a save of {timed.bytes:,} bytes: {1e3 * save:.1f} ms, the first {1e3 * first:.1f} ms")
    print(
        f"saving once an epoch costs {100 * save / epoch:.2f} % of it; at most {100 * save / busy:.2f} %, held against"
    )
    print(f"the {busy:.3f} s that the epoch keeps one processor busy")


if __name__ == "__main__":
    main()
