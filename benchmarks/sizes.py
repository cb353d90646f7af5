"""What each library takes: bytes of the installed packages, time to import, peak memory of a training run.

Packages are counted with all that they need, NumPy too, and brickgrad with its MNIST. Imports and runs are in fresh
processes, in turn. The peak is what the process had at most in memory after the data was loaded, data and libraries
included; so that of a process that only loads the data stands beside it. Peaks need a Unix.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from import_time import seconds
from report import OURS, Group, write
from training import PEERS, describe

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {OURS: "brickgrad", "PyTorch": "torch", "JAX": "jax", "scikit-learn": "scikit-learn"}
MODULES = {
    **PACKAGES,
    OURS: "brickgrad; brickgrad.Trainer, brickgrad.TwoLayerNet",
    "scikit-learn": "sklearn.neural_network",
}
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
RUN = """
import pathlib, sys
sys.path.insert(0, {here!r})
from peers.work import WORKS, load
work = next(work for work in WORKS if work.name == {work!r})
data = load(work)
status = pathlib.Path("/proc/self/status")
if status.exists():
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # what loading the data took at most does not count
if {module!r}:
    import importlib
    net = work.make()
    net.loss(data.x[:2], data.t[:2])
    run = importlib.import_module("peers." + {module!r}).trainer(work, net, data)
    if run is None:
        raise SystemExit
    run(0, 20)
if status.exists():  # the resource module counts what the parent process had, too, on Linux
    print(int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10)
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes started for each (default: 5)")
    parser.add_argument("--out", type=Path, help="a folder for sizes.txt, .json and .png")
    args = parser.parse_args()
    groups = []
    for group in measured(args.rounds):
        groups.append(group)
        print(f"{group}\n", flush=True)
    if args.out is not None:
        write(groups, args.out, "sizes", describe(1, args.rounds))


def measured(rounds: int, works: tuple[str, ...] = ("small", "simple-conv")) -> Iterator[Group]:
    """The groups, one after another."""
    there = [title for title, name in PACKAGES.items() if is_installed(name)]
    yield Group("installed", "installed, with all that is needed", "MB", {t: [megabytes(PACKAGES[t])] for t in there})
    times: dict[str, list[float]] = {title: [] for title in there}
    for number in range(rounds + 1):
        for title in there:
            taken = seconds(IMPORT.format(MODULES[title])) * 1e3
            times[title] += [taken] if number else []  # the first reads the files into memory
    yield Group("import", "import, NumPy included", "ms", times)
    for work in works:
        modules = {**{title: PEERS.get(title, "ours") for title in there}, "data alone": ""}
        peaks = {title: [peak(work, module) for _ in range(rounds)] for title, module in modules.items()}
        known = {title: found for title, found in peaks.items() if None not in found}
        yield Group(f"memory, {work}", f"peak memory of training, {work}", "MB", known)


def is_installed(package: str) -> bool:
    """Whether a distribution of that name is here."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def megabytes(package: str) -> float:
    """The size of a distribution's files with those of all that it requires, without compiled bytecode."""
    return sum(size for name in needed(package) for size in file_sizes(name)) / 2**20


def needed(package: str) -> set[str]:
    """The package and what it requires, and so on; extras left out, and what this platform has no need of."""
    found, open_ = set(), [package]
    while open_:
        name = re.sub(r"[-_.]+", "-", open_.pop()).lower()
        if name in found or not is_installed(name):
            continue
        found.add(name)
        for line in importlib.metadata.distribution(name).requires or []:
            if "extra ==" not in line:
                open_.append(re.split(r"[\s;<>=!~(\[]", line, maxsplit=1)[0])
    return found


def file_sizes(package: str) -> Iterator[int]:
    """The bytes of each file; brickgrad's are those of the checkout's packages."""
    if package == OURS:
        build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
        paths = [path for name in ("brickgrad", *build["package-dir"].values()) for path in (ROOT / name).rglob("*")]
    else:
        paths = [Path(str(file.locate())) for file in importlib.metadata.files(package) or []]
    for path in paths:
        if path.suffix != ".pyc" and path.is_file():
            yield path.stat().st_size


def peak(work: str, module: str) -> float | None:
    """Megabytes at most in a process that does 20 steps of a work with one library; without one, of the data alone.

    None where the library cannot do it.
    """
    code = RUN.format(here=str(ROOT / "benchmarks"), work=work, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1]) if done.stdout else None


if __name__ == "__main__":
    main()
