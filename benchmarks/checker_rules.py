"""The known rules of gradient checking, re-created in NumPy from what is published of them, for comparison.

A rule takes a BlackBox and a generator, and says whether the gradients are right. Steps and tolerances are the defaults
of the named source; where a rule leaves the upstream gradient to its user, it is drawn from a normal distribution.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import brickgrad as bg

Array = np.ndarray
JACOBIAN_LIMIT = 4_000_000  # entries: what a rule that builds whole Jacobians is asked for at most


class TooLargeError(Exception):
    """A whole Jacobian would not fit."""


class BlackBox:
    """A float64 copy of a layer with its inputs; `arrays` are what it has gradients for, to be moved in place."""

    def __init__(self, layer: Any, inputs: tuple[Any, ...]) -> None:
        layer = layer if hasattr(layer, "forward") else layer.graph
        self.layer = layer.replica(np.float64) if isinstance(layer, bg.Layer) else copy.deepcopy(layer)
        self.inputs = [np.array(x, np.float64 if np.asarray(x).dtype.kind == "f" else None) for x in inputs]
        self.forwards = 0
        self.raised = False  # whether backward raised
        if not getattr(self.layer, "sized", True):
            self.layer.forward(*self.inputs)
        self.params = _params(self.layer)
        self.given = [x.dtype.kind == "f" for x in self.inputs]
        self.generators = [(g, g.bit_generator.state) for g in _generators(self.layer)]

    def leave_out_what_has_no_gradient(self) -> None:
        """Compare no input for which backward gives None; found out on a copy."""
        probe = copy.deepcopy(self)
        y = probe.outputs()
        try:
            gradients = _several(probe.layer.backward(*_ones(y)))
        except Exception:
            return  # the rule itself will come upon it
        gradients = (*gradients, *[None] * len(self.inputs))
        self.given = [given and g is not None for given, g in zip(self.given, gradients, strict=False)]

    @property
    def arrays(self) -> list[Array]:
        """The parameters, then the float inputs."""
        return [*self.params.values(), *(x for x, given in zip(self.inputs, self.given, strict=True) if given)]

    def outputs(self) -> tuple[Any, ...]:
        """Run forward; return what it returns, as a tuple."""
        self.forwards += 1
        return _several(self.layer.forward(*self.inputs))

    def values(self) -> Array:
        """Run forward; return a copy of the outputs as one vector."""
        y = self.outputs()
        self.shapes = [np.shape(part) for part in y]
        return np.concatenate([np.array(part, np.float64).ravel() for part in y])

    def gradients(self, weights: Array) -> list[Array]:
        """Run backward on a vector laid out as `values`; return a flat copy of the gradient of each array."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        parts = np.split(np.array(weights, np.float64), ends)
        return self.pull_back(*[part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)])

    def pull_back(self, *d_outputs: Array) -> list[Array]:
        """Run backward on arrays; a gradient of the wrong shape is an error, as it is in every framework."""
        try:
            d_inputs = _several(self.layer.backward(*[dy if dy.ndim else dy[()] for dy in d_outputs]))
            gradients = [_param_gradient(self.layer, name) for name in self.params]
            gradients += [g for g, given in zip(d_inputs, self.given, strict=False) if given]
            for array, gradient in zip(self.arrays, gradients, strict=True):
                if np.shape(gradient) != array.shape:
                    raise ValueError(f"a gradient of shape {np.shape(gradient)} for {array.shape}")
            return [np.array(g).ravel() for g in gradients]
        except Exception:
            self.raised = True
            raise

    def reseed(self) -> None:
        """Put the layer's generators, and NumPy's global one, back to where they were."""
        np.random.seed(1701)  # noqa: NPY002 — Caffe seeds its global generator with this number
        for generator, state in self.generators:
            generator.bit_generator.state = state

    def move(self, directions: list[Array], step: float) -> None:
        """Set each array to what it is, plus step times its direction."""
        for array, direction in zip(self.arrays, directions, strict=True):
            array += step * direction.reshape(array.shape)


def textbook(box: BlackBox, rng: np.random.Generator) -> bool:
    """The sum of the outputs as loss, each entry by central differences (Stanford's CS231n, notes 3 and exercises)."""
    size = box.values().size
    analytic = box.gradients(np.ones(size))
    numeric = differences(box, 1e-5, lambda: float(box.values().sum()))
    pairs = zip(analytic, numeric, strict=True)
    return all(np.all(np.abs(a - n) <= 1e-5 * np.maximum(np.abs(a) + np.abs(n), 1e-8)) for a, n in pairs)


