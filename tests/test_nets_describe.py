"""Nets from descriptions and from files: the same net comes back, and a damaged or wrong file gives none."""

import json

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.files import tensors
from brickgrad.files.tensors import FORMAT, read_tensors, write_tensors
from brickgrad.nets.describe import NETS

X = np.random.default_rng(0).normal(size=(4, 1, 10, 10)).astype(np.float32)
FLAT = X.reshape(4, -1)
T = np.array([0, 1, 2, 1])


def hand_made():
    x = bg.Input("x", (100,))
    h = bg.Affine(8, name="enc", rng=0)(x)
    tied = bg.Affine(8, 8, name="tied", rng=1)
    return bg.Net(x, bg.Affine(3, name="head", rng=2)(tied(bg.ReLU()(tied(h))) + h), loss=bg.SoftmaxWithLoss(name="l"))


def deep():
    params = [{"filter_num": 2, "filter_size": 3, "pad": 1}] * 6
    return bg.DeepConvNet((1, 10, 10), params, 5, 3, rng=0)


def convolving():
    net = bg.SimpleConvNet((1, 10, 10), {"filter_num": 2, "filter_size": 3, "stride": 1, "pad": "same"}, 5, 3, rng=0)
    net.shard_size = 3
    net.layers[0].trainable = False
    return net


