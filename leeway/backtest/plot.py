"""The picture of a replay, as PNG bytes.

Belongs here: the metric over time under each policy, with alarms and trainings. Does not belong
here: computing any of them (`leeway.backtest.report`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leeway.backtest.report import Replayed, Report
from leeway.plots import COLOURS, GREY, as_png, new_figure
from leeway.spec import unit_of

MOST_NAMES = 20


def backtest_plot(report: Report) -> bytes:
    """The metric of the model that served each batch, one line per policy, with its intervals.

    A triangle is an alarm, a vertical line a training: solid where its model was promoted, dotted
    where it was not. Grey: a batch that is known to have changed.
    """
    figure, axes = new_figure(9.0, 4.0)
    sides = [("today", report.today), *([("other", report.other)] if report.other else [])]
    names = [step.batch.name for step in report.today.walked.steps]
    for change in report.today.changes:
        axes.axvline(names.index(change) - 0.5, color=GREY, linewidth=6, alpha=0.4)
    for number, (told, side) in enumerate(sides):
        _draw(axes, told, side, COLOURS[number], (number - 0.5) * 0.15, names)
    metric, use_case = report.today.use_case.metric, report.today.use_case
    axes.set_ylabel(f"{metric} ({unit_of(metric, use_case.target.unit)})")
    axes.set_xlabel("batch; triangle: alarm, line: training, dotted where it was refused")
    step = max(1, -(-len(names) // MOST_NAMES))
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=45, ha="right")
    axes.legend(fontsize="small")
    return as_png(figure)


def _draw(
    axes: Any, told: str, side: Replayed, colour: str, shift: float, names: list[str]
) -> None:
    metric = side.use_case.metric
    found = [step.scored.metrics[metric] if step.scored else None for step in side.walked.steps]
    places = np.arange(len(names)) + shift
    values = [np.nan if each is None or each.value is None else each.value for each in found]
    axes.plot(places, values, "o-", color=colour, ms=3, linewidth=1, label=told)
    for place, each in zip(places, found, strict=True):
        if each is not None and each.low is not None and each.high is not None:
            axes.plot([place, place], [each.low, each.high], color=colour, linewidth=0.8)
    alarmed = {each.batch for each in side.alarms}
    marked = [place for place, name in zip(places, names, strict=True) if name in alarmed]
    bottom = [0.02 if shift < 0 else 0.06] * len(marked)
    axes.plot(marked, bottom, "^", color=colour, ms=6, transform=axes.get_xaxis_transform())
    for run in side.walked.retrains:
        style = "-" if run.trained.outcome == "promoted" else ":"
        place = names.index(run.after) + shift + 0.5
        axes.axvline(place, color=colour, linewidth=0.8, linestyle=style)
