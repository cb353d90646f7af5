"""Profiles: every layer has its row, times add up, and the layers are as they were."""

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.nets.profile import timed

X = np.random.default_rng(0).random((6, 1, 8, 8), dtype=np.float32)
T = np.array([0, 1, 2, 0, 1, 2])


def make():
    return bg.Sequential(
        bg.Convolution(4, 1, 3, 3, rng=0), bg.ReLU(), bg.Flatten(), bg.Affine(3, rng=1), input_shape=(1, 8, 8)
    )


def test_profile_has_a_row_for_each_layer_whose_times_are_within_the_whole():
    net = make()
    profile = net.profile(X, T, steps=3)
    assert [row.kind for row in profile.rows] == ["Convolution", "ReLU", "Flatten", "Affine", "SoftmaxWithLoss"]
    assert profile.steps == 3
    assert all(row.forward > 0 for row in profile.rows)
    assert all(row.backward > 0 for row in profile.rows)
    assert sum(row.forward + row.backward for row in profile.rows) + profile.rest == pytest.approx(profile.seconds)
    relu = profile.rows[1]
    assert relu.bytes == 6 * 4 * 6 * 6 * (4 + 1)  # what it gives, and a mask of a byte an entry


def test_profile_changes_nothing_of_the_net():
    net = make()
    before, grads = net.vector.copy(), net.grad_vector.copy()
    net.eval()
    net.profile(X, T, steps=2)
    assert net.vector.tobytes() == before.tobytes()
    assert net.grad_vector.tobytes() == grads.tobytes()
    assert not any(layer.training for layer in net.layers)
    assert not any("forward" in vars(layer) for layer in net.layers)


def test_layers_are_as_before_where_an_error_ends_the_block():
    net = make()
    with pytest.raises(ValueError, match="labels"), timed("net", [net.graph]):
        net.graph.forward(X, T + 7)
    assert not any({"forward", "backward"} & vars(part).keys() for part in net.graph.parts())


def test_profile_prints_a_table_and_draws_a_picture():
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    profile = make().profile(X, T, steps=1)
    lines = str(profile).splitlines()
    assert lines[0].startswith("Sequential: 1 step, ")
    assert [line.split()[0] for line in lines[2:]] == [*(row.name for row in profile.rows), "the", "total"]
    figure = profile.plot()
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        *(row.name for row in profile.rows), "the rest"
    ]  # fmt: skip
    plt.close(figure)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_bad_numbers_of_steps_are_refused(steps):
    with pytest.raises(ValueError, match=r"^Sequential\.profile: steps must be"):
        make().profile(X, T, steps)
