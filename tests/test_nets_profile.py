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
    assert relu.bytes == 3 * 6 * 4 * 6 * 6 * (4 + 1)  # what it gives, and a mask of a byte an entry
    assert f"{6 * 4 * 6 * 6 * (4 + 1):,}\n" in str(profile)


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


@pytest.mark.parametrize("shard_size", [None, 3])
def test_trainer_with_profile_times_every_step_and_changes_no_bit(shard_size):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 1, 6, 6)).astype(np.float32), rng.integers(0, 3, 20)
    ends, trainers = [], []
    for profile in (False, True):
        net = bg.Sequential(
            bg.Convolution(2, 1, 3, 3, rng=0), bg.ReLU(), bg.Flatten(), bg.Dropout(0.5, rng=1), bg.Affine(32, 3, rng=2)
        )
        net.shard_size = shard_size
        trainers.append(bg.Trainer(net, bg.SGD(), batch_size=7, epochs=2, progress=False, profile=profile))
        trainers[-1].fit(x, t)
        ends.append(net.vector.tobytes())
        assert not any({"forward", "backward"} & vars(layer).keys() for layer in net.graph.parts())
    assert ends[0] == ends[1]
    assert trainers[0].profile is None
    found = trainers[1].profile
    assert found.steps == 6
    assert [row.kind for row in found.rows] == [
        "Convolution",
        "ReLU",
        "Flatten",
        "Dropout",
        "Affine",
        "SoftmaxWithLoss",
    ]
    assert all(row.forward > 0 and row.backward > 0 and row.bytes > 0 for row in found.rows)


def test_profile_does_not_count_what_a_shard_waits_for_others():
    net = bg.Sequential(
        bg.Convolution(8, 1, 3, 3, rng=0), bg.BatchNormalization(8), bg.ReLU(), bg.Flatten(), bg.Affine(3, rng=1),
        input_shape=(1, 12, 12),
    )  # fmt: skip
    net.shard_size = 2
    x, t = np.random.default_rng(0).random((60, 1, 12, 12), dtype=np.float32), np.arange(60) % 3
    trainer = bg.Trainer(net, bg.SGD(), batch_size=60, epochs=2, profile=True, progress=False)
    bg.set_num_threads(1)
    try:
        trainer.fit(x, t)
    finally:
        bg.set_num_threads(None)
    spent = sum(row.forward + row.backward for row in trainer.profile.rows)
    assert spent <= sum(trainer.history.seconds)  # were waiting counted, 30 shards would take many times that


def test_trainer_with_profile_still_says_where_a_loss_is_not_finite():
    net = bg.Sequential(bg.Affine(2, 3, rng=0), bg.Exp(name="up"), bg.Affine(3, 2, rng=1))
    trainer = bg.Trainer(net, bg.SGD(), epochs=1, progress=False, profile=True)
    with pytest.raises(FloatingPointError, match=r"it begins in the output of Exp\[up\]"):
        trainer.fit(np.full((4, 2), 1e6, np.float32) * [[1, -1]], np.array([0, 1, 0, 1]))
    assert not any({"forward", "backward"} & vars(layer).keys() for layer in net.graph.parts())


def test_profile_of_a_net_without_sizes_says_what_to_do_and_a_trainer_does_it():
    net = bg.Sequential(bg.Affine(2))
    with pytest.raises(RuntimeError, match=r"a profile needs a net whose layers know their sizes\. Run a batch"):
        net.timed_steps(4).__enter__()
    trainer = bg.Trainer(net, bg.SGD(), epochs=1, progress=False, profile=True)
    trainer.fit(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
    assert trainer.profile.steps == 1
    with pytest.raises(TypeError, match="profile=True needs a net with timed_steps"):
        bg.Trainer(type("Mine", (), {"loss_and_gradient": None})(), bg.SGD(), profile=True)


def test_profile_of_shards_counts_the_same_steps_and_bytes_on_any_number_of_threads():
    found = []
    try:
        for number in (1, 2, 4):
            bg.set_num_threads(number)
            net = make()
            net.shard_size = 2
            with net.timed_steps(6) as profile, net.workspace():
                for _ in range(3):
                    net.loss_and_gradient(X, T)
            found.append((profile.steps, [row.bytes for row in profile.rows]))
    finally:
        bg.set_num_threads(None)
    assert found[0] == found[1] == found[2]
    assert found[0][0] == 3
    assert found[0][1][1] == 3 * 6 * 4 * 6 * 6 * (4 + 1)
