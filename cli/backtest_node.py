"""The picture of a backtest among the events of the node `release` in Dagster.

Belongs here: the observation, and reporting it. Does not belong here: the replay, or the picture
(`leeway.backtest`).
"""

from __future__ import annotations

from typing import Any

from cli.output import say
from leeway.backtest.plot import backtest_plot
from leeway.backtest.report import Replayed, Report


def show_on_node(report: Report) -> None:
    """Reports an observation: the picture, and what each policy led to."""
    from dagster import AssetKey, AssetObservation

    from assets.stage import png
    from resources.instance import open_instance

    metadata: dict[str, Any] = {"metric_over_time": png(backtest_plot(report))}
    metadata["today"] = _told(report.today)
    if report.other is not None:
        metadata["other"] = _told(report.other)
    told = f"Backtest over {len(report.today.walked.steps)} batches, with {report.models} models."
    key = AssetKey([report.name, "release"])
    with open_instance() as instance:
        instance.report_runless_asset_event(AssetObservation(key, told, metadata))
    say(f"the picture is among the events of the node {report.name}/release")


def _told(side: Replayed) -> str:
    return (
        f"{len(side.alarms)} alarms, {len(side.walked.retrains)} trainings, "
        f"{side.count('promoted')} promoted, {side.refused} refused, {side.count('failed')} failed"
    )
