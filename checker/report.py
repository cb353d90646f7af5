"""What a gradient check found: a verdict, a row for each parameter and input, a guess, and how to see it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from brickgrad.layers import Array

if TYPE_CHECKING:
    from collections.abc import Iterator

VERDICTS = ("pass", "kink", "inconclusive", "fail")  # from good to bad
PASS_RATIO, FAIL_RATIO = 2.0, 10.0
MISS = 1e-3  # the chance of a miss for which a row says how small a wrong entry may be


class GradientError(AssertionError):
    """A gradient that backward gives is not the derivative of forward, or the check could not tell."""


@dataclass(frozen=True)
class Guess:
    """What is wrong, or probably is: a kind, a sentence for people, and the names of the gradients.

    Attributes
        kind, text, where : the kind is one of KINDS.
        KINDS : what each kind means.
    """

    kind: str
    text: str
    where: tuple[str, ...] = ()
    KINDS: ClassVar[dict[str, str]] = {
        "sign": "the gradient has the wrong sign",
        "factor": "a constant factor too many or too few: N, 1/N, 2, the kernel's area, 1 - p",
        "transposed": "a gradient, or the weight it is made with, is transposed",
        "flipped": "the gradient is mirrored along an axis",
        "order": "slices along an axis stand in the wrong order: channels swapped",
        "shifted": "the gradient is off by one along an axis",
        "swapped": "two gradients are exchanged",
        "summed over all": "every entry is the sum of all",
        "missing sum": "a sum over a broadcast axis is missing",
        "wrong axis": "summed, or normalized, over the wrong axis",
        "mean term": "a term constant along an axis is missing, as the mean's in a normalization",
        "variance term": "a term proportional to x - mean is missing, as the variance's in a normalization",
        "coupling": "only the diagonal of the Jacobian is there: what one entry does to the others is left out",
        "missing factor": "a parameter or an input is missing from the product, or stands there once too often",
        "statistic": "a power of the deviation is wrong",
        "small constant": "off by a little everywhere: a small constant such as eps is left out",
        "overwritten": "of several contributions to one entry only one is kept: = instead of +=",
        "dropped": "one of several contributions to one entry is left out",
        "fan-out": "a graph adds up the gradients of several uses wrongly",
        "border": "wrong at the border only: padding, stride or a crop",
        "stale": "backward uses something kept from an earlier forward",
        "not reset": "the second backward differs from the first: something adds up",
        "not linear": "backward is not linear in what comes in",
        "mutation": "an array that was handed in is written to",
        "aliased": "two gradients share memory",
        "layout": "the result depends on how the incoming gradient lies in memory",
        "precision": "computed in less than float64",
        "not finite": "NaN or infinity where forward is finite",
        "mask": "the true gradient is 0 where a mask is off, and backward's is not",
        "ties": "at a tie the gradient is more than any choice gives: counted twice",
        "at the output": "the derivative is taken at y, not at x",
        "zeroed": "single entries are 0, or left out",
        "shape": "a gradient has the wrong shape",
        "raised": "backward raised an error",
    }

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class GradcheckRow:
    """One parameter or input: what backward gives, what forward's values say, and the verdict.

    Attributes
        name, shape : of the parameter or input.
        index : the entry shown; None where `analytic` and `numeric` are slopes along a random direction.
        analytic : what backward gives.
        numeric, bar : what forward's values say, and how far off that may be.
        ratio : |analytic - numeric| as a multiple of what `bar` and round-off explain; to 2 is a pass, over 10 a fail.
        verdict : "pass", "kink", "inconclusive" or "fail".
        finds : the smallest single wrong entry, as a share of a typical one, that goes unseen once in 1000 at most.
        note : more about it, such as where a kink is or which entries are wrong.
        entries : (analytic, numeric, bar), arrays of the gradient's shape, where every entry was compared; else None.
    """

    name: str
    shape: tuple[int, ...]
    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    bar: float
    ratio: float
    verdict: str
    finds: float = np.inf
    note: str = ""
    entries: tuple[Array, Array, Array] | None = field(default=None, compare=False, repr=False)

    def cells(self) -> tuple[str, ...]:
        """The row as text, a cell for each column of the table."""
        place = "".join(str(self.index).split()) if self.index else ""
        finds = "" if not np.isfinite(self.finds) or self.verdict not in ("pass", "kink") else f"{self.finds:.0e}"
        return (
            f"{self.name}{place and ' ' + place}",
            f"{self.analytic:.10g}",
            f"{self.numeric:.10g} ± {self.bar:.1g}",
            f"{self.ratio:.2g}",
            self.verdict if self.verdict == "pass" else self.verdict.upper(),
            finds,
        )


HEADER = ("gradient of", "backward", "numerical ± bar", "ratio", "verdict", "finds")


@dataclass(frozen=True)
class GradcheckReport:
    """The result of `gradcheck`. True where nothing is wrong; printed, a table.

    Attributes
        title : what was checked; in a graph, a brick's name with the file and line where it was written.
        verdict : "pass"; "kink" (right, but with points where there is no derivative); "inconclusive"; or "fail".
        rows : a GradcheckRow for each parameter and input.
        guess : what is probably wrong (kind, text), or None.
        faults : what is wrong for certain, found without differences: a Guess each.
        bricks : the reports of a graph's layers, each on the values and gradients that it has in the graph.
        notes : what else there is to know, such as what was not checked.
        mode, seed : as they were asked for.
        forwards : how many forward passes the check took, those of a single brick of a graph as their share.
        reproducer : one line of code that runs the same check again.
    """

    title: str
    verdict: str
    rows: tuple[GradcheckRow, ...]
    guess: Guess | None
    faults: tuple[Guess, ...]
    bricks: tuple[GradcheckReport, ...]
    notes: tuple[str, ...]
    mode: str
    seed: int
    forwards: float
    reproducer: str

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong: the verdict is "pass" or "kink"."""
        return self.verdict in ("pass", "kink")

    def __bool__(self) -> bool:
        return self.passed

    def worst(self) -> GradcheckReport:
        """The report of the brick at fault: this one, unless a brick of the graph has a verdict as bad as the whole."""
        for brick in self.bricks:
            if brick.verdict == self.verdict and self.verdict in ("fail", "inconclusive"):
                return brick.worst()
        return self

    def raise_if_bad(self) -> None:
        """Raise GradientError, with the report as its text, unless the check passed."""
        if not self.passed:
            raise GradientError(f"{self._headline()}\n{self}")

    def _headline(self) -> str:
        """The fault in one sentence, as an error begins."""
        at = self.worst()
        if at.faults:
            return f"{at.title}: {at.faults[0].text}"
        bad = [row for row in at.rows if row.verdict == at.verdict]
        if not bad:
            return f"{at.title}: the gradient check is {at.verdict}"
        row = bad[0]
        what = f"the gradient of {row.name}{f' at {row.index}' if row.index else ''}"
        if self.verdict == "inconclusive":
            return f"{at.title}: {what} can be told neither right nor wrong"
        return f"{at.title}.backward: {what} is {row.analytic!r}, but the values of forward say {row.numeric!r}"

    def __str__(self) -> str:
        head = f"gradient check of {self.title}: {self.verdict.upper()}"
        lines = [head, *_table([HEADER, *(row.cells() for row in self.rows)])] if self.rows else [head]
        lines += [f"  {row.name}: {row.note}" for row in self.rows if row.note]
        lines += [f"WRONG  {fault}" for fault in self.faults]
        if self.guess is not None:
            lines.append(f"guess  {self.guess}")
        lines += [f"note   {note}" for note in self.notes]
        for brick in self.bricks:
            if not brick.passed:
                lines += ["in it:", *(f"  {line}" for line in str(brick).split("\n"))]
        if self.reproducer:
            lines.append(f"{self.forwards:.0f} forward passes; again with: {self.reproducer}")
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, ax: Any = None) -> Any:
        """Draw numerical against backward's values with their bars and, where entries are wrong, a picture of them.

        Needs matplotlib. Without `ax` a new figure is made, with a second panel for the wrong entries; returns the
        Axes (of the first panel). Never calls show().
        """
        from .picture import draw

        return draw(self, ax)

    def all_rows(self) -> Iterator[tuple[str, GradcheckRow]]:
        """All rows, those of the bricks too, each with the title of what it belongs to."""
        for row in self.rows:
            yield self.title, row
        for brick in self.bricks:
            yield from brick.all_rows()


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with the columns aligned: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def worst_verdict(verdicts: list[str]) -> str:
    """The worst of several verdicts.

    >>> worst_verdict(["pass", "fail", "kink"])
    'fail'
    """
    return max(verdicts, key=VERDICTS.index, default="pass")
