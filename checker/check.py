"""One subject checked from end to end: the exact checks, a verdict for each gradient, then where and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from brickgrad.layers import Array

from .clues import Clues
from .entries import Entries, all_entries, describe, find_entry, find_slices
from .exact import examine
from .guess import guess
from .kinks import replay_is_honest
from .report import FAIL_RATIO, PASS_RATIO, GradcheckReport, GradcheckRow, Guess, worst_verdict
from .slope import scale_of
from .subject import Subject
from .verdict import Judge

GROUPS = 3000  # how many groups of entries are moved, at most, to look at all of them after a failure


def check_subject(
    make: Callable[[], Subject],
    seed: tuple[int, ...],
    mode: str = "fast",
    upstream: Array | None = None,
    *,
    closer: bool = True,
) -> GradcheckReport:
    """The report on one layer, or on a graph or net as a whole; with `closer`, a search for where and what is wrong."""
    rng = np.random.default_rng(seed)
    examined = examine(make, rng, upstream)
    judge = Judge(examined, rng)
    by_place: dict[int, GradcheckRow] = {}
    guesses = []
    can_judge = len(examined.weights) == len(examined.gradients) > 0
    blocks = examined.blocks() if can_judge and examined.base.size else []
    replays = examined.subject.freezes and examined.subject.branches()
    if replays and not all(replay_is_honest(judge, place) for place, block in blocks if block.array.size):
        examined.subject.freezes = False
        examined.notes.append(
            "what branch() replays changes smoothly with the inputs, so the real forward was used. Only choices belong "
            "into branch(): a mask, an index."
        )
    for place, _ in examined.blocks() if can_judge else []:
        row = judge.judge(place)
        entries = None
        if mode == "full" and row.verdict == "pass" and row.note != "empty":
            row, entries = compare_all(judge, place, row)
        elif mode == "full" and row.verdict == "kink":
            row = replace(row, note=f"{row.note}; entries were not compared one by one")
        if row.verdict == "fail" and closer:
            row, found = look_closer(judge, place, row, entries)
            guesses.append(found)
        by_place[place] = row
    judge.settle_zeros(by_place)
    rows = list(by_place.values())
    verdict = worst_verdict([row.verdict for row in rows])
    if examined.faults:
        verdict = "fail"
    elif not np.all(np.isfinite(examined.base)) or (not rows and (examined.base.size or not can_judge)):
        verdict = worst_verdict([verdict, "inconclusive"])
        if not rows and not examined.notes:
            examined.notes.append("there is no gradient of a float parameter or input to compare")
    best = examined.faults[0] if examined.faults else next((g for g in guesses if g is not None), None)
    subject = examined.subject
    return GradcheckReport(
        subject.title,
        verdict,
        tuple(rows),
        best if verdict == "fail" else None,
        tuple(examined.faults),
        (),
        tuple(examined.notes),
        mode,
        seed[0],
        subject.forwards,
        "",
    )


def compare_all(judge: Judge, place: int, row: GradcheckRow) -> tuple[GradcheckRow, Entries | None]:
    """Full mode: every entry of one gradient compared; the row then shows the worst."""
    block = judge.examined.subject.blocks[place]
    entries = all_entries(judge, place, most=block.array.size)
    if entries is None:
        return row, None
    ratio = entries.ratio
    suspects = np.argsort(-ratio, axis=None, kind="stable")[: int(np.sum(~(ratio <= PASS_RATIO)))]
    for place_in in suspects[:64]:  # a quick bar may be too short: look again with all care, at the worst first
        index = tuple(int(i) for i in np.unravel_index(place_in, ratio.shape))
        ratio[index], entries.numeric[index], entries.bar[index] = _one_entry(judge, place, index)
        if ratio[index] > FAIL_RATIO:
            break
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    return _at(row, entries, tuple(int(i) for i in worst), float(ratio[worst]), row.note), entries


def _one_entry(judge: Judge, place: int, index: tuple[int, ...]) -> tuple[float, float, float]:
    """One entry's ratio, numerical gradient and bar, with all care."""
    block = judge.examined.subject.blocks[place]
    direction = np.zeros(block.array.shape)
    step = float(scale_of(block.array)[index])
    direction[index] = step
    trial = judge.trials(place, direction)[0]
    return trial.ratio, trial.numeric / step, trial.bar / step


def _at(row: GradcheckRow, entries: Entries, index: tuple[int, ...], ratio: float, note: str = "") -> GradcheckRow:
    """A row that shows one entry."""
    verdict = "pass" if ratio <= PASS_RATIO else "fail" if not ratio <= FAIL_RATIO else "inconclusive"
    return replace(
        row,
        index=index,
        analytic=float(entries.analytic[index]),
        numeric=float(entries.numeric[index]),
        bar=float(entries.bar[index]),
        ratio=ratio,
        verdict=verdict,
        note=note,
        entries=(entries.analytic, entries.numeric, entries.bar),
    )


def look_closer(
    judge: Judge, place: int, row: GradcheckRow, entries: Entries | None
) -> tuple[GradcheckRow, Guess | None]:
    """Where a failed gradient is wrong, and what is probably the reason."""
    block = judge.examined.subject.blocks[place]
    if row.note.startswith("ties"):
        return row, Guess("ties", f"the gradient of {block.name} is more at a tie than any choice gives", (block.name,))
    if entries is None:
        entries = all_entries(judge, place, GROUPS)
    if entries is not None and np.any(entries.wrong):
        off = np.where(entries.wrong, np.abs(entries.analytic - entries.numeric), -1)
        index = np.unravel_index(int(np.argmax(np.where(np.isfinite(off), off, np.inf))), off.shape)
        at = tuple(int(i) for i in index)
        shown = _at(row, entries, at, float(entries.ratio[at]), describe(entries.wrong))
        return shown, guess(Clues(judge, place, entries))
    found = find_entry(judge, place)
    if found is None:
        return row, None
    ratio, numeric, bar = _one_entry(judge, place, found)
    gradient = judge.gradient(0, place)
    note = find_slices(judge, place, found)
    row = replace(row, index=found, analytic=float(gradient[found]), numeric=numeric, bar=bar, ratio=ratio, note=note)
    return row, _guess_one(block.name, row)


def _guess_one(name: str, row: GradcheckRow) -> Guess | None:
    """A guess from one entry, where the gradient is too large to look at whole."""
    where = f"{name} at {row.index}{f', {row.note}' if row.note else ''}"
    if row.analytic == 0:
        return Guess("zeroed", f"the gradient of {where} is 0 where it must not be", (name,))
    alpha = row.numeric / row.analytic
    if abs(alpha + 1) < 1e-6:
        return Guess("sign", f"the gradient of {where} has the wrong sign", (name,))
    return Guess("factor", f"the gradient of {where} must be multiplied by {alpha:.6g}", (name,))
