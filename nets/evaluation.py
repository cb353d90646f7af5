"""Looking at a net over a whole data set: in batches of bounded memory, every sample weighing the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from brickgrad.layers import Array, Layer, SigmoidWithLoss
from brickgrad.layers.labels import as_labels
from brickgrad.layers.scalars import is_whole

Predict = Callable[[Any], Any]


class Evaluation(NamedTuple):
    """How a net does on a data set: its mean loss, and the share of samples that are right.

    Example
        >>> loss, accuracy = Evaluation(loss=0.25, accuracy=0.9)
        >>> accuracy
        0.9
    """

    loss: float
    accuracy: float


def predict_in_batches(who: str, predict: Predict, x: Any, batch_size: int) -> Array:
    """The scores of every sample, side by side; no more than `batch_size` samples run at a time."""
    check_batch_size(who, batch_size)
    x = np.asarray(x)
    if x.ndim == 0:
        raise ValueError(f"{who}: with a batch_size, x must have a batch axis; got a single number.")
    found: Array = np.empty(0)
    for start in range(0, max(len(x), 1), batch_size):  # no samples are one batch too: of scores of the right shape
        rows = x[start : start + batch_size]
        scores = predict(rows)
        if scores.shape[:1] != (len(rows),):
            raise ValueError(
                f"{who}: with a batch_size, the scores must be one for each sample, ({len(rows)}, ...); got "
                f"{scores.shape}."
            )
        if start == 0:
            found = np.empty((len(x), *scores.shape[1:]), scores.dtype)
        found[start : start + batch_size] = scores
    return found


def accuracy(who: str, predict: Predict, loss_layer: Layer, x: Any, t: Any, batch_size: int) -> float:
    """The share of labels that are met."""
    right, labels = 0.0, 0
    for rows, targets in _batches(who, x, t, batch_size):
        found = _right(who, loss_layer, predict(rows), targets)
        right, labels = right + float(np.sum(found)), labels + found.size
    return right / labels


def evaluate(who: str, predict: Predict, loss_layer: Layer, x: Any, t: Any, batch_size: int) -> Evaluation:
    """Mean loss and accuracy, both from one pass. A batch's loss is the mean over its samples, as losses here are."""
    judge = loss_layer.replica()  # a memory and a mode of its own: a backward still to come is not disturbed
    judge.eval()
    loss, right, labels, samples = 0.0, 0.0, 0, 0
    for rows, targets in _batches(who, x, t, batch_size):
        scores = predict(rows)
        loss += float(judge.forward(scores, targets)) * len(rows)
        found = _right(who, loss_layer, scores, targets)
        right, labels, samples = right + float(np.sum(found)), labels + found.size, samples + len(rows)
    return Evaluation(loss / samples, right / labels)


def check_batch_size(who: str, batch_size: int) -> None:
    """ValueError unless batch_size is a whole number of at least 1."""
    if not is_whole(batch_size, 1):
        raise ValueError(f"{who}: batch_size must be a whole number of at least 1; got {batch_size!r}.")


def _batches(who: str, x: Any, t: Any, batch_size: int) -> Iterator[tuple[Array, Array]]:
    x, t = np.asarray(x), np.asarray(t)
    if x.ndim == 0 or t.ndim == 0:
        raise ValueError(f"{who}: x and t must have a batch axis; got {x.shape} and {t.shape}.")
    if len(x) == 0 or len(t) != len(x):
        raise ValueError(f"{who}: needs at least one sample and as many targets; got {len(x)} and {len(t)}.")
    check_batch_size(who, batch_size)
    for start in range(0, len(x), batch_size):
        yield x[start : start + batch_size], t[start : start + batch_size]


def _right(who: str, loss_layer: Layer, scores: Array, t: Array) -> Array:
    """Which labels are met: 1, 0, or nan where there are no classes."""
    if isinstance(loss_layer, SigmoidWithLoss):
        if t.shape != scores.shape:
            raise ValueError(f"{who}: t must be {scores.shape}, as the scores; got {t.shape}.")
        wrong_sides = np.logical_xor(scores > 0, t > 0.5).reshape(len(t), -1)
        return np.asarray(~wrong_sides.any(axis=1))
    if scores.ndim < 2 or scores.shape[-1] == 1:
        return np.full(len(scores), np.nan)
    labels = as_labels(t, scores.shape)
    if labels.shape != scores.shape[:-1]:
        raise ValueError(
            f"{who}: t must hold labels, one for each sample, {scores.shape[:-1]}, or one-hot rows, {scores.shape}; "
            f"got {t.shape}."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < scores.shape[-1]):
        raise ValueError(
            f"{who}: t must hold labels 0..{scores.shape[-1] - 1}; it goes from {labels.min()} to {labels.max()}."
        )
    return np.asarray(np.argmax(scores, axis=-1) == labels)
