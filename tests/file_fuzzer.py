"""Files changed at random, and what must then hold: an error of the library's own and nothing changed, or a sound load.

Every case is made from a seed and its number alone. Changes are of bytes, and of what the bytes mean: the JSON header,
offsets, shapes and dtypes, a net's description, a run's state. Many are sealed anew, so that the seal is right and what
is under it is wrong.
"""

import contextlib
import copy
import gzip
import io
import json
import random
import struct
import tempfile
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import brickgrad as bg
from brickgrad.datasets.idx import read_open
from brickgrad.files import tensors

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
T = np.arange(10) % 2
PLACE = Path("a.safetensors")  # no such file is read: the content comes from memory
OWNERS = ("Trainer.", "load_net:", "Net.", "Graph.", "MultiLayerNet.", "TwoLayerNet.", "Sequential.", "SimpleConvNet.")
MOST_BYTES = 64 << 20  # that reading one of these small files may allocate
NUMBERS = [0, -1, 1, 2, 3, 1.5, -0.0, 1e308, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30]
NUMBERS += [float("inf"), float("-inf"), float("nan"), True, False, None]
TEXTS = ["", "x", "Affine", "Graph", "ReLU", "Split", "Convolution", "float64", "O", "inf", "\0", "é" * 99, "a" * 5000]
TEXTS += ["os.system", "__import__", "W1", "W1.T", "net/W1", "order", "last", "PCG64", "MT19937", "I64", "BF16", "BOOL"]
LISTS = [[], {}, [0], [1, 2, 3], [[[[[[]]]]]], {"a": 1}, {"float": "nan"}, {"slice": [0, 1, 1]}, {"ellipsis": True}]
VALUES = [*NUMBERS, *TEXTS, *LISTS]


class StopAfter(bg.Callback):
    """Ends a run after two more batches."""

    def __init__(self):
        self.left = 2

    def on_batch(self, trainer):
        self.left -= 1
        if self.left <= 0:
            trainer.stop("enough")


def new_trainer():
    net = bg.MultiLayerNet(3, [2], 2, use_batchnorm=True, dropout_ratio=0.25, rng=1)
    callbacks = [bg.EarlyStopping(2), bg.BestWeights(watch="validation_loss"), StopAfter()]
    options = {"batch_size": 2, "epochs": 4, "validation": 0.2, "callbacks": callbacks, "progress": False}
    return bg.Trainer(net, bg.Adam(), **options)


def seeds():
    """Good files: checkpoints within an epoch and between two, nets of several kinds, IDX files plain and packed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "file")
        checkpoints = []
        for when in ("on_batch", "on_epoch"):
            trainer = new_trainer()
            trainer.callbacks[-1].left = 10**6
            trainer.callbacks = (*trainer.callbacks[:-1], SaveAt(place, when), trainer.callbacks[-1])
            with contextlib.suppress(SavedError):
                trainer.fit(X, T)
            checkpoints.append(place.read_bytes())
        nets = []
        x = bg.Input("x", (3,))
        tied = bg.Affine(3, 3, name="tied", rng=0)
        left, right = bg.Split([1, 2])(tied(bg.ReLU()(tied(x))) * np.ones(3, np.float32))
        conv = {"filter_num": 1, "filter_size": 3, "pad": 1, "stride": 1}
        for net in (
            bg.TwoLayerNet(3, 2, 2, rng=0),
            bg.MultiLayerNet(3, [2], 2, use_batchnorm=True, dropout_ratio=0.5, rng=0),
            bg.SimpleConvNet((1, 6, 6), conv, 2, 2, rng=0),
            bg.Net(x, bg.Concat()(left**2, right[:, :1])),
            bg.Sequential(inner_graph(), bg.Affine(3, 2, rng=0), bg.LayerNormalization(2)),
        ):
            net.save(place)
            nets.append(place.read_bytes())
        images = []
        for array in (np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.arange(6.0), np.arange(4, dtype=np.int16)):
            bg.write_idx(place, array)
            images += [place.read_bytes(), gzip.compress(place.read_bytes(), mtime=0)]
    return {"checkpoint": checkpoints, "net": nets, "IDX": images}


class SavedError(Exception):
    """What ends a run whose checkpoint is written."""


class SaveAt(bg.Callback):
    """Saves the run, without itself, and ends it: in the middle of the second epoch, or at its end."""

    def __init__(self, place, when):
        self.place = place
        setattr(self, when, self.save)

    def save(self, trainer):
        if len(trainer.history.losses) in (6, 8):
            trainer.callbacks = (*trainer.callbacks[:2], trainer.callbacks[-1])
            trainer.save(self.place)
            raise SavedError


def inner_graph():
    v = bg.Input("v")
    return bg.Graph(v, bg.Tanh()(v) + bg.Exp()(v), name="block")


# Changes --------------------------------------------------------------------------------------------------------------


def change_bytes(rng, content):
    """Bits turned, bytes put in, left out, doubled or moved, an end cut off."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(content) + 1)
        end = min(at + rng.choice((1, 1, 2, 4, 8, 40)), len(content))
        kind = rng.randrange(6)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at:end] = rng.randbytes(end - at)
        elif kind == 2:
            del content[at:end]
        elif kind == 3:
            content[at:at] = rng.choice((rng.randbytes(4), bytes(8), b"\xff" * 8, content[at:end]))
        elif kind == 4:
            del content[at:]
        else:
            content[at:end] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))]) * (end - at)
    return bytes(content)