MAKERS = {
    "Net": (hand_made, FLAT),
    "Sequential": (lambda: bg.Sequential(bg.Flatten(), bg.Affine(5), bg.LayerNormalization(), bg.Affine(3)), X),
    "TwoLayerNet": (lambda: bg.TwoLayerNet(100, 5, 3, activation="gelu", rng=0), FLAT),
    "MultiLayerNet": (
        lambda: bg.MultiLayerNet(
            100,
            [5, 4],
            3,
            "tanh",
            weight_decay_lambda=0.1,
            use_batchnorm=True,
            dropout_ratio=0.5,
            rng=0,
            dtype=np.float64,
        ),
        FLAT.astype(np.float64),
    ),
    "SimpleConvNet": (convolving, X),
    "DeepConvNet": (deep, X),
    "ResNet": (lambda: bg.ResNet((1, 10, 10), (2, 3), output_size=3, rng=0), X),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_net_and_its_weights_come_back_from_one_file_with_the_same_bits(kind, tmp_path):
    make, x = MAKERS[kind]
    net = make()
    net.train()
    net.loss(x, T)  # sizes, and running statistics that are not as they began
    net.save(tmp_path / "net")
    again = bg.load_net(tmp_path / "net", rng=1)
    by_hand = type(net).from_dict(json.loads(json.dumps(net.to_dict(), allow_nan=False)))
    by_hand.load(tmp_path / "net")
    for other in (again, by_hand):
        assert type(other) is type(net) is NETS[kind]
        assert other.to_dict() == net.to_dict()
        assert {k: v.tobytes() for k, v in other.snapshot().items()} == {
            k: v.tobytes() for k, v in net.snapshot().items()
        }
        assert list(other.params) == list(net.params)
        assert list(other.trained) == list(net.trained)
        assert other.predict(x).tobytes() == net.predict(x).tobytes()
        assert (other.shard_size, repr(other)) == (net.shard_size, repr(net))
        net.eval(), other.eval()
        assert other.loss(x, T) == net.loss(x, T)
        assert {k: v.tobytes() for k, v in other.gradient(x, T).items()} == {
            k: v.tobytes() for k, v in net.gradient(x, T).items()
        }


def test_every_kind_of_net_is_tried():
    assert MAKERS.keys() == NETS.keys()


def test_a_net_that_came_back_trains_as_the_first_one_does(tmp_path):
    net = bg.TwoLayerNet(100, 5, 3, rng=0)
    net.save(tmp_path / "net")
    again = bg.load_net(tmp_path / "net")
    for each in (net, again):
        bg.Trainer(each, bg.Adam(), batch_size=2, epochs=3, seed=0, progress=False).fit(FLAT, T)
    assert net.vector.tobytes() == again.vector.tobytes()


def test_a_net_that_cannot_be_described_is_saved_and_the_file_says_why_it_gives_no_net(tmp_path):
    net = bg.Sequential(bg.Affine(4, 2, name="h", init=lambda rng, shape: np.ones(shape)))
    net.save(tmp_path / "net")
    with pytest.raises(
        bg.FileError, match=r"it holds weights alone: Affine\[h\]: its init is a function.* call its load"
    ):
        bg.load_net(tmp_path / "net")
    net.load(tmp_path / "net")

    class Mine(bg.TwoLayerNet):
        pass

    with pytest.raises(
        TypeError, match=r"Mine: nets of Net, .* can be described. Describe its graph: net.body.to_dict"
    ):
        Mine(4, 3, 2).to_dict()


def test_from_dict_of_a_class_takes_its_own_kind_alone():
    assert type(bg.Sequential.from_dict(bg.TwoLayerNet(4, 3, 2).to_dict())) is bg.TwoLayerNet
    with pytest.raises(ValueError, match=r"SimpleConvNet.from_dict: kind must be SimpleConvNet; got TwoLayerNet"):
        bg.SimpleConvNet.from_dict(bg.TwoLayerNet(4, 3, 2).to_dict())


def described(**changes):
    d = bg.TwoLayerNet(4, 3, 2, rng=0).to_dict()
    for path, value in changes.items():
        at = d
        *rest, last = (int(key) if key.isdigit() else key for key in path.split("__"))
        for key in rest:
            at = at[key]
        at[last] = value
    return d


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "Graph"}, "kind must be one of Net, Sequential"),
        ({"kind": ["Net"]}, "kind must be one of Net, Sequential"),
        ({"kind": "Net"}, "settings must be none"),
        ({"kind": "os.system"}, "got 'os.system'"),
        ({"settings": {}}, "settings must be weight_decay_lambda; got"),
        ({"settings": []}, "settings must be weight_decay_lambda; got"),
        ({"settings": {"weight_decay_lambda": -1}}, "weight_decay_lambda must be a number of 0 or more; got -1"),
        ({"settings": {"weight_decay_lambda": "1"}}, "weight_decay_lambda must be a number of 0 or more; got '1'"),
        ({"settings": {"weight_decay_lambda": 1e999}}, "weight_decay_lambda must be a number of 0 or more; got inf"),
        ({"shard_size": 0}, "shard_size must be a whole number in 1"),
        ({"shard_size": True}, "shard_size must be a whole number in 1"),
        ({"loss": 1}, r"takes 1 inputs \(x\); got 2"),
        ({"loss": 9}, "loss must be a whole number in 0..4"),
        ({"graph": 0}, "graph must be the place of a graph"),
        ({"layers__3__keep": True}, "name must be TwoLayerNet and its keep false; got 'TwoLayerNet', True"),
        ({"layers__3__outputs": [3]}, "one input and one output"),
        ({"layers__2__name": "fc1", "layers__0__name": "gc1", "layers__3__steps__0__name": "gc1",
          "layers__3__steps__2__name": "fc1"}, "each parameter must have a name of its own; two of 4 share one"),
        ({"version": 2}, "a newer brickgrad wrote it"),
    ],
)  # fmt: skip
def test_from_dict_of_a_wrong_net_says_what_must_be(changes, text):
    with pytest.raises(ValueError, match=text):
        bg.Net.from_dict(described(**changes))


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    bg.TwoLayerNet(2, 2, 2, rng=0).save(tmp_path / "net")
    return tmp_path / "net"


def test_every_truncation_of_a_net_file_is_noticed(saved):
    good = saved.read_bytes()
    assert tensors.take_apart(saved, good, sealed=True).arrays.keys() == {"W1", "b1", "W2", "b2"}
    for length in range(len(good)):
        with pytest.raises(bg.FileError):
            tensors.take_apart(saved, good[:length], sealed=True)


def test_every_byte_of_a_net_file_that_is_changed_is_noticed(saved):
    good = saved.read_bytes()
    for place in range(len(good)):
        bad = good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :]
        with pytest.raises(bg.FileError):
            tensors.take_apart(saved, bad, sealed=True)


