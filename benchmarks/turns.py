"""Several libraries that do the same work, measured in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

REST = 0.25  # seconds before a library's turn: the last one's threads go on turning for a tenth when their work is done


def in_turn(runs: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Milliseconds of each run, round by round, the first round left out.

    Threads that wait for more work by looking for it again and again take a processor from whoever comes next. So
    there is a rest before each turn, then to warm up one run that is not counted, and one that is.
    """
    taken: dict[str, list[float]] = {title: [] for title in runs}
    for _ in range(rounds + 1):
        for title, run in runs.items():
            time.sleep(REST)
            if warm_up:
                run()
            start = time.perf_counter()
            run()
            taken[title].append((time.perf_counter() - start) * 1e3)
    return {title: times[1:] for title, times in taken.items()}
