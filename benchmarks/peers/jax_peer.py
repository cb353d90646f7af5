"""JAX: all steps of a measurement compiled into one by scan, which is the fastest way to train small nets with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import brickgrad as bg

from .graphs import operations
from .work import Data, Work

VERSION = f"jax {jax.__version__}"
jax.config.update("jax_platforms", "cpu")


def forward(net: bg.Net) -> tuple[Callable[[Any, Any], Any], list[Any]] | None:
    """The scores as a function of the parameters and x, and the parameters; None for layers that are not done here."""
    found, x_place, y_place = operations(net)
    if any(op.kind not in ("Affine", "ReLU", "Convolution", "MaxPooling", "Flatten", "Add") for op in found):
        return None
    params = [{key: jnp.asarray(p) for key, p in op.layer.params.items()} for op in found]

    def run(params: Any, x: Any) -> Any:
        values = {x_place: x}
        for op, own in zip(found, params, strict=True):
            a = values[op.reads[0]]
            layer: Any = op.layer
            if op.kind == "Affine":
                y = a @ own["W"] + own["b"]
            elif op.kind == "Convolution":
                y = jax.lax.conv_general_dilated(a, own["W"], layer.windows.stride, layer.windows.pad)
                y = y + own["b"][:, None, None]
            elif op.kind == "MaxPooling":
                y = jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            elif op.kind == "Flatten":
                y = a.reshape(len(a), -1)
            else:
                y = jax.nn.relu(a) if op.kind == "ReLU" else a + values[op.reads[1]]
            values[op.writes] = y
        return values[y_place]

    return run, params


def trainer(work: Work, net: bg.Net, data: Data) -> Callable[[int, int], float] | None:
    """A function that does batches first to last, the last left out, and returns the last loss."""
    built = forward(net)
    if built is None:
        return None
    scores, params = built
    x, t = jnp.asarray(data.x), jnp.asarray(data.t)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state: Any = [params, zeros, zeros, jnp.zeros(())]

    def mean_loss(params: Any, samples: Any) -> Any:
        log_p = jax.nn.log_softmax(scores(params, x[samples]))
        return -jnp.mean(log_p[jnp.arange(len(samples)), t[samples]])

    def step(carry: Any, samples: Any) -> Any:
        params, m, v, k = carry
        loss, grads = jax.value_and_grad(mean_loss)(params, samples)
        k = k + 1
        if work.optimizer == "sgd":
            params = jax.tree.map(lambda p, g: p - work.lr * g, params, grads)
        else:
            m = jax.tree.map(lambda m, g: m + 0.1 * (g - m), m, grads)
            v = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), v, grads)
            rate = work.lr * jnp.sqrt(1 - 0.999**k) / (1 - 0.9**k)
            params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return (params, m, v, k), loss

    many = jax.jit(lambda carry, orders: jax.lax.scan(step, carry, orders), donate_argnums=0)
    state = [tuple(jax.tree.map(jnp.copy, state))]

    def run(first: int, last: int) -> float:
        orders = jnp.asarray(np.stack([data.batch(number, work.batch) for number in range(first, last)]))
        state[0], losses = many(state[0], orders)
        return float(losses[-1])

    return run


def predictor(net: bg.Net) -> Callable[[np.ndarray], np.ndarray] | None:
    """The net compiled, NumPy array in and out."""
    built = forward(net)
    if built is None:
        return None
    scores, params = built
    compiled = jax.jit(scores)
    return lambda x: np.asarray(compiled(params, x))