def caffe(box: BlackBox, rng: np.random.Generator) -> bool:
    """Caffe's GradientChecker, exhaustive: the whole Jacobian, inputs near the kink at 0 left out.

    Source: caffe/test/test_gradient_check_util.hpp: step 1e-2, threshold 1e-3, kink range 0.01, outputs weighted with
    2, seed set before each forward. Here each pair of forwards serves all outputs.
    """

    def seeded() -> Array:
        box.reseed()
        return box.values()

    analytic = jacobian(box, seeded)
    numeric = list(differences(box, 1e-2, seeded))
    for array, a, n in zip(box.arrays, analytic, numeric, strict=True):
        scale = np.maximum(np.maximum(np.abs(2 * a), np.abs(2 * n)), 1)
        near_kink = np.abs(array).ravel() <= 0.01
        if not np.all((np.abs(2 * a - 2 * n) <= 1e-3 * scale) | near_kink[:, None]):
            return False
    return True


def theano(box: BlackBox, rng: np.random.Generator) -> bool:
    """Theano's verify_grad (theano/gradient.py): one-sided differences of a projection, step 1e-7, tolerances 1e-4."""
    for _ in range(2):
        u = rng.random(box.values().size) + 0.5
        numeric = list(differences(box, 1e-7, lambda u=u: float(u @ box.values()), one_sided=True))
        box.values()
        for a, n in zip(box.gradients(u), numeric, strict=True):
            error = np.abs(a - n)
            if not np.all((error <= 1e-4) | (error <= 1e-4 * np.maximum(np.abs(a) + np.abs(n), 1e-8))):
                return False
    return True


def pytorch_slow(box: BlackBox, rng: np.random.Generator) -> bool:
    """torch.autograd.gradcheck: whole Jacobians, step 1e-6, atol 1e-5, rtol 1e-3; backward repeated, and run on 0."""
    box.values()
    numeric = list(differences(box, 1e-6, box.values))
    analytic = jacobian(box, box.values, forward_each_time=False)
    again = jacobian(box, box.values, forward_each_time=False)
    close = all(np.all(np.abs(a - n) <= 1e-5 + 1e-3 * np.abs(n)) for a, n in zip(analytic, numeric, strict=True))
    return close and all(map(np.array_equal, analytic, again)) and _zero_on_zero(box)


def pytorch_fast(box: BlackBox, rng: np.random.Generator) -> bool:
    """gradcheck(fast_mode=True): a positive unit direction for each array and for the outputs (all together here).

    The tolerance is multiplied by the sums of both directions, and so grows with the sizes.
    """
    v = rng.random(box.values().size)
    v /= np.linalg.norm(v)
    units = [unit / np.linalg.norm(unit) for unit in (rng.random(array.size) for array in box.arrays)]
    numeric = []
    for place in range(len(units)):
        only = [unit * (place == other) for other, unit in enumerate(units)]
        numeric.append(v @ slope(box, only, 1e-6))
    box.values()
    analytic, again = box.gradients(v), box.gradients(v)
    for a, n, u in zip(analytic, numeric, units, strict=True):
        if not abs(u @ a - n) <= 1e-5 * u.sum() * v.sum() + 1e-3 * abs(n):
            return False
    return all(map(np.array_equal, analytic, again)) and _zero_on_zero(box)


def jax(box: BlackBox, rng: np.random.Generator) -> bool:
    """JAX's check_grads, order 1, reverse: one normal direction over all, step 1e-4, tolerances 1e-5 (float64)."""
    y = box.values()
    again = box.values()
    if not np.allclose(y, again, rtol=1e-5 * y.size, atol=1e-5 * y.size):
        return False
    u = [rng.normal(size=array.size) for array in box.arrays]
    difference = slope(box, u, 1e-4)
    v = rng.normal(size=y.size)
    box.values()
    return bool(np.isclose(inner(u, box.gradients(v)), v @ difference, rtol=1e-5, atol=1e-5))


def hips(box: BlackBox, rng: np.random.Generator) -> bool:
    """HIPS autograd's check_grads, order 1, reverse (autograd/test_util.py): step 1e-6 / 2, both tolerances 1e-6.

    The outputs are subtracted as they are handed out, with no copy between.
    """
    u = [rng.normal(size=array.size) for array in box.arrays]
    v = rng.normal(size=box.values().size)
    exact = inner(u, box.gradients(v))
    box.move(u, 0.5e-6)
    plus = box.outputs()
    box.move(u, -1e-6)
    minus = box.outputs()
    box.move(u, 0.5e-6)
    numeric = v @ np.concatenate([np.ravel(p - m) for p, m in zip(plus, minus, strict=True)]) / 1e-6
    return bool(abs(numeric - exact) < 1e-6 or abs(numeric - exact) < 1e-6 * abs(numeric + exact))


