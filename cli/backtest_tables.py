"""The tables that `leeway backtest` prints for people.

Belongs here: rows and their words. Does not belong here: any number that the report does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cli.output import console
from leeway.backtest.delays import Delay
from leeway.backtest.report import Replayed, Report

if TYPE_CHECKING:
    from leeway.backtest.walked import Step

Row = tuple[str, Callable[[Replayed], str]]
COLOURS = {"confirmed": "red", "suspect": "yellow", "none": "green", "undefined": "dim"}


def print_report(report: Report) -> None:
    """What each policy led to, then batch by batch, then what a reader must know."""
    from rich.table import Table

    sides = [report.today, *([report.other] if report.other else [])]
    names = ["today", "other"][: len(sides)]
    totals = Table("", *names, box=None)
    for told, of in _rows(report):
        totals.add_row(told, *(of(side) for side in sides))
    console.print(totals)
    console.print(_by_batch(report, sides, names))
    comparison = report.comparison
    if comparison is not None and comparison.difference is not None:
        text = f"mean {comparison.metric}, other less today: {comparison.difference:+.4g}"
        if comparison.low is not None and comparison.high is not None:
            text += f" (interval {comparison.low:+.4g} to {comparison.high:+.4g})"
        console.print(f"{text} on {comparison.rows} rows; below 0 the other is better")
    for note in report.notes:
        console.print(f"- {note}", style="dim", markup=False)


def _detected(at: int, side: Replayed) -> str:
    return _delay(side.delays[at])


def _rows(report: Report) -> list[Row]:
    loss = "log loss" if report.today.use_case.task == "classification" else "absolute error"
    delays: list[Row] = [
        (f"detected after {change}", partial(_detected, at))
        for at, change in enumerate(each.change for each in report.today.delays)
    ]
    return [
        ("alarms", _alarms),
        ("trainings", lambda side: str(len(side.walked.retrains))),
        ("promotions", lambda side: str(side.count("promoted"))),
        ("refused", lambda side: str(side.refused)),
        ("failed", lambda side: str(side.count("failed"))),
        *delays,
        (f"mean {loss}", _mean_loss),
        ("rows fitted on", lambda side: f"{side.rows_fitted:,}"),
        ("seconds of training", _seconds),
    ]


def _alarms(side: Replayed) -> str:
    causes = ", ".join(f"{count} {cause}" for cause, count in side.alarms_by_cause.items())
    return f"{len(side.alarms)} ({causes})" if causes else "0"


def _delay(delay: Delay) -> str:
    if delay.batches is None:
        return "never"
    return f"{delay.batches} batches, {delay.days:g} days ({delay.cause})"


def _mean_loss(side: Replayed) -> str:
    losses = side.losses
    return "unknown" if losses is None else f"{losses.mean():.4g}"


def _seconds(side: Replayed) -> str:
    """Recorded ones, or those that the models took here: both policies share them."""
    if side.seconds is not None:
        return f"{side.seconds:g}"
    measured = sum(each.trained.measured for each in side.walked.retrains)
    return f"{measured:.1f} (here)" if measured else "not recorded"


def _by_batch(report: Report, sides: list[Replayed], names: list[str]) -> object:
    """The metric of the model that served each batch, with alarms and trainings beside it."""
    from rich.table import Table
    from rich.text import Text

    metric = report.today.use_case.metric
    table = Table("batch", *(f"{metric}, {name}" for name in names), box=None)
    for steps in zip(*(side.walked.steps for side in sides), strict=True):
        cells = []
        for step, side in zip(steps, sides, strict=True):
            cell = Text(_value(step, metric))
            cell.append(f"  {step.looked.verdict}", COLOURS[step.looked.verdict])
            for each in side.walked.retrains:
                if each.after == step.batch.name:
                    cell.append(f"  trained: {each.trained.outcome}")
            cells.append(cell)
        table.add_row(Text(steps[0].batch.name), *cells)
    return table


def _value(step: Step, metric: str) -> str:
    found = step.scored.metrics[metric] if step.scored else None
    if found is None or found.value is None:
        return "unknown"
    if found.low is None or found.high is None:
        return f"{found.value:.3g}"
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"
