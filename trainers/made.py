"""What a run was made with: the settings that must be the same again for a saved run to go on as it would have."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .callbacks import Callback
from .protocol import leaves
from .schedules import Schedule

if TYPE_CHECKING:
    from .trainer import Trainer

# Of a layer: first weights no longer matter, sizes show in the parameters' shapes, and `trainable` is put back.
_LEFT_OUT = {"name", "training", "trainable", "init", "n_out"}


def settings(trainer: Trainer) -> dict[str, Any]:
    """Every setting as a plain value that JSON can hold; those of net, layers and optimizer by their names."""
    optimizer: Any = trainer.optimizer
    moving = {"schedule": _text(optimizer.schedule)} if optimizer.schedule else {"lr": trainer.first_lr}
    return {
        "net": {"kind": type(trainer.net).__name__, "shard_size": getattr(trainer.net, "shard_size", None)}
        | plain_settings(trainer.net),
        "layer": {name: _text(leaf) for name, leaf in leaves(trainer.net)},
        "optimizer": {"kind": type(optimizer).__name__, **moving, **plain_settings(optimizer, {"step", "schedule"})},
        "batch_size": int(trainer.batch_size),
        "sampling": trainer.sampling,
        "validation": trainer.validation,
        "augment": None if trainer.augment is None else str(trainer.augment)[:80].split(" at 0x")[0],
        "accuracy_samples": None if trainer.accuracy_samples is None else int(trainer.accuracy_samples),
        "nonfinite": trainer.nonfinite,
        "deterministic": trainer.deterministic,
        "callback": {
            str(number): _call(type(callback).__name__, callback.settings())
            for number, callback in enumerate(stateful(trainer), start=1)
        },
    }


def differences(here: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """A phrase for every setting that is not as it was.

    >>> list(differences({"batch_size": 8, "layer": {"a": "ReLU"}}, {"batch_size": 7, "layer": {"a": "Tanh"}}))
    ['batch_size is 8, and was 7', "layer a is 'ReLU', and was 'Tanh'"]
    """
    for key, now in here.items():
        was = before.get(key)
        if isinstance(now, dict) and isinstance(was, dict):
            yield from differences(
                {f"{key} {name}": now.get(name) for name in {**was, **now}},
                {f"{key} {name}": value for name, value in was.items()},
            )
        elif now != was:
            yield f"{key if key.isprintable() else repr(key):.80} is {now!r}, and was {_was(was)}"


def _was(setting: Any) -> str:
    """A setting from a file as errors show it."""
    return repr(setting)[:200] if isinstance(setting, str) else reprlib.repr(setting)


def plain_settings(thing: Any, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """The public attributes that are plain, to the last digit.

    >>> from brickgrad import Adam
    >>> plain_settings(Adam(lr=0.1), {"step"})
    {'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08}
    """
    public = {key: value for key, value in vars(thing).items() if key[0] != "_" and key not in leave_out}
    return {key: plain for key, value in public.items() if (plain := _plain(value)) is not None}


def _plain(value: Any) -> bool | int | float | str | None:
    """A setting as JSON can hold it; None for what is none, such as an array or a generator."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list | slice) or is_dataclass(value):
        return str(value)
    return _text(value) if isinstance(value, Schedule) else None


def _text(thing: Any) -> str:
    """A layer or schedule of ours with its settings; one of yours, which may count things, or a function by its name.

    >>> from brickgrad import CosineDecay, Dropout
    >>> _text(Dropout(0.1)), _text(CosineDecay(0.1, 30)), _text(len)
    ('Dropout(ratio=0.1, inverted=True)', 'CosineDecay(lr=0.1, steps=30, lowest=0.0)', 'len')
    """
    if hasattr(thing, "__qualname__"):
        return str(thing.__qualname__)
    ours = type(thing).__module__.partition(".")[0] == "brickgrad"
    return _call(type(thing).__qualname__, plain_settings(thing, _LEFT_OUT) if ours else {})


def stateful(trainer: Trainer) -> list[Callback]:
    """The callbacks that remember or set anything; others, and functions, may come and go between a run's parts."""
    return [
        callback
        for callback in trainer.callbacks
        if isinstance(callback, Callback)
        and (type(callback).state, type(callback).settings) != (Callback.state, Callback.settings)
    ]


def _call(name: str, values: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in values.items())})" if values else name
