"""Plain gradient descent on a function: no net, no batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.graph import numerical_gradient
from brickgrad.layers import Array


def gradient_descent(
    f: Callable[[Array], Any], init_x: Any, lr: float = 0.01, step_num: int = 100, *, path: bool = False
) -> Any:
    """Walk down f by its numerical gradient.

        x ← x - lr · ∇f(x), step_num times

    Parameters
        f : function of an array like init_x, giving one number.
        init_x : number or array, where to start; it stays as it was.
        lr : float, default 0.01.
        step_num : int >= 0, default 100.
        path : bool, default False. Also return where it went, (step_num + 1, ...), start and end included.
    Dtype        float64
    Errors       ValueError: a negative step_num
    Example
        >>> gradient_descent(lambda x: np.sum(x**2), np.array([-3.0, 4.0]), lr=0.1, step_num=100)
        array([-6.11110793e-10,  8.14814391e-10])
    """
    if step_num < 0:
        raise ValueError(f"gradient_descent: step_num must be 0 or more; got {step_num}.")
    x = np.array(init_x, dtype=np.float64)
    places = [x.copy()]
    for _ in range(step_num):
        x -= lr * numerical_gradient(f, x)
        if path:
            places.append(x.copy())
    return (x[()], np.array(places)) if path else x[()]
