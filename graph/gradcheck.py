"""The gradient checker: every gradient that backward gives against what forward's values say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Array, Layer

from .wiring import check_holds_no_layers

# A central difference with h = 1e-5 in float64 is off by about h² and by ε/h, both 1e-10 to 1e-11 of the values' size.
STEP, RTOL, ATOL = 1e-5, 1e-6, 1e-8


class GradientError(AssertionError):
    """A gradient of backward differs from the numerical one."""


@dataclass(frozen=True)
class GradcheckRow:
    """One parameter or input: its worst entry, and how far off it is as a multiple of what is allowed."""

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    excess: float

    def __str__(self) -> str:
        return (
            f"{self.name:<12} worst at {self.index!s:<14} backward {self.analytic:< 24.16g} "
            f"numerical {self.numeric:< 24.16g} {'ok' if self.excess <= 1 else f'off by {self.excess:.3g} × tolerance'}"
        )


@dataclass(frozen=True)
class GradcheckReport:
    """What was compared: one row for each parameter and input."""

    title: str
    rows: tuple[GradcheckRow, ...]

    @property
    def passed(self) -> bool:
        """Whether every entry agrees."""
        return all(row.excess <= 1 for row in self.rows)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return "\n".join([f"gradient check of {self.title}: {verdict}", *map(str, self.rows)])


def gradcheck(layer: Any, *inputs: Any, rng: np.random.Generator | int | None = 0) -> GradcheckReport:
    """Compare every parameter's and input's gradient with the numerical one, entry by entry, in float64.

    The outputs are weighed with random v and summed: the check is of L = Σ v · y. Branches (ReLU's mask) are replayed
    from the unmoved forward, so a kink near an input is no fault. All this happens on a float64 copy: the layer, its
    parameters and its memory stay as they are.

    Parameters
        layer : Layer, Graph or net.
        inputs : what its forward takes; for a net x and t. Integer inputs have no gradient.
        rng : numpy.random.Generator or seed, default 0. Draws v.
    Returns      GradcheckReport, with a row for each parameter and input
    Errors       GradientError: an entry differs by more than 1e-8 + 1e-6 of its size; the message names the worst
    Example
        >>> from brickgrad import Affine
        >>> report = gradcheck(Affine(3, 2, rng=0), np.ones((4, 3)))
        >>> report.passed, [row.name for row in report.rows]
        (True, ['W', 'b', 'x'])
    """
    subject = layer if isinstance(layer, Layer) else getattr(layer, "graph", None)
    if not isinstance(subject, Layer):
        raise TypeError(
            f"gradcheck: layer must be a Layer, a Graph or a net, made and not just its class; got {layer!r:.60}."
        )
    check_holds_no_layers(subject)
    twin = subject.replica(np.float64)
    names = _input_names(twin, len(inputs))
    arrays = [_as_float64(x, name in twin.integer_inputs) for name, x in zip(names, inputs, strict=True)]
    generator = np.random.default_rng(rng)

    outputs = _tuple(_unwritten(twin, "forward", arrays))
    weights = [generator.uniform(0.5, 1.5, y.shape) * generator.choice([-1.0, 1.0], y.shape) for y in outputs]
    d_inputs = _tuple(_unwritten(twin, "backward", weights))
    _check_apart(twin, d_inputs)
    targets = [(key, param, twin.grads[key].copy()) for key, param in twin.params.items()]
    for name, x, dx in zip(names, arrays, d_inputs, strict=True):
        if dx is not None:
            targets.append((name, x, np.array(dx)))

    rows = []
    with twin.frozen():
        for name, array, analytic in targets:
            rows.append(_compare(name, twin, arrays, weights, array, analytic))
    report = GradcheckReport(twin.title, tuple(rows))
    if not report:
        worst = max(report.rows, key=lambda row: row.excess)
        raise GradientError(
            f"{twin.title}.backward: the gradient of {worst.name} at {worst.index} is {worst.analytic!r}, but the "
            f"values of forward say {worst.numeric!r}.\n{report}"
        )
    return report


def _unwritten(layer: Layer, what: str, arrays: list[Any]) -> Any:
    """Call forward or backward on views that cannot be written to: one that changes what it is given is at fault."""
    views = [np.asarray(array).view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    try:
        return getattr(layer, what)(*views)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise GradientError(
            f"{layer.title}.{what}: writes into an array that it is given; it must make its own."
        ) from error


def _check_apart(layer: Layer, gradients: tuple[Any, ...]) -> None:
    """GradientError where two gradients share memory: to add to one would change the other."""
    arrays = [gradient for gradient in gradients if isinstance(gradient, np.ndarray)]
    for index, array in enumerate(arrays):
        if any(np.shares_memory(array, other) for other in arrays[:index]):
            raise GradientError(f"{layer.title}.backward: two of the gradients that it returns share memory; copy one.")


def _compare(
    name: str, layer: Layer, inputs: list[Array], weights: list[Array], array: Array, analytic: Array
) -> GradcheckRow:
    """Move each entry of `array` by ±h, and keep the one where backward is furthest off."""
    worst = GradcheckRow(name, (), 0.0, 0.0, 0.0)
    for index in np.ndindex(array.shape):
        before = array[index]
        step = STEP * max(1.0, abs(float(before)))
        array[index] = before + step
        above = [np.array(y) for y in _tuple(layer.forward(*inputs))]
        array[index] = before - step
        below = _tuple(layer.forward(*inputs))
        array[index] = before
        # Outputs are subtracted before they are summed: less is lost to round-off.
        moved = sum(float(np.sum(v * (up - down))) for v, up, down in zip(weights, above, below, strict=True))
        numeric = moved / (2 * step)
        difference = abs(float(analytic[index]) - numeric)
        excess = difference / (ATOL + RTOL * abs(numeric)) if np.isfinite(difference) else np.inf
        if excess >= worst.excess:
            worst = GradcheckRow(name, index, float(analytic[index]), numeric, excess)
    return worst


def _as_float64(x: Any, may_be_integers: bool) -> Array:
    """A copy of an input: floats in float64, arrays of integers as they are; Python's own numbers count as floats."""
    array = np.array(x)
    plain = not isinstance(x, np.ndarray | np.generic) and array.dtype.kind in "iub" and not may_be_integers
    return array.astype(np.float64) if array.dtype.kind == "f" or plain else array


def _tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _input_names(layer: Layer, count: int) -> list[str]:
    names = layer.input_names
    return [names[i] if i < len(names) else f"input {i}" for i in range(count)]
