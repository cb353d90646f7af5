"""Our own threads, beside those of the matrix library, which is kept to one while they run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


class _State:
    """How many threads there may be, and what is made when it is first needed."""

    number: int | None = None
    pool: ThreadPoolExecutor | None = None
    blas: Any = None


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


def run_all(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run the tasks, several at once, and return what they give, in their order; or raise the first one's error.

    The matrix library keeps to one thread meanwhile. Where it has several and cannot be told (threadpoolctl is not
    installed, and no environment variable says 1), the tasks run one after another, and it uses its own.
    """
    number = min(get_num_threads(), len(tasks))
    with _one_thread_for_matrices() as alone:
        if number < 2 or not alone:
            return [task() for task in tasks]
        if _State.pool is None:
            _State.pool = ThreadPoolExecutor(get_num_threads(), "brickgrad")
        errors = np.geterr()  # a thread has its own; they start with the defaults

        def in_thread(task: Callable[[], T]) -> T:
            with np.errstate(**errors):
                return task()

        futures = [_State.pool.submit(in_thread, task) for task in tasks]
        wait(futures)
        return [future.result() for future in futures]


@contextlib.contextmanager
def _one_thread_for_matrices() -> Any:
    """Keep the matrix library to one thread; gives whether it is."""
    if any(os.environ.get(name) == "1" for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")):
        yield True
        return
    if _State.blas is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            _State.blas = False
        else:
            _State.blas = ThreadpoolController().select(user_api="blas")
    if _State.blas is False:
        yield False
        return
    with _State.blas.limit(limits=1):
        yield True


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
