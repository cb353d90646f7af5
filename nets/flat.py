"""All parameters of a net in one vector, all gradients in another: optimizers and files then work on two arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brickgrad.graph import Graph
from brickgrad.layers import ArrayDict


class Flat:
    """Moves the parameters and gradients of a graph's layers into two vectors, and names the views.

    Attributes
        vector, grad_vector : (n,). Every parameter, every gradient, layer by layer.
        params, grads : dict of views of them, by the names that `rename` gives.
    """

    def __init__(self, title: str, graph: Graph, rename: Callable[[str], str]) -> None:
        named = [(name, leaf) for name, leaf in graph.named_leaves() if leaf.params]
        dtypes = {param.dtype for _, leaf in named for param in leaf.params.values()}
        if len(dtypes) > 1:
            raise TypeError(f"{title}: all parameters must have one dtype; got {', '.join(sorted(map(str, dtypes)))}.")
        size = sum(param.size for _, leaf in named for param in leaf.params.values())
        dtype = dtypes.pop() if dtypes else np.dtype(np.float32)
        self.vector, self.grad_vector = np.zeros(size, dtype), np.zeros(size, dtype)
        self._leaves = [leaf for _, leaf in named]
        start = 0
        for leaf in self._leaves:
            for key, param in leaf.params.items():
                part = slice(start, start + param.size)
                if key not in leaf.grads:
                    leaf.grads[key] = np.zeros_like(param)
                leaf.params.rebind(key, self.vector[part].reshape(param.shape))
                leaf.grads.rebind(key, self.grad_vector[part].reshape(param.shape))
                start += param.size
        self.params = ArrayDict.gather(graph, "params", {rename(k): array for k, array in graph.params.items()})
        self.grads = ArrayDict.gather(graph, "grads", {rename(k): array for k, array in graph.grads.items()})
        self.moves = ArrayDict.moves

    def holds(self) -> bool:
        """Whether every layer still holds views of these vectors."""
        return all(
            array.base is vector
            for leaf in self._leaves
            for arrays, vector in ((leaf.params, self.vector), (leaf.grads, self.grad_vector))
            for array in arrays.values()
        )
