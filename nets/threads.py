"""Our own threads, beside those of the matrix library, which is kept to one while they run."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, BrokenBarrierError, Semaphore
from typing import Any, TypeVar

import numpy as np

from brickgrad.layers import Array, blas

T = TypeVar("T")


class _State:
    """How many threads there may be, and what is made when it is first needed."""

    number: int | None = None
    pool: ThreadPoolExecutor | None = None
    pool_size = 0


def get_num_threads() -> int:
    """How many threads work on the shards of a batch: as many as this process has processors, unless told otherwise."""
    if _State.number is not None:
        return _State.number
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def set_num_threads(number: int | None) -> None:
    """Let so many threads work on the shards of a batch; None: as many as there are processors. Results stay the same.

    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(None)
    """
    if number is not None and (isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1):
        raise ValueError(f"set_num_threads: the number must be a whole number of at least 1, or None; got {number!r}.")
    _State.number = None if number is None else int(number)
    _close()


class AllReduce:
    """The sum of an array over tasks that run at once, for each of them: taken in their order, whoever comes first."""

    def __init__(self, n_tasks: int) -> None:
        self.parts: list[Any] = [None] * n_tasks
        self.total: Any = None
        self.turns = Semaphore()
        self._barrier = Barrier(n_tasks, action=self._add)

    def __call__(self, number: int, part: Array) -> Array:
        """Hand in task `number`'s part and wait for those of all others; meanwhile another task may run."""
        self.parts[number] = part
        self.turns.release()
        try:
            self._barrier.wait()
        finally:
            self.turns.acquire()
        total: Array = self.total  # the next sum is not made before all have come back for it
        return total

    def _add(self) -> None:
        self.total = functools.reduce(operator.add, self.parts)

    def give_up(self) -> None:
        """One task has failed: the others would wait for ever."""
        self._barrier.abort()


def run_all(tasks: Sequence[Callable[[], T]], all_reduce: AllReduce | None = None) -> list[T]:
    """Run the tasks, several at once, and return what they give, in their order; or raise the first one's error.

    The matrix library keeps to one thread meanwhile. Where it has several and cannot be told (threadpoolctl is not
    installed, and no environment variable says 1), the tasks run one after another, and it uses its own. Tasks that
    wait for each other's sums have a thread each, of which as many run at a time as there may be.
    """
    with _one_thread_for_matrices() as alone:
        number = min(get_num_threads(), len(tasks)) if alone else 1
        if number < 2 and all_reduce is None:
            return [task() for task in tasks]
        turns = Semaphore(number)
        if all_reduce is not None:
            all_reduce.turns = turns
        errors = np.geterr()  # a thread has its own; they start with the defaults

        def in_thread(task: Callable[[], T]) -> T:
            with turns, np.errstate(**errors):
                try:
                    return task()
                except BaseException:
                    if all_reduce is not None:
                        all_reduce.give_up()
                    raise

        pool = _pool(get_num_threads() if all_reduce is None else len(tasks))
        futures = [pool.submit(in_thread, task) for task in tasks]
        wait(futures)
        failed = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(failed, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error
        return [future.result() for future in futures]


def _pool(size: int) -> ThreadPoolExecutor:
    """Threads, at least so many."""
    if _State.pool is None or _State.pool_size < size:
        _close()
        _State.pool, _State.pool_size = ThreadPoolExecutor(size, "brickgrad"), size
    return _State.pool


@contextlib.contextmanager
def _one_thread_for_matrices() -> Any:
    """Keep the matrix library to one thread; gives whether it is."""
    if blas.is_told_one_thread():
        yield True
        return
    limit = blas.one_thread()
    with limit or contextlib.nullcontext():
        yield limit is not None


def _close() -> None:
    """Let go of the threads; new ones are made when they are needed."""
    pool, _State.pool = _State.pool, None
    if pool is not None:
        pool.shutdown(wait=False)


def _forget() -> None:
    """In a forked process there are no threads: the pool is its parent's."""
    _State.pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
