"""`leeway demo`: five use cases from source to predictions, and one table at the end.

Belongs here: the loop and the table. Does not belong here: running a use case (`cli.run`).
"""

from __future__ import annotations

from typing import Any

from rich.console import JustifyMethod
from rich.table import Table

from cli.experiment import setting_text
from cli.output import console, emit, say
from cli.run import RunReport, run
from cli.status import status_of
from orchestration.use_cases import load_use_cases
from resources.files import SourceError

LOOK = "`leeway dev` shows the graph; `leeway status` says more."
# `leeway run` takes any other, such as those of `leeway new`.
SHOWN = ("churn", "housing", "penguins", "real_estate", "tool_life")
AGAIN = "mend what failed, then `leeway demo` again; what was made stays."


def demo(as_json: bool) -> int:
    """Runs the use cases of the demo; returns the exit code."""
    reports = [_run(name) for name in load_use_cases() if name in SHOWN]
    failed = [report for report in reports if report.status == "failure"]
    every = status_of(None)["use_cases"]
    found = {"use_cases": {report.use_case: every[report.use_case] for report in reports}}
    if as_json:
        emit(found | {"runs": [report.as_dict() for report in reports]})
    else:
        console.print(_table(found, reports))
        for report in failed:
            say(f"{report.use_case} failed: {report.error}")
        console.print(f"Next: {AGAIN if failed else LOOK}")
    return 1 if failed else 0


def _run(name: str) -> RunReport:
    """Runs one use case; a source that cannot be read is the failure of this one alone."""
    try:
        return run(name)
    except SourceError as error:
        say(f"{name}: failed: {error}")
        return RunReport(name, "failure", error=str(error))


def _table(found: dict[str, Any], reports: list[RunReport]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("use case", "data", "rows", "champion", "held-out metric", "drift", "seconds"):
        # In a narrow window a long name goes on in the next line; by default its end is cut off.
        justify: JustifyMethod = "right" if heading in ("rows", "seconds") else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for report in reports:
        each = found["use_cases"][report.use_case]
        champion = each["champion"]
        table.add_row(
            report.use_case + (" (failed)" if report.status == "failure" else ""),
            each["data"]["origin"],
            str(each["data"]["rows"]),
            _champion_text(champion),
            metric_text(each["metrics"]),
            each["drift"]["verdict"],
            f"{report.seconds:.1f}",
        )
    return table


def _champion_text(champion: dict[str, Any] | None) -> str:
    """Version and algorithm, or the best setting of an experiment."""
    if champion is None:
        return "none"
    if "design" in champion:
        return setting_text(champion)
    return f"v{champion['version']} {champion['algorithm']}"


def metric_text(metrics: dict[str, Any]) -> str:
    """The first metric with its interval, such as `macro_f1 0.980 [0.950, 1.000]`."""
    for name, metric in metrics.items():
        if metric["value"] is None:
            return f"{name} undefined"
        if metric["low"] is None:
            return f"{name} {_number(metric['value'])}"
        low, high = _number(metric["low"]), _number(metric["high"])
        return f"{name} {_number(metric['value'])} [{low}, {high}]"
    return "none"


def _number(value: float) -> str:
    """Three decimals, none from 100 on: an error in dollars has no use for them."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
