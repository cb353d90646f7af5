"""The image layers against PyTorch's, where that is installed: 1e-12 in float64, 1e-5 in float32."""

import numpy as np
import pytest

import brickgrad as bg

torch = pytest.importorskip("torch")
F = torch.nn.functional

DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])


def pair(rng, *numbers):
    return tuple(int(rng.choice(numbers)) for _ in range(2))


def leaf(array):
    return torch.tensor(np.array(array), requires_grad=True)


def assert_alike(actual, expected, tolerance):
    expected = expected.detach().numpy()
    largest = np.max(np.abs(expected), initial=0)
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * largest)


def compare(layer, function, x, tolerance, names=()):
    """Forward, dx and the parameters' gradients of both, for the same upstream gradient."""
    y = layer.forward(x)
    dy = np.cos(np.arange(y.size)).reshape(y.shape).astype(x.dtype)
    dx = layer.backward(dy)
    given, params = leaf(x), [leaf(layer.params[name]) for name in names]
    result = function(given, *params)
    result.backward(torch.tensor(dy))
    assert_alike(y, result, tolerance)
    assert_alike(dx, given.grad, tolerance)
    for name, param in zip(names, params, strict=True):
        assert_alike(layer.grads[name], param.grad, tolerance)


@DTYPES
def test_convolution_agrees_with_pytorch(dtype, tolerance):
    rng = np.random.default_rng(0)
    for _ in range(60):
        groups = int(rng.choice([1, 1, 2, 3]))
        channels = groups * int(rng.choice([3, 3, 24]))
        options = {"stride": pair(rng, 1, 1, 2, 3), "pad": pair(rng, 0, 1, 2), "dilation": pair(rng, 1, 1, 2)}
        layer = bg.Convolution(
            2 * groups, channels, *pair(rng, 1, 2, 3), groups=groups, dtype=dtype, rng=rng, **options
        )
        layer.params["b"] = rng.normal(size=2 * groups)
        x = rng.normal(size=(2, channels, *pair(rng, 5, 8, 11))).astype(dtype)

        def function(x, W, b, options=options, groups=groups):
            return F.conv2d(x, W, b, options["stride"], options["pad"], options["dilation"], groups)

        compare(layer, function, x, tolerance, ("W", "b"))


@DTYPES
def test_pooling_agrees_with_pytorch(dtype, tolerance):
    rng = np.random.default_rng(0)
    for _ in range(30):
        size, stride = pair(rng, 2, 3), pair(rng, 1, 2, 3)
        pad = pair(rng, 0, 1)
        x = rng.normal(size=(2, 3, *pair(rng, 6, 9))).astype(dtype)
        compare(
            bg.MaxPooling(*size, stride=stride, pad=pad),
            lambda x, s=size, t=stride, p=pad: F.max_pool2d(x, s, t, p),
            x,
            tolerance,
        )
        compare(
            bg.AveragePooling(*size, stride=stride, pad=pad),
            lambda x, s=size, t=stride, p=pad: F.avg_pool2d(x, s, t, p, count_include_pad=False),
            x,
            tolerance,
        )


@DTYPES
@pytest.mark.parametrize("shape", [(7, 3), (7, 3, 4, 5)])
def test_batch_normalization_agrees_with_pytorch_and_so_do_running_statistics(shape, dtype, tolerance):
    rng = np.random.default_rng(0)
    layer = bg.BatchNormalization(3, dtype=dtype)
    layer.params["gamma"], layer.params["beta"] = rng.uniform(0.5, 2, 3), rng.normal(size=3)
    x = (rng.normal(size=shape) * 3 + 1).astype(dtype)
    mean, variance = torch.zeros(3, dtype=leaf(x).dtype), torch.ones(3, dtype=leaf(x).dtype)

    def function(x, gamma, beta, training=True):
        return F.batch_norm(x, mean, variance, gamma, beta, training=training, momentum=0.1, eps=1e-5)

    compare(layer, function, x, tolerance, ("gamma", "beta"))
    np.testing.assert_allclose(layer.running_mean, mean.numpy(), rtol=tolerance)
    np.testing.assert_allclose(layer.running_var, variance.numpy(), rtol=tolerance)
    layer.eval()
    compare(layer, lambda *given: function(*given, training=False), x, tolerance, ("gamma", "beta"))


@DTYPES
def test_layer_normalization_agrees_with_pytorch(dtype, tolerance):
    rng = np.random.default_rng(0)
    layer = bg.LayerNormalization(5, dtype=dtype)
    layer.params["gamma"], layer.params["beta"] = rng.uniform(0.5, 2, 5), rng.normal(size=5)
    x = rng.normal(size=(4, 3, 5)).astype(dtype)
    compare(layer, lambda x, gamma, beta: F.layer_norm(x, (5,), gamma, beta, 1e-5), x, tolerance, ("gamma", "beta"))


@DTYPES
@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (bg.LeakyReLU(0.1), lambda x: F.leaky_relu(x, 0.1)),
        (bg.ELU(1.3), lambda x: F.elu(x, 1.3)),
        (bg.Softplus(), F.softplus),
        (bg.Swish(), F.silu),
        (bg.GELU(), F.gelu),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, bg.Layer) else "",
)
def test_rectifier_agrees_with_pytorch(layer, function, dtype, tolerance):
    x = (np.random.default_rng(0).normal(size=(7, 5)) * 3).astype(dtype)
    compare(layer, function, x, tolerance)
