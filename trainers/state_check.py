"""Whether a saved state is one that a trainer can go on from: looked at as a whole before any of it is put back.

A seal tells that a file is as it was written, and not who wrote it: a state need not be trusted.
"""

from __future__ import annotations

import copy
import json
import reprlib
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array

from .callbacks import Callback

if TYPE_CHECKING:
    from .trainer import Trainer

MOST = 2**53
KEYS = (
    "settings", "n_samples", "data", "epoch", "last_epoch", "epochs", "skipped", "done", "in_epoch", "stopped",
    "split_seed", "step", "lr", "generators", "frozen", "callbacks", "versions",
)  # fmt: skip


def read_values(text: str) -> dict[str, Any]:
    """The values that are no arrays, from JSON; ValueError where it is none, or one of them is missing."""
    try:
        values = json.loads(text)
    except RecursionError:
        raise _wrong("the JSON", "lists that are not too deep", "[[[…") from None
    if type(values) is not dict or not values.keys() >= set(KEYS):
        raise _wrong("the values", ", ".join(KEYS), values)
    if type(values["settings"]) is not dict:
        raise _wrong("settings", "a dict", values["settings"])
    return values


def check_values(values: Mapping[str, Any], validation: float) -> None:
    """ValueError unless each value is of its kind and in its range."""
    for name, kind in (("generators", dict), ("frozen", list), ("callbacks", list)):
        if type(values[name]) is not kind:
            raise _wrong(name, f"a {kind.__name__}", values[name])
    for name, least in (("n_samples", 1), ("epoch", 0), ("last_epoch", 0), ("done", 0), ("step", 0), ("skipped", 0)):
        _check_whole(name, values[name], least)
    _check_whole("epochs", values["epochs"], 0, values["last_epoch"])
    if values["epoch"] > values["last_epoch"]:
        raise _wrong("epoch", f"at most last_epoch, {values['last_epoch']}", values["epoch"])
    if type(values["in_epoch"]) is not bool:
        raise _wrong("in_epoch", "true or false", values["in_epoch"])
    if values["stopped"] is not None and type(values["stopped"]) is not str:
        raise _wrong("stopped", "a text or null", values["stopped"])
    if not all(letter.isprintable() or letter == "\n" for letter in values["stopped"] or ""):
        raise _wrong("stopped", "a text that a terminal can print", values["stopped"])
    if validation:
        _check_whole("split_seed", values["split_seed"], 0, 2**63)
    elif values["split_seed"] is not None:
        raise _wrong("split_seed", "null where no samples are held out", values["split_seed"])
    if type(values["lr"]) not in (int, float) or not 0 <= values["lr"] < np.inf:
        raise _wrong("lr", "a finite number of 0 or more", values["lr"])
    if not _are_texts(values["frozen"]):
        raise _wrong("frozen", "a list of names", values["frozen"])
    for name in ("versions", "data"):
        if type(values[name]) is not dict or not _are_texts(list(values[name].values())):
            raise _wrong(name, "texts by name", values[name])


