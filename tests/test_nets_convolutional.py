"""SimpleConvNet, DeepConvNet and ResNet: names, shapes, learning, determinism, gradients."""

import subprocess
import sys

import numpy as np
import pytest

import brickgrad as bg

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(6, 1, 28, 28)).astype(np.float32)
T = np.array([5, 0, 4, 1, 9, 2])
SMALL = {"filter_num": 2, "filter_size": 3, "pad": 1, "stride": 1}
NETS = {
    "SimpleConvNet": lambda **options: bg.SimpleConvNet((1, 6, 6), SMALL, 5, 3, rng=0, **options),
    "DeepConvNet": lambda **options: bg.DeepConvNet((1, 8, 8), [SMALL] * 6, 5, 3, rng=0, **options),
    "ResNet": lambda **options: bg.ResNet((1, 8, 8), (2, 4), output_size=3, rng=0, **options),
}


def test_simple_conv_net_has_the_texts_parameters():
    net = bg.SimpleConvNet(rng=0)
    shapes = {name: param.shape for name, param in net.params.items()}
    assert shapes == {
        "W1": (30, 1, 5, 5), "b1": (30,), "W2": (4320, 100), "b2": (100,), "W3": (100, 10), "b3": (10,),
    }  # fmt: skip
    assert net.params["W2"].std() == pytest.approx(0.01, rel=0.01)


def test_simple_conv_net_takes_the_texts_arguments():
    param = {"filter_num": 4, "filter_size": 3, "pad": 1, "stride": 1}
    net = bg.SimpleConvNet(input_dim=(3, 8, 8), conv_param=param, hidden_size=7, output_size=2, weight_init_std=0.1)
    assert net.predict(np.zeros((2, 3, 8, 8), np.float32)).shape == (2, 2)


def test_deep_conv_net_has_the_texts_layers_in_their_order():
    net = bg.DeepConvNet(rng=0)
    pair = ["Convolution", "ReLU", "Convolution", "ReLU", "MaxPooling"]
    end = ["Flatten", "Affine", "ReLU", "Dropout", "Affine", "Dropout"]
    assert [type(layer).__name__ for layer in net.layers] == [*pair * 3, *end]
    weights = [net.params[f"W{number}"].shape for number in range(1, 9)]
    assert weights == [
        (16, 1, 3, 3), (16, 16, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (1024, 50),
        (50, 10),
    ]  # fmt: skip
    assert net.params["W4"].std() == pytest.approx(np.sqrt(2 / (32 * 9)), rel=0.05)


@pytest.mark.parametrize("name", NETS)
def test_net_learns_a_handful_of_images_by_heart(name):
    wide = {"DeepConvNet": lambda: bg.DeepConvNet((1, 8, 8), [{**SMALL, "filter_num": 8}] * 6, 9, 3, 0.0, rng=0)}
    net = wide.get(name, NETS[name])()
    images = np.random.default_rng(1).uniform(size=(6, *net.body.inputs[0].shape)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2])
    optimizer = bg.Adam(0.01)
    for _ in range(150):
        net.loss_and_gradient(images, labels)
        optimizer.update(net.params, net.grads)
    net.eval()
    assert net.loss(images, labels) < 0.5


@pytest.mark.parametrize("name", NETS)
def test_net_from_the_same_seed_gives_the_same_bits(name):
    first, second = NETS[name](), NETS[name]()
    images = RNG.uniform(size=(6, *first.body.inputs[0].shape)).astype(np.float32)
    for net in (first, second):
        with net.workspace():
            for _ in range(2):
                net.loss_and_gradient(images, np.array([0, 1, 2, 0, 1, 2]))
    assert first.vector.tobytes() == second.vector.tobytes()
    assert first.grad_vector.tobytes() == second.grad_vector.tobytes()


@pytest.mark.parametrize("name", NETS)
def test_net_passes_gradcheck(name):
    net = NETS[name]()
    images = RNG.uniform(size=(5, *net.body.inputs[0].shape)).astype(np.float32)
    report = bg.gradcheck(net, images, np.array([0, 1, 2, 0, 1]), rng=0)
    assert report.passed, report


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bg.SimpleConvNet(conv_param={"filter_num": 3}), "a conv_param must have filter_num and filter_size"),
        (lambda: bg.SimpleConvNet(conv_param={**SMALL, "padding": 1}), "may have pad and stride; got"),
        (lambda: bg.SimpleConvNet((1, 3, 3)), r"the window must fit into the padded image; it spans 5 x 5"),
        (lambda: bg.DeepConvNet(conv_params=[SMALL] * 5), "DeepConvNet: conv_params must be six dicts"),
        (lambda: bg.ResNet(channels=()), "ResNet: needs a list with the channels of each stage"),
        (lambda: bg.DeepConvNet(conv_params=3), "DeepConvNet: conv_params must be six dicts, .* got 3"),
        (lambda: bg.DeepConvNet(conv_params=[3] * 6), "DeepConvNet: a conv_param must have filter_num .* got 3"),
        (lambda: bg.SimpleConvNet(784), r"SimpleConvNet: input_dim must be \(channels, rows, columns\), .* got 784"),
        (lambda: bg.DeepConvNet((28, 28)), r"DeepConvNet: input_dim must be .* got \(28, 28\)"),
        (lambda: bg.ResNet((28, 28)), r"ResNet: input_dim must be .* got \(28, 28\)"),
        (lambda: bg.ResNet(channels=16), "ResNet: needs a list with the channels of each stage, .* got 16 and 1"),
        (lambda: bg.ResNet(blocks=0), "and at least one block; got .* and 0"),
        (lambda: bg.ResNet(blocks=1.5), "and at least one block; got .* and 1.5"),
    ],
)
def test_net_of_bad_settings_raises_value_error(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_resnet_goes_through_every_stage_and_halves_the_image():
    net = bg.ResNet(channels=(4, 8, 16), blocks=2, rng=0)
    assert [name for name in net.params if name.endswith("skip.W")] == ["stage2.block1.skip.W", "stage3.block1.skip.W"]
    shapes = {net.body.shapes[step.writes[0]] for step in net.body.wiring.steps}
    assert {(0, 4, 28, 28), (0, 8, 14, 14), (0, 16, 7, 7), (0, 16), (0, 10)} <= shapes
    assert net.loss(X, T) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_training_deep_conv_net_at_batch_100_stays_under_one_and_a_half_gigabytes():
    code = """
import numpy as np
import brickgrad as bg
net = bg.DeepConvNet(rng=0)
x, t = np.zeros((200, 1, 28, 28), np.float32), np.arange(200) % 10
bg.Trainer(net, bg.Adam(), batch_size=100, epochs=2, progress=False).fit(x, t, x, t)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1.5e6  # kilobytes
