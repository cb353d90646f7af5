"""Our own threads, beside those of the matrix library, which is kept to one while they run."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Condition, Semaphore, local
from typing import Any, TypeVar

import numpy as np

from brickgrad.layers import Array, blas
from brickgrad.layers.scalars import is_whole

T = TypeVar("T")


class _State:
    """How many threads there may be, what is made when it is first needed, and whether a thread is one of ours."""

    number: int | None = None
    pool: ThreadPoolExecutor | None = None
    here = local()


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
    if number is not None and not is_whole(number, 1):
        raise ValueError(f"set_num_threads: the number must be a whole number of at least 1, or None; got {number!r}.")
    _State.number = None if number is None else int(number)
    _close()


class AllReduce:
    """The sum of an array over tasks that run at once, for each of them: taken in their order, whoever comes first."""

    def __init__(self, n_tasks: int) -> None:
        self.n_tasks = n_tasks
        self.turns = Semaphore()
        self._changed = Condition()
        self._parts: dict[int, Array] = {}
        self._total: Any = None
        self._round = 0
        self._ended = self._broken = False

    def sum(self, number: int, part: Array) -> Array:
        """Hand in task `number`'s part and wait for those of all others; meanwhile another task may run.

        Errors       RuntimeError: another task makes fewer sums. AbandonedError: another task has failed
        """
        with self._changed:
            self._check()
            self._parts[number] = part
            this = self._round
            if len(self._parts) == self.n_tasks:
                total: Array = functools.reduce(operator.add, [self._parts[n] for n in range(self.n_tasks)])
                self._parts, self._total, self._round = {}, total, this + 1
                self._changed.notify_all()
                return total
            self.turns.release()
            self._changed.wait_for(lambda: self._round > this or self._broken or self._ended)
            made, total = self._round > this, self._total  # the next is not made before all have this one
        self.turns.acquire()
        if not made:
            self._check()
        return total

    def _check(self) -> None:
        if self._broken:
            raise AbandonedError("another shard of the batch has failed")
        if self._ended:
            raise RuntimeError(
                "all shards of a batch must make the same sums; another made fewer of them. A layer whose "
                "sums_over_shards is True must call sum_over_shards whatever its input is."
            )

    def end(self, failed: bool = False) -> None:
        """A task has come to its end: nobody need wait for it any more."""
        with self._changed:
            self._broken = self._broken or failed
            self._ended = True
            self._changed.notify_all()


class AbandonedError(RuntimeError):
    """What ends a task that waits for one that has failed."""


class Share:
    """An `AllReduce` as one task calls it; `waited`: the seconds that it has waited for others."""

    def __init__(self, all_reduce: AllReduce, number: int) -> None:
        self.all_reduce, self.number, self.waited = all_reduce, number, 0.0

    def __call__(self, part: Array) -> Array:
        """The sum over all tasks."""
        start = time.perf_counter()
        total = self.all_reduce.sum(self.number, part)
        self.waited += time.perf_counter() - start
        return total


def run_all(tasks: Sequence[Callable[[], T]], all_reduce: AllReduce | None = None) -> list[T]:
    """Run the tasks, several at once, and return what they give, in their order; or raise the first one's error.

    The matrix library keeps to one thread meanwhile. Where it has several and cannot be told (threadpoolctl is not
    installed, and no environment variable says 1), the tasks run one after another, and it uses its own. Tasks that
    wait for each other's sums have a thread each, of which as many run at a time as there may be. Those of a task, a
    layer that runs another net, run one after another on its thread: the others may all be waiting for theirs.
    """
    with _one_thread_for_matrices() as alone:
        number = min(get_num_threads(), len(tasks)) if alone and not hasattr(_State.here, "ours") else 1
        if number < 2 and all_reduce is None:
            return [task() for task in tasks]
        turns = Semaphore(number)
        if all_reduce is not None:
            all_reduce.turns = turns
        errors = np.geterr()  # a thread has its own; they start with the defaults

        def in_thread(task: Callable[[], T]) -> T:
            with turns, np.errstate(**errors):
                _State.here.ours, failed = True, True
                try:
                    result = task()
                    failed = False
                finally:
                    if all_reduce is not None:
                        all_reduce.end(failed)
            return result

        with _threads(len(tasks) if all_reduce is not None else None) as pool:
            try:
                futures = [pool.submit(in_thread, task) for task in tasks]
                wait(futures)
            except BaseException:  # Ctrl-C, or no thread to be had: those that wait for others would do so for ever
                if all_reduce is not None:
                    all_reduce.end(failed=True)
                raise
        failed = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(failed, key=lambda error: isinstance(error, AbandonedError)):
            raise error
        return [future.result() for future in futures]


@contextlib.contextmanager
def _threads(number: int | None) -> Iterator[ThreadPoolExecutor]:
    """Threads to work: those that all share; or so many for these tasks alone, which none of another's can hold up."""
    if number is not None:
        with ThreadPoolExecutor(number, "brickgrad") as own:
            yield own
        return
    if _State.pool is None:
        _State.pool = ThreadPoolExecutor(get_num_threads(), "brickgrad")
    yield _State.pool


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
    """Let go of the threads, which end with the last task that somebody has for them; new ones are made when needed."""
    _State.pool = None


def _forget() -> None:
    """In a forked process there are no threads: the pool is its parent's."""
    _State.pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
