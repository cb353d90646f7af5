"""How a trainer says how far it is: one bar on a terminal or in a notebook, one line an epoch elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import Batches
    from .trainer import Trainer


class Progress:
    """Shows a run as it goes.

    Parameters
        mode : None shows a bar on a terminal or in a notebook where tqdm is installed, and lines elsewhere; True asks
            for the bar; "lines" for lines; False for nothing.
    """

    def __init__(self, mode: bool | str | None) -> None:
        if not (mode is None or isinstance(mode, bool) or mode == "lines"):
            raise ValueError(f"Trainer: progress must be True, False, None or 'lines'; got {mode!r}.")
        self.mode = mode
        self._bar: Any = None

    def start(self, trainer: Trainer, batches: Batches) -> None:
        """Say what is to be done."""
        wants_bar = self.mode is True or (self.mode is None and (sys.stderr.isatty() or "ipykernel" in sys.modules))
        bar = _tqdm(required=self.mode is True) if wants_bar else None
        if bar is not None:
            self._bar = bar(total=batches.n_drawn * trainer.epochs, unit="img", unit_scale=True, dynamic_ncols=True)
        self.say(str(batches))

    def batch(self, trainer: Trainer, n_samples: int) -> None:
        """Move the bar on."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {trainer.epoch + 1}/{trainer.last_epoch}", refresh=False)
            self._bar.set_postfix_str(f"loss {trainer.history.losses[-1]:.4f}", refresh=False)
            self._bar.update(n_samples)

    def epoch(self, trainer: Trainer) -> None:
        """Say how the epoch went."""
        history = trainer.history
        others = "".join(
            f"  {name} {100 * accuracies[-1]:6.2f} %"
            for name, accuracies in (("validation", history.validation_accuracies), ("test", history.test_accuracies))
            if accuracies
        )
        self.say(
            f"epoch {trainer.epoch:3}/{trainer.last_epoch}  loss {history.epoch_losses[-1]:.4f}  "
            f"train {100 * history.train_accuracies[-1]:6.2f} %{others}  {history.seconds[-1]:.2f} s"
        )

    def stop(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, line: str) -> None:
        """A line of its own, beside the bar; nothing where there is to be silence."""
        if self._bar is not None:
            self._bar.write(line)
        elif self.mode is not False:
            print(line, flush=True)


def _tqdm(required: bool) -> Any:
    """tqdm's bar; where it is missing None, or an error if it was asked for."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        if required:
            raise ImportError(
                "Trainer: the bar needs tqdm. Install it with: pip install 'brickgrad[progress]'"
            ) from error
        return None
    return tqdm
