"""Nets in files: saved whole, loaded whole or not at all, and read from other tools' files."""

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.files.tensors import write_tensors

X = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)


def resnet(seed=0, **options):
    return bg.ResNet((1, 8, 8), (2, 4), output_size=3, rng=seed, **options)


def trained():
    net = resnet()
    bg.Trainer(net, bg.SGD(lr=0.01), batch_size=5, epochs=2, progress=False).fit(X, np.array([0, 1, 2, 0, 1]))
    return net


def test_a_net_that_is_saved_and_loaded_is_the_same_bit_for_bit_running_statistics_too(tmp_path):
    net, other = trained(), resnet(seed=1)
    net.save(tmp_path / "net.safetensors")
    other.load(tmp_path / "net.safetensors")
    for name, array in net.snapshot().items():
        assert array.tobytes() == other.snapshot()[name].tobytes()
    assert any("running" in name for name in net.snapshot())
    assert net.predict(X).tobytes() == other.predict(X).tobytes()
    assert other.params["head.W"] is not None
    assert np.shares_memory(other.params["head.W"], other.vector)


@pytest.mark.parametrize("make", [lambda s: bg.TwoLayerNet(4, 3, 2, rng=s), lambda s: bg.SimpleConvNet(rng=s)])
def test_nets_of_the_texts_are_saved_under_their_own_names(make, tmp_path):
    make(0).save(tmp_path / "net")
    other = make(1)
    other.load(tmp_path / "net")
    assert other.vector.tobytes() == make(0).vector.tobytes()


def test_load_of_another_nets_file_says_all_that_does_not_fit_and_changes_nothing(tmp_path):
    bg.TwoLayerNet(4, 3, 2, rng=0).save(tmp_path / "net")
    other = bg.MultiLayerNet(4, [3, 3], 2, rng=1)
    before = other.vector.copy()
    with pytest.raises(ValueError, match=r"MultiLayerNet.load: .*missing: W3, b3; unexpected: none\. W2 must be"):
        other.load(tmp_path / "net")
    wider = bg.TwoLayerNet(4, 5, 2, rng=1)
    with pytest.raises(ValueError, match=r"W1 must be \(4, 5\) of float32; got \(4, 3\) of float32\. .*W2 must be"):
        wider.load(tmp_path / "net")
    np.testing.assert_array_equal(other.vector, before)


def test_load_of_a_damaged_file_changes_nothing(tmp_path):
    net = trained()
    net.save(tmp_path / "net")
    content = bytearray((tmp_path / "net").read_bytes())
    content[-3] ^= 1
    (tmp_path / "net").write_bytes(content)
    before = net.snapshot()
    with pytest.raises(bg.FileError, match=r"it is damaged\. Nothing was loaded"):
        net.load(tmp_path / "net")
    for name, array in net.snapshot().items():
        np.testing.assert_array_equal(array, before[name])


def test_load_of_another_tools_file_without_names_asks_for_the_seal(tmp_path):
    with pytest.raises(FileNotFoundError):
        bg.TwoLayerNet(4, 3, 2, rng=0).load(tmp_path / "net")
    (tmp_path / "net").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(bg.FileError, match="it has no seal"):
        bg.TwoLayerNet(4, 3, 2, rng=0).load(tmp_path / "net")


def theirs(tmp_path, **changes):
    """A file as PyTorch's modules would have it: the weight of a Linear is (out, in)."""
    rng = np.random.default_rng(1)
    arrays = {
        "fc1.weight": rng.normal(size=(3, 4)).astype(np.float16),
        "fc1.bias": rng.normal(size=3).astype(np.float32),
        "fc2.weight": rng.normal(size=(2, 3)).astype(np.float32),
        "fc2.bias": rng.normal(size=2).astype(np.float32),
        "more": np.zeros(1, np.int64),
        **changes,
    }
    write_tensors(tmp_path / "theirs", arrays, {})
    return arrays


NAMES = {"W1": "fc1.weight.T", "b1": "fc1.bias", "W2": "fc2.weight.T", "b2": "fc2.bias"}


def test_load_of_another_tools_file_by_a_map_of_names_transposes_what_it_says(tmp_path):
    arrays = theirs(tmp_path)
    net = bg.TwoLayerNet(4, 3, 2, rng=0)
    net.load(tmp_path / "theirs", names=NAMES, ignore=["more"])
    np.testing.assert_array_equal(net.params["W1"], arrays["fc1.weight"].T.astype(np.float32))
    np.testing.assert_array_equal(net.params["b2"], arrays["fc2.bias"])
    assert net.params["W1"].dtype == np.float32


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"W1": "fc1.weight.T"}, "missing: W2, b1, b2; unexpected: none"),
        ({**NAMES, "W9": "more"}, "missing: none; unexpected: W9"),
        ({**NAMES, "b2": "fc3.bias"}, "it lacks 'fc3.bias' and holds fc1.bias, fc1.weight, fc2.bias, fc2.weight, more"),
        ({**NAMES, "b2": "fc3.bias"}, r"in names or in ignore; in neither: fc2.bias, more. Nothing was changed"),
        ({**NAMES, "W2": "fc2.weight"}, r"W2 must be \(3, 2\) of float32; got \(2, 3\) of float32"),
        ({**NAMES, "b1": "more"}, r"b1 must be \(3,\) of float32; got \(1,\) of int64"),
    ],
)
def test_load_by_a_map_that_does_not_fit_says_how_and_changes_nothing(tmp_path, names, text):
    theirs(tmp_path)
    net = bg.TwoLayerNet(4, 3, 2, rng=0)
    before = net.vector.copy()
    with pytest.raises(ValueError, match=text):
        net.load(tmp_path / "theirs", names=names)
    np.testing.assert_array_equal(net.vector, before)


