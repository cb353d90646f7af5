"""The matrix library beneath NumPy, its BLAS: which it is, how many threads it takes, and keeping it to one."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


class _State:
    """What threadpoolctl found, once it was asked; False where it is not installed."""

    found: Any = None


def libraries() -> list[dict[str, Any]] | None:
    """What threadpoolctl knows of the matrix libraries that are loaded; None where it is not installed."""
    found = _controller()
    known: list[dict[str, Any]] | None = None if found is False else found.info()
    return known


def one_thread() -> AbstractContextManager[Any] | None:
    """The matrix library kept to one thread, from now on and until the context ends; None without threadpoolctl."""
    found = _controller()
    context: AbstractContextManager[Any] | None = None if found is False else found.limit(limits=1)
    return context


def is_told_one_thread() -> bool:
    """Whether the environment has told the matrix library, before it was loaded, to take one thread."""
    return any(os.environ.get(name) == "1" for name in VARIABLES)


def check_one_thread(who: str) -> None:
    """An error unless the library can be kept to one thread.

    Errors       ImportError: threadpoolctl is not installed. RuntimeError: it does not know the library
    """
    known = libraries()
    if known is None:
        raise ImportError(
            f"{who} needs threadpoolctl to keep the matrix library to one thread. Install it with: "
            "pip install 'brickgrad[threads]'"
        )
    if not known:
        raise RuntimeError(
            f"{who}: threadpoolctl knows no matrix library here, so its threads cannot be set: {built_with()}."
        )


def built_with() -> str:
    """The matrix library that NumPy says it was built with."""
    build: Any = np.show_config(mode="dicts")
    found = build.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


def in_use() -> tuple[str, str]:
    """The library with its kernels, and its number of threads: as it runs now, or where that cannot be known, as set.

    >>> library, threads = in_use()
    >>> isinstance(library, str), isinstance(threads, str)
    (True, True)
    """
    known = libraries()
    if not known:
        return built_with(), next((os.environ[name] for name in VARIABLES if name in os.environ), "not known")
    names = (f"{lib['internal_api']} {lib.get('version')} {lib.get('architecture') or ''}".strip() for lib in known)
    return "; ".join(names), "; ".join(str(lib["num_threads"]) for lib in known)


def _controller() -> Any:
    if _State.found is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            _State.found = False
        else:
            _State.found = ThreadpoolController().select(user_api="blas")
    return _State.found
