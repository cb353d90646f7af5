"""One table of all layers: how each is made, what it is fed, and the loop reference for what it must give.

Tests run over it with `@over_layers` (one test a layer) and `@over_cases()` (seeds, sizes and forms of input, the same
on every run). CASES=100 in the environment draws so many for each test.
"""

import functools
import inspect
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import references
from references import Reference

import brickgrad as bg

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """What a test is run on: a seed, sizes with no common divisor, and which form of input the layer gets."""

    seed: int = 0
    batch: int = 7
    inner: tuple[int, ...] = (2, 3, 5)
    variant: int = 0


@dataclass(frozen=True)
class Entry:
    """One layer of the table.

    `make(case, dtype)` gives the layer, `inputs(rng, dtype, case, extreme)` its inputs: the same numbers in either
    precision, ties and exact zeros among them, and the largest and smallest that it must bear where `extreme`.
    """

    name: str
    make: Callable[[Case, Any], Any]
    inputs: Callable[[np.random.Generator, Any, Case, bool], tuple[Any, ...]]
    reference: Reference
    options: Callable[[Case], dict[str, Any]] = field(default=lambda case: {})
    exact: bool = False  # it rounds nothing, so the order of the entries in memory cannot show
    branches: bool = False  # it chooses branches, which frozen() replays
    lazy: bool = False  # it takes its input width at its first forward
    reuses: frozenset[str] = frozenset()  # "y", "dx": results that stand in the workspace when there is one

    @property
    def layer(self) -> type[bg.Layer]:
        return type(self.make(Case(), np.float64))


# Inputs ---------------------------------------------------------------------------------------------------------------


def numbers(rng: np.random.Generator, shape: Shape, dtype: Any, special: tuple[float, ...] = (0.0,)) -> np.ndarray:
    """Normal numbers, a third of them replaced by `special` ones, so that zeros and ties occur."""
    x = np.asarray(rng.normal(size=shape))
    x = np.where(rng.random(shape) < 1 / 3, rng.choice(special, size=shape), x)
    return np.asarray(np.asarray(x, np.float32), dtype)


def positive(rng: np.random.Generator, shape: Shape, dtype: Any, special: tuple[float, ...] = (1.0,)) -> np.ndarray:
    """Numbers in 0.5..2, with `special` ones among them."""
    x = np.asarray(rng.uniform(0.5, 2.0, shape))
    x = np.where(rng.random(shape) < 1 / 3, rng.choice(special, size=shape), x)
    return np.asarray(np.asarray(x, np.float32), dtype)


def any_shape(case: Case) -> Shape:
    a, b, _ = case.inner
    return ((case.batch, a), (case.batch, a, b), (case.batch,), ())[case.variant]


