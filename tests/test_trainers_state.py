"""States that are sealed and yet wrong: each is refused by name, and the trainer is as it was."""

import json
from pathlib import Path

import numpy as np
import pytest
from file_fuzzer import in_memory, new_trainer, picture, seeds

import brickgrad as bg
from brickgrad.files import tensors
from brickgrad.trainers import made

FILE = Path("x.safetensors")


@pytest.fixture(scope="module")
def checkpoints():
    """One saved within an epoch, and one at its end."""
    return seeds()["checkpoint"]


def resealed(content, values=None, arrays=None, texts=None):
    """The file with some of its values, arrays and texts replaced, or left out where they are None."""
    found = tensors.take_apart(FILE, content, sealed=True)
    state = json.loads(found.metadata["state"])
    for path, value in (values or {}).items():
        at = state
        *rest, last = (int(key) if key.isdigit() else key for key in path.split("/"))
        for key in rest:
            at = at[key]
        at[last] = value
    kept = {name: array for name, array in {**found.arrays, **(arrays or {})}.items() if array is not None}
    metadata = {**found.metadata, "state": json.dumps(state), **(texts or {})}
    return b"".join(tensors.put_together(kept, {key: text for key, text in metadata.items() if text is not None}))


def resume_refused(content, text, error=ValueError):
    trainer = new_trainer()
    before = picture(trainer)
    with in_memory(content), pytest.raises(error, match=text):
        trainer.resume(FILE)
    assert picture(trainer) == before


def test_a_file_that_is_sealed_anew_and_not_changed_resumes(checkpoints):
    for content in checkpoints:
        trainer = new_trainer()
        with in_memory(resealed(content)):
            trainer.resume(FILE)
        assert trainer.optimizer.step in (6, 8)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"n_samples": 0}, "n_samples must be a whole number of at least 1; got 0"),
        ({"n_samples": 8.0}, "n_samples must be a whole number of at least 1; got 8.0"),
        ({"epoch": -1}, "epoch must be a whole number of at least 0; got -1"),
        ({"epoch": 2**60}, "epoch must be a whole number"),
        ({"epoch": True}, "epoch must be a whole number"),
        ({"epoch": 5}, "epoch must be at most last_epoch, 4; got 5"),
        ({"last_epoch": "4"}, "last_epoch must be a whole number"),
        ({"done": 5}, "done must be at most 4 batches; got 5"),
        ({"done": 1}, "last must be the last batch of order"),
        ({"in_epoch": 1}, "in_epoch must be true or false; got 1"),
        ({"in_epoch": False}, "the place must be none between two epochs"),
        ({"stopped": 3}, "stopped must be a text or null; got 3"),
        ({"stopped": "\x1b[2J"}, "stopped must be a text that a terminal can print"),
        ({"split_seed": None}, "split_seed must be a whole number"),
        ({"split_seed": 2**70}, "split_seed must be a whole number"),
        ({"step": -1}, "step must be a whole number of at least 0; got -1"),
        ({"lr": float("nan")}, "lr must be a finite number of 0 or more; got nan"),
        ({"lr": "0.1"}, "lr must be a finite number"),
        ({"lr": "\x1b[2J"}, r"lr must be a finite number of 0 or more; got '.x1b\[2J'"),
        ({"settings/layer": {"\x1b[2J": "x"}}, r"saved; 'layer .x1b\[2J' is None, and was 'x'"),
        ({"generators": []}, "generators must be a dict"),
        ({"generators/more": {}}, "the layers' generators and the callbacks must be those of the run"),
        ({"generators/trainer": 3}, "the generator of trainer must be of the kind that was saved; it is PCG64"),
        ({"generators/trainer/bit_generator": "MT19937"}, "the generator of trainer must be of the kind"),
        ({"generators/trainer/state/state": -1}, "the generator of trainer must be a state of PCG64"),
        ({"generators/trainer/state/inc": 2**200}, "the generator of trainer must be a state of PCG64"),
        ({"generators/trainer/uinteger": "1"}, "the generator of trainer must be a state of PCG64"),
        ({"generators/child 1/state": {}}, "the generator of child 1 must be a state of PCG64"),
        ({"frozen": "affine1"}, "frozen must be a list"),
        ({"frozen": [1]}, "frozen must be a list of names"),
        ({"frozen": ["affine9"]}, "frozen must be layers of the net"),
        ({"callbacks": {}}, "callbacks must be a list"),
        ({"callbacks": []}, "the callbacks must be those of the run saved"),
        ({"callbacks/0": None}, "callbacks must be the state of EarlyStopping in its place; got None"),
        ({"callbacks/0/more": 1}, "the state of EarlyStopping must be best_epoch, best_value, waited"),
        ({"callbacks/0/waited": "1"}, "waited of EarlyStopping must be a whole number"),
        ({"callbacks/0/best_epoch": 1.5}, "best_epoch of EarlyStopping must be a whole number"),
        ({"callbacks/0/best_epoch": None}, "best_value of EarlyStopping must be null before"),
        ({"callbacks/0/best_value": "0"}, "best_value of EarlyStopping must be a number or null; got 0"),
        ({"versions": []}, r"versions must be texts by name; got \[\]"),
        ({"versions/NumPy": 2}, "versions must be texts by name"),
        ({"epochs": 5}, "epochs must be a whole number of at least 0 and at most 4; got 5"),
        ({"skipped": -1}, "skipped must be a whole number of at least 0; got -1"),
        ({"data": None}, "data must be texts by name; got None"),
        ({"data/more": 1}, "data must be texts by name"),
        ({"settings/batch_size": ["x"] * 999}, r"batch_size is 2, and was \['x'"),
        ({"settings/callback/1": "BestWeights()"}, r"callback 1 is .EarlyStopping.*, and was 'BestWeights.*"),
    ],
)  # fmt: skip
def test_a_value_that_is_wrong_is_refused_by_name_and_changes_nothing(checkpoints, values, text):
    resume_refused(resealed(checkpoints[0], values), text)


