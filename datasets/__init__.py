"""Data to train on: MNIST itself, files of the same format, and what is done to them before and after."""

from .augment import Shifts, shift
from .idx import IdxError, read_idx, write_idx
from .mnist import load_idx, load_mnist
from .pictures import plot_digits
from .transforms import standardize, whiten

__all__ = [
    "IdxError",
    "Shifts",
    "load_idx",
    "load_mnist",
    "plot_digits",
    "read_idx",
    "shift",
    "standardize",
    "whiten",
    "write_idx",
]
