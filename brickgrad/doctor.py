"""What this machine does NumPy's work with, how fast that is, and what could be better: `python -m brickgrad doctor`.

Nothing is changed: advice is printed, and its gain is measured in a process apart.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from brickgrad.layers import blas
from brickgrad.nets import SimpleConvNet
from brickgrad.nets.shards import SHARD_SIZE
from brickgrad.nets.threads import get_num_threads

SIZE = 1024  # of the matrices that are multiplied
SECONDS = 0.35  # for each thing measured
BATCH = 100  # samples

# Kernels of OpenBLAS that use AVX-512; the others leave it idle where the processor has it.
WIDE_KERNELS = ("skylakex", "cooperlake", "sapphirerapids")


def examine() -> str:
    """The report, as text.

    >>> report = examine()
    >>> report.splitlines()[0].startswith("brickgrad ")
    True
    """
    libraries = blas.libraries()
    wide = has_avx512()
    speed = measure_products()
    lines = [
        f"brickgrad {_version()}, Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}",
        f"matrix products   {describe_blas(libraries)}",
        f"processors        {os.cpu_count()}, of which this process may use {_usable()}; AVX-512: "
        f"{'yes' if wide else 'no'}",
        f"our own threads   {get_num_threads()}, for the shards of a batch in convolution nets",
        "",
        "measured now",
        f"  {SIZE} x {SIZE} product, float32   {speed:8.1f} GFLOP/s",
        f"  copying 64 MB                {measure_copies():8.1f} GB/s",
        f"  adding 10 numbers            {measure_calls():8.2f} us a call",
        "",
    ]
    advice = [*advise_kernels(libraries, wide, speed), *advise_threads(libraries), *advise_shards()]
    return "\n".join([*lines, "advice", *(f"  - {line}" for line in advice or ["nothing: this is as good as it gets"])])


def describe_blas(libraries: list[dict[str, Any]] | None) -> str:
    """The matrix libraries in words."""
    if libraries is None:
        return f"{blas.built_with()} (install threadpoolctl to see more)"
    if not libraries:
        return "a library that threadpoolctl does not know"
    return "; ".join(
        f"{library['internal_api']} {library.get('version')}, {library.get('architecture', 'unknown')} kernels, "
        f"{library['num_threads']} thread{'s' * (library['num_threads'] != 1)}"
        for library in libraries
    )


def has_avx512() -> bool:
    """Whether the processor has AVX-512, as NumPy sees it."""
    core: Any = getattr(np, "_core", None) or np.core  # NumPy before 2.0 has it under its old name
    features: dict[str, bool] = core._multiarray_umath.__cpu_features__
    return bool(features.get("AVX512F") and features.get("AVX512DQ"))


def advise_kernels(libraries: list[dict[str, Any]] | None, wide: bool, speed: float) -> list[str]:
    """Whether other kernels of OpenBLAS would be faster here, tried in a process apart."""
    kernels = [str(library.get("architecture", "")).lower() for library in libraries or []]
    if not wide or os.environ.get("OPENBLAS_CORETYPE") or any(name in WIDE_KERNELS for name in kernels):
        return []
    other = measure_elsewhere({"OPENBLAS_CORETYPE": "SkylakeX"})
    if other is None or other < 1.1 * speed:
        return []
    return [
        f"AVX-512 kernels are there and not in use: products ran at {other:.0f} GFLOP/s with them, {other / speed:.1f} "
        "times as fast. To turn them on, set OPENBLAS_CORETYPE=SkylakeX before Python starts. Results then differ in "
        "their last bits from those without."
    ]


def advise_threads(libraries: list[dict[str, Any]] | None) -> list[str]:
    """What stands in the way of several threads."""
    if libraries is None and get_num_threads() > 1 and not blas.is_told_one_thread():
        return [
            "threadpoolctl is not installed, so the matrix library cannot be kept to one thread while ours run, and "
            "convolution nets use only its own threads. Install it with: pip install 'brickgrad[threads]'"
        ]
    busy = [library for library in libraries or [] if library["num_threads"] > _usable()]
    if busy:
        return [
            f"the matrix library has {busy[0]['num_threads']} threads for {_usable()} processors that this process may "
            f"use: set OPENBLAS_NUM_THREADS={_usable()}."
        ]
    return []


def advise_shards() -> list[str]:
    """Whether larger shards would be faster, where there are fewer threads than a batch has shards."""
    threads = get_num_threads()
    size = -(-BATCH // threads)
    if size <= SHARD_SIZE:
        return []
    usual, larger = measure_step(SHARD_SIZE), measure_step(size)
    if usual < 1.1 * larger:
        return []
    return [
        f"larger shards suit {threads} thread{'s' * (threads != 1)}: on a batch of {BATCH}, SimpleConvNet's gradient "
        f"took {larger:.1f} ms with net.shard_size = {size}, and {usual:.1f} ms with {SHARD_SIZE}, as it comes. "
        "Results then differ in their last bits from those without."
    ]


def measure_products() -> float:
    """Billions of float32 operations a second in a product of two square matrices."""
    a, b, c = (np.ones((SIZE, SIZE), np.float32) for _ in range(3))
    return 2 * SIZE**3 / _seconds(lambda: np.matmul(a, b, out=c)) / 1e9


def measure_copies() -> float:
    """Billions of bytes read and written a second in copying an array that fits no cache."""
    a, b = (np.ones(16 * 2**20, np.float32) for _ in range(2))
    return 2 * a.nbytes / _seconds(lambda: np.copyto(b, a)) / 1e9


def measure_step(shard_size: int) -> float:
    """Milliseconds of the gradient of SimpleConvNet on a batch, cut into shards of this size."""
    net = SimpleConvNet(rng=0)
    net.shard_size = shard_size
    x, t = np.ones((BATCH, 1, 28, 28), np.float32), np.zeros(BATCH, int)
    with net.workspace():
        return _seconds(lambda: net.loss_and_gradient(x, t)) * 1e3


def measure_calls() -> float:
    """Microseconds of a NumPy call that has next to nothing to do."""
    a, b = np.ones(10, np.float32), np.zeros(10, np.float32)

    def many() -> None:
        for _ in range(1000):
            np.add(a, b, out=a)

    return _seconds(many) * 1e3


def measure_elsewhere(environment: dict[str, str]) -> float | None:
    """The speed of products in a process with these variables; None where that fails."""
    code = "from brickgrad.doctor import measure_products; print(measure_products())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )
        return float(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _seconds(task: Callable[[], object]) -> float:
    """The median time of a call, over a while."""
    task()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _usable() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _version() -> str:
    from brickgrad import __version__

    return __version__