F = np.float64


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"net/W1": None}, "missing: W1; unexpected: none"),
        ({"net/W9": np.zeros(1)}, "missing: none; unexpected: W9"),
        ({"net/W1": np.zeros((3, 2))}, r"W1 must be \(3, 2\) of float32; got \(3, 2\) of float64"),
        ({"net/b1": np.zeros(3, np.float32)}, r"b1 must be \(2,\) of float32; got \(3,\)"),
        ({"order": None}, "order must be as sampling 'shuffle' has it; got none"),
        ({"order": np.zeros(8, np.int64)}, r"order must be each of 0..7 once; got \[0 0 0 0 0\]"),
        ({"order": np.arange(7)}, "order must be each of 0..7 once"),
        ({"order": np.arange(8.0)}, r"order must be sample numbers \(n,\); got \(8,\) of float64"),
        ({"order": np.arange(8).reshape(2, 4)}, r"order must be sample numbers \(n,\)"),
        ({"order": np.arange(8)}, "last must be the last batch of order"),
        ({"last": None}, "last must be 2 sample numbers; got none"),
        ({"last": np.array([1])}, "last must be 2 sample numbers; got 1"),
        ({"last": np.array([1, 8])}, "last must be numbers in 0..7"),
        ({"last": np.array([-1, 1])}, "last must be numbers in 0..7"),
        ({"history/seconds": None}, r"history/seconds must be \(n,\) of float64; got none"),
        ({"history/seconds": np.zeros((1, 1))}, r"history/seconds must be \(n,\) of float64; got \(1, 1\)"),
        ({"history/seconds": np.zeros(1, np.float32)}, r"of float64; got \(1,\) of float32"),
        ({"history/seconds": np.zeros(2)}, "history/seconds must be one number for each of 1 epochs; got 2"),
        ({"history/test_accuracies": np.zeros(2)}, "history/test_accuracies must be one number for each of 1 epochs"),
        ({"history/losses": np.zeros(1)}, "history/losses must be at least 2 numbers; got 1"),
        ({"history/epoch_batches": np.array([np.nan])}, "history/epoch_batches must be whole numbers"),
        ({"history/epoch_batches": np.array([1.5])}, "history/epoch_batches must be whole numbers"),
        ({"optimizer/m/W1": np.zeros((3, 3), np.float32)}, r"optimizer/m/W1 must be \(3, 2\) of float32; got \(3, 3\)"),
        ({"optimizer/m/W1": np.zeros((3, 2))}, "optimizer/m/W1 must be"),
        ({"optimizer/m/W9": np.zeros(1)}, "optimizer/m/W9 must be a parameter of the net"),
        ({"optimizer/m/W1": None}, "optimizer/ must be the same arrays for each parameter"),
        ({"callback/1/W1": None}, r"the arrays of BestWeights must be those of the net's snapshot\(\)"),
        ({"callback/1/W1": np.zeros((3, 3))}, r"the arrays of BestWeights must be those of .* snapshot\(\); got W1"),
        ({"callback/0/W1": np.zeros(1)}, "the arrays of EarlyStopping must be"),
    ],
)  # fmt: skip
def test_an_array_that_is_wrong_is_refused_by_name_and_changes_nothing(checkpoints, arrays, text):
    resume_refused(resealed(checkpoints[0], arrays=arrays), text)


