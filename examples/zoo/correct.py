"""What is right and looks wrong: kinks, ties, extreme values, chance. A checker must not cry wolf at any of these."""

from __future__ import annotations

import numpy as np

import brickgrad as bg

from . import kinks, smooth, values
from .engine import encoder, fan_out
from .entry import Correct
from .large import chain
from .normalization import BatchNorm, LayerNorm

TINY = 1e-7


def _entries(layer, *special, scale=1.0):
    """Makes a layer on entries of order `scale`, with `special` values put in place of the first."""

    def make(seed):
        x = scale * np.random.default_rng(seed).normal(size=(7, 5))
        x.flat[: len(special)] = special
        return layer(), (x,)

    return make


def _positive(function, slope):
    """Makes a function on entries between ½ and 2, and some of 1e-7."""

    def make(seed):
        x = np.random.default_rng(seed).uniform(0.5, 2.0, size=(7, 5))
        x[::3, 2] = TINY
        return kinks.BlackBox(function, slope), (x,)

    return make


def _branching(choose):
    return lambda: kinks.PiecewiseLinear(choose)


def _black_box(function, slope, kind=kinks.BlackBox):
    return lambda: kind(function, slope)


def _leaky(x):
    return np.where(x > 0, 1.0, 0.1)


def _inside(x):
    return ((x > -1) & (x < 1)).astype(float)


RELU = kinks.relu, kinks.relu_slope


def _ties(layer, shape=(7, 5)):
    """Makes a layer on the numbers 0, 1 and 2: ties everywhere, and exact ones."""
    return lambda seed: (layer(), (np.random.default_rng(seed).integers(3, size=shape).astype(float),))


def _normalized(kind, **options):
    """Makes a normalization whose inputs lie near 10 000: the mean is 10 000 times the deviation."""

    def make(seed):
        rng = np.random.default_rng(seed)
        gamma, beta = rng.uniform(1.5, 3, size=5), rng.normal(size=5)
        return kind(gamma, beta, **options), (1e4 + rng.normal(size=(7, 5)),)

    return make


def _scores(seed):
    """Scores of ±10 000, with a tie at the top."""
    x = 1e4 * np.random.default_rng(seed).choice([-1.0, 1.0], size=(7, 5))
    x[0] = 1e4, 1e4, -1e4, -1e4, 0.0
    x[1] = np.random.default_rng(seed).normal(size=5)
    return x


def _affine(seed, n_samples=7, kind=None):
    rng = np.random.default_rng(seed)
    affine = encoder(rng)
    x = rng.normal(size=(n_samples, 3))
    return (affine if kind is None else kind(affine.params["W"].copy(), affine.params["b"].copy())), (x,)


def _embedding(seed):
    rng = np.random.default_rng(seed)
    return values.Embedding(rng.normal(size=(11, 5))), (np.array([[4, 4, 0], [10, 4, 0]]),)


def _zeros_multiplied(seed):
    x = np.random.default_rng(seed).normal(size=(7, 5))
    x[::2, 1] = x[::3, 3] = 0.0  # rows with no zero, one and two
    return values.Prod(), (x,)


def _magnitudes(seed):
    rng = np.random.default_rng(seed)
    return bg.Mul(), (1e8 * rng.normal(size=(7, 5)), 1e-8 * rng.normal(size=(7, 5)))


def _mixed_magnitudes(seed):
    rng = np.random.default_rng(seed)
    return bg.Tanh(), (rng.normal(size=(7, 5)) * np.array([1e-8, 1e-4, 1.0, 2.0, 10.0]),)


def _every_fan_out(seed):
    """Nodes that are used once, twice, … eight times, one after the other."""
    rng = np.random.default_rng(seed)
    node = x = bg.Input("x")
    for uses in range(1, 9):
        node = encoder(rng, 5, 5, f"node{uses}")(node)
        branches = [bg.Tanh()(node * float(factor)) for factor in np.linspace(0.5, 1.5, uses)]
        total = branches[0]
        for branch in branches[1:]:
            total = total + branch
        node = total / float(uses)
    return bg.Graph(x, node), (rng.normal(size=(7, 5)),)


def _shared(seed):
    rng = np.random.default_rng(seed)
    x = bg.Input("x")
    shared = encoder(rng, 5, 5, "shared")
    return bg.Graph(x, shared(bg.Tanh()(shared(x))) * shared(x)), (rng.normal(size=(7, 5)),)


