"""Training: trainer, optimizers, callbacks, history, random search; and gradient descent on a plain function."""

from .callbacks import BestWeights, Callback, EarlyStopping
from .descent import gradient_descent
from .distributions import Choice, LogUniform, Uniform
from .history import History
from .optimizers import SGD, Adam, Momentum, Optimizer
from .protocol import TrainableNet
from .search import Search, Trial, random_search
from .trainer import Trainer

__all__ = [
    "SGD",
    "Adam",
    "BestWeights",
    "Callback",
    "Choice",
    "EarlyStopping",
    "History",
    "LogUniform",
    "Momentum",
    "Optimizer",
    "Search",
    "TrainableNet",
    "Trainer",
    "Trial",
    "Uniform",
    "gradient_descent",
    "random_search",
]
