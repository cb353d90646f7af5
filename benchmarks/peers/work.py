"""What is measured: nets, batches and optimizers; and the data that all libraries get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import brickgrad as bg


@dataclass(frozen=True)
class Work:
    """Training a net: how it is made, on which batches and by which optimizer ("sgd" or "adam")."""

    name: str
    title: str
    make: Callable[[], bg.Net]
    batch: int
    optimizer: str
    lr: float
    steps: int  # to a measurement
    images: bool = False  # whether samples are (1, 28, 28), not (784,)
    random: bool = False  # whether training draws numbers, so that losses cannot agree


def mlp(*hidden: int, **options: object) -> Callable[[], bg.Net]:
    """What makes an MLP on MNIST."""
    return lambda: bg.MultiLayerNet(784, list(hidden), 10, rng=0, **options)  # type: ignore[arg-type]


WORKS = (
    Work("small", "MLP 784-50-10, batch 100, SGD", mlp(50), 100, "sgd", 0.1, 100),
    Work("middle", "MLP 784-512-512-10, batch 128, Adam", mlp(512, 512), 128, "adam", 0.001, 20),
    Work("wide", "MLP 784-2048-2048-10, batch 256, SGD", mlp(2048, 2048), 256, "sgd", 0.01, 4),
    Work(
        "norm", "MLP 784-256-256-10 with batch norm and dropout, batch 100, Adam",
        mlp(256, 256, use_batchnorm=True, dropout_ratio=0.2), 100, "adam", 0.001, 20, random=True,
    ),
    Work(
        "simple-conv", "SimpleConvNet, batch 100, Adam", lambda: bg.SimpleConvNet(rng=0), 100, "adam", 0.001, 10, True
    ),
    Work(
        "deep-conv", "DeepConvNet, batch 100, Adam", lambda: bg.DeepConvNet(rng=0), 100, "adam", 0.001, 4, True, True
    ),
    Work("resnet", "ResNet, batch 100, Adam", lambda: bg.ResNet(rng=0), 100, "adam", 0.001, 4, True),
)  # fmt: skip


@dataclass(frozen=True)
class Data:
    """Samples, labels, and the order in which every library takes them."""

    x: np.ndarray
    t: np.ndarray
    order: np.ndarray

    def batch(self, number: int, size: int) -> np.ndarray:
        """The sample numbers of a batch, round and round."""
        start = number * size % (len(self.order) - size + 1)
        return self.order[start : start + size]


def load(work: Work) -> Data:
    """MNIST, shaped as the work's net takes it."""
    (x, t), _ = bg.load_mnist(flatten=not work.images)
    return Data(x, t, np.random.default_rng(0).permutation(len(x)))