def test_names_that_a_terminal_would_obey_are_quoted_in_errors(tmp_path):
    theirs(tmp_path, **{"\x1b[2J": np.zeros(1)})
    with pytest.raises(ValueError, match=r"in neither: '.x1b\[2J', more"):
        bg.TwoLayerNet(4, 3, 2, rng=0).load(tmp_path / "theirs", names=NAMES)


def test_load_by_a_map_narrows_nothing(tmp_path):
    theirs(tmp_path, **{"fc1.bias": np.zeros(3, np.float64)})
    with pytest.raises(ValueError, match=r"b1 must be \(3,\) of float32; got \(3,\) of float64"):
        bg.TwoLayerNet(4, 3, 2, rng=0).load(tmp_path / "theirs", names=NAMES)


def test_load_by_a_map_says_all_that_is_wrong_at_once(tmp_path):
    theirs(tmp_path)
    with pytest.raises(ValueError, match="missing: b2; unexpected: b9") as caught:
        bg.TwoLayerNet(4, 3, 2, rng=0).load(
            tmp_path / "theirs", names={"W1": "fc1.weight", "b1": "fc1.bias", "W2": "fc9.weight.T", "b9": "fc2.bias"}
        )
    for text in (
        "it lacks 'fc9.weight.T' and",
        "in neither: fc2.weight, more.",
        r"W1 must be (4, 3) of float32; got (3, 4)",
    ):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("ignore", "refused"), [((), True), (["more"], False), (["m*"], False), (["*.weight"], True), (["MORE"], True)]
)
def test_load_by_a_map_passes_over_what_it_is_told_to_and_nothing_else(tmp_path, ignore, refused):
    theirs(tmp_path)
    net = bg.TwoLayerNet(4, 3, 2, rng=0)
    before = net.vector.copy()
    if refused:
        with pytest.raises(ValueError, match=r"in neither: more\. Nothing"):
            net.load(tmp_path / "theirs", names=NAMES, ignore=ignore)
        np.testing.assert_array_equal(net.vector, before)
    else:
        net.load(tmp_path / "theirs", names=NAMES, ignore=ignore)


# A convolution net as PyTorch's modules have it, and as ours do -------------------------------------------------------

CONVOLVING = {
    "conv.W": "0.weight",
    "conv.b": "0.bias",
    "norm.gamma": "1.weight",
    "norm.beta": "1.bias",
    "norm.running_mean": "1.running_mean",
    "norm.running_var": "1.running_var",
    "head.W": "5.weight.T",
    "head.b": "5.bias",
}


def convolving():
    return bg.Sequential(
        bg.Convolution(3, 2, 3, 3, pad=1, name="conv", rng=0),
        bg.BatchNormalization(3, name="norm"),
        bg.ReLU(),
        bg.MaxPooling(2),
        bg.Flatten(),
        bg.Affine(48, 4, name="head", rng=1),
        input_shape=(2, 8, 8),
    )


def test_load_by_a_map_takes_convolutions_as_they_are_and_running_statistics_too(tmp_path):
    write = pytest.importorskip("safetensors.numpy").save_file
    rng, net = np.random.default_rng(2), convolving()
    arrays = {
        theirs.removesuffix(".T"): rng.random(array.shape[:: -1 if theirs.endswith(".T") else 1]).astype(np.float32)
        for array, theirs in ((net.snapshot()[ours], theirs) for ours, theirs in CONVOLVING.items())
    }
    write({**arrays, "1.num_batches_tracked": np.array(7)}, tmp_path / "theirs")
    net.load(tmp_path / "theirs", names=CONVOLVING, ignore=["*.num_batches_tracked"])
    found = net.snapshot()
    for ours, theirs in CONVOLVING.items():
        expected = arrays[theirs] if theirs in arrays else arrays[theirs.removesuffix(".T")].T
        np.testing.assert_array_equal(found[ours], expected)
    without = {ours: theirs for ours, theirs in CONVOLVING.items() if "running" not in ours}
    with pytest.raises(ValueError, match=r"in neither: 1\.num_batches_tracked, 1\.running_mean, 1\.running_var"):
        net.load(tmp_path / "theirs", names=without)


def test_load_of_a_convolution_net_of_pytorch_gives_its_scores(tmp_path):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 4)
    )
    x = np.random.default_rng(0).normal(size=(5, 2, 8, 8)).astype(np.float32)
    module(torch.tensor(x))  # in training: the running statistics move
    module.eval()
    files.save_file(module.state_dict(), tmp_path / "theirs")
    net = convolving()
    net.load(tmp_path / "theirs", names=CONVOLVING, ignore=["*.num_batches_tracked"])
    np.testing.assert_allclose(net.predict(x), module(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_load_of_a_state_dict_of_pytorch_gives_its_scores(tmp_path):
    torch = pytest.importorskip("torch")
    files = pytest.importorskip("safetensors.torch")
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    files.save_file(module.state_dict(), tmp_path / "theirs")
    net = bg.TwoLayerNet(4, 3, 2, rng=0)
    net.load(tmp_path / "theirs", names={"W1": "0.weight.T", "b1": "0.bias", "W2": "2.weight.T", "b2": "2.bias"})
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), module(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