def _net(dtype, hidden, n_in=11):
    def make(seed):
        rng = np.random.default_rng(seed)
        net = bg.MultiLayerNet(n_in, hidden, 5, rng=seed, dtype=dtype)
        return net, (rng.normal(size=(7, n_in)).astype(dtype), rng.integers(5, size=7))

    return make


def _gather(seed):
    rng = np.random.default_rng(seed)
    return smooth.Gather(), (rng.normal(size=(7, 5)), rng.integers(5, size=7))


def _global_dropout(seed):
    return kinks.FreshDropout(), (np.random.default_rng(seed).normal(size=(7, 5)),)


def _dropout(seed):
    rng = np.random.default_rng(seed)
    return kinks.FreshDropout(rng), (np.random.default_rng(seed + 1).normal(size=(7, 5)),)


def _dropout_with_branch(seed):
    return values.Dropout(seed), (np.random.default_rng(seed + 1).normal(size=(7, 5)),)


def _rows(kind, special=None):
    def make(seed):
        x = np.random.default_rng(seed).normal(size=(7, 5))
        x[0] *= 100
        if special is not None:
            x[3] = special
        return kind(), (x,)

    return make


def _loss(seed):
    return bg.SoftmaxWithLoss(), (_scores(seed), np.array([0, 3, 4, 1, 2, 0, 1]))


def _fixed(layer, *inputs):
    return lambda seed: (layer(), tuple(np.array(x) for x in inputs))


