"""Schedules: parts of a use case's graph at the times that its YAML names.

Belongs here: when, and the runs that a tick asks for. Does not belong here: the parts themselves
(`orchestration.jobs`). Every schedule is off until a person switches it on in the UI: conditions
and sensors already keep a graph up to date, and a schedule is for what no event announces.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from assets.stage import Stage
from leeway.spec import SCHEDULED, Scheduled
from orchestration.jobs import schedule_job_name
from resources.platform import Platform

# Monday, the first of the month; UTC.
CRON = {"daily": "0 5 * * *", "weekly": "0 5 * * 1", "monthly": "0 5 1 * *"}


# What a batch must have before a part of the graph can run for it.
NEEDED = {"scoring": "clean", "monitoring": "predictions", "training": "clean"}


def schedules_of(stage: Stage) -> Sequence[dg.ScheduleDefinition]:
    """The schedules that the use case declares."""
    declared = stage.use_case.schedules
    return [
        _schedule(stage, part, cadence)
        for part in SCHEDULED
        if (cadence := getattr(declared, part)) is not None
    ]


def _schedule(stage: Stage, part: Scheduled, cadence: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{stage.name}_{part}",
        job_name=schedule_job_name(stage.name, part),
        cron_schedule=CRON[cadence],
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"{part.capitalize()} of {stage.name}, {cadence}, for its newest batch.",
    )
    def tick(
        context: dg.ScheduleEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        return schedule_tick(stage, part, context.instance, platform)

    return tick


def schedule_tick(
    stage: Stage, part: Scheduled, instance: dg.DagsterInstance, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """A run for the newest batch, or the reason for none."""
    known = instance.get_dynamic_partitions(f"{stage.name}_batches")
    if not known:
        return dg.SkipReason("no batch is known yet")
    batch = known[-1]
    if part in ("scoring", "monitoring") and platform.releases.champion(stage.name) is None:
        return dg.SkipReason("no release was promoted, so there is nothing to predict with")
    needed = NEEDED.get(part)
    if needed is not None and platform.ledger.current(stage.name, needed, batch) is None:
        return dg.SkipReason(f"batch {batch} has no {needed} yet; `leeway run {stage.name}`")
    return dg.RunRequest(partition_key=batch)