def places(value, above=()):
    """The path of every value in lists and dicts."""
    yield above
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*above, key))


def reached(value, path):
    for key in path:
        value = value[key]
    return value


def change_json(rng, value):
    """One to three values replaced, nudged, left out, doubled, renamed, or put where another one was."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        paths = list(places(value))[1:]
        if not paths:
            return copy.deepcopy(rng.choice(VALUES))
        *rest, key = rng.choice(paths)
        at = reached(value, rest)
        old, kind = at[key], rng.randrange(9)
        if kind < 3:
            at[key] = copy.deepcopy(rng.choice(VALUES))
        elif kind == 3 and type(old) in (int, float):
            at[key] = rng.choice((old + 1, old - 1, -old, old * 2, float(old), str(old), [old]))
        elif kind == 4:
            del at[key]
        elif kind == 5 and isinstance(at, list):
            at.insert(rng.randrange(len(at) + 1), old)
        elif kind == 5:
            at[rng.choice(TEXTS)] = old
        elif kind == 6 and isinstance(at, list):
            rng.shuffle(at)
        else:
            at[key] = json.loads(json.dumps(reached(value, rng.choice(paths))))
    return value


def change_array(rng, array):
    """Other values, another shape, another dtype."""
    kind = rng.randrange(6)
    if kind == 0 and array.size:
        array = array.copy()
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice((0, 1, 100))
    elif kind == 1:
        array = array.astype(rng.choice((np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)))
    elif kind == 2:
        array = array.reshape(-1)[: rng.randrange(array.size + 1)]
    elif kind == 3:
        array = array[np.newaxis]
    elif kind == 4:
        array = np.concatenate([array.reshape(-1), array.reshape(-1)])
    elif array.dtype.kind == "f":
        array = array * array.dtype.type(rng.choice((np.nan, np.inf, -1.0, 0.0)))
    return array


def change_header(rng, content):
    """The JSON header changed, its length right or not, the rest as it was; no longer sealed as it was written."""
    length = int.from_bytes(content[:8], "little")
    text = json.dumps(change_json(rng, json.loads(content[8 : 8 + length]))).encode()
    if rng.random() < 0.2:  # what the library would have written but for the change: then the header is looked into
        text = text.replace(b"brickgrad.", b"x.")
    said = rng.choice((len(text),) * 9 + (2**63, len(text) + 1, 0))
    return struct.pack("<Q", said) + text + content[8 + length :]


def change_content(rng, content, text):
    """Arrays, or what stands in the JSON text of this name, changed, and all of it sealed anew."""
    found = tensors.take_apart(PLACE, content, sealed=True)
    arrays, texts = dict(found.arrays), dict(found.metadata)
    kind = rng.randrange(10)
    if kind < 7 and text in texts:
        texts[text] = json.dumps(change_json(rng, json.loads(texts[text])))
    if kind == 7:
        texts = change_json(rng, texts)
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in texts.items()} if type(texts) is dict else {}
    if kind > 5:
        name = rng.choice(list(arrays))
        act = rng.randrange(4)
        if act < 2:
            with np.errstate(all="ignore"):
                arrays[name] = change_array(rng, arrays[name])
        elif act == 2:
            arrays[rng.choice([*arrays, *TEXTS])] = arrays.pop(name)
        else:
            del arrays[name]
    if kind == 8 and text in texts:
        texts[text] = change_bytes(rng, texts[text].encode()).decode("utf-8", "ignore")
    return b"".join(tensors.put_together(arrays, texts))


def change_idx(rng, content):
    """The header of an IDX file changed, and packed where it was."""
    packed = content[:2] == b"\x1f\x8b"
    content = gzip.decompress(content) if packed else content
    at = rng.randrange(4 + 4 * content[3])
    head = bytearray(content)
    size = rng.choice((1, 1, 4))
    head[at : at + size] = rng.choice(
        (rng.randbytes(size), bytes(size), b"\xff" * size, b"\x7f" * size, b"\x01" * size)
    )
    content = bytes(head) if rng.random() < 0.7 else change_bytes(rng, bytes(head))
    return gzip.compress(content, 1, mtime=0) if packed else content


def changed(rng, kind, content):
    """A good file changed in one of the ways that fit its kind."""
    if kind == "IDX":
        return change_idx(rng, content) if rng.random() < 0.6 else change_bytes(rng, content)
    way = rng.random()
    if way < 0.15:
        return change_bytes(rng, content)
    if way < 0.3:
        return change_header(rng, content)
    return change_content(rng, content, "state" if kind == "checkpoint" else "description")


# What must hold -------------------------------------------------------------------------------------------------------


class Fuzzer:
    """Runs cases; `outcomes` counts what came of them, by kind."""

    def __init__(self, seed=0):
        self.seed, self.files, self.outcomes, self.most = seed, seeds(), Counter(), 0
        self.trainer = new_trainer()
        self.net = bg.MultiLayerNet(3, [2], 2, use_batchnorm=True, dropout_ratio=0.5, rng=1)
        self.content = b""
        self._before = {}

    def run(self, number):
        """One case. An error that is not the library's own, or a load that is not sound, ends it."""
        rng = random.Random(f"{self.seed} {number}")
        kind = ("checkpoint", "net", "IDX")[number % 3]
        content = changed(rng, kind, rng.choice(self.files[kind]))
        measured = number % 97 < 3
        with warnings.catch_warnings(), in_memory(content):
            warnings.simplefilter("error")
            if measured:
                tracemalloc.start()
            try:
                outcome = {"checkpoint": self._resume, "net": self._load, "IDX": self._read}[kind](content, rng)
            except Exception as error:
                error.add_note(f"seed {self.seed}, case {number}, a {kind}: {content[:200]!r}")
                raise
            finally:
                if measured:
                    self.most = max(self.most, tracemalloc.get_traced_memory()[1])
                    tracemalloc.stop()
        assert self.most <= MOST_BYTES, f"seed {self.seed}, case {number}: {self.most:,} bytes"
        self.outcomes[kind, outcome] += 1

    def _resume(self, content, rng):
        trainer = self.trainer
        before = self._before.setdefault("trainer", picture(trainer))
        try:
            trainer.resume(PLACE)
        except ValueError as error:
            check_own(error)
            assert picture(trainer) == before, "a state that was refused has changed the trainer"
            return "refused"
        self.trainer = new_trainer()
        found = tensors.take_apart(PLACE, content, sealed=True)
        for name, array in trainer.net.snapshot().items():
            assert array.tobytes() == found.arrays[f"net/{name}"].tobytes()
        values = json.loads(found.metadata["state"])
        assert (trainer.epoch, trainer.optimizer.step, trainer.optimizer.lr, trainer.stopped) == tuple(
            values[key] for key in ("epoch", "step", "lr", "stopped")
        )
        assert trainer.rng.bit_generator.state == values["generators"]["trainer"]
        if rng.random() < 0.25:
            try:
                trainer.fit(X, T)
            except (ValueError, FloatingPointError) as error:
                check_own(error)
                return "loaded, and fit refused"
        return "loaded"

    def _load(self, content, rng):
        before = self._before.setdefault("net", self.net.vector.tobytes())
        try:
            self.net.load(PLACE)
        except ValueError as error:
            check_own(error)
            assert self.net.vector.tobytes() == before, "a file that was refused has changed the net"
        else:
            found = tensors.take_apart(PLACE, content, sealed=True)
            assert {k: v.tobytes() for k, v in self.net.snapshot().items()} == {
                k: v.tobytes() for k, v in found.arrays.items()
            }
            self.net = bg.MultiLayerNet(3, [2], 2, use_batchnorm=True, dropout_ratio=0.5, rng=1)
        try:
            net = bg.load_net(PLACE)
        except bg.FileError:
            return "refused"
        found = tensors.take_apart(PLACE, content, sealed=True)
        assert {k: v.tobytes() for k, v in net.snapshot().items()} == {k: v.tobytes() for k, v in found.arrays.items()}
        ours, theirs = net.to_dict(), json.loads(found.metadata["description"])
        assert bg.Net.from_dict(ours).to_dict() == ours
        try:
            same_description(ours, theirs)
        except AssertionError:  # steps and constants may stand in any order
            same_description(in_no_order(ours), in_no_order(theirs))
        return "loaded"

    def _read(self, content, rng):
        try:
            array = read_open("read_idx: it", io.BytesIO(content), 1 << 20)
        except bg.IdxError:
            return "refused"
        body = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert body.endswith(array.astype(array.dtype.newbyteorder(">")).tobytes())
        return "loaded"


