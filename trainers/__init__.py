"""Training: trainer, optimizers, callbacks, history; and gradient descent on a plain function."""

from .descent import gradient_descent
from .history import History
from .optimizers import SGD, Adam, Momentum, Optimizer
from .protocol import TrainableNet
from .trainer import Callback, Trainer

__all__ = [
    "SGD",
    "Adam",
    "Callback",
    "History",
    "Momentum",
    "Optimizer",
    "TrainableNet",
    "Trainer",
    "gradient_descent",
]
