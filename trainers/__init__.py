"""Training: trainer, optimizers, schedules, callbacks, history, search; and gradient descent on a plain function."""

from .adaptive import AdaGrad, Adam, AdamW, RMSprop
from .callbacks import BestWeights, Callback, EarlyStopping
from .checkpoint import Checkpoint
from .descent import gradient_descent
from .distributions import Choice, LogUniform, Uniform
from .history import History
from .optimizers import SGD, Momentum, Nesterov, Optimizer
from .protocol import TrainableNet
from .schedules import CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp
from .search import Search, Trial, random_search
from .trainer import Trainer
from .watch import Watch

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "BestWeights",
    "Callback",
    "Checkpoint",
    "Choice",
    "CosineDecay",
    "EarlyStopping",
    "ExponentialDecay",
    "History",
    "LogUniform",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "Search",
    "StepDecay",
    "TrainableNet",
    "Trainer",
    "Trial",
    "Uniform",
    "WarmUp",
    "Watch",
    "gradient_descent",
    "random_search",
]
