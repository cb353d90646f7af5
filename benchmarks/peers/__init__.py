"""The same work on brickgrad, on other libraries where they are installed, and on the bare matrix products.

Each module has `trainer(work, net, data)`, `predictor(net)` or `checker(net, x, t)`: None where it cannot do that work,
else a function that does a number of steps, one prediction, or one gradient check. All start from the weights of the
same brickgrad net.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def installed(modules: Mapping[str, str], threads: int) -> dict[str, Any]:
    """The peers of these modules that can be imported, told how many threads they may use."""
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
