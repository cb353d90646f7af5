"""A run's health: a NaN or an infinity noticed before it spreads, where it began, and what becomes of the run then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.layers import Array

from .protocol import leaves
from .sets import first_nonfinite

if TYPE_CHECKING:
    from .trainer import Trainer

POLICIES = ("raise", "skip", "stop")


def check_policy(policy: str) -> None:
    """ValueError unless there is such a policy."""
    if policy not in POLICIES:
        raise ValueError(f"Trainer: nonfinite must be 'raise', 'skip' or 'stop'; got {policy!r}.")


class Health:
    """Looks at each batch of an epoch before its step is taken.

    A batch whose step is not taken leaves nothing behind: running statistics, which its forward pass has moved, are put
    back. Its draws of random numbers count, as those of any other.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._statistics = [(leaf, name) for _, leaf in leaves(trainer.net) for name in leaf.kept]
        self._before: list[Array] = []

    def before_batch(self) -> None:
        """Remember what a forward pass will move."""
        self._before = [getattr(leaf, name).copy() for leaf, name in self._statistics]

    def may_step(self, loss: float, x: Array, t: Array, samples: Array, number: int) -> bool:
        """Whether loss and gradient are finite; where they are not, the run's policy is done.

        Errors       ValueError: NaN or infinity in the data. FloatingPointError: in what was computed. Both where the
                     policy is to raise, or to skip and the parameters are not finite, so that no batch could do better
        """
        net, trainer = self.trainer.net, self.trainer
        vector = getattr(net, "grad_vector", None)  # all gradients at once, where the net has them so
        if np.isfinite(loss) and all(map(is_finite, net.grads.values() if vector is None else [vector])):
            return True
        error = self._error(loss, x, t, samples, f"epoch {trainer.epoch + 1}, batch {number}")
        for (leaf, name), before in zip(self._statistics, self._before, strict=True):
            getattr(leaf, name)[...] = before
        if trainer.nonfinite == "raise" or (trainer.nonfinite == "skip" and not is_sound(net)):
            raise error
        if trainer.nonfinite == "skip":
            trainer.skipped += 1
            trainer.progress.say(f"{trainer.skipped} batch{'es' * (trainer.skipped > 1)} skipped so far; {error}")
        else:
            trainer.stop(str(error))
        return False

    def after_epoch(self, x: Array, t: Array) -> None:
        """Look at what the epoch's last step, which no next one will notice, has left; on its batch again.

        Where batches are skipped the parameters alone are looked at: the loss may be that of a batch that was.
        """
        trainer = self.trainer
        look = getattr(trainer.net, "loss", None)
        if trainer.nonfinite == "skip" or (trainer.nonfinite == "stop" and trainer.stopped is not None):
            look = None
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss = 0.0 if look is None else look(trainer.cast(x), t)
        if np.isfinite(loss) and is_sound(trainer.net):
            return
        text = (
            f"Trainer.fit: after epoch {trainer.epoch + 1} loss or parameters are not finite: its last step went too "
            f"far. {_advice(trainer)}"
        )
        if trainer.nonfinite != "stop":
            raise FloatingPointError(text)
        trainer.stop(text)

    def _error(self, loss: float, x: Array, t: Array, samples: Array, when: str) -> Exception:
        """What is wrong, as the error to raise: when it was, and where it began."""
        trainer = self.trainer
        for name, data in (("x_train", x), ("t_train", t)):
            row = first_nonfinite(data)
            if row is not None:
                assert trainer.data is not None
                changed = ", augmented" if trainer.augment is not None and x is data else ""
                return ValueError(
                    f"Trainer.fit: the loss is {loss} at {when}: {name}[{trainer.data.number(samples[row])}] (sample "
                    f"{row} of the batch{changed}) holds NaN or infinity. Clean the data first. {_way_back(trainer)}"
                )
        find = getattr(trainer.net, "find_nonfinite", None)
        where = find(x, t) if find is not None else None
        if where is None:
            # backward runs from the loss to the first layer, so the last of these was reached first
            sick = [name for name, gradient in trainer.net.grads.items() if not is_finite(gradient)]
            where = f"the gradient of {sick[-1]}" if sick else None
        what = f"the loss is {loss}" if not np.isfinite(loss) else "the gradient is not finite"
        begins = f": it begins in {where}" if where else ""
        return FloatingPointError(f"Trainer.fit: {what} at {when}{begins}. The step was not taken. {_advice(trainer)}")


def is_sound(net: Any) -> bool:
    """Whether all parameters and running statistics are finite: a net worth saving."""
    statistics = (getattr(leaf, name) for _, leaf in leaves(net) for name in leaf.kept)
    return all(map(is_finite, (*net.params.values(), *statistics)))


def is_finite(array: Array) -> bool:
    """Whether all entries are finite: one pass through their squares, which is cheap, and a second in doubt."""
    flat = array.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())


def _advice(trainer: Trainer) -> str:
    rate = getattr(trainer.optimizer, "lr", "unknown")
    return f"A smaller learning rate often helps; it is {rate}. {_way_back(trainer)}"


def _way_back(trainer: Trainer) -> str:
    if trainer.last_saved is None:
        return "There is no checkpoint to go back to."
    return f"The last good checkpoint is {trainer.last_saved}."
