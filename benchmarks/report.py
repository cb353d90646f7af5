"""What was measured, as text, as JSON and as a picture: one group for each thing done, a row for each library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OURS, FLOOR = "brickgrad", "floor"


@dataclass(frozen=True)
class Group:
    """One thing done by several libraries.

    `values` holds for each library what was measured in each round, in `unit`; less is better. All libraries ran in
    turn, so that the ratio of two is taken round by round. `losses` are those at the end, where there are any.
    """

    name: str
    title: str
    unit: str
    values: dict[str, list[float]]
    losses: dict[str, float] | None = None

    def ratio(self, title: str, base: str) -> float | None:
        """The median of a library's ratios to another, round by round; None where that one was not measured."""
        if base not in self.values:
            return None
        return float(np.median(np.array(self.values[title]) / np.array(self.values[base])))

    def rows(self) -> list[dict[str, Any]]:
        """For each library the median, the middle half, the ratios to brickgrad and to the floor, and the loss."""
        found = []
        for title, values in self.values.items():
            low, middle, high = (float(value) for value in np.percentile(values, [25, 50, 75]))
            found.append({
                "library": title, "median": middle, "low": low, "high": high,
                "to brickgrad": self.ratio(title, OURS), "to floor": self.ratio(title, FLOOR),
                "loss": (self.losses or {}).get(title),
            })  # fmt: skip
        return found

    def __str__(self) -> str:
        wide = max(16, *map(len, self.values))
        lines = [
            self.title,
            f"{'':{wide}} {self.unit:>12} {'middle half':>21} {'to brickgrad':>13} {'to floor':>9} {'loss':>8}",
        ]
        for row in self.rows():
            spread = f"{row['low']:.4g} … {row['high']:.4g}"
            ratios = f"{_ratio(row['to brickgrad']):>13} {_ratio(row['to floor']):>9}"
            loss = "" if row["loss"] is None or np.isnan(row["loss"]) else f"{row['loss']:.4f}"
            lines.append(f"{row['library']:{wide}} {row['median']:12.4g} {spread:>21} {ratios} {loss:>8}".rstrip())
        return "\n".join(lines)


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def write(groups: Sequence[Group], folder: Path, name: str, head: str) -> None:
    """Write name.txt, name.json and name.png into the folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text("\n\n".join([head, *map(str, groups)]) + "\n", encoding="utf-8")
    found = {
        group.name: {"title": group.title, "unit": group.unit, "rows": group.rows(), "values": group.values}
        for group in groups
    }
    (folder / f"{name}.json").write_text(json.dumps({"head": head, "groups": found}, indent=1) + "\n")
    draw(groups, folder / f"{name}.png")


def draw(groups: Sequence[Group], path: Path) -> None:
    """A bar for each library in each group: its share of brickgrad's, on a scale of equal ratios."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullLocator

    titles = list(dict.fromkeys(title for group in groups for title in group.values if title != OURS))
    figure, axes = pyplot.subplots(figsize=(9, 0.6 + 0.16 * sum(1.5 + len(group.values) for group in groups)))
    place, ticks = 0.0, []
    for group in groups:
        others = [title for title in group.values if title != OURS]
        ticks.append((place + (len(others) - 1) / 2, group.name))
        for title in others:
            ratio = group.ratio(title, OURS)
            assert ratio is not None
            color = "0.75" if title == FLOOR else f"C{[t for t in titles if t != FLOOR].index(title)}"
            axes.barh(place, ratio - 1, left=1, height=0.85, color=color, label=title)
            axes.annotate(
                f"{ratio:.2f}", (ratio, place), (4 if ratio >= 1 else -4, 0), textcoords="offset points", fontsize=7,
                va="center", ha="left" if ratio >= 1 else "right",
            )  # fmt: skip
            place += 1
        place += 1.5
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.3, high * 1.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.set_ylim(place - 1, -1)
    axes.set_xlabel("beside brickgrad, which is 1: to the right slower or larger, to the left faster or smaller")
    known = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(known.values(), known.keys(), frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
