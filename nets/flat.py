"""All parameters of a net in one vector, all gradients in another; the layers hold views of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import Array, ArrayDict


class Flat:
    """Moves the parameters and gradients of a graph's layers into two vectors, and names the views.

    Attributes
        vector, grad_vector : (n,). Every parameter, every gradient, layer by layer.
        params, grads : dict of views of them, by the names that `rename` gives.
        leaves : the layers that have parameters.
    """

    def __init__(self, title: str, graph: Graph, rename: Callable[[str], str]) -> None:
        named = [(name, leaf) for name, leaf in graph.named_leaves() if leaf.params]
        dtypes = {param.dtype for _, leaf in named for param in leaf.params.values()}
        if len(dtypes) > 1:
            raise TypeError(f"{title}: all parameters must have one dtype; got {', '.join(sorted(map(str, dtypes)))}.")
        self.leaves = [leaf for _, leaf in named]
        params = [(leaf.params, key) for leaf in self.leaves for key in leaf.params]
        for leaf in self.leaves:
            for key, param in leaf.params.items():
                if key not in leaf.grads:
                    leaf.grads[key] = np.zeros_like(param)
        dtype = dtypes.pop() if dtypes else np.dtype(np.float32)
        shared = _common_vector([arrays[key] for arrays, key in params])
        self.vector = _side_by_side(params, dtype) if shared is None else shared
        self.grad_vector = _side_by_side([(leaf.grads, key) for leaf in self.leaves for key in leaf.params], dtype)
        self.params = _renamed(graph, "params", graph.params, rename, self.vector)
        self.grads = _renamed(graph, "grads", graph.grads, rename, self.grad_vector)
        self.moves = ArrayDict.moves

    def holds(self) -> bool:
        """Whether every layer still holds views of these vectors."""
        return all(
            array.base is vector
            for leaf in self.leaves
            for arrays, vector in ((leaf.params, self.vector), (leaf.grads, self.grad_vector))
            for array in arrays.values()
        )


def _renamed(graph: Graph, kind: str, arrays: ArrayDict, rename: Callable[[str], str], vector: Array) -> ArrayDict:
    """The arrays under the names that a net shows."""
    return ArrayDict.gather(graph, kind, {rename(key): array for key, array in arrays.items()}, vector)


def _side_by_side(entries: list[tuple[ArrayDict, str]], dtype: np.dtype[Any]) -> Array:
    """Move the entries into one new vector."""
    vector = np.zeros(sum(arrays[key].size for arrays, key in entries), dtype)
    start = 0
    for arrays, key in entries:
        end = start + arrays[key].size
        arrays.rebind(key, vector[start:end].reshape(arrays[key].shape))
        start = end
    return vector


def _common_vector(arrays: list[Array]) -> Array | None:
    """The vector that the arrays fill already, one behind the other, as a replica's do; None if there is none."""
    base = arrays[0].base if arrays else None
    if base is None or base.ndim != 1 or base.size != sum(array.size for array in arrays):
        return None
    place = base.ctypes.data
    for array in arrays:
        if array.base is not base or array.ctypes.data != place:
            return None
        place += array.nbytes
    return base
