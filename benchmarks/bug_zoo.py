"""How well the gradient checker does over the bug zoo: faults caught, named and guessed, seed by seed.

    python benchmarks/bug_zoo.py --seeds 50

Every planted fault of examples/zoo is checked at every seed. Printed: in how many seeds each family was caught, where
the report named the right brick and a right gradient, and where the guess was right; and every fault that missed one.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import brickgrad as bg
import zoo


def check(task):
    """One fault at one seed: whether it was caught, its brick named, a gradient of its named, and guessed."""
    place, seed = task
    fault = zoo.FAULTS[place]
    subject, inputs = fault.make(seed)
    report = bg.gradcheck(subject, *inputs, rng=seed)
    worst = report.worst()
    rows = [row.name for part in (report, worst) for row in part.rows if row.verdict == "fail"]
    said = [name for part in (report, worst) for found in part.faults for name in found.where]
    brick = worst is report if fault.brick == "Graph" else worst.title.startswith(fault.brick)
    named = not fault.gradients or bool({*rows, *said} & fault.gradients)
    guessed = report.guess is not None and report.guess.kind in fault.kinds
    return place, report.verdict == "fail", brick, named, guessed, report.forwards


def main():
    """Run the checks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="seeds for each fault (default: 3)")
    parser.add_argument("--family", choices=zoo.FAMILIES, help="one family only")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)")
    arguments = parser.parse_args()
    places = [i for i, fault in enumerate(zoo.FAULTS) if arguments.family in (None, fault.family)]
    tasks = [(place, seed) for seed in range(arguments.seeds) for place in places]
    start = time.perf_counter()
    found = defaultdict(list)
    with multiprocessing.Pool(arguments.workers) as pool:
        for place, *result in pool.imap_unordered(check, tasks, chunksize=4):
            found[place].append(result)
    report(found, arguments.seeds)
    print(f"{len(tasks):,} checks in {time.perf_counter() - start:.0f} s")


def report(found, seeds):
    """Print a line for each family, and one for each fault that missed something."""
    families = defaultdict(list)
    for place, results in found.items():
        families[zoo.FAULTS[place].family].extend(results)
    families["all"] = [result for results in found.values() for result in results]
    print(f"{'family':<15}{'checks':>8}{'caught':>9}{'brick':>9}{'gradient':>10}{'guess':>9}")
    for family, results in families.items():
        shares = [100 * sum(result[i] for result in results) / len(results) for i in range(4)]
        print(
            f"{family:<15}{len(results):>8}"
            + "".join(f"{s:>{w}.1f} %" for s, w in zip(shares, (7, 7, 8, 7), strict=True))
        )
    right = [sum(result[3] for result in results) == seeds for results in found.values()]
    print(f"faults whose guess was right at every seed: {sum(right)} of {len(right)}")
    for place, results in sorted(found.items()):
        counts = [sum(result[i] for result in results) for i in range(4)]
        if min(counts) < seeds:
            caught, brick, gradient, guess = counts
            name = zoo.FAULTS[place].name
            print(f"  {name:<50} caught {caught}, brick {brick}, gradient {gradient}, guess {guess}")


if __name__ == "__main__":
    main()
