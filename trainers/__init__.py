"""Training: trainer, optimizers, schedules, callbacks, history; and gradient descent on a plain function."""

from .adaptive import AdaGrad, Adam, AdamW, RMSprop
from .descent import gradient_descent
from .history import History
from .optimizers import SGD, Momentum, Nesterov, Optimizer
from .protocol import TrainableNet
from .schedules import CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp
from .trainer import Callback, Trainer

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Callback",
    "CosineDecay",
    "ExponentialDecay",
    "History",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "TrainableNet",
    "Trainer",
    "WarmUp",
    "gradient_descent",
]
