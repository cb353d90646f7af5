"""gradcheck: is backward the derivative of forward?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.graph.wiring import check_holds_no_layers
from brickgrad.layers import Array, Layer
from brickgrad.layers.scalars import is_whole

from .bricks import check_graph
from .check import check_subject
from .objects import ObjectSubject
from .places import copy_of
from .precision import compare_precisions
from .randomness import global_generator_kept
from .report import GradcheckReport
from .subject import LayerSubject, NetSubject, Subject


def gradcheck(
    layer: Any, *inputs: Any, mode: str = "fast", rng: np.random.Generator | int | None = 0
) -> GradcheckReport:
    """Check every gradient that backward gives against the values that forward gives, in float64.

    Each parameter's and input's gradient is projected on random directions and held against the derivative of forward
    along them, which comes with an error bar of its own: no tolerance is asked for. Before that stand the checks that
    need no differences (mutation, stale caches, linearity, shapes, precision, aliasing), and after a failure a search
    for the entry and the reason. A graph or net is checked brick by brick, each on the values it has there, and as a
    whole. All this happens on copies: layer, parameters, memory, generators and mode stay bit for bit as they are.

    Parameters
        layer : Layer, Graph, net, or any object with forward and backward.
        inputs : what its forward takes; for a net x and t. Integer inputs have no gradient.
        mode : "fast" looks along random directions, "full" at every entry as well.
        rng : numpy.random.Generator or seed, default 0. Draws the directions.
    Returns      GradcheckReport: true where nothing is wrong; printed, a table
    Errors       TypeError: not such an object. ValueError: an unknown mode; and what forward raises on the inputs
    Source       see docs/gradient-checking.md
    Example
        >>> from brickgrad import Affine
        >>> report = gradcheck(Affine(3, 2, rng=0), np.arange(12.0).reshape(4, 3))
        >>> report.verdict, [row.name for row in report.rows]
        ('pass', ['W', 'b', 'x'])
    """
    if mode not in ("fast", "full"):
        raise ValueError(f"gradcheck: mode must be 'fast' or 'full'; got {mode!r}.")
    seed = _seed(rng)
    kind = _kind(layer)
    arrays = _as_arrays(layer, kind, inputs)
    with global_generator_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make = _maker(layer, kind, arrays)
        if kind == "object" or (kind == "layer" and not isinstance(layer, Graph)):
            report = check_subject(make, (seed,), mode)
        elif kind == "net":
            report = check_graph(layer.graph, arrays, (seed,), mode, layer.title, make)
        else:
            report = check_graph(layer, arrays, (seed,), mode, layer.title)
        low = _low_precision(layer, kind, inputs)
        if low is not None and report.passed:
            faults, notes = compare_precisions(make(), low, np.random.default_rng((seed, 1)))
            report = replace(report, notes=(*report.notes, *notes))
            if faults:
                report = replace(report, verdict="fail", faults=tuple(faults), guess=faults[0])
        what = "net" if kind == "net" else "graph" if isinstance(layer, Graph) else "layer"
        names = ", ".join([what, *_names(make(), inputs)])
    return replace(report, seed=seed, reproducer=f"bg.gradcheck({names}, mode={mode!r}, rng={seed})")


def _seed(rng: Any) -> int:
    """The seed of a check: as given, or drawn from a generator."""
    if is_whole(rng, 0):
        return int(rng)
    if rng is None or isinstance(rng, np.random.Generator):
        return int(np.random.default_rng(rng).integers(2**32))
    raise TypeError(f"gradcheck: rng must be a numpy.random.Generator or a seed of at least 0; got {rng!r:.60}.")


def _kind(layer: Any) -> str:
    """What was handed in: "layer", "net" or "object"; TypeError for anything else."""
    if isinstance(layer, Layer):
        check_holds_no_layers(layer)
        return "layer"
    if not isinstance(layer, type):
        if isinstance(getattr(layer, "graph", None), Graph) and callable(getattr(layer, "loss_and_gradient", None)):
            return "net"
        if callable(getattr(layer, "forward", None)) and callable(getattr(layer, "backward", None)):
            return "object"
    raise TypeError(
        "gradcheck: layer must be a Layer, a Graph or a net, or an object with forward and backward, made and not just "
        f"its class; got {layer!r:.60}."
    )


def _maker(layer: Any, kind: str, arrays: Sequence[Array]) -> Callable[[], Subject]:
    """A function that makes a fresh copy of what is checked, with copies of the inputs."""
    if kind == "layer":
        return lambda: LayerSubject(layer, [x.copy() for x in arrays])
    if kind == "net":
        return lambda: NetSubject(layer, [x.copy() for x in arrays])
    pristine = copy_of(layer, "gradcheck")
    return lambda: ObjectSubject(pristine, [x.copy() for x in arrays])


def _as_arrays(layer: Any, kind: str, inputs: Sequence[Any]) -> list[Array]:
    """The inputs as arrays: floats in float64, integers as they are; Python's own numbers count as floats, as ever."""
    names = layer.input_names if kind == "layer" else ("x", "t")
    whole = layer.integer_inputs if kind == "layer" else ("t",) if kind == "net" else names
    arrays = []
    for place, x in enumerate(inputs):
        array = np.array(x)
        may_be_whole = place < len(names) and names[place] in whole
        plain = not isinstance(x, np.ndarray | np.generic) and array.dtype.kind in "iub" and not may_be_whole
        arrays.append(array.astype(np.float64) if array.dtype.kind == "f" or plain else array)
    return arrays


def _low_precision(layer: Any, kind: str, inputs: Sequence[Any]) -> np.dtype[Any] | None:
    """The precision below float64 in which a layer is used, if it is: that of its inputs or its parameters."""
    if kind == "object":
        return None
    leaves = (layer.graph if kind == "net" else layer).leaves()
    arrays = [*(x for x in inputs if isinstance(x, np.ndarray)), *(p for leaf in leaves for p in leaf.params.values())]
    kinds = {array.dtype for array in arrays if array.dtype.kind == "f" and array.dtype.itemsize < 8}
    return min(kinds, key=lambda dtype: dtype.itemsize, default=None)


def _names(subject: Subject, inputs: Sequence[Any]) -> list[str]:
    """The inputs' names as code."""
    return [name.replace(" ", "_") for name in map(subject.input_name, range(len(inputs)))]