@pytest.mark.parametrize(
    "bad", [lambda good: good[:-1], lambda good: good.replace(b"Affine", b"Bffine"), lambda good: b""]
)
def test_a_damaged_net_file_gives_no_net_and_leaves_the_one_that_was_there(saved, bad):
    saved.write_bytes(bad(saved.read_bytes()))
    net = bg.TwoLayerNet(2, 2, 2, rng=1)
    before = net.vector.tobytes()
    with pytest.raises(bg.FileError):
        bg.load_net(saved)
    with pytest.raises(bg.FileError):
        net.load(saved)
    assert net.vector.tobytes() == before


def test_every_byte_of_a_description_that_is_changed_is_noticed_or_describes_what_then_comes():
    text = json.dumps(bg.TwoLayerNet(2, 2, 2, rng=0).to_dict())
    outcomes = {"error": 0, "net": 0}
    for place in range(len(text)):
        for change in (1, 2, 16, 32):
            bad = text[:place] + chr(ord(text[place]) ^ change) + text[place + 1 :]
            try:
                description = json.loads(bad)
                found = bg.Net.from_dict(description)
            except ValueError:  # and json's own error is one
                outcomes["error"] += 1
            else:
                assert found.to_dict() == description
                outcomes["net"] += 1
    assert min(outcomes.values()) > 0


def test_every_truncation_of_a_description_is_no_json():
    text = json.dumps(bg.TwoLayerNet(2, 2, 2, rng=0).to_dict())
    for length in range(len(text)):
        with pytest.raises(json.JSONDecodeError):
            json.loads(text[:length])


@pytest.mark.parametrize(
    ("arrays", "texts", "text"),
    [
        ({}, {FORMAT: "net 2"}, "must be a 'net 1'; it is a 'net 2': a newer brickgrad wrote it"),
        ({}, {FORMAT: "checkpoint 1"}, "it is no file of net.save"),
        ({}, {"description": "["}, "its description is no JSON"),
        ({}, {"description": "[]"}, "its description is no JSON object"),
        ({}, {"description": "[" * 100_000}, "its description is no JSON"),
        ({}, {"description": "{}"}, "must describe a net that its arrays fit. load_net: takes a dict"),
        ({"W1": np.zeros((3, 2), np.float32)}, {}, r"W1 must be \(2, 2\) of float32; got \(3, 2\)"),
        ({"W1": np.zeros((2, 2))}, {}, r"W1 must be \(2, 2\) of float32; got \(2, 2\) of float64"),
        ({"W3": np.zeros((2, 2), np.float32)}, {}, "missing: none; unexpected: W3"),
        ({"W1": None}, {}, "its parameters must have at most|missing: W1"),
    ],
)
def test_a_sealed_file_that_holds_something_else_gives_file_error(saved, arrays, texts, text):
    found = read_tensors(saved)
    arrays = {name: array for name, array in {**found.arrays, **arrays}.items() if array is not None}
    texts = {**found.metadata, **texts}
    write_tensors(saved, arrays, texts)
    with pytest.raises(bg.FileError, match=text):
        bg.load_net(saved)


def test_a_small_file_that_claims_a_large_net_is_refused_before_memory_is_taken(saved):
    found = read_tensors(saved)
    d = json.loads(found.metadata["description"])
    d["layers"][0]["arguments"]["sizes"] = [2**13, 2**13]
    write_tensors(saved, found.arrays, {**found.metadata, "description": json.dumps(d)})
    with pytest.raises(bg.FileError, match="its parameters must have at most 12 numbers; got 67,108,864"):
        bg.load_net(saved)


def test_texts_that_no_reader_would_take_are_not_written_and_the_old_file_stays(saved):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="the header must have at most 16,777,216 bytes"):
        write_tensors(saved, {}, {"a": "x" * (16 << 20)})
    assert saved.read_bytes() == before
    net = bg.Sequential(bg.Affine(1, 1))
    net.layers[0].name = "n" * (9 << 20)
    net.save(saved)
    with pytest.raises(bg.FileError, match=r"it holds weights alone: it takes .* bytes"):
        bg.load_net(saved)
