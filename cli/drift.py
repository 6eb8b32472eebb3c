"""`leeway drift`: the verdict on two files, without a project.

Belongs here: what is printed. Does not belong here: reading the files (`resources.drift_files`), or
the verdict (`leeway.drift.verdict`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.output import emit
from leeway.drift.column import severity
from leeway.drift.exact import undecided
from leeway.drift.policy import UsualPolicy
from leeway.drift.verdict import MOST_TOLD, BatchDrift, compare_profiles, conclusion
from resources.drift_files import profiles_of

MOST_SHOWN = 40
COLOURS = {"confirmed": "red", "suspect": "yellow", "none": "green", "undefined": "dim"}


def drift(reference: Path, current: Path, as_json: bool) -> None:
    """Compares two files and prints the verdict.

    Raises:
        SourceError: when a file cannot be read, or they have no column in common.
    """
    begun = time.perf_counter()
    sides = profiles_of(reference, current)
    policy = UsualPolicy()
    found = compare_profiles(sides.reference, sides.current, policy, sides.columns)
    if exact := {name: sides.exact_ks(name) for name in undecided(found)}:
        found = compare_profiles(sides.reference, sides.current, policy, sides.columns, exact=exact)
    found = _explained(found, sides.unlike)
    seconds = time.perf_counter() - begun
    if as_json:
        emit(as_fields(found, seconds))
    else:
        _print(found, seconds)


def _explained(found: BatchDrift, unlike: Mapping[str, str]) -> BatchDrift:
    """The verdict with what the files say of columns that are not compared."""
    columns = tuple(
        replace(column, reason=unlike.get(column.name, column.reason)) for column in found.columns
    )
    reason = conclusion(columns)[1]
    told = [why for why in list(unlike.values())[:MOST_TOLD] if why not in reason]
    return replace(found, columns=columns, reason=" ".join([reason, *told]))


def as_fields(found: BatchDrift, seconds: float) -> dict[str, Any]:
    """What `--json` prints."""
    columns = {
        column.name: {
            "kind": column.kind,
            "verdict": column.verdict,
            "measure": column.measure,
            "effect": column.effect,
            "interval": None if column.interval is None else list(column.interval),
            "threshold": column.threshold,
            "change": None if column.change is None else column.change.as_dict(),
            "statistics": dict(column.statistics),
            "reason": column.reason,
        }
        for column in found.columns
    }
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "drifted_share": found.drifted_share,
        "alarm_probability": found.alarm_probability,
        "rows": {"reference": found.rows_reference, "current": found.rows_current},
        "seconds": round(seconds, 3),
        "columns": columns,
    }


def _print(found: BatchDrift, seconds: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.output import console

    ordered = sorted(found.columns, key=severity, reverse=True)
    table = Table("column", "verdict", "moved", "effect", "interval", "PSI", box=None)
    for column in ordered[:MOST_SHOWN]:
        moved = column.change.told() if column.change else column.reason
        interval = "" if column.interval is None else "{:.3f} to {:.3f}".format(*column.interval)
        table.add_row(
            Text(column.name),
            Text(column.verdict, COLOURS[column.verdict]),
            Text(moved),
            "" if column.effect is None else f"{column.effect:.3f}",
            interval,
            f"{column.statistics['psi']:.3f}" if "psi" in column.statistics else "",
        )
    console.print(table)
    left = len(ordered) - MOST_SHOWN
    if left > 0:
        console.print(f"and {left} columns with smaller effects; --json has all", style="dim")
    console.print(Text.assemble((found.verdict, COLOURS[found.verdict]), f": {found.reason}"))
    console.print(
        f"{found.rows_reference:,} rows of reference, {found.rows_current:,} compared with them, "
        f"in {seconds:.2f} s; such a verdict is wrong in at most "
        f"{found.alarm_probability:.2%} of comparisons without drift",
        style="dim",
    )
