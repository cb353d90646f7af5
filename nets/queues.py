"""Numbered tasks on several workers: one after another as they come, or each on the worker of its number."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import TypeVar

from .threads import run_all

T = TypeVar("T")


def run_queue(
    count: int, workers: Sequence[Callable[[int], T]], then: Callable[[int, T], None] | None = None
) -> list[T]:
    """Let workers, several at once, take the numbers from 0 to count - 1, each the next that is left.

    `then(number, result)` is done with each result, in the numbers' order, before its worker takes another. Returns
    what the workers give, in the numbers' order; or raises the error of the lowest number that has one, and then no
    more numbers are taken and nothing more is done with results.

    >>> run_queue(5, [lambda number: number * number] * 2, then=lambda number, square: print(number, square))
    0 0
    1 1
    2 4
    3 9
    4 16
    [0, 1, 4, 9, 16]
    """
    left, in_order = deque(range(count)), InOrder()
    results: dict[int, T] = {}
    errors: dict[int, Exception] = {}

    def work(worker: Callable[[int], T]) -> None:
        while left and not errors:
            try:
                number = left.popleft()
            except IndexError:  # another worker was faster
                return
            try:
                results[number] = worker(number)
                if then is not None:
                    in_order.do(number, functools.partial(then, number, results[number]))
            except BaseException as error:
                in_order.give_up()  # those behind wait for this number
                if not isinstance(error, Exception):
                    raise
                errors[number] = error

    try:
        run_all([functools.partial(work, worker) for worker in workers])
    finally:  # after Ctrl-C workers may still be running
        left.clear()
        in_order.give_up()
    if errors:
        raise errors[min(errors)]
    return [results[number] for number in range(count)]


def run_waves(count: int, workers: Sequence[Callable[[int], T]]) -> list[T]:
    """As `run_queue`, but a number goes to the worker of its place, so what a worker carries on hangs on no thread.

    >>> run_waves(5, [lambda number: ("even", number), lambda number: ("odd", number)])
    [('even', 0), ('odd', 1), ('even', 2), ('odd', 3), ('even', 4)]
    """
    results: list[T] = []
    for first in range(0, count, len(workers)):
        numbers = range(first, min(first + len(workers), count))
        tasks = [functools.partial(worker, number) for worker, number in zip(workers, numbers, strict=False)]
        results += run_all(tasks)
    return results


class InOrder:
    """What tasks that run at once do one after another, in the order of their numbers, until somebody gives up."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._next = 0
        self._given_up = False

    def do(self, number: int, act: Callable[[], None]) -> None:
        """Wait until all before `number` have acted, and act; not at all where somebody has given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == number or self._given_up)
            if not self._given_up:
                act()
                self._next += 1
                self._changed.notify_all()

    def give_up(self) -> None:
        """From here on nobody acts or waits any more."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
