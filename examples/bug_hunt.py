"""Hunt bugs in backward: a fault is planted in a layer or a graph, the checker says where, and you say what.

    python bug_hunt.py                       a bug at random; on a terminal you are asked what it is
    python bug_hunt.py --bug 7 --hint        what the checker guesses
    python bug_hunt.py --bug 7 --answer sign whether your answer is right
    python bug_hunt.py --bug 7 --reveal      what it is, and how it came about
    python bug_hunt.py --all                 the checker hunts them all
    python bug_hunt.py --correct             correct layers that other checkers call wrong

All bugs are of kinds that real libraries have shipped. --family takes those of one family; --list counts them.
"""

import sys
from collections import Counter

import numpy as np

import brickgrad as bg
import common
import zoo


def parse(argv):
    made = common.parser(__doc__, pictures=True)
    made.add_argument("--bug", type=common.whole(1), metavar="N", help=f"which one, 1 to {len(zoo.FAULTS)}")
    made.add_argument("--family", choices=zoo.FAMILIES, help="draw from these, or list or check only these")
    made.add_argument("--answer", metavar="KIND", help="what you think it is: one of the kinds that are listed")
    made.add_argument("--hint", action="store_true", help="show the checker's guess")
    made.add_argument("--reveal", action="store_true", help="show what it is")
    made.add_argument("--picture", action="store_true", help="save a picture of the check (needs matplotlib)")
    made.add_argument("--list", action="store_true", help="show the families and the numbers of their bugs")
    made.add_argument(
        "--all", action="store_true", help="check every bug (those of a million entries with --family size)"
    )
    made.add_argument("--correct", action="store_true", help="check the correct layers")
    arguments = made.parse_args(argv)
    if arguments.bug and arguments.bug > len(zoo.FAULTS):
        made.error(f"argument --bug: there are {len(zoo.FAULTS)}; got {arguments.bug}")
    if arguments.answer and arguments.answer not in zoo.KINDS:
        made.error(f"argument --answer: must be one of {', '.join(sorted(zoo.KINDS))}; got {arguments.answer!r}")
    return arguments


def numbers(family):
    """The numbers of a family's bugs; of all but the largest where none is named."""
    return [n for n, f in enumerate(zoo.FAULTS, 1) if f.family == family or (not family and f.family != "size")]


def show_families():
    for family in zoo.FAMILIES:
        those = numbers(family)
        print(f"{family:<15} {len(those):>3} bugs, numbers {those[0]} to {those[-1]}")


def hunt_all(arguments):
    """The checker over all bugs: caught or not, what it guesses, and whether that is right."""
    counts = Counter()
    for number in numbers(arguments.family):
        fault = zoo.FAULTS[number - 1]
        subject, inputs = fault.make(arguments.seed)
        report = bg.gradcheck(subject, *inputs, rng=arguments.seed)
        guess = report.guess.kind if report.guess else "no guess"
        right = guess in fault.kinds
        counts.update(bugs=1, caught=report.verdict == "fail", guessed=right)
        caught = "caught" if report.verdict == "fail" else "MISSED"
        print(f"{number:>4}  {fault.name:<46} {caught}  {guess}{'' if right else '  (not so)'}")
    print(f"{counts['bugs']} bugs, {counts['caught']} caught, {counts['guessed']} guessed right")


def check_correct(arguments):
    """The checker over layers that are right, and what is nasty about each."""
    verdicts = Counter()
    for case in zoo.CORRECT:
        subject, inputs = case.make(arguments.seed)
        report = bg.gradcheck(subject, *inputs, rng=arguments.seed)
        verdicts[report.verdict] += 1
        print(f"{case.name:<42} {report.verdict:<5} {case.why}")
    print(f"{sum(verdicts.values())} correct layers: {', '.join(f'{n} {v}' for v, n in verdicts.items())}")


def hunt_one(arguments):
    """One bug: what the checker sees of it, then a question, an answer, a hint or the truth."""
    drawn = np.random.default_rng(arguments.seed).choice(numbers(arguments.family))
    number = arguments.bug or int(drawn)
    fault = zoo.FAULTS[number - 1]
    subject, inputs = fault.make(arguments.seed)
    report = bg.gradcheck(subject, *inputs, rng=arguments.seed)
    shapes = ", ".join(str(np.shape(x)) for x in inputs)
    print(f"Bug {number} of {len(zoo.FAULTS)}, in {report.title} on {shapes}. What bg.gradcheck sees:\n")
    told = [line for line in str(report).splitlines() if line.split("  ")[0] not in ("guess", "WRONG")]
    print("\n".join(told))
    if report.faults:
        print("What is wrong here shows with no differences taken, and would give it away: --hint tells.")
    if arguments.picture:
        common.pyplot(arguments)
        axes = report.plot()
        axes.set_title(report.worst().title)  # the guess stands there otherwise
        common.save(axes.figure, arguments, "bug_hunt.png")
    answer = arguments.answer
    if sys.stdin.isatty() and not (answer or arguments.hint or arguments.reveal):
        print(f"\nThe kinds:\n{kinds()}")
        answer = input("\nWhich is it? (enter for a hint) ").strip()
        arguments.hint = not answer
    if answer:
        print(f"\n{answer}: {'right!' if answer in fault.kinds else 'no, or not how one would put it. Try --hint.'}")
    if arguments.hint:
        print(f"\nThe checker's guess: {report.guess or 'it has none'}")
    if arguments.reveal or answer in fault.kinds:
        print(f"\n{fault.name} ({fault.brick}): {fault.story}")
    elif not answer and not arguments.hint:
        print(f"\nWhat is it? Say so with --answer KIND, or ask with --hint or --reveal. The kinds:\n{kinds()}")


def kinds():
    return "\n".join(f"  {kind:<16} {meaning}" for kind, meaning in sorted(bg.Guess.KINDS.items()) if kind in zoo.KINDS)


def main(argv=None):
    arguments = parse(argv)
    if arguments.list:
        show_families()
    elif arguments.all:
        hunt_all(arguments)
    elif arguments.correct:
        check_correct(arguments)
    else:
        hunt_one(arguments)


if __name__ == "__main__":
    main()
