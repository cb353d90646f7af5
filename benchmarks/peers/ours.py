"""brickgrad, as a training loop of one's own would use it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

import brickgrad as bg

from .work import Data, Work


def optimizer(work: Work) -> bg.Optimizer:
    """The work's optimizer."""
    return bg.SGD(lr=work.lr) if work.optimizer == "sgd" else bg.Adam(lr=work.lr)


def trainer(work: Work, net: bg.Net, data: Data) -> Callable[[int, int], float]:
    """A function that does batches first to last, the last left out, and returns the last loss.

    All of its calls are in one workspace, as all epochs of a trainer are.
    """
    steps = optimizer(work)
    batch = np.empty((work.batch, *data.x.shape[1:]), data.x.dtype)
    workspace = contextlib.ExitStack()
    workspace.enter_context(net.workspace())

    def run(first: int, last: int, workspace: contextlib.ExitStack = workspace) -> float:  # which lasts as long as this
        loss = 0.0
        for number in range(first, last):
            samples = data.batch(number, work.batch)
            np.take(data.x, samples, axis=0, out=batch, mode="clip")
            loss = net.loss_and_gradient(batch, data.t[samples])
            steps.update(net.params, net.grads)
        return loss

    return run


def predictor(net: bg.Net) -> Callable[[np.ndarray], np.ndarray]:
    """The net's own predict."""
    return net.predict


def checker(net: bg.Net, x: np.ndarray, t: np.ndarray) -> Callable[[], bool]:
    """The gradient of every parameter and input against differences, entry by entry."""
    return lambda: bool(bg.gradcheck(net, x, t, mode="full"))