def chainer(box: BlackBox, rng: np.random.Generator) -> bool:
    """Chainer's check_backward (its documentation): a unit direction over all, step 1e-3, atol 1e-5, rtol 1e-4."""
    v = rng.normal(size=box.values().size)
    analytic = box.gradients(v)
    u = [rng.normal(size=array.size) for array in box.arrays]
    length = np.sqrt(inner(u, u)) or 1.0
    u = [part / length for part in u]
    exact = inner(u, analytic)
    return bool(abs(v @ slope(box, u, 1e-3) - exact) <= 1e-5 + 1e-4 * abs(exact))


def differences(box: BlackBox, step: float, measure: Callable[[], Any], *, one_sided: bool = False) -> Iterator[Array]:
    """For each array: the differences of `measure` along each of its entries, one row an entry."""
    base = measure() if one_sided else None
    for array in box.arrays:
        _check_size(array.size * np.size(measure() if base is None else base))
        rows = []
        for index in np.ndindex(array.shape):
            was = array[index]
            array[index] = was + step
            plus = measure()
            array[index] = was - step
            rows.append((plus - base) / step if one_sided else (plus - measure()) / (2 * step))
            array[index] = was
        yield np.array(rows)


def slope(box: BlackBox, directions: list[Array], step: float) -> Array:
    """The central difference of the outputs along a direction in all arrays."""
    before = [array.copy() for array in box.arrays]
    box.move(directions, step)
    plus = box.values()
    box.move(directions, -2 * step)
    minus = box.values()
    for array, was in zip(box.arrays, before, strict=True):
        array[...] = was
    return (plus - minus) / (2 * step)


def jacobian(box: BlackBox, forward: Callable[[], Array], *, forward_each_time: bool = True) -> list[Array]:
    """The Jacobian by backward, one output at a time; for each array one row an entry."""
    size = forward().size
    _check_size(size * max((array.size for array in box.arrays), default=0))
    columns = []
    for place in range(size):
        if forward_each_time and place:
            forward()
        columns.append(box.gradients(np.arange(size) == place))
    return [
        np.stack([column[k] for column in columns], axis=1) if columns else np.zeros((array.size, 0))
        for k, array in enumerate(box.arrays)
    ]


def inner(u: list[Array], g: list[Array]) -> float:
    """The inner product of two lists of vectors."""
    return float(sum(a @ b for a, b in zip(u, g, strict=True)))


def _zero_on_zero(box: BlackBox) -> bool:
    """Whether backward of 0 is 0."""
    return all(np.all(g == 0) for g in box.gradients(np.zeros(box.values().size)))


def _check_size(entries: int) -> None:
    if entries > JACOBIAN_LIMIT:
        raise TooLargeError(f"{entries} entries")


def _several(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _ones(outputs: tuple[Any, ...]) -> list[Any]:
    return [np.ones(np.shape(y))[()] if np.ndim(y) == 0 else np.ones(np.shape(y)) for y in outputs]


def _params(layer: Any) -> dict[str, Array]:
    """The parameters in `params`, or the attributes that have a gradient by their side, such as W and dW."""
    if hasattr(layer, "params"):
        return dict(layer.params)
    return {name: held for name, held in vars(layer).items() if hasattr(layer, f"d{name}")}


def _param_gradient(layer: Any, name: str) -> Any:
    return layer.grads[name] if hasattr(layer, "grads") else getattr(layer, f"d{name}")


def _generators(layer: Any) -> list[np.random.Generator]:
    leaves = layer.leaves() if isinstance(layer, bg.Layer) else [layer]
    return [held for leaf in leaves for held in vars(leaf).values() if isinstance(held, np.random.Generator)]


RULES = {
    "textbook": ("sum of outputs as loss", textbook),
    "caffe": ("Caffe", caffe),
    "theano": ("Theano verify_grad", theano),
    "torch-slow": ("PyTorch gradcheck, slow", pytorch_slow),
    "torch-fast": ("PyTorch gradcheck, fast", pytorch_fast),
    "jax": ("JAX check_grads, rev", jax),
    "hips": ("HIPS autograd", hips),
    "chainer": ("Chainer check_backward", chainer),
}
