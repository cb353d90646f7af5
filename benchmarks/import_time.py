"""How much `import brickgrad` adds to `import numpy`, and what training needs at its first use: medians.

Fresh interpreters, in turn. The parts of the package are imported when something in them is first used.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile

CODE = "import time; import numpy; start = time.perf_counter(); import brickgrad; print(time.perf_counter() - start)"
USED = CODE.replace("; print", "; brickgrad.Trainer; print")
NUMPY = "import time; start = time.perf_counter(); import numpy; print(time.perf_counter() - start)"


def seconds(code: str) -> float:
    """What the code prints when a fresh interpreter runs it, away from any checkout."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return float(done.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="interpreters started for each (default: 11)")
    runs = parser.parse_args().runs
    seconds(CODE)  # warms the file cache and writes the bytecode
    times = [(seconds(NUMPY), seconds(CODE), seconds(USED)) for _ in range(runs)]
    numpy, alone, used = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"import numpy {numpy:.0f} ms; on top of it import brickgrad {alone:.0f} ms, and with layers, nets and trainer "
        f"used {used:.0f} ms (medians of {runs})"
    )


if __name__ == "__main__":
    main()