def check_generators(known: Mapping[str, np.random.Generator], states: Mapping[str, Any]) -> None:
    """ValueError unless each generator can take its state, as a copy of it shows."""
    for name, generator in known.items():
        twin, state = copy.deepcopy(generator.bit_generator), states[name]
        kind = type(twin).__name__
        if type(state) is not dict or state.get("bit_generator") != kind:
            raise ValueError(
                f"Trainer.resume: the generator of {name} must be of the kind that was saved; it is {kind}."
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a number that NumPy before 2 wraps around: it shows below
                twin.state = state
            fits = bool(twin.state == state)
        except Exception:  # what it raises is the generator's own affair
            fits = False
        if not fits:
            raise _wrong(f"the generator of {name}", f"a state of {kind}", state)


def check_place(trainer: Trainer, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
    """ValueError unless order, last batch and how many are done are a place in an epoch, or there is none."""
    order, last, done = arrays.get("order"), arrays.get("last"), values["done"]
    if not values["in_epoch"]:
        if order is not None or last is not None or done:
            raise _wrong("the place", "none between two epochs", f"done {done}")
        return
    n, size = values["n_samples"], min(int(trainer.batch_size), values["n_samples"])
    if not 0 <= done <= -(-n // size):
        raise _wrong("done", f"at most {-(-n // size)} batches", done)
    if (order is not None) != (trainer.sampling == "shuffle"):
        raise _wrong("order", f"as sampling {trainer.sampling!r} has it", "one" if order is not None else "none")
    for name, array in (("order", order), ("last", last)):
        if array is not None and (array.dtype.kind != "i" or array.ndim != 1):
            raise _wrong(name, "sample numbers (n,)", f"{array.shape} of {array.dtype}")
    if order is not None and (len(order) != n or not np.array_equal(np.sort(order), np.arange(n))):
        raise _wrong("order", f"each of 0..{n - 1} once", f"{order[:5]} …")
    due = size if order is None else len(order[max(done - 1, 0) * size : done * size])
    if last is None or len(last) not in (due, 0 if done == 0 else due):
        raise _wrong("last", f"{due} sample numbers", "none" if last is None else len(last))
    if len(last) and not (last.min() >= 0 and last.max() < n):
        raise _wrong("last", f"numbers in 0..{n - 1}", f"{last[:5]} …")
    if order is not None and done and not np.array_equal(last, order[(done - 1) * size : done * size]):
        raise _wrong("last", "the last batch of order", f"{last[:5]} …")


def check_history(trainer: Trainer, arrays: Mapping[str, Array], done: int) -> None:
    """ValueError unless there is each series of the history, of the length that it must have."""
    lengths = {}
    for field in fields(trainer.history):
        series = arrays.get(f"history/{field.name}")
        if series is None or series.ndim != 1 or series.dtype != np.float64:
            got = "none" if series is None else f"{series.shape} of {series.dtype}"
            raise _wrong(f"history/{field.name}", "(n,) of float64", got)
        lengths[field.name] = len(series)
    epochs, losses = lengths["epoch_losses"], lengths.pop("losses")
    optional = ("test_accuracies", "validation_accuracies", "validation_losses")
    for name, length in lengths.items():
        if length != epochs and not (length == 0 and name in optional):
            raise _wrong(f"history/{name}", f"one number for each of {epochs} epochs", length)
    if losses < done:
        raise _wrong("history/losses", f"at least {done} numbers", losses)
    batches = arrays["history/epoch_batches"]
    if not ((batches >= 0) & (batches < MOST) & (batches == np.floor(batches))).all():
        raise _wrong("history/epoch_batches", "whole numbers of 0 or more", batches[:5])


def check_slots(slots: Mapping[str, Array], params: Mapping[str, Array]) -> None:
    """ValueError unless the optimizer's arrays are of the net's parameters, the same ones for each that has any."""
    kinds: dict[str, set[str]] = {}
    for key, array in slots.items():
        what, _, name = key.partition("/")
        param = params.get(name)
        if param is None or (array.shape, array.dtype) != (param.shape, param.dtype):
            due = "a parameter of the net" if param is None else f"{param.shape} of {param.dtype}"
            raise _wrong(f"optimizer/{key}", due, f"{array.shape} of {array.dtype}")
        kinds.setdefault(name, set()).add(what)
    if len(set(map(frozenset, kinds.values()))) > 1:
        raise _wrong("optimizer/", "the same arrays for each parameter", ", ".join(slots))


def check_callback(callback: Callback, arrays: Mapping[str, Array], kept: Any, live: Mapping[str, Array]) -> None:
    """ValueError unless a callback can remember this; one of the user's own says itself what it can."""
    kind = type(callback).__name__
    if type(kept) is not dict:
        raise _wrong("callbacks", f"the state of {kind} in its place", kept)
    if not type(callback).__module__.startswith(f"{__name__.partition('.')[0]}."):
        return
    own = set(callback.state()[1])
    if kept.keys() != own:
        raise _wrong(f"the state of {kind}", ", ".join(sorted(own)), kept)
    for name, value in kept.items():
        if name in ("waited", "best_epoch") and not (value is None and name == "best_epoch"):
            _check_whole(f"{name} of {kind}", value, 0)
        elif name == "best_value" and not (value is None or type(value) in (int, float)):
            raise _wrong(f"{name} of {kind}", "a number or null", value)
    if kept.get("best_epoch", 0) is None and kept.get("best_value") is not None:
        raise _wrong(f"best_value of {kind}", "null before any epoch was the best", kept["best_value"])
    wrong = {name for name, array in arrays.items() if name in live and not _alike(array, live[name])}
    if arrays and (arrays.keys() != live.keys() or wrong):
        raise _wrong(f"the arrays of {kind}", "those of the net's snapshot()", ", ".join(sorted(wrong or arrays)))


def _alike(one: Array, other: Array) -> bool:
    return (one.shape, one.dtype) == (other.shape, other.dtype)


def _are_texts(values: list[Any]) -> bool:
    return all(type(value) is str for value in values)


def _check_whole(name: str, value: Any, least: int, most: int = MOST) -> None:
    if type(value) is not int or not least <= value <= most:
        upto = "" if most >= MOST else f" and at most {most}"
        raise _wrong(name, f"a whole number of at least {least}{upto}", value)


def _wrong(name: str, due: str, got: Any) -> ValueError:
    plain = isinstance(got, str) and got.isprintable()  # else a terminal would obey what stands in it
    shown = got[:80] if plain else reprlib.repr(got)[:80]  # which stops in what is deep
    return ValueError(f"Trainer.resume: in the saved state {name} must be {due}; got {shown}. Nothing was changed.")
