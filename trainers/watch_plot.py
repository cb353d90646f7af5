"""A watched run as a picture: curves over the steps, and histograms of the first look beside the last."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array

from .watch_advice import DEAD, LARGE_STEP, SATURATED, SMALL_STEP
from .watch_look import Histogram, LayerLook

if TYPE_CHECKING:
    from .watch import Watch

_MOST_HISTOGRAMS = 6  # in a row; of more layers some between the first and the last are left out
_MOST_NAMES = 8  # lines with a name in a panel; all are drawn
_FIRST, _LAST = "#8a8a8a", "#1f5fa8"
_SICK, _HEALTHY = "#c81e1e", "#1a7f37"


def draw(watch: Watch) -> Any:
    """Draw a record. From dark to bright, the colours go from the first layer to the last.

    Top: the loss; the gradient that reaches each layer with weights; each weight's update beside its norm. Middle: the
    deviation of each layer's outputs, the share of them that learns nothing, the norm of the weights. Below:
    histograms of outputs and weights, at the first look in grey and at the last in blue,
    each as high as its own peak. At the foot, the warnings.

    Returns      matplotlib Figure
    Errors       ImportError: matplotlib is not installed. ValueError: there are no looks yet
    """
    if not watch.looks:
        raise ValueError("Watch.plot: there are no looks yet. Give the Watch to a Trainer, and call fit.")
    plt = _pyplot()
    of_layers, of_weights = _layers_with_histograms(watch), _weights(watch)
    rows = [_some(names, _MOST_HISTOGRAMS) for names in (of_layers, of_weights) if names]
    lines = [line for text in watch.warnings or ["No warnings."] for line in _wrapped(text)]
    heights = [3.4, 3.4, *[2.0 for _ in rows], 0.2 + 0.19 * len(lines)]
    figure = plt.figure(figsize=(15, 1 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 3, height_ratios=heights)
    _draw_curves(watch, [figure.add_subplot(grid[row, column]) for row in (0, 1) for column in (0, 1, 2)])
    for row, names in enumerate(rows, start=2):
        cells = grid[row, :].subgridspec(1, max(3, len(names)))
        for column, name in enumerate(names):
            _draw_histograms(figure.add_subplot(cells[column]), watch, name)
    foot = figure.add_subplot(grid[-1, :])
    foot.axis("off")
    color = _SICK if watch.warnings else _HEALTHY
    said = foot.text(0, 1, "\n".join(lines), va="top", fontsize=10, color=color, transform=foot.transAxes)
    said.set_in_layout(False)  # its width must not squeeze the panels
    first, last = watch.steps[0], watch.steps[-1]
    figure.suptitle(
        f"A net learning, steps {first} to {last}. Lines run from the first layer (dark) to the last (bright)"
    )
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = {label for axis in axes for label in axis.get_ticklabels(which="both")}
    for text in figure.findobj(lambda mark: isinstance(mark, plt.Text) and mark not in ticks):
        text.set_parse_math(False)  # names may hold dollars; powers of ten at the axes are mathematics
    return figure


def _draw_curves(watch: Watch, panels: list[Any]) -> None:
    """The six panels of curves."""
    layers = [name for name, look in _all_layers(watch).items() if look.weights]
    weights, outputs = _weights(watch), _layers_with_histograms(watch)
    loss, gradient, update, spread, idle, size = panels
    losses = [look.loss for look in watch.looks]
    loss.plot(watch.steps, losses, color="black", marker=".")
    if max(losses) > 100 * min(losses) > 0:
        loss.set_yscale("log")
    else:
        loss.set_ylim(min(0, *losses), 1.08 * max(losses) or None)
    _title(loss, "Loss", "should fall", "mean since the look before")
    _draw_lines(gradient, watch, layers or weights, "gradient")
    where = "that comes back to each layer with weights" if layers else "of the weights"
    _title(gradient, f"Gradient {where}", "lines should stay within a few powers of ten of each other", "norm")
    _draw_lines(update, watch, weights, "update")
    update.axhspan(1e-3, 1e-2, color=_HEALTHY, alpha=0.12)
    for bar in (SMALL_STEP, LARGE_STEP):
        update.axhline(bar, color=_SICK, linestyle=":", linewidth=1)
    _title(update, "Change of the weights in one step", "green is usual; not beyond the red lines", "‖ΔW‖ / ‖W‖")
    _draw_lines(spread, watch, outputs, "deviation")
    _title(spread, "Spread of the outputs", "should neither die out nor blow up", "standard deviation")
    _draw_idle(idle, watch)
    _draw_lines(size, watch, weights, "norm")
    _title(size, "Size of the weights", "should change slowly", "‖W‖")
    for panel in panels:
        panel.set_xlabel("step")
        panel.xaxis.get_major_locator().set_params(integer=True)
        if len(watch.looks) == 1:
            panel.set_xlim(watch.steps[0] - 1, watch.steps[0] + 1)
        panel.grid(alpha=0.3)


def _title(ax: Any, what: str, wish: str, unit: str) -> None:
    ax.set_title(f"{what}\n({wish})", fontsize=10)
    ax.set_ylabel(unit)


def _draw_idle(ax: Any, watch: Watch) -> None:
    """The share of units that are dead, or of values that are saturated: both learn nothing."""
    known = {
        what: [n for n, look in _all_layers(watch).items() if not math.isnan(getattr(look, what))]
        for what in ("dead", "saturated")
    }
    what = "dead" if len(known["dead"]) >= len(known["saturated"]) else "saturated"
    bar = DEAD if what == "dead" else SATURATED
    _draw_lines(ax, watch, known[what], what, log=False)
    ax.axhline(bar, color=_SICK, linestyle=":", linewidth=1)
    ax.set_ylim(-0.03, 1.03)
    titles = {"dead": "Dead units: 0 for the whole batch", "saturated": "Saturated values: where the curve is flat"}
    _title(ax, titles[what], "should stay below the red line", "share")


def _draw_lines(ax: Any, watch: Watch, names: list[str], what: str, log: bool = True) -> None:
    """A line for each name, coloured from the first to the last; the legend names some of them."""
    if not names:
        ax.text(0.5, 0.5, "the net has nothing of this kind", ha="center", transform=ax.transAxes, color=_FIRST)
        return
    named, steps = set(_some(names, _MOST_NAMES)), np.array(watch.steps)
    values = [watch.series(name, what) for name in names]
    for name, series, color in zip(names, values, _colors(len(names)), strict=True):
        label = name if name in named else None
        ax.plot(steps, np.where(series > 0, series, np.nan) if log else series, ".-", color=color, label=label)
        zeros = steps[series == 0]
        if log and len(zeros):  # a logarithm cannot show 0: it is marked at the foot
            foot = ax.get_xaxis_transform()
            ax.plot(zeros, np.full(len(zeros), 0.02), "v", color=color, transform=foot, label=f"{name} is 0")
    if log:
        _widen(ax, np.concatenate(values))
    ax.legend(fontsize=8, loc="best")


def _widen(ax: Any, values: Array) -> None:
    """A logarithmic axis of at least two powers of ten, so that small differences look small."""
    known = values[(values > 0) & np.isfinite(values)]
    if not len(known):
        return
    low, high = np.log10(known.min()), np.log10(known.max())
    spare = max(0.2, (2 - (high - low)) / 2)
    ax.set_yscale("log")
    ax.set_ylim(10 ** max(-307.0, low - spare), 10 ** min(307.0, high + spare))


def _draw_histograms(ax: Any, watch: Watch, name: str) -> None:
    """The first look's histogram as a grey line, the last one's filled."""
    looks = [look.layers.get(name) or look.params[name] for look in (watch.looks[0], watch.looks[-1])]
    for look, color, fill in zip(looks, (_FIRST, _LAST), (False, True), strict=True):
        ax.stairs(*_outline(look.histogram), color=color, fill=fill, alpha=0.6 if fill else 1.0, linewidth=1.2)
    last = looks[-1]
    notes = f": {last.zeros:.0%} are 0" if isinstance(last, LayerLook) else ""
    if isinstance(last, LayerLook) and last.saturated >= 0:
        notes = f": {last.saturated:.0%} saturated"
    ax.set_title(name + notes, fontsize=9)
    ax.set_yticks([])
    ax.tick_params(labelsize=8)
    if ax.get_subplotspec().colspan.start == 0:
        of = "outputs that are not 0" if isinstance(last, LayerLook) else "weights"
        ax.set_ylabel(f"{of}\ngrey: step {watch.steps[0]}\nblue: step {watch.steps[-1]}", fontsize=8)


def _outline(histogram: Histogram) -> tuple[Array, Array]:
    """Heights, the highest 1: a wide histogram must not vanish beside a narrow one. One value is a thin column."""
    edges = histogram.edges
    if not edges[-1] > edges[0]:
        half = max(1e-3, 1e-3 * abs(histogram.low))
        edges = np.linspace(histogram.low - half, histogram.low + half, len(edges))
    return histogram.counts / max(1, histogram.counts.max()), edges


def _all_layers(watch: Watch) -> dict[str, LayerLook]:
    return watch.looks[-1].layers


def _layers_with_histograms(watch: Watch) -> list[str]:
    """The layers whose outputs tell most: activations; in a net of none that we know, whatever has no weights."""
    layers = _all_layers(watch)
    known = [name for name, look in layers.items() if not (math.isnan(look.dead) and math.isnan(look.saturated))]
    return known or [name for name, look in layers.items() if not look.weights] or list(layers)


def _weights(watch: Watch) -> list[str]:
    params = watch.looks[-1].params
    return [name for name, look in params.items() if look.axes > 1] or list(params)


def _some(names: list[str], most: int) -> list[str]:
    """At most so many of the names, the first and the last among them.

    >>> _some(list("abcdefg"), 3)
    ['a', 'd', 'g']
    """
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return [names[place] for place in places]


def _colors(count: int) -> list[Any]:
    """From dark to bright, but for the brightest yellow, which is hard to see on white."""
    from matplotlib import colormaps

    return [colormaps["viridis"](share) for share in np.linspace(0, 0.88, count)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 175, subsequent_indent="    ")


def _pyplot() -> Any:
    """pyplot, so that plt.show() shows the figure."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Watch.plot: drawing needs matplotlib. Install it with: pip install 'brickgrad[plot]'"
        ) from error
    return plt