def in_no_order(description):
    """The layers and constants, without what tells their places."""
    layers = [entry for entry in description["layers"] if entry["layer"] != "Graph"]
    constants = [c for entry in description["layers"] if entry["layer"] == "Graph" for c in entry["constants"]]
    return [
        sorted(layers, key=lambda entry: (entry["layer"], json.dumps(entry, sort_keys=True))),
        sorted(map(str, constants)),
    ]


def same_description(ours, theirs):
    """What was read says again what was written, but for what may be left out, and for numbers written otherwise."""
    if isinstance(theirs, dict):
        assert theirs.keys() <= ours.keys()
        for key in theirs:
            if not (theirs[key] is None and key in ("dtype", "stride")):  # which then follow from other arguments
                same_description(ours[key], theirs[key])
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for one, other in zip(ours, theirs, strict=True):
            same_description(one, other)
    else:  # 2 for [2, 2], say
        assert set(flat(ours)) == set(flat(theirs))


def flat(value):
    """What stands in lists of numbers and texts."""
    return [value] if not isinstance(value, list) else [leaf for part in value for leaf in flat(part)]


def check_own(error):
    """FileError, or words that begin with who says them."""
    assert isinstance(error, bg.FileError) or str(error).startswith(OWNERS), repr(error)


def picture(trainer):
    """All that resuming may change."""
    optimizer, net = trainer.optimizer, trainer.net
    return (
        net.vector.tobytes(),
        [leaf.trainable for leaf in net.graph.leaves()],
        [array.tobytes() for array in net.snapshot().values()],
        {key: slot.tobytes() for key, slot in optimizer.slots.items()},
        (optimizer.step, optimizer.lr, trainer.epoch, trainer.last_epoch, trainer.stopped, trainer.split_seed),
        (trainer.resumed, trainer._saved_data, trainer._place, trainer.skipped, trainer.last_saved),
        [generator.bit_generator.state for generator in (trainer.rng, *trainer.children)],
        [leaf.rng.bit_generator.state for leaf in net.graph.leaves() if hasattr(leaf, "rng")],
        str(vars(trainer.history)),
        [{k: v for k, v in vars(callback).items() if k != "best"} for callback in trainer.callbacks],
        trainer.callbacks[1].best is None,
    )


@contextlib.contextmanager
def in_memory(content):
    """Have `read_tensors` take this content for whatever path."""
    before = tensors.read_tensors
    tensors.read_tensors = lambda path, *, sealed=False: tensors.take_apart(path, content, sealed=sealed)
    try:
        yield
    finally:
        tensors.read_tensors = before