@pytest.mark.parametrize(
    "changes", [{"values": {"done": 1}}, {"arrays": {"last": np.arange(2)}}, {"arrays": {"order": np.arange(8)}}]
)
def test_a_place_in_an_epoch_where_there_is_none_is_refused(checkpoints, changes):
    resume_refused(resealed(checkpoints[1], **changes), "the place must be none between two epochs")


@pytest.mark.parametrize("state", [None, "", "[]", "{", "[" * 10**5, "9" * 10**4, '{"epoch": 1}'])
def test_a_state_that_is_none_makes_the_file_no_good(checkpoints, state):
    content = resealed(checkpoints[0], texts={"state": state})
    resume_refused(content, "must be a checkpoint with the state of a run", bg.FileError)


def test_a_callback_of_ones_own_that_refuses_its_state_leaves_all_as_it_was(checkpoints):
    class Picky(bg.BestWeights):
        def set_state(self, arrays, values):
            super().set_state(arrays, values)
            raise KeyError("no")

    trainer = new_trainer()
    trainer.callbacks = (trainer.callbacks[0], Picky(), trainer.callbacks[2])
    settings = {"settings/callback/2": made.settings(trainer)["callback"]["2"]}
    before = {**vars(trainer.callbacks[0])}, {**vars(trainer.callbacks[1])}, trainer.net.vector.tobytes()
    with (
        in_memory(resealed(checkpoints[0], settings)),
        pytest.raises(ValueError, match="Picky cannot take its saved state: KeyError: 'no'"),
    ):
        trainer.resume(FILE)
    assert before == (vars(trainer.callbacks[0]), vars(trainer.callbacks[1]), trainer.net.vector.tobytes())


def test_every_truncation_of_a_checkpoint_is_noticed(checkpoints):
    good = checkpoints[0]
    for length in range(len(good)):
        with pytest.raises(bg.FileError):
            tensors.take_apart(FILE, good[:length], sealed=True)


def test_every_byte_of_a_checkpoint_that_is_changed_is_noticed(checkpoints):
    good = checkpoints[0]
    for place in range(len(good)):
        bad = good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :]
        with pytest.raises(bg.FileError):
            tensors.take_apart(FILE, bad, sealed=True)
    tensors.take_apart(FILE, good, sealed=True)
