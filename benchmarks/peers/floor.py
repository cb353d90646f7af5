"""What no NumPy library can be faster than: a step's matrix products, the gather of its batch, the optimizer's update.

For a convolution the products are those of its columns, which are not gathered here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import brickgrad as bg

from .ours import optimizer
from .work import Data, Work


def products(net: bg.Net, batch: int) -> list[tuple[int, int, int]]:
    """The (rows, inner, columns) of all matrix products of a step: forward, the weights' gradient, the input's."""
    found = []
    shapes, wiring = net.body.shapes, net.body.wiring
    for step in wiring.steps:
        layer, out = step.layer, shapes[step.writes[0]]
        assert out is not None
        if isinstance(layer, bg.Affine):
            inner, columns = layer.params["W"].shape
            rows = batch * math.prod(out[1:-1])
        elif isinstance(layer, bg.Convolution):
            rows, inner = len(layer.params["W"]), math.prod(layer.params["W"].shape[1:])
            columns = batch * math.prod(out[2:])
        else:
            continue
        found += [(rows, inner, columns)]
        found += [(inner, rows, columns)] if isinstance(layer, bg.Affine) else [(rows, columns, inner)]
        if step.reads[0] not in wiring.inputs:
            found += [(rows, columns, inner)] if isinstance(layer, bg.Affine) else [(inner, rows, columns)]
    return found


def trainer(work: Work, net: bg.Net, data: Data) -> Callable[[int, int], float]:
    """A function that does so many steps' worth of bare work; there is no loss."""
    rng = np.random.default_rng(0)
    tasks = [
        tuple(rng.normal(size=size).astype(np.float32) for size in ((m, k), (k, n), (m, n)))
        for m, k, n in products(net, work.batch)
    ]
    param, grad = {"all": net.vector.copy()}, {"all": np.zeros_like(net.vector)}
    batch = np.empty((work.batch, *data.x.shape[1:]), data.x.dtype)
    steps = optimizer(work)

    def run(first: int, last: int) -> float:
        for number in range(first, last):
            np.take(data.x, data.batch(number, work.batch), axis=0, out=batch, mode="clip")
            for a, b, c in tasks:
                np.matmul(a, b, out=c)
            steps.update(param, grad)
        return math.nan

    return run
