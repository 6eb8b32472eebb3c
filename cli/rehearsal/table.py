"""The report of a rehearsal for a person: one line per fault, and what to do about survivors.

Belongs here: the table. Does not belong here: what is in it (`leeway.rehearsal.findings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import JustifyMethod
from rich.table import Table

from cli.output import console, say
from leeway.rehearsal.findings import Catch, Finding, counts

if TYPE_CHECKING:
    from cli.rehearse import Rehearsal

HEADINGS = ("fault", "column", "caught first by", "after row", "reached predictions", "verdict")


def print_rehearsal(found: Rehearsal) -> None:
    """Prints the table, the steps that would catch what was not, and what the run was like."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        justify: JustifyMethod = "right" if heading in HEADINGS[3:5] else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for each in found.findings:
        table.add_row(*_cells(each))
    console.print(table, markup=False)
    for each in found.findings:
        if each.advice:
            say(f"{each.fault} {' '.join(each.columns)}: {each.advice}.")
        elif each.verdict == "does not apply":
            say(f"{each.fault}: does not apply: {each.what}.")
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts(found.findings).items())
    say(
        f"{found.use_case}: {told}; planted into a copy of batch {found.planted_into} "
        f"({found.rows} rows); columns tried a fault: {found.columns}. Model: {found.model}. "
        f"{found.seconds:.0f} s; nothing of your installation was changed."
    )


def _cells(each: Finding) -> tuple[str, ...]:
    if each.verdict == "does not apply":
        return each.fault, " ".join(each.columns), "", "", "", each.verdict
    first = each.caught_by[0] if each.caught_by else None
    faulty = each.faulty_rows
    reached = "no row has it" if each.missing_rows else f"{each.reached_predictions} of {faulty}"
    return (
        each.fault,
        ", ".join(each.columns),
        _named(first),
        "" if first is None else str(first.after_rows or "whole batch"),
        reached,
        each.verdict,
    )


def _named(first: Catch | None) -> str:
    if first is None:
        return "nothing"
    mild = " (a warning)" if first.severity == "WARN" else ""
    return f"{first.node}: {first.check}{mild}"
