"""Where a run stands, to the last bit: taken from a trainer as arrays and plain values, and put back into another.

What is put back: parameters and running statistics, the optimizer's arrays and step, the state of every random
generator, the order of the epoch and the place in it, the history, and what callbacks remember. What is not: settings.
They are the new trainer's own, and must be those of the old one (made.py), but for the number of epochs: a run that is
given more of them ends as one that had them from the start.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array

from .callbacks import Callback
from .made import differences, settings, stateful
from .protocol import leaves
from .state_check import check_callback, check_generators, check_history, check_place, check_slots, check_values

if TYPE_CHECKING:
    from .trainer import Trainer

Arrays = dict[str, Array]


def take(trainer: Trainer) -> tuple[Arrays, dict[str, Any]]:
    """The state as copies: arrays by name, and values that JSON can hold."""
    optimizer: Any = trainer.optimizer
    if not hasattr(optimizer, "slots") or not hasattr(trainer.net, "snapshot"):
        lacking = trainer.net if not hasattr(trainer.net, "snapshot") else optimizer
        raise TypeError(
            f"Trainer.save: needs an Optimizer and a net with snapshot() and restore(); got {type(lacking).__name__}, "
            "whose state it cannot know."
        )
    if trainer.batches is None or trainer.data is None:
        raise RuntimeError("Trainer.save: there is no run yet: call fit first.")
    net: Any = trainer.net
    arrays: Arrays = {f"net/{name}": array for name, array in net.snapshot().items()}
    arrays |= {f"optimizer/{what}/{name}": slot.copy() for (name, what), slot in optimizer.slots.items()}
    if trainer.in_epoch:
        arrays["last"] = trainer.batches.last.copy()
        if trainer.batches.order is not None:
            arrays["order"] = trainer.batches.order.copy()
    for field in fields(trainer.history):
        arrays[f"history/{field.name}"] = np.array(getattr(trainer.history, field.name), np.float64)
    values: dict[str, Any] = {
        "settings": settings(trainer),
        "n_samples": trainer.batches.n_samples,
        "data": trainer.data.digests(),
        "epoch": trainer.epoch,
        "last_epoch": trainer.last_epoch,
        "epochs": int(trainer.epochs),
        "skipped": trainer.skipped,
        "done": trainer.batches.done if trainer.in_epoch else 0,
        "in_epoch": trainer.in_epoch,
        "stopped": trainer.stopped,
        "split_seed": trainer.split_seed,
        "step": optimizer.step,
        "lr": optimizer.lr,
        "generators": {name: generator.bit_generator.state for name, generator in generators(trainer)},
        "frozen": [name for name, leaf in leaves(trainer.net) if not leaf.trainable],
        "callbacks": [],
    }
    for number, callback in enumerate(stateful(trainer)):
        own_arrays, own_values = callback.state()
        arrays |= {f"callback/{number}/{name}": array for name, array in own_arrays.items()}
        values["callbacks"].append(own_values)
    return arrays, values


def put_back(trainer: Trainer, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
    """Put a state back; ValueError, and nothing changed, where it is not one of such a trainer."""
    optimizer: Any = trainer.optimizer
    if differ := list(differences(settings(trainer), values["settings"])):
        raise ValueError(f"Trainer.resume: the run must be the same as the one that was saved; {'; '.join(differ)}.")
    check_values(values, trainer.validation)
    known = dict(generators(trainer))
    if known.keys() != values["generators"].keys() or len(values["callbacks"]) != len(stateful(trainer)):
        raise ValueError("Trainer.resume: the layers' generators and the callbacks must be those of the run saved.")
    if not set(values["frozen"]) <= {name for name, _ in leaves(trainer.net)}:
        raise ValueError(f"Trainer.resume: frozen must be layers of the net; got {reprlib.repr(values['frozen'])}.")
    check_generators(known, values["generators"])
    check_place(trainer, arrays, values)
    check_history(trainer, arrays, values["done"])
    net: Any = trainer.net
    check_slots(_under("optimizer/", arrays), net.params)
    _remember(trainer, arrays, values)
    optimizer.slots = {}
    for key, array in _under("optimizer/", arrays).items():
        what, _, name = key.partition("/")
        optimizer.slots[name, what] = array.copy()
    optimizer.step, optimizer._lr = values["step"], values["lr"]
    for field in fields(trainer.history):
        kind = int if field.name == "epoch_batches" else float
        setattr(trainer.history, field.name, [kind(value) for value in arrays[f"history/{field.name}"]])
    for name, generator in known.items():
        generator.bit_generator.state = values["generators"][name]
    for name, leaf in leaves(trainer.net):
        leaf.trainable = name not in values["frozen"]
    trainer.epoch, trainer.skipped = values["epoch"], values["skipped"]
    trainer.last_epoch = values["last_epoch"] - values["epochs"] + trainer.epochs
    trainer.stopped, trainer.split_seed = values["stopped"], values["split_seed"]
    order = arrays["order"].copy() if "order" in arrays else None
    place = (order, arrays["last"].copy(), values["done"]) if values["in_epoch"] else None
    trainer.resume_from(values["n_samples"], values["data"], place)


def _remember(trainer: Trainer, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
    """Put back what callbacks remember and what the net has learned: the last that can fail, so it can be undone."""
    net: Any = trainer.net
    live, callbacks = net.snapshot(), stateful(trainer)
    for number, (callback, kept) in enumerate(zip(callbacks, values["callbacks"], strict=True)):
        check_callback(callback, _under(f"callback/{number}/", arrays), kept, live)
    before = [dict(vars(callback)) for callback in callbacks]
    try:
        for number, (callback, kept) in enumerate(zip(callbacks, values["callbacks"], strict=True)):
            _tell(callback, {name: a.copy() for name, a in _under(f"callback/{number}/", arrays).items()}, kept)
        net.restore(_under("net/", arrays))
    except Exception:
        for callback, attributes in zip(callbacks, before, strict=True):
            vars(callback).clear()
            vars(callback).update(attributes)
        raise


def _tell(callback: Callback, arrays: Arrays, values: dict[str, Any]) -> None:
    """Have a callback remember; ValueError, whatever one of the user's own raises."""
    try:
        callback.set_state(arrays, values)
    except Exception as error:
        raise ValueError(
            f"Trainer.resume: {type(callback).__name__} cannot take its saved state: {type(error).__name__}: {error}"
        ) from error


def generators(trainer: Trainer) -> Iterator[tuple[str, np.random.Generator]]:
    """Every random generator that a run draws from, by name."""
    yield "trainer", trainer.rng
    for number, child in enumerate(trainer.children):
        yield f"child {number}", child
    for name, leaf in leaves(trainer.net):
        for attribute, value in vars(leaf).items():
            if isinstance(value, np.random.Generator):
                yield f"{name}.{attribute}", value


def _under(prefix: str, arrays: Mapping[str, Array]) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
