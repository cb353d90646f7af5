"""A watched run as text: the last look as two tables, and the warnings."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .watch import Watch


def table(watch: Watch) -> str:
    """The last look's layers and parameters, then what is wrong.

    >>> import numpy as np, brickgrad as bg
    >>> net, watch = bg.Sequential(bg.Affine(1, 2, init=0.5, rng=0), bg.Affine(2, 2, init=0.5, rng=1)), bg.Watch()
    >>> trainer = bg.Trainer(net, bg.SGD(lr=0.1), epochs=1, callbacks=watch, progress=False)
    >>> history = trainer.fit(np.linspace(0, 1, 40).reshape(-1, 1), np.arange(40) // 30)
    >>> print(watch)
    Watch: 1 look, at step 1:
    layer       mean  deviation  zeros  dead  saturated  gradient
    affine1  -0.0008      0.037     3%     -          -     0.067
    affine2    0.017      0.022     3%     -          -      0.11
    parameter   norm  gradient  update/norm
    affine1.W  0.089     0.029        0.032
    affine1.b  0.022      0.22            -
    affine2.W   0.81    0.0045      0.00055
    affine2.b  0.037      0.37            -
    no warnings
    """
    if not watch.looks:
        return "\n".join(["Watch: no looks yet", *_wrapped(watch)])
    look, steps = watch.looks[-1], watch.steps
    head = f"Watch: {len(steps)} look{'s' * (len(steps) > 1)}"
    head += f", at steps {steps[0]} to {steps[-1]}; the last:" if len(steps) > 1 else f", at step {steps[0]}:"
    rows = []
    if look.layers:
        rows = [["layer", "mean", "deviation", "zeros", "dead", "saturated", "gradient"]]
    for name, layer in look.layers.items():
        shares = [_share(share) for share in (layer.zeros, layer.dead, layer.saturated)]
        rows.append([name, _number(layer.mean), _number(layer.deviation), *shares, _number(layer.gradient)])
    others = [["parameter", "norm", "gradient", "update/norm"]]
    for name, param in look.params.items():
        others.append([name, _number(param.norm), _number(param.gradient), _number(param.update)])
    return "\n".join([head, *_columns(rows), *_columns(others), *_wrapped(watch)])


def _wrapped(watch: Watch) -> list[str]:
    """The warnings in lines that fit a terminal."""
    warnings = watch.warnings
    if not warnings:
        return ["no warnings"]
    return [textwrap.fill(text, 100, initial_indent="! ", subsequent_indent="  ") for text in warnings]


def _columns(rows: list[list[str]]) -> list[str]:
    """The rows as lines: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2g}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%}"
