"""How often each rule calls a batch drifted: where nothing changed, and where something did.

Belongs here: the rules, and the table of docs/drift.md. Does not belong here: the streams
(`benchmarks.streams`).

    .venv/bin/python -m benchmarks.alarms --streams 200

`leeway` is the verdict of `leeway.drift` with 30 past batches and the usual budget, on the second
batch that moved; `leeway, 5 batches` is whether it confirmed any of the first five; `leeway, no
history` has no past batches. The others are what is often done: any column with a p-value of
Kolmogorov and Smirnov or of chi-square below 0.05; any with a PSI above 0.2; and Evidently's
default above 1,000 rows, Wasserstein's distance by the standard deviation or that of Jensen and
Shannon of at least 0.1, in any column, and in half of them, when it calls the data set drifted.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmarks.streams import KINDS, Plan, Stream, draw
from benchmarks.timing import say
from leeway.drift.numbers import NumberProfile
from leeway.drift.policy import UsualPolicy
from leeway.drift.verdict import BatchDrift, compare_profiles

ROWS = (100, 500, 2_000, 10_000, 100_000, 1_000_000)
ROWS_OF_POWER = (500, 10_000, 1_000_000)
SHIFTS = (0.05, 0.1, 0.2, 0.5, 1.0)
MOVED = {"1": 1, "3": 3, "all": 20}
COLUMNS = 20
LATER = 3  # batches after the second one that moved


def leeway(stream: Stream, *, with_history: bool = True) -> BatchDrift:
    """The verdict on the last batch."""
    return compare_profiles(
        stream.reference,
        stream.current,
        UsualPolicy(),
        stream.columns,
        before=stream.before,
        history=stream.history if with_history else (),
    )


def within_five(stream: Stream, verdict: BatchDrift) -> bool:
    """Whether any of the batches that moved is confirmed, each looked at with the one before it."""
    moved = [stream.before, stream.current, *stream.later]
    looks = (
        replace(stream, before=before, current=current) for before, current in pairwise(moved[1:])
    )
    return verdict.verdict == "confirmed" or any(
        found.verdict == "confirmed" for found in (first_of(stream), *map(leeway, looks))
    )


def first_of(stream: Stream) -> BatchDrift:
    """The verdict on the first batch that moved, of which the one before it tells nothing."""
    return compare_profiles(
        stream.reference, stream.before, UsualPolicy(), stream.columns, history=stream.history
    )


def _evidently(stream: Stream, verdict: BatchDrift) -> float:
    """Share of the columns that its default calls drifted."""
    found = []
    for column in verdict.columns:
        reference = stream.reference.columns[column.name]
        if isinstance(reference, NumberProfile):
            spread = _deviation(reference)
            found.append(column.statistics["wasserstein"] / spread >= 0.1)
        else:
            found.append(column.statistics["jensen_shannon"] >= 0.1)
    return sum(found) / len(found)


def _deviation(column: NumberProfile) -> float:
    values, counts = np.array(column.values), np.array(column.counts)
    mean = values @ counts / counts.sum()
    return float(np.sqrt((values - mean) ** 2 @ counts / counts.sum()))


def _p_value(verdict: BatchDrift) -> float:
    return min(
        column.statistics.get("ks_p_value", column.statistics.get("chi2_p_value", 1.0))
        for column in verdict.columns
    )


RULES: Mapping[str, Callable[[Stream, BatchDrift], bool]] = {
    "leeway": lambda _, verdict: verdict.verdict == "confirmed",
    "leeway, 5 batches": within_five,
    "leeway, no history": lambda stream, _: (
        leeway(stream, with_history=False).verdict == "confirmed"
    ),
    "any p < 0.05": lambda _, verdict: _p_value(verdict) < 0.05,
    "any PSI > 0.2": lambda _, verdict: any(
        column.statistics["psi"] > 0.2 for column in verdict.columns
    ),
    "Evidently, any column": lambda stream, verdict: _evidently(stream, verdict) > 0,
    "Evidently, half of them": lambda stream, verdict: _evidently(stream, verdict) >= 0.5,
}


def main() -> int:
    """Prints the share of alarms by rule, where nothing changed and where something did."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms")
    parser.add_argument("--streams", type=int, default=200, help="of each line of the tables")
    streams = parser.parse_args().streams
    say(f"Share of {streams} streams with {COLUMNS} columns that alarm though nothing changed:\n")
    _table(
        [(kind, Plan(rows, COLUMNS, kind, later=LATER)) for kind in KINDS for rows in ROWS], streams
    )
    for moved, number in MOVED.items():
        say(
            f"\nShare that alarms where {moved} of {COLUMNS} columns moved, with harmless jitter:\n"
        )
        plans = [
            (f"{shift:g} sd", Plan(rows, COLUMNS, "jitter", moved=number, shift=shift, later=LATER))
            for shift in SHIFTS
            for rows in ROWS_OF_POWER
        ]
        _table(plans, streams)
    return 0


def _table(plans: Sequence[tuple[str, Plan]], streams: int) -> None:
    say(f"| what | rows | {' | '.join(RULES)} |")
    say(f"|---|---:|{'---:|' * len(RULES)}")
    for name, plan in plans:
        found = _counted(plan, streams)
        shares = " | ".join(f"{found[rule] / streams:.3f}" for rule in RULES)
        say(f"| {name} | {plan.rows:,} | {shares} |")


def _counted(plan: Plan, streams: int) -> Counter[str]:
    """How many streams each rule alarms at."""
    rng = np.random.default_rng(abs(hash((plan.rows, plan.moved, plan.shift))))
    found: Counter[str] = Counter()
    for _ in range(streams):
        stream = draw(plan, rng)
        verdict = leeway(stream)
        found.update(rule for rule, alarms in RULES.items() if alarms(stream, verdict))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
