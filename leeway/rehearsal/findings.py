"""What a graph did with a fault: which check caught it first, and what reached a prediction.

Belongs here: the comparison with the same batch without the fault, and the verdict. Does not belong
here: reading what a run left (`cli.rehearsal.observed`), or advice (`leeway.rehearsal.advice`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from leeway.rehearsal.catalogue import Case
from leeway.rehearsal.columns import Planted

Verdict = Literal["caught", "caught late", "survived", "does not apply"]
ORDER = ("raw", "staged", "clean", "profile", "drift", "predictions", "performance")
_SEVERITIES = ("", "WARN", "ERROR")  # from mild to severe


@dataclass(frozen=True)
class Failing:
    """A check that failed."""

    node: str
    check: str
    severity: str
    description: str


@dataclass(frozen=True)
class Observed:
    """What the graph did with one batch.

    `rejects` are its rejected rows, as (row from 1, column, reason), in the order of the rows.
    `predicted` are the numbers of the rows that got a prediction. `error` says why a run failed.
    """

    rejects: tuple[tuple[int, str, str], ...] = ()
    failing: tuple[Failing, ...] = ()
    predicted: frozenset[int] = frozenset()
    error: str | None = None
    failed_node: str | None = None


@dataclass(frozen=True)
class Catch:
    """What noticed a fault: a node and its check, and after how many rows of the batch.

    `after_rows` is the position of the first row that was rejected, the smallest prefix of the
    batch that gives the verdict, or None for a check of tables, which sees whole batches.
    """

    node: str
    check: str
    severity: str
    after_rows: int | None
    said: str


@dataclass(frozen=True)
class Finding:
    """What came of one fault."""

    fault: str
    columns: tuple[str, ...]
    what: str
    verdict: Verdict
    rows: int = 0
    faulty_rows: int = 0
    missing_rows: int = 0
    caught_by: tuple[Catch, ...] = ()
    reached_predictions: int = 0
    advice: str = ""
    seconds: float = 0.0
    batch: str = field(default="")

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def does_not_apply(case: Case, why: str) -> Finding:
    """The finding of a fault that cannot be planted here."""
    return Finding(case.fault, case.columns, why, "does not apply")


def catches(observed: Observed, control: Observed, rows: int) -> list[Catch]:
    """What noticed a fault and was silent about the same batch without it, in the graph's order.

    A check that failed without the fault says nothing about it, unless it is more severe now.
    """
    found: list[Catch] = []
    if observed.error and observed.failed_node in ("raw", None):
        found.append(Catch("raw", "schema", "ERROR", rows, observed.error))
    known = set(control.rejects)
    new = [each for each in observed.rejects if each not in known]
    if new:
        first, column, reason = new[0]
        count = len({row for row, _, _ in new})
        said = f"{count} of {rows} rows rejected; the first: {column}: {reason}"
        found.append(Catch("raw", f"row rule of {column}", "ERROR", first, said))
    before = {(each.node, each.check): each.severity for each in control.failing}
    for each in sorted(observed.failing, key=lambda each: _place(each.node)):
        if _severity(each.severity) > _severity(before.get((each.node, each.check), "")):
            found.append(Catch(each.node, each.check, each.severity, None, each.description))
    told = {each.node for each in observed.failing}
    node = observed.failed_node
    if observed.error and node not in ("raw", None) and node not in told:
        found.append(Catch(str(node), "run", "ERROR", None, observed.error))
    return found


def finding(
    case: Case, planted: Planted, observed: Observed, caught_by: Sequence[Catch]
) -> Finding:
    """The verdict: caught before a row with the fault reached a prediction, late, or not at all."""
    faulty = {number for number, hit in enumerate(planted.rows.tolist(), 1) if hit}
    reached = len(faulty & observed.predicted)
    verdict: Verdict = "survived" if not caught_by else "caught late" if reached else "caught"
    return Finding(
        case.fault,
        case.columns,
        planted.what,
        verdict,
        rows=planted.table.num_rows,
        faulty_rows=len(faulty),
        missing_rows=planted.missing,
        caught_by=tuple(caught_by),
        reached_predictions=reached,
    )


def counts(findings: Sequence[Finding]) -> Mapping[Verdict, int]:
    """How many faults have each verdict."""
    verdicts: tuple[Verdict, ...] = ("caught", "caught late", "survived", "does not apply")
    return {each: sum(found.verdict == each for found in findings) for each in verdicts}


def _place(node: str) -> int:
    return ORDER.index(node) if node in ORDER else len(ORDER)


def _severity(name: str) -> int:
    return _SEVERITIES.index(name) if name in _SEVERITIES else 0
