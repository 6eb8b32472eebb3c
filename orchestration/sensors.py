"""Sensors: they look at the outside world and at recorded history, and request runs.

Belongs here: reading facts, asking a pure function, requesting a run under a key; and the round of
the reaper. Does not belong here: deciding (`leeway.retraining`), or telling a dead worker from one
that works (`resources.reaper`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from assets.release import CAUSE_TAG, INCIDENT_TAG
from assets.stage import Stage
from leeway.retraining import decide_retraining
from orchestration.history import incidents_of, trainings_of
from orchestration.jobs import retrain_job_name
from resources.platform import Platform
from resources.reaper import reap
from resources.settings import get_settings
from resources.stand_ins import reading_of

RUNNING = dg.DefaultSensorStatus.RUNNING


def sensors_of(stage: Stage) -> Sequence[dg.SensorDefinition]:
    """The sensors of one use case."""
    batches = _batches_sensor(stage)
    return [batches] if stage.use_case.task == "experiment" else [batches, _retrain_sensor(stage)]


def reaper_sensor() -> dg.SensorDefinition:
    """Reports runs failed whose worker died; the daemon's run monitoring does not look at workers.

    It is the one sensor that writes: reporting a run twice changes nothing.
    """

    @dg.sensor(
        name="reaper",
        minimum_interval_seconds=60,
        default_status=RUNNING,
        description="Reports a run failed when the process that carried it out is dead.",
    )
    def reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        reaped = reap(context.instance)
        if reaped:
            context.log.warning("reported failed, their processes are dead: %s", ", ".join(reaped))
        return dg.SkipReason(f"{len(reaped)} runs had lost their process")

    return reaper


def _batches_sensor(stage: Stage) -> dg.SensorDefinition:
    """Registers batches that the source has and Dagster does not know; conditions do the rest."""

    @dg.sensor(
        name=f"{stage.name}_new_batches",
        target=dg.AssetSelection.assets(stage.key("raw")),
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description=f"Registers new batches of {stage.name}.",
    )
    def new_batches(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        known = set(context.instance.get_dynamic_partitions(f"{stage.name}_batches"))
        source = reading_of(stage.name, stage.use_case, get_settings()).source
        found = [batch for batch in source.batches() if batch not in known]
        if not found:
            return dg.SkipReason(f"the source has no batch beside the {len(known)} known ones")
        return dg.SensorResult(dynamic_partitions_requests=[stage.batches.build_add_request(found)])

    return new_batches


def _retrain_sensor(stage: Stage) -> dg.SensorDefinition:
    """Asks the policy what follows from recorded history, and carries out what it says."""

    @dg.sensor(
        name=f"{stage.name}_retraining",
        job_name=retrain_job_name(stage.name),
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description=f"Trains {stage.name} again when the retraining policy says so.",
    )
    def retrain(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        now = datetime.now(UTC)
        return retraining_tick(stage, context.instance, platform, now)

    return retrain


def retraining_tick(
    stage: Stage, instance: dg.DagsterInstance, platform: Platform, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """One tick: a request under the key of the incident and the attempt, or the reason for none.

    It changes nothing, so that a tick that is repeated asks for the same run.
    """
    incidents = incidents_of(stage.name, stage.use_case, platform, now)
    trainings = trainings_of(stage.name, instance, platform)
    decision = decide_retraining(incidents, trainings, stage.use_case.retraining, now)
    if decision.action != "retrain" or decision.incident is None:
        return dg.SkipReason(decision.reason)
    incident = next(each for each in incidents if each.digest == decision.incident)
    return dg.RunRequest(
        run_key=decision.run_key,
        job_name=retrain_job_name(stage.name),
        partition_key=incident.batch,
        tags={
            INCIDENT_TAG: incident.digest,
            CAUSE_TAG: incident.cause,
            "leeway/attempt": str(decision.attempt),
            "leeway/reason": decision.reason,
        },
    )