def unary(special: tuple[float, ...], extreme_values: tuple[float, ...], draw: Any = numbers) -> Any:
    def inputs(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
        return (draw(rng, any_shape(case), dtype, special + extreme_values if extreme else special),)

    return inputs


def pair_shapes(case: Case) -> tuple[Shape, Shape]:
    """Alike, one stretched, both stretched, and one a single number."""
    a, b, _ = case.inner
    full = (case.batch, a, b)
    return ((full, full), (full, (b,)), ((1, b), (case.batch, a, 1)), ((case.batch, a), ()))[case.variant]


def two(draw_x: Any, draw_y: Any) -> Any:
    def inputs(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
        shape_x, shape_y = pair_shapes(case)
        return draw_x(rng, shape_x, dtype), draw_y(rng, shape_y, dtype)

    return inputs


def non_zero(rng: np.random.Generator, shape: Shape, dtype: Any) -> np.ndarray:
    return positive(rng, shape, dtype) * rng.choice(np.array([-1, 1], dtype), size=shape)


def bases_and_whole_exponents(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """Negative bases and exponents, zeros of both kinds, and 0⁰; no zero to a negative power."""
    shape_x, shape_y = pair_shapes(case)
    x, y = numbers(rng, shape_x, dtype, (0.0, 1.0, -1.0)), rng.integers(0, 4, shape_y)
    if case.seed % 2:
        x, y = non_zero(rng, shape_x, dtype), rng.integers(-2, 4, shape_y)
    return x, (y, int(y) if y.ndim == 0 else y, y.astype(np.uint8) if y.size and y.min() >= 0 else y)[case.seed % 3]


def bases_and_exponents(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    shape_x, shape_y = pair_shapes(case)
    x, y = positive(rng, shape_x, dtype), positive(rng, shape_y, dtype, (1.0, 2.0))
    if extreme:  # zeros, and exponents above 1, for below it the slope at 0 has no end
        x, y = positive(rng, shape_x, dtype, (0.0, 1.0)), y + np.asarray(1, dtype)
    return x, y


def images(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    shape = ((case.batch, a, b), (case.batch, a), (case.batch,), (case.batch, 1, a, b))[case.variant]
    return (numbers(rng, shape, dtype, (0.0, 1e4, -1e4)),)


def flat_shape(case: Case) -> dict[str, Any]:
    (x,) = images(np.random.default_rng(0), np.float64, case, False)
    return {"shape": (int(np.prod(x.shape[1:])),)}


def new_shape(case: Case) -> Shape:
    a, b, _ = case.inner
    return ((b, a), (a, 1, b), (a * b,), (b, 1, a))[case.variant]


def make_reshape(case: Case, dtype: Any) -> bg.Layer:
    """The new shape written out, or with a -1 in one place."""
    shape = list(new_shape(case))
    if case.seed % 2:
        shape[case.seed % len(shape)] = -1
    return bg.Reshape(*shape)


def unshaped(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    shape = ((case.batch, a, b), (case.batch, a * b), (case.batch, b, 1, a), (case.batch, a, b))[case.variant]
    return (numbers(rng, shape, dtype, (0.0, 1e4, -1e4)),)


def concat_axis(case: Case) -> dict[str, Any]:
    return {"axis": (-1, 0, 1, -3)[case.variant]}


def parts(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """One to three arrays that differ along the axis only."""
    a, b, c = case.inner
    axis, batch = concat_axis(case)["axis"], case.batch
    sizes = {-1: (a, b, c), 0: (batch, a, b), 1: (c, a, 1), -3: (batch, 1, c)}[axis][: 1 + case.seed % 3]
    shapes = {-1: (batch, a, 0), 0: (0, c), 1: (batch, 0, b), -3: (0, a, b)}[axis]
    arrays = []
    for size in sizes:
        shape = list(shapes)
        shape[axis] = size
        arrays.append(numbers(rng, tuple(shape), dtype, (0.0, 1e4, -1e4)))
    return tuple(arrays)


def softmax_axis(case: Case) -> dict[str, Any]:
    return {"axis": (-1, 1, 0, -2)[case.variant]}


def scores(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    shape = ((case.batch, a), (case.batch, a, b), (case.batch, b), (case.batch, b, a))[case.variant]
    return (numbers(rng, shape, dtype, (0.0, 0.5, 1e4, -1e4) if extreme else (0.0, 0.5)),)


def rows(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    return (numbers(rng, ((case.batch, a), (case.batch, b, a), (a,), (case.batch, a))[case.variant], dtype),)


def make_affine(*, lazy: bool = False, bias: bool = True) -> Any:
    def make(case: Case, dtype: Any) -> bg.Layer:
        n_in, _, n_out = case.inner
        if lazy:
            return bg.Affine(n_out, rng=case.seed, name="lazy")
        affine = bg.Affine(n_in, n_out, bias=bias, rng=case.seed, dtype=dtype, init=1.0, name="fixed")
        if bias:
            affine.params["b"] = numbers(np.random.default_rng(case.seed), (n_out,), dtype)
        return affine

    return make


def scores_and_labels(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    samples = ((case.batch,), (case.batch, b), (), (case.batch,))[case.variant]
    x = numbers(rng, (*samples, a), dtype, (0.0, 0.5, 1e4, -1e4) if extreme else (0.0, 0.5))
    return x, np.asarray(rng.integers(0, a, samples)).astype((np.int64, np.uint8, np.int32)[case.seed % 3])


def scores_and_rows(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """One-hot rows of floats, of bytes and of truth values, and rows of probabilities."""
    x, labels = scores_and_labels(rng, dtype, case, extreme)
    t = np.eye(x.shape[-1], dtype=dtype)[labels]
    if case.seed % 4 == 3:
        t = positive(rng, x.shape, np.float64)
        return x, (t / t.sum(axis=-1, keepdims=True)).astype(np.float32).astype(dtype)
    return x, t.astype((dtype, np.uint8, bool)[case.seed % 4])


def scores_and_bits(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    shape = any_shape(Case(case.seed, case.batch, case.inner, case.variant % 3))
    x = numbers(rng, shape, dtype, (0.0, 0.5, 1000.0, -1000.0) if extreme else (0.0, 0.5))
    t = rng.integers(0, 2, shape)
    if case.seed % 2:
        t = rng.uniform(0, 1, shape).astype(np.float32).astype(dtype)
    return x, t


def outputs_and_targets(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    shape = any_shape(Case(case.seed, case.batch, case.inner, case.variant % 3))
    return numbers(rng, shape, dtype, (0.0, 0.5, 100.0) if extreme else (0.0, 0.5)), numbers(rng, shape, dtype)


def outputs_and_labels(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    return scores_and_labels(rng, dtype, Case(case.seed, case.batch, case.inner, 0), False)


def window(case: Case) -> dict[str, Any]:
    """Windows of four forms: plain; oblong, with a stride that does not divide; dilated in groups; padded unevenly."""
    plain = {"size": (3, 3), "stride": (1, 1), "pad": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    return (
        plain
        | (
            {},
            {"size": (2, 3), "stride": (2, 3), "pad": ((0, 0), (0, 0))},
            {"size": (2, 2), "pad": ((1, 1), (2, 2)), "dilation": (2, 1), "groups": 2},
            {"size": (1, 4), "stride": (1, 2), "pad": ((0, 0), (2, 1)), "groups": 2},
        )[case.variant]
    )


def make_convolution(*, lazy: bool = False, bias: bool = True) -> Any:
    def make(case: Case, dtype: Any) -> bg.Layer:
        options = window(case)
        size, groups = options.pop("size"), options["groups"]
        sizes = (4, *size) if lazy else (4, 2 * groups, *size)
        options |= {"rng": case.seed, "name": "lazy" if lazy else "fixed"}
        if lazy:
            return bg.Convolution(*sizes, **options)
        layer = bg.Convolution(*sizes, bias=bias, dtype=dtype, init=1.0, **options)
        if bias:
            layer.params["b"] = numbers(np.random.default_rng(case.seed), (4,), dtype)
        return layer

    return make


def pictures(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    batch = min(case.batch, 3)  # the loops of the reference are slow
    return (numbers(rng, (batch, 2 * window(case)["groups"], 4, 5), dtype, (0.0, 0.5, -1.0)),)


def pool(case: Case) -> dict[str, Any]:
    """Windows side by side, overlapping, with rows left out, and padded."""
    options = (
        {"size": (2, 2), "stride": (2, 2)},
        {"size": (2, 3), "stride": (1, 2)},
        {"size": (1, 3), "stride": (2, 3)},
        {"size": (3, 2), "stride": (2, 1), "pad": ((1, 2), (1, 0))},
    )[case.variant]
    return {"pad": ((0, 0), (0, 0)), "dilation": (1, 1), **options}


def make_pool(layer: Any) -> Any:
    def make(case: Case, dtype: Any) -> bg.Layer:
        options = pool(case)
        return layer(*options["size"], stride=options["stride"], pad=options["pad"])

    return make


def channels(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """At least three samples: one has no variance and is refused, and of two the gradient is next to nothing."""
    a, b, c = case.inner
    batch = 3 if case.batch == 1 else case.batch
    shape = ((batch, a), (batch, a, b, c), (batch, a, b), (batch, a, 1, 1))[case.variant]
    return (np.asarray(np.asarray(rng.normal(size=shape), np.float32), dtype),)


def features(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """At least three features, for the same reason."""
    a, b, _ = case.inner
    shape = ((case.batch, a + 1), (case.batch, b, a + 1), (a + 1,), (case.batch, a + 1))[case.variant]
    return (np.asarray(np.asarray(rng.normal(size=shape), np.float32), dtype),)


def make_normalization(layer: Any, size: Callable[[Case], int]) -> Any:
    def make(case: Case, dtype: Any) -> bg.Layer:
        norm, rng = layer(size(case), dtype=dtype, name="norm"), np.random.default_rng(case.seed)
        norm.params["gamma"] = positive(rng, (size(case),), dtype)
        norm.params["beta"] = numbers(rng, (size(case),), dtype)
        return norm

    return make


def make_inference(case: Case, dtype: Any) -> bg.Layer:
    norm = make_normalization(bg.BatchNormalization, lambda case: case.inner[0])(case, dtype)
    norm.running_mean[...], norm.running_var[...] = running(case)
    norm.eval()
    return norm


def running(case: Case) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(case.seed + 1)
    return rng.normal(size=case.inner[0]), rng.uniform(0.5, 2.0, case.inner[0])


MASK_SEED = 5


def make_dropout(case: Case, dtype: Any) -> bg.Layer:
    return bg.Dropout(0.25, rng=MASK_SEED)


def make_dropout_of_the_texts(case: Case, dtype: Any) -> bg.Layer:
    return bg.Dropout(0.25, inverted=False, rng=MASK_SEED)


def make_dropout_of_the_texts_in_inference(case: Case, dtype: Any) -> bg.Layer:
    layer = make_dropout_of_the_texts(case, dtype)
    layer.eval()
    return layer


def make_dropout_in_inference(case: Case, dtype: Any) -> bg.Layer:
    layer = bg.Dropout(0.25, rng=MASK_SEED)
    layer.eval()
    return layer


def make_embedding(case: Case, dtype: Any) -> bg.Layer:
    n_words, _, size = case.inner
    return bg.Embedding(n_words, size, rng=case.seed, dtype=dtype)


def words(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """Indices, most of which occur more than once."""
    a, b, _ = case.inner
    shape = ((case.batch,), (case.batch, b), (), (case.batch, 1, b))[case.variant]
    return (np.asarray(rng.integers(0, a, shape)).astype((np.int64, np.uint8, np.int32)[case.seed % 3]),)


def matrices(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    """Two matrices, a stack and one, one and a stack, and two stacks that stretch each other."""
    a, b, c = case.inner
    shape_x, shape_y = (
        ((case.batch, a), (a, b)),
        ((case.batch, a, b), (b, c)),
        ((c, a), (case.batch, a, b)),
        ((case.batch, 1, a, c), (b, c, a)),
    )[case.variant]
    return numbers(rng, shape_x, dtype), numbers(rng, shape_y, dtype)


def along(case: Case) -> dict[str, Any]:
    return {"axis": (None, 1, (0, -1), (-2, 0))[case.variant], "keepdims": case.seed % 2 == 1}


def blocks(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    a, b, _ = case.inner
    return (numbers(rng, (case.batch, a, b), dtype, (0.0, 1e4, -1e4) if extreme else (0.0,)),)


def sum_blocks(rng: np.random.Generator, dtype: Any, case: Case, extreme: bool) -> tuple[Any, ...]:
    return blocks(rng, dtype, case, False)  # of sums, what ±1e4 cancel to is known to no 12 digits


def new_order(case: Case) -> dict[str, Any]:
    return {"axes": ((2, 1, 0), (0, 2, 1), (2, 0, 1), (1, 2, 0))[case.variant]}


def slice_key(case: Case) -> dict[str, Any]:
    keys = ((slice(None), 0), (slice(None, None, 2),), (slice(None), slice(1, None), -1), (slice(None), slice(0, 0)))
    return {"key": keys[case.variant]}


def make_transpose(case: Case, dtype: Any) -> bg.Layer:
    """The order written out, counted from the end, or left to be the reverse."""
    axes = new_order(case)["axes"]
    return bg.Transpose() if case.variant == 0 else bg.Transpose(*(a - 3 * (case.seed % 2) for a in axes))


# The table ------------------------------------------------------------------------------------------------------------

ALL = frozenset({"y", "dx"})
Y = frozenset({"y"})
REAL = unary((0.0, 0.5), (1e4, -1e4, 1e-6))


def simple(layer: type[bg.Layer]) -> Any:
    return lambda case, dtype: layer()


LAYERS = [
    Entry("Add", simple(bg.Add), two(numbers, numbers), references.add, reuses=Y),
    Entry("Sub", simple(bg.Sub), two(numbers, numbers), references.sub, reuses=Y),
    Entry("Mul", simple(bg.Mul), two(numbers, numbers), references.mul, reuses=Y),
    Entry("Div", simple(bg.Div), two(numbers, non_zero), references.div, reuses=Y),
    Entry("Neg", simple(bg.Neg), REAL, references.neg, exact=True, reuses=Y),
    Entry("Pow[floats]", simple(bg.Pow), bases_and_exponents, references.pow, reuses=Y),
    Entry("Pow[integers]", simple(bg.Pow), bases_and_whole_exponents, references.pow, reuses=Y),
    Entry("Exp", simple(bg.Exp), unary((0.0, 0.5), (-80.0, 30.0)), references.exp, reuses=Y),
    Entry("Log", simple(bg.Log), unary((1.0, 0.5), (1e-7, 1e7), positive), references.log, reuses=Y),
    Entry("Step", simple(bg.Step), REAL, references.step, exact=True, branches=True),
    Entry("Identity", simple(bg.Identity), REAL, references.identity, exact=True),
    Entry("Sigmoid", simple(bg.Sigmoid), unary((0.0, 0.5), (-1e3, -40.0, 40.0, 1e3)), references.sigmoid, reuses=Y),
    Entry("Tanh", simple(bg.Tanh), unary((0.0, 0.5), (-1e3, -20.0, 20.0, 1e3)), references.tanh, reuses=Y),
    Entry("ReLU", simple(bg.ReLU), REAL, references.relu, exact=True, branches=True, reuses=ALL),
    Entry(
        "LeakyReLU", lambda *_: bg.LeakyReLU(0.2), REAL, references.leaky_relu, exact=True, branches=True, reuses=ALL
    ),
    # up to 40 only: frozen, a large x may be led through the exponential's branch
    Entry(
        "ELU", lambda *_: bg.ELU(0.7), unary((0.0, 0.5), (-1e4, -40.0, 40.0)), references.elu, branches=True, reuses=ALL
    ),
    Entry("Softplus", simple(bg.Softplus), unary((0.0, 0.5), (-80.0, 40.0, 1e4)), references.smooth_relu, reuses=Y),
    Entry("Swish", simple(bg.Swish), unary((0.0, 0.5), (-80.0, -40.0, 40.0, 700.0)), references.swish, reuses=Y),
    Entry("GELU", simple(bg.GELU), unary((0.0, 0.5), (-1e4, -30.0, -6.0, 6.0, 1e4)), references.gelu, reuses=Y),
    Entry(
        "Softmax",
        lambda case, dtype: bg.Softmax(**softmax_axis(case)),
        scores,
        references.softmax,
        softmax_axis,
        reuses=Y,
    ),
    Entry("Affine[fixed]", make_affine(), rows, references.affine, reuses=ALL),
    Entry("Affine[no bias]", make_affine(bias=False), rows, references.affine, reuses=ALL),
    Entry("Affine[lazy]", make_affine(lazy=True), rows, references.affine, lazy=True, reuses=ALL),
    Entry("Convolution[fixed]", make_convolution(), pictures, references.convolution, window, reuses=ALL),
    Entry("Convolution[no bias]", make_convolution(bias=False), pictures, references.convolution, window, reuses=ALL),
    Entry(
        "Convolution[lazy]",
        make_convolution(lazy=True),
        pictures,
        references.convolution,
        window,
        lazy=True,
        reuses=ALL,
    ),
    Entry(
        "MaxPooling",
        make_pool(bg.MaxPooling),
        pictures,
        references.max_pooling,
        pool,
        branches=True,
        reuses=frozenset({"y"}),
    ),
    Entry("AveragePooling", make_pool(bg.AveragePooling), pictures, references.average_pooling, pool, reuses=Y),
    Entry("GlobalAveragePooling", simple(bg.GlobalAveragePooling), pictures, references.global_average_pooling),
    Entry(
        "BatchNormalization[training]",
        make_normalization(bg.BatchNormalization, lambda case: case.inner[0]),
        channels,
        references.batch_normalization,
        lambda case: {"eps": 1e-5},
        reuses=ALL,
    ),
    Entry(
        "BatchNormalization[inference]",
        make_inference,
        channels,
        references.batch_normalization_inference,
        lambda case: {"mean": running(case)[0], "variance": running(case)[1], "eps": 1e-5},
        reuses=ALL,
    ),
    Entry(
        "LayerNormalization",
        make_normalization(bg.LayerNormalization, lambda case: case.inner[0] + 1),
        features,
        references.layer_normalization,
        lambda case: {"eps": 1e-5},
        reuses=Y,
    ),
    Entry(
        "Dropout[training]",
        make_dropout,
        REAL,
        references.dropout,
        lambda case: {"ratio": 0.25, "seed": MASK_SEED, "scale": 1 / 0.75},
        branches=True,
        reuses=ALL,
    ),
    Entry(
        "Dropout[not inverted, training]",
        make_dropout_of_the_texts,
        REAL,
        references.dropout,
        lambda case: {"ratio": 0.25, "seed": MASK_SEED, "scale": 1.0},
        branches=True,
        reuses=ALL,
    ),
    Entry(
        "Dropout[not inverted, inference]",
        make_dropout_of_the_texts_in_inference,
        REAL,
        references.dropout,
        lambda case: {"ratio": 0.0, "seed": MASK_SEED, "scale": 0.75},
        reuses=ALL,
    ),
    Entry("Dropout[inference]", make_dropout_in_inference, REAL, references.identity, exact=True),
    Entry("Embedding", make_embedding, words, references.embedding, reuses=Y),
    Entry("MatMul", simple(bg.MatMul), matrices, references.matmul, reuses=Y),
    Entry(
        "Sum",
        lambda case, dtype: bg.Sum(**along(case)),
        sum_blocks,
        references.sum_along,
        along,
        reuses=frozenset({"dx"}),
    ),
    Entry(
        "Mean",
        lambda case, dtype: bg.Mean(**along(case)),
        sum_blocks,
        references.mean_along,
        along,
        reuses=frozenset({"dx"}),
    ),
    Entry("Transpose", make_transpose, blocks, references.transpose, new_order, exact=True),
    Entry("Slice", lambda case, dtype: bg.Slice(*slice_key(case)["key"]), blocks, references.slice_of, slice_key, True),
    Entry("Flatten", simple(bg.Flatten), images, references.reshape, flat_shape, exact=True),
    Entry("Reshape", make_reshape, unshaped, references.reshape, lambda case: {"shape": new_shape(case)}, exact=True),
    Entry("Concat", lambda case, dtype: bg.Concat(**concat_axis(case)), parts, references.concat, concat_axis, True),
    Entry(
        "SoftmaxWithLoss[labels]",
        simple(bg.SoftmaxWithLoss),
        scores_and_labels,
        references.softmax_with_loss,
        reuses=frozenset({"dx"}),
    ),
    Entry(
        "SoftmaxWithLoss[rows]",
        simple(bg.SoftmaxWithLoss),
        scores_and_rows,
        references.softmax_with_loss,
        reuses=frozenset({"dx"}),
    ),
    Entry("SigmoidWithLoss", simple(bg.SigmoidWithLoss), scores_and_bits, references.sigmoid_with_loss),
    Entry("MeanSquaredLoss[targets]", simple(bg.MeanSquaredLoss), outputs_and_targets, references.mean_squared_loss),
    Entry("MeanSquaredLoss[labels]", simple(bg.MeanSquaredLoss), outputs_and_labels, references.mean_squared_loss),
]

over_layers = pytest.mark.parametrize("entry", LAYERS, ids=lambda entry: entry.name)
over_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])

EDGES = [Case(batch=0), Case(batch=1), Case(seed=1, variant=1), Case(seed=2, variant=2), Case(seed=3, variant=3)]


def draw_cases(name: str, count: int) -> Iterator[Case]:
    """Cases for the test of this name; any twelve in a row have every batch size with every form of input."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for k in range(count):
        inner = tuple(int(size) for size in rng.permutation([2, 3, 5]))
        yield Case(int(rng.integers(2**32)), (7, 1, 0)[k % 3], inner, k % 4)


def over_cases(count: int = 6) -> Callable[[Any], Any]:
    """Run a test on the edge cases and on drawn ones, other ones for each layer; an error says on which it came."""
    count = int(os.environ.get("CASES", count))

    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        def on_every_case(entry: Entry, **arguments: Any) -> None:
            for case in (*EDGES, *draw_cases(f"{test.__name__} {entry.name}", count)):
                try:
                    test(entry=entry, case=case, **arguments)
                except BaseException as error:
                    error.add_note(f"on {entry.name} and {case}")
                    raise

        signature = inspect.signature(test)  # pytest must not look for a fixture of the name "case"
        wanted = [parameter for name, parameter in signature.parameters.items() if name != "case"]
        on_every_case.__signature__ = signature.replace(parameters=wanted)
        return on_every_case

    return decorate


# Running a layer ------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What one forward and backward gave; `grads` are copies."""

    outputs: tuple[Any, ...]
    d_outputs: tuple[Any, ...]
    gradients: tuple[Any, ...]
    grads: dict[str, np.ndarray]

    def bits(self) -> list[Any]:
        return bits(self.outputs) + bits(self.gradients) + bits(self.grads)


def set_up(entry: Entry, case: Case, dtype: Any = np.float64, *, extreme: bool = True) -> tuple[Any, tuple[Any, ...]]:
    """The layer and its inputs."""
    rng = np.random.default_rng(case.seed)
    return entry.make(case, dtype), entry.inputs(rng, dtype, case, extreme)


def sized(entry: Entry, case: Case, dtype: Any = np.float64) -> tuple[Any, tuple[Any, ...]]:
    """The same, with all of the layer's parameters there and no memory of having run."""
    layer, inputs = set_up(entry, case, dtype)
    if not layer.sized:
        layer.forward(*inputs)
        layer.memory = bg.Memory()
    return layer, inputs


def several(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def upstream(outputs: tuple[Any, ...], seed: int = 0) -> tuple[Any, ...]:
    """Gradients for the outputs: none alike, none near 0, of both signs."""
    rng = np.random.default_rng(seed)
    return tuple(
        np.asarray(
            (rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape)).astype(np.float32)
            if y.ndim
            else np.float32(rng.uniform(0.5, 1.5)),
            y.dtype,
        )
        for y in outputs
    )


def rewind(layer: Any) -> None:
    """Put the generator that a layer draws from back to its start, so that every run draws the same."""
    if isinstance(layer, bg.Dropout):
        layer.rng.bit_generator.state = np.random.default_rng(MASK_SEED).bit_generator.state


def run(layer: Any, inputs: tuple[Any, ...], seed: int = 0) -> Outcome:
    """Forward and backward."""
    rewind(layer)
    outputs = several(layer.forward(*inputs))
    d_outputs = upstream(outputs, seed)
    gradients = several(layer.backward(*d_outputs))
    return Outcome(outputs, d_outputs, gradients, {key: grad.copy() for key, grad in layer.grads.items()})


def bits(values: Any) -> list[Any]:
    """Shape, type and bytes of all arrays: what must be the same where "the same" is meant to the last bit."""
    if isinstance(values, dict):
        return [(key, *bits((value,))) for key, value in values.items()]
    return [None if v is None else (np.shape(v), np.asarray(v).dtype, np.asarray(v).tobytes()) for v in values]


def arrays_of(*groups: Any) -> list[np.ndarray]:
    """The arrays among the values, which may be None or single numbers too."""
    values = [v for group in groups for v in (group.values() if isinstance(group, dict) else group)]
    return [v for v in values if isinstance(v, np.ndarray)]


def assert_close(actual: Any, expected: Any, rtol: float, atol: float) -> None:
    """Alike in shape and within the tolerance; None only where None is expected."""
    assert (actual is None) == (expected is None), f"got {actual!r}, expected {expected!r}"
    if expected is not None:
        assert np.shape(actual) == np.shape(expected)
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def is_float_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def float_inputs(entry: Entry, inputs: tuple[Any, ...]) -> list[int]:
    """Which inputs must share one precision."""
    layer = entry.layer
    names = [layer.input_names[min(i, len(layer.input_names) - 1)] for i in range(len(inputs))]
    return [i for i, x in enumerate(inputs) if is_float_array(x) and names[i] not in layer.integer_inputs]
