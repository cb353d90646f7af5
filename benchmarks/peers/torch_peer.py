"""PyTorch, eager: the net's operations by torch.nn.functional, its optimizers as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import brickgrad as bg

from .graphs import Operation, operations
from .work import Data, Work

VERSION = f"torch {torch.__version__}"


class TorchNet:
    """A brickgrad net in PyTorch, with copies of its weights."""

    def __init__(self, net: bg.Net) -> None:
        found, self.x, self.y = operations(net)
        self.params: list[Any] = []
        self.training = True
        self.steps = [(self._function(op), op.reads, op.writes) for op in found]

    def __call__(self, x: Any) -> Any:
        """The scores."""
        values = {self.x: x}
        for function, reads, writes in self.steps:
            values[writes] = function(*[values[place] for place in reads])
        return values[self.y]

    def _param(self, array: np.ndarray) -> Any:
        self.params.append(torch.tensor(np.ascontiguousarray(array), requires_grad=True))
        return self.params[-1]

    def _function(self, op: Operation) -> Callable[..., Any]:
        layer: Any = op.layer
        if op.kind == "Affine":
            W, b = self._param(layer.params["W"].T), self._param(layer.params["b"])
            return lambda x: functional.linear(x, W, b)
        if op.kind == "Convolution":
            W = self._param(layer.params["W"])
            b = self._param(layer.params["b"]) if "b" in layer.params else None
            stride, pads = layer.windows.stride, tuple(before for before, _ in layer.windows.pad)
            return lambda x: functional.conv2d(x, W, b, stride, pads)
        if op.kind == "BatchNormalization":
            gamma, beta = self._param(layer.params["gamma"]), self._param(layer.params["beta"])
            mean, var = (torch.tensor(a, dtype=torch.float32) for a in (layer.running_mean, layer.running_var))
            return lambda x: functional.batch_norm(x, mean, var, gamma, beta, self.training, 0.1, 1e-5)
        if op.kind == "MaxPooling":
            return lambda x: functional.max_pool2d(x, 2)
        if op.kind == "Dropout":
            return lambda x: functional.dropout(x, layer.ratio, self.training)
        return {
            "ReLU": functional.relu,
            "Flatten": lambda x: x.flatten(1),
            "Add": lambda x, y: x + y,
            "GlobalAveragePooling": lambda x: x.mean((2, 3)),
        }[op.kind]


def trainer(work: Work, net: bg.Net, data: Data) -> Callable[[int, int], float]:
    """A function that does batches first to last, the last left out, and returns the last loss."""
    twin = TorchNet(net)
    x, t = torch.from_numpy(data.x), torch.from_numpy(data.t.astype(np.int64))
    make: Any = torch.optim.SGD if work.optimizer == "sgd" else torch.optim.Adam
    steps = make(twin.params, lr=work.lr)

    def run(first: int, last: int) -> float:
        loss: Any = None
        for number in range(first, last):
            samples = torch.from_numpy(data.batch(number, work.batch))
            loss = functional.cross_entropy(twin(x[samples]), t[samples])
            steps.zero_grad()
            loss.backward()
            steps.step()
        return float(loss.detach())

    return run


def predictor(net: bg.Net) -> Callable[[np.ndarray], np.ndarray]:
    """The net in inference mode, NumPy array in and out."""
    twin = TorchNet(net)
    twin.training = False

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            scores: np.ndarray = twin(torch.from_numpy(x)).numpy()
            return scores

    return predict


def checker(net: bg.Net, x: np.ndarray, t: np.ndarray) -> Callable[[], bool]:
    """torch.autograd.gradcheck in float64, of every parameter and the images, entry by entry."""
    twin = TorchNet(net.replica(np.float64))
    images, labels = torch.tensor(x, dtype=torch.float64, requires_grad=True), torch.from_numpy(t.astype(np.int64))

    def loss(images: Any, *params: Any) -> Any:
        return functional.cross_entropy(twin(images), labels)

    return lambda: bool(torch.autograd.gradcheck(loss, (images, *twin.params)))
