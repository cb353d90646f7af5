"""The same work on brickgrad, on other libraries where they are installed, and on the bare matrix products.

Each module has `trainer(work, net, data)`, `predictor(net)` or `checker(net, x, t)`: None where it cannot do that work,
else a function that does a number of steps, one prediction, or one gradient check. All start from the weights of the
same brickgrad net.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from threadpoolctl import threadpool_limits

import brickgrad as bg


def installed(modules: Mapping[str, str], threads: int) -> dict[str, Any]:
    """The peers of these modules that can be imported; they, brickgrad and NumPy take no more than so many threads."""
    bg.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    if hasattr(os, "sched_setaffinity"):  # JAX looks for this when it is imported, and at nothing else
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    found = {}
    for title, module in modules.items():
        try:
            found[title] = importlib.import_module(f"peers.{module}")
        except ImportError as error:
            print(f"{title} is left out: {error}")
    if "PyTorch" in found:
        import torch

        torch.set_num_threads(threads)
    return found
