"""scikit-learn's MLPClassifier, batch by batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

import brickgrad as bg

from .graphs import operations
from .work import Data, Work

VERSION = f"scikit-learn {sklearn.__version__}"


def trainer(work: Work, net: bg.Net, data: Data) -> Callable[[int, int], float] | None:
    """A function that does batches first to last, the last left out, and returns the last loss; MLPs alone."""
    found, _, _ = operations(net)
    if any(op.kind not in ("Affine", "ReLU") for op in found):
        return None
    model = MLPClassifier(
        [len(op.layer.params["b"]) for op in found if op.kind == "Affine"][:-1],
        solver=work.optimizer, learning_rate_init=work.lr, alpha=0.0, batch_size=work.batch, momentum=0.0,
        nesterovs_momentum=False, shuffle=False, random_state=0,
    )  # fmt: skip
    model.partial_fit(data.x[: work.batch], data.t[: work.batch], classes=np.arange(10))
    model.coefs_ = [op.layer.params["W"].copy() for op in found if op.kind == "Affine"]
    model.intercepts_ = [op.layer.params["b"].copy() for op in found if op.kind == "Affine"]
    del model._optimizer

    def run(first: int, last: int) -> float:
        for number in range(first, last):
            samples = data.batch(number, work.batch)
            model.partial_fit(data.x[samples], data.t[samples])
        return float(model.loss_)

    return run
