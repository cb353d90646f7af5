"""A million files changed at random: FUZZ=1000000 runs them all, from FUZZ_FIRST on; CI a part."""

import os
import time

from file_fuzzer import MOST_BYTES, Fuzzer

CASES = int(os.environ.get("FUZZ", "2000"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))


def test_files_changed_at_random_are_refused_or_loaded_soundly_in_bounded_memory():
    fuzzer, slowest = Fuzzer(), (0.0, 0)
    for number in range(FIRST, FIRST + CASES):
        start = time.perf_counter()
        fuzzer.run(number)
        slowest = max(slowest, (time.perf_counter() - start, number))
        if number % 20_000 == 0:
            print(f"case {number:,}", flush=True)
    for (kind, outcome), count in sorted(fuzzer.outcomes.items()):
        print(f"{count:9,} {kind}: {outcome}")
    print(f"{fuzzer.most:,} bytes allocated at most, of {MOST_BYTES:,}")
    print(f"{slowest[0]:.2f} s for the slowest, case {slowest[1]}")
    kinds = {(kind, outcome) for kind in ("checkpoint", "net", "IDX") for outcome in ("refused", "loaded")}
    assert kinds <= fuzzer.outcomes.keys()