AT_ZERO = (0.0, 0.0, -0.0, TINY, -TINY)
CORRECT = tuple(
    Correct(*row)
    for row in [
        ("relu at zeros", _entries(bg.ReLU, *AT_ZERO), "kinks under the inputs and 1e-7 beside them"),
        ("relu at zeros, black box", _entries(_black_box(*RELU), *AT_ZERO), "the same, and no branches to replay"),
        ("relu at zeros, plain", _entries(_black_box(*RELU, kinks.PlainFunction), *AT_ZERO), "the same, and no Layer"),
        ("relu beside zeros", _entries(_black_box(*RELU), TINY, -TINY, 1e-5, -1e-3), "kinks within every usual step"),
        ("leaky relu", _entries(_branching(lambda x: (_leaky(x), 0.0)), *AT_ZERO), "two slopes, a kink between"),
        ("leaky relu, black box", _entries(_black_box(lambda x: x * _leaky(x), _leaky), *AT_ZERO), "no branches"),
        ("abs at zero", _entries(_branching(lambda x: (np.sign(x), 0.0)), *AT_ZERO), "slopes of both signs at a kink"),
        ("abs at zero, black box", _entries(_black_box(np.abs, np.sign), *AT_ZERO), "a slope of 0 between -1 and 1"),
        (
            "clip",
            _entries(_branching(lambda x: (_inside(x), np.sign(x) * (1 - _inside(x)))), 1.0, -1.0, 1 - TINY),
            "inputs on both bounds",
        ),
        (
            "clip, black box",
            _entries(_black_box(lambda x: np.clip(x, -1, 1), _inside), 1.0, -1.0, 1 - TINY),
            "the same, no branches",
        ),
        (
            "hinge",
            _entries(_branching(lambda x: (-1.0 * (x < 1), 1.0 * (x < 1))), 1.0, 1 - TINY, 1 + TINY),
            "samples exactly on the margin",
        ),
        (
            "hinge, black box",
            _entries(_black_box(lambda x: np.maximum(1 - x, 0), lambda x: -1.0 * (x < 1)), 1.0, 1 - TINY),
            "the same, no branches",
        ),
        ("step", _entries(bg.Step, TINY, -TINY, 0.5, -2.0), "flat, with jumps: its gradient is 0 and right"),
        ("rounding", _entries(_black_box(np.floor, np.zeros_like), 0.3, 1.5), "flat pieces, no branches"),
        *(
            (f"max, ties to the {rule}{box}", _ties(lambda rule=rule, b=not box: kinks.Max(rule, b)), "exact ties")
            for rule in ("first", "last", "split")
            for box in ("", ", black box")
        ),
        *(
            (
                f"max pool, ties to the {rule}{box}",
                _ties(lambda r=rule, b=not box: kinks.MaxPool(r, b), (2, 3, 4, 9)),
                "exact ties in most windows",
            )
            for rule in ("first", "last", "split")
            for box in ("", ", black box")
        ),
        ("log near zero", _positive(np.log, lambda x: 1 / x), "1e-7 beside 1: slopes of 1e7, steps to fall off by"),
        ("sqrt near zero", _positive(np.sqrt, lambda x: 0.5 / np.sqrt(x)), "the same for a slope that grows slower"),
        ("masked log", lambda seed: (values.MaskedLog(), (np.array([0.0, -2.0, 1e-7, 1.0, 3.0]),)), "log of nothing"),
        ("square at zero", _entries(_black_box(np.square, lambda x: 2 * x), 0.0, TINY), "gradients of exactly 0"),
        ("power at zero", lambda seed: (bg.Pow(), (np.array([0.0, TINY, -1.0, 2.0]), np.array(2))), "x ** 2 at 0"),
        ("sine of 50 x", _entries(_black_box(lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x))), "wiggles"),
        ("batch norm far from zero", _normalized(BatchNorm), "an offset of 1e4: steps relative to x are far too large"),
        ("layer norm far from zero", _normalized(LayerNorm), "the same along the features"),
        ("running batch norm", _normalized(smooth.RunningBatchNorm), "forward changes the layer at every call"),
        ("softmax, saturated", lambda seed: (bg.Softmax(), (_scores(seed),)), "scores of ±1e4, with a tie at the top"),
        ("softmax with loss, saturated", _loss, "losses of 1e4, and gradients of exactly 0"),
        ("sigmoid, saturated", _entries(bg.Sigmoid, 40.0, -40.0, 800.0, -800.0, 0.0), "slopes of 1e-18 beside ¼"),
        ("tanh, saturated", _entries(bg.Tanh, 20.0, -20.0, 400.0, 0.0), "slopes that underflow beside slopes of 1"),
        ("dropout, its own generator", _dropout, "a new mask at every forward, which cannot be replayed"),
        ("dropout, NumPy's global generator", _global_dropout, "the same, from a generator nobody passed in"),
        ("dropout with a branch", _dropout_with_branch, "the mask is replayed"),
        ("huge times tiny", _magnitudes, "inputs of 1e8 and 1e-8 in one product"),
        ("all magnitudes", _mixed_magnitudes, "columns of 1e-8 to 10 side by side"),
        ("huge squares", _entries(_black_box(np.square, lambda x: 2 * x), scale=1e8), "outputs of 1e16"),
        ("tiny squares", _entries(_black_box(np.square, lambda x: 2 * x), scale=1e-8), "outputs of 1e-16"),
        ("product with zeros", _zeros_multiplied, "most entries of the gradient are exactly 0"),
        ("one sample", lambda seed: _affine(seed, 1), "a batch of 1"),
        ("no samples", lambda seed: _affine(seed, 0), "a batch of 0: empty outputs, gradients of 0"),
        ("numbers", _fixed(bg.Mul, 3.0, -2.0), "inputs and output without an axis"),
        ("fan-out of 1 to 8", _every_fan_out, "gradients that meet in all numbers"),
        ("fan-out of 8", lambda seed: fan_out(8)(None, seed), "one node, eight users"),
        ("shared layer", _shared, "one layer at three nodes"),
        ("chain of thirty", lambda seed: chain(None, seed), "round-off adds up"),
        ("embedding with duplicates", _embedding, "one row used three times; rows not used at all"),
        ("integers beside floats", _gather, "an input that has no gradient"),
        ("float32 net", _net(np.float32, [13]), "single precision: seven digits"),
        ("deep relu net", _net(np.float64, [13] * 8), "hundreds of kinks, some of them near"),
        ("view of dout", _rows(smooth.Flat), "the gradient shares memory with dout, and may"),
        ("plain object with W and dW", lambda seed: _affine(seed, kind=smooth.PlainAffine), "no Layer, no params"),
        ("logsumexp", _rows(smooth.LogSumExp, 3.0), "large scores, and a row of ties"),
        ("norm", _rows(values.Norm), "rows of length 1 and 100"),
        ("norm of a row of zeros", _rows(values.Norm, 0.0), "a cone's tip: no derivative, and 0 is as good as any"),
    ]
)
