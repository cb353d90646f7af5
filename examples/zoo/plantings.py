"""The faults of `values`, each with inputs that show it."""

from __future__ import annotations

import numpy as np

from . import values
from .entry import plant


def _embedding(fault, seed):
    rng = np.random.default_rng(seed)
    t = rng.integers(11, size=(7, 3))
    t[0, :2] = t[1, 0] = 4  # one word thrice at least
    return values.Embedding(rng.normal(size=(11, 5)), fault), (t,)


def _on_normal(kind, shape=(7, 5)):
    """Builds a layer of one kind on inputs of order 1."""
    return lambda fault, seed: (kind(fault=fault), (np.random.default_rng(seed).normal(size=shape),))


def _zeros(shape, seed):
    """Entries between 0.5 and 2, and exact zeros in two rows of three."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2.0, size=shape)
    x[::3, 1] = 0.0
    x[1::3, 0] = 0.0
    return x


def _log(fault, seed):
    x = _zeros((7, 5), seed)
    x[2, 2] = -1.5
    return values.MaskedLog(fault), (x,)


def _product(fault, seed):
    return values.Prod(fault), (_zeros((7, 5), seed),)


def _norm(fault, seed):
    x = np.random.default_rng(seed).normal(size=(7, 5))
    x[3] = 0.0
    return values.Norm(fault), (x,)


def _dropout(fault, seed):
    rng = np.random.default_rng(seed)
    return values.Dropout(seed, fault=fault), (rng.normal(size=(7, 5)),)


def _clipped(fault, seed):
    x = 2 * np.random.default_rng(seed).normal(size=(7, 5))
    x[0, :2] = 3.5, 1.0
    return values.ReLU(fault), (x,)


def _square(fault, seed):
    rng = np.random.default_rng(seed)
    return values.Affine(rng.normal(size=(5, 5)), rng.normal(size=5), fault), (rng.normal(size=(7, 5)),)


def _pair(what):
    """Builds a Pair whose second input stays clear of 0."""

    def build(fault, seed):
        rng = np.random.default_rng(seed)
        return values.Pair(what, fault), (rng.normal(size=(7, 5)), rng.uniform(1.5, 3.0, size=(7, 5)))

    return build


FAULTS = plant(
    "values",
    [
        (_embedding, "duplicate indices overwrite", "Embedding", "W", "overwritten",
         "dW[t] += dy adds once for each word, not for each time it stands there."),
        (_embedding, "indices off by one", "Embedding", "W", "shifted, order",
         "Words count from 1 in backward."),
        (_on_normal(values.Elementwise), "order of dout's memory taken for granted", "Elementwise", "", "layout",
         "dout is read in the order it lies in memory: a transposed one comes out scrambled."),
        (_on_normal(values.Elementwise), "gradients in float32, cast back", "Elementwise", "x", "precision",
         "One astype(float32) on the way, and the dtype looks right."),
        (_on_normal(values.Elementwise), "gradients returned in float32", "Elementwise", "x", "precision",
         "A default dtype of float32 in an allocation."),
        (_on_normal(values.PlainTanh), "gradients returned in float32, plain", "PlainTanh", "x", "precision",
         "The same where nobody looks at dtypes."),
        (_log, "NaN on a masked branch", "MaskedLog", "x", "not finite",
         "where(x > 0, 1, 0) · dy / x: 0 · inf is NaN; every framework has an issue about it."),
        (_product, "product divided by zeros", "Prod", "x", "not finite",
         "product / x is NaN where x is 0."),
        (_product, "product at zeros, nothing sent back", "Prod", "x", "zeroed",
         "The division by 0 is patched with 0, but with a single zero the product of the others is due."),
        (_norm, "norm of a row of zeros", "Norm", "x", "not finite",
         "x / |x| at 0 is NaN, and one empty row spoils the whole batch."),
        (_dropout, "dropout's mask not applied", "Dropout", "x", "mask",
         "What was dropped gets a gradient all the same."),
        (_dropout, "dropout's mask drawn again", "Dropout", "x", "mask",
         "backward draws a mask of its own."),
        (_dropout, "dropout's 1 / (1 - p) forgotten", "Dropout", "x", "factor",
         "forward enlarges what it keeps, backward does not."),
        (_clipped, "mask forgotten", "ReLU", "x", "mask",
         "dout goes through where the output is flat."),
        (_clipped, "mask by dout in place of x", "ReLU", "x", "mask, not linear",
         "The sign of the wrong array is asked for."),
        (_clipped, "only the lower bound masked", "ReLU", "x", "mask",
         "Above the upper bound the gradient goes through."),
        (_square, "square weight not transposed", "Affine", "x", "transposed",
         "dy · W for dy · Wᵀ: fits as long as W is square."),
        (_square, "dW transposed", "Affine", "W", "transposed",
         "dyᵀ · x for xᵀ · dy: fits as long as W is square."),
        (_pair("times"), "gradients of a product swapped", "Pair", "x y", "swapped",
         "dx = dz · x and dy = dz · y."),
        (_pair("join"), "gradients of a join swapped", "Pair", "x y", "swapped",
         "The parts are handed back in reverse; equal widths hide it."),
        (_pair("over"), "quotient's sign", "Pair", "y", "sign",
         "The minus of the quotient rule is lost."),
        (_pair("over"), "quotient's numerator forgotten", "Pair", "y", "missing factor",
         "-dz / y² for -dz · x / y²."),
        (_on_normal(values.Delay), "delay not undone", "Delay", "x", "shifted",
         "The gradient stays where it came in, in place of moving back by one."),
        (_on_normal(values.Transpose, (5, 5, 5)), "permutation not inverted", "Transpose", "x", "transposed, order",
         "The same permutation back as forward; right for every swap of two axes, and only for those."),
    ],
)  # fmt: skip
