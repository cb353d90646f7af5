"""Convolution and pooling over random windows: what loops give, and the gradient check; CASES=300 draws so many."""

import os

import numpy as np
import pytest
import references

import brickgrad as bg

CASES = int(os.environ.get("CASES", "20"))


def two(rng, low, high):
    return tuple(int(number) for number in rng.integers(low, high, size=2, endpoint=True))


def same(length, stride, reach):
    """The padding that "same" stands for: as many windows as there are strides in the image, an odd zero at the end."""
    whole = max((-(-length // stride) - 1) * stride + reach - length, 0)
    return whole // 2, whole - whole // 2


def drawn(rng, *, pooling=False):
    """A layer's window and options, what the loops take in addition, and the sides of an image it may not fill."""
    size, stride = two(rng, 1, 3), (1, 1) if rng.random() < 0.4 else two(rng, 1, 4)
    dilation = (1, 1) if pooling else two(rng, 1, 3)
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    sides = [n + int(rng.integers(5)) for n in reach]
    options = {"stride": stride} if pooling else {"stride": stride, "dilation": dilation}
    if rng.random() < 0.3:
        pads = tuple(same(*three) for three in zip(sides, stride, reach, strict=True))
        return size, options | {"pad": "same"}, {"size": size, "dilation": dilation, "pad": pads}, sides
    most = [n - 1 for n in size] if pooling else [3, 3]
    pads = tuple(tuple(int(n) for n in rng.integers(top, size=2, endpoint=True)) for top in most)
    return size, options | {"pad": pads}, {"size": size, "dilation": dilation, "pad": pads}, sides


def assert_as_loops_and_checked(layer, reference, x, options):
    y = layer.forward(x)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    dx = layer.backward(dy)
    params = dict(layer.params)
    (d_expected,), grads = reference.backward(params, dy, x, **options)
    np.testing.assert_allclose(y, reference.forward(params, x, **options), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, d_expected, rtol=1e-12, atol=1e-14)
    assert grads.keys() == params.keys()
    for name, grad in grads.items():
        np.testing.assert_allclose(layer.grads[name], grad, rtol=1e-12, atol=1e-14)
    report = bg.gradcheck(layer, x, rng=0)
    assert report.passed, (options, report)


@pytest.mark.parametrize("seed", range(CASES))
def test_convolution_of_random_windows_is_what_loops_give_and_passes_gradcheck(seed):
    rng = np.random.default_rng(seed)
    size, options, loops, sides = drawn(rng)
    groups, per_group = int(rng.choice([1, 1, 2, 3])), two(rng, 1, 2)
    options["groups"] = groups
    layer = bg.Convolution(groups * per_group[0], groups * per_group[1], *size, rng=rng, dtype=np.float64, **options)
    layer.params["b"] = rng.normal(size=groups * per_group[0])
    x = rng.normal(size=(2, groups * per_group[1], *sides))
    assert_as_loops_and_checked(layer, references.convolution, x, options | loops)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [(bg.MaxPooling, references.max_pooling), (bg.AveragePooling, references.average_pooling)],
    ids=["max", "average"],
)
@pytest.mark.parametrize("seed", range(CASES))
def test_pooling_of_random_windows_is_what_loops_give_and_passes_gradcheck(seed, kind, reference):
    rng = np.random.default_rng(seed)
    size, options, loops, sides = drawn(rng, pooling=True)
    x = rng.normal(size=(2, 2, *sides))
    assert_as_loops_and_checked(kind(*size, **options), reference, x, options | loops)
