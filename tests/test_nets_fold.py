"""Batch normalization folded away: the same predictions by fewer layers, and nothing folded that must not be."""

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)


def trained(net, shape):
    """The net with running statistics and gammas that are not those it started from."""
    x = (2 * RNG.normal(size=(40, *shape)) + 1).astype(np.float32)
    for leaf in net.graph.leaves():
        if isinstance(leaf, bg.BatchNormalization):
            leaf.params["gamma"] = RNG.normal(size=leaf.params["gamma"].shape)
            leaf.params["beta"] = RNG.normal(size=leaf.params["beta"].shape)
    for _ in range(5):
        net.loss(x, RNG.integers(0, 3, 40))
    return net.replica(np.float64), x.astype(np.float64)


def norms(net):
    return sum(isinstance(leaf, bg.BatchNormalization) for leaf in net.graph.leaves())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: bg.MultiLayerNet(6, [5, 4], 3, use_batchnorm=True, dropout_ratio=0.2, rng=0), (6,)),
        (lambda: bg.ResNet((1, 8, 8), channels=(3, 5), output_size=3, rng=0), (1, 8, 8)),
        (
            lambda: bg.Sequential(
                bg.Convolution(4, 2, 3, 3, groups=2, stride=2, pad=1, rng=0), bg.BatchNormalization(), bg.Flatten(),
                bg.Affine(3, bias=False, rng=1), bg.BatchNormalization(), input_shape=(2, 6, 6),
            ),
            (2, 6, 6),
        ),
    ],
    ids=["rows", "residual", "groups and no bias"],
)  # fmt: skip
def test_folded_net_predicts_the_same_without_a_norm(make, shape):
    net, x = trained(make(), shape)
    before = net.snapshot()
    twin = net.folded()
    assert norms(net) > 0
    assert norms(twin) == 0
    np.testing.assert_allclose(twin.predict(x), net.predict(x), rtol=1e-11, atol=1e-11)
    twin.vector[...] = 0
    assert all(np.array_equal(net.snapshot()[name], array) for name, array in before.items())


def test_what_others_read_too_or_share_is_not_folded():
    x = bg.Input("x", (4,))
    shared, norm = bg.Affine(4, 4, rng=0), bg.BatchNormalization(4)
    h = shared(x)
    skip = bg.Net(x, bg.Affine(4, 3, rng=1)(norm(h) + h))
    twice = bg.Net(x, bg.Affine(4, 3, rng=1)(norm(shared(shared(x)))))
    first = bg.Net(x, bg.Affine(4, 3, rng=1)(norm(x)))
    for net in (skip, twice, first):
        net, data = trained(net, (4,))
        twin = net.folded()
        assert norms(twin) == 1
        np.testing.assert_allclose(twin.predict(data), net.predict(data), rtol=1e-12)


def test_an_affine_over_the_last_of_three_axes_is_not_folded():
    net = bg.Sequential(
        bg.Affine(5, 4, rng=0), bg.BatchNormalization(3), bg.Flatten(), bg.Affine(12, 3, rng=1), input_shape=(3, 5)
    )
    net, data = trained(net, (3, 5))
    assert norms(net.folded()) == 1
    np.testing.assert_allclose(net.folded().predict(data), net.predict(data), rtol=1e-12)


def test_a_net_without_sizes_says_so():
    with pytest.raises(RuntimeError, match="has no size yet"):
        bg.Sequential(bg.Affine(3), bg.BatchNormalization()).folded()
