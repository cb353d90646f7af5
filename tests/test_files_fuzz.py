"""A million files changed at random: FUZZ=1000000 runs them all, CI a part."""

import os

from file_fuzzer import MOST_BYTES, Fuzzer

CASES = int(os.environ.get("FUZZ", "3000"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))


def test_files_changed_at_random_are_refused_or_loaded_soundly_in_bounded_memory():
    fuzzer = Fuzzer()
    for number in range(FIRST, FIRST + CASES):
        fuzzer.run(number)
    for (kind, outcome), count in sorted(fuzzer.outcomes.items()):
        print(f"{count:9,} {kind}: {outcome}")
    print(f"{fuzzer.most:,} bytes allocated at most, of {MOST_BYTES:,}")
    kinds = {(kind, outcome) for kind in ("checkpoint", "net", "IDX") for outcome in ("refused", "loaded")}
    assert kinds <= fuzzer.outcomes.keys()
