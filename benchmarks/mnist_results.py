"""Write docs/results.md and its picture from recorded training runs on MNIST.

A run is recorded by `python examples/train_mnist.py --net NET --seed N --record benchmarks/records/NAME-N.json`. Runs
that differ in nothing but their seed stand together.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"
PAGE = ROOT / "docs" / "results.md"
PICTURE = ROOT / "docs" / "results.png"
NOT_SHOWN = {"seed", "data", "limit"}
ABOUT = """\
# How good the nets become on MNIST

60,000 digits to learn from, 10,000 to be tested on. Within a run no digit of the test set chooses anything; but the
ResNet's width, optimizer and number of epochs were settled after earlier runs had been tested. Each line of a table is
one run: a seed, the accuracy on the test set after the last epoch, the best after any, the time it took on a shared
machine of two cores beside other work, and the first half of the SHA-256 of the parameters. The whole digests, the
settings and every epoch stand in `benchmarks/records/`, and `python benchmarks/mnist_results.py` writes this page from
them.

The same command gives the same SHA-256 where brickgrad, NumPy and its BLAS are the same; elsewhere the last digits of
the accuracy may differ. These runs were made as the library grew: the order in which convolutions,
losses and the shards of a batch add up has changed since, so today the last digits may be others.

By the texts' recipe, with its constant learning rate, DeepConvNet swings between 98.9 and 99.4 % from the tenth epoch
on, so what stands after the last one is chance. The texts print 99.35 % for one run. A rate that falls ends the
swinging.

![The test accuracy after each epoch, for every net and seed](results.png)
"""


def read_records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The recorded runs by the command that repeats them, seeds in order."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))
        runs.setdefault(command(run["settings"]), []).append(run)
    for same in runs.values():
        same.sort(key=lambda run: run["settings"]["seed"])
    return dict(sorted(runs.items(), key=lambda item: statistics.median(run["test_accuracy"] for run in item[1])))


def command(settings: dict[str, Any]) -> str:
    """The command line that repeats a run with any seed."""
    known = {name: value for name, value in settings.items() if name not in NOT_SHOWN and value is not None}
    words = [f"--{name.replace('_', '-')} {_text(value)}" for name, value in known.items() if name != "net"]
    return " ".join(["python examples/train_mnist.py", f"--net {settings['net']}", *words])


def _text(value: Any) -> str:
    """A setting as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def section(line: str, runs: list[dict[str, Any]]) -> str:
    """What one command gave, as a table."""
    middle = statistics.median(run["test_accuracy"] for run in runs)
    net, first = runs[0]["settings"]["net"], runs[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    rows = [
        f"| {run['settings']['seed']} | {100 * run['test_accuracy']:.2f} % "
        f"| {100 * max(run['epochs']['test_accuracy']):.2f} % | {run['seconds'] / 60:.0f} min "
        f"| `{run['sha256'][:32]}` |"
        for run in runs
    ]
    return "\n".join(
        [
            f"## {net}: {100 * middle:.2f} % (median of {len(runs)})",
            "",
            f"`{line} --seed N`",
            "",
            f"{first['parameters']:,} parameters; {versions}.",
            "",
            "| seed | test accuracy | best of any epoch | time | SHA-256 |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def draw(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The error on the test set after each epoch, a colour a command."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    ax = figure.subplots()
    for number, same in enumerate(runs.values()):
        label = _label(same[0]["settings"])
        for index, run in enumerate(same):
            errors = [100 * (1 - accuracy) for accuracy in run["epochs"]["test_accuracy"]]
            ax.plot(range(1, len(errors) + 1), errors, color=f"C{number}", alpha=0.8, label=None if index else label)
    ax.set(xlabel="epoch", ylabel="wrong on the test set (%)", yscale="log", title="MNIST: a line for every run")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_yticks([0.3, 0.5, 1, 2, 5], ["0.3", "0.5", "1", "2", "5"])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    figure.savefig(path, dpi=110)


def _label(settings: dict[str, Any]) -> str:
    """What tells a command's runs from the others'."""
    words = [settings["net"]]
    if settings.get("channels"):
        words[0] += f" of {_text(settings['channels'])} channels"
    if settings.get("dropout") == "texts":
        words.append("the texts' dropout")
    if settings["shifts"]:
        words.append("digits shifted")
    return ", ".join([*words, f"{settings['epochs']} epochs"])


def main() -> None:
    """Read the records, write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=RECORDS, help="the folder of records")
    runs = read_records(parser.parse_args().records)
    if not runs:
        parser.error("there are no records; see --help for how to make one")
    draw(runs, PICTURE)
    PAGE.write_text("\n".join([ABOUT, *(section(line, same) for line, same in runs.items())]), encoding="utf-8")
    for line, same in runs.items():
        print(f"{100 * statistics.median(run['test_accuracy'] for run in same):.2f} %  {line}  ({len(same)} seeds)")


if __name__ == "__main__":
    main()
