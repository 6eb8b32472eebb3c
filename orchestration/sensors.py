"""Sensors: they look at the outside world and at recorded history, and request runs.

Belongs here: what each sensor watches and how often; new batches, batches that the champion was not
held against, and the round of the reaper. Does not belong here: a tick of the controller
(`orchestration.retraining`), live traffic (`orchestration.traffic`), deciding
(`leeway.controller`), or telling a dead worker from one that works (`resources.reaper`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from assets.stage import Stage
from leeway.spec import Labels
from orchestration.jobs import LABELLED, LOOKED, graph_job_name, retrain_job_name
from orchestration.retraining import retraining_tick
from orchestration.traffic import traffic_sensor
from orchestration.tries import next_try
from resources.platform import Platform
from resources.reaper import reap
from resources.settings import get_settings
from resources.stand_ins import reading_of

RUNNING = dg.DefaultSensorStatus.RUNNING


def sensors_of(stage: Stage) -> Sequence[dg.SensorDefinition]:
    """The sensors of one use case."""
    batches = _batches_sensor(stage)
    if stage.use_case.task == "experiment":
        return [batches]
    of_a_model = [batches, _retrain_sensor(stage), _looks_sensor(stage), traffic_sensor(stage)]
    if stage.use_case.trial is not None:
        of_a_model.append(_trial_sensor(stage))
    if stage.use_case.labels is not None:
        of_a_model.append(_labels_sensor(stage, stage.use_case.labels))
    return of_a_model


def reaper_sensor() -> dg.SensorDefinition:
    """Reports runs failed whose worker died; the daemon's run monitoring does not look at workers.

    Reporting a run twice changes nothing.
    """

    @dg.sensor(
        name="reaper",
        minimum_interval_seconds=15,
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


def _labels_sensor(stage: Stage, source: Labels) -> dg.SensorDefinition:
    """Takes in labels that came, and has what rests on them made again for their batches.

    The key names the newest change, so that each asks for one run, and for others if that failed.
    """

    @dg.sensor(
        name=f"{stage.name}_new_labels",
        job_name=graph_job_name(stage.name),
        minimum_interval_seconds=60,
        default_status=RUNNING,
        description=f"Takes in new labels of {stage.name}.",
    )
    def new_labels(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.SensorResult | dg.SkipReason:
        from resources.labels import changes, take_in

        settings, use_case = platform.settings, stage.use_case
        take_in(settings, stage.name, use_case, source, lambda: datetime.now(UTC))
        asked = []
        for batch, change in changes(settings, stage.name, use_case.key.name).items():
            known = platform.ledger.current(stage.name, "labels", batch)
            if known is not None and known.facts["source_digest"] != change:
                nodes = [stage.key(node) for node in LABELLED]
                request = dg.RunRequest(
                    run_key=next_try(context.instance, f"labels:{batch}:{change}"),
                    job_name=graph_job_name(stage.name),
                    partition_key=batch,
                    asset_selection=nodes,
                )
                asked.append(request)
        if not asked:
            return dg.SkipReason("no label of a batch is new")
        return dg.SensorResult(run_requests=asked)

    return new_labels


def _trial_sensor(stage: Stage) -> dg.SensorDefinition:
    """Judges the trial that runs; the verdict is carried out in the ledger, by whoever is first."""

    @dg.sensor(
        name=f"{stage.name}_trial",
        target=dg.AssetSelection.assets(stage.key("release")),
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description=f"Judges a release of {stage.name} that is tried beside the champion.",
    )
    def trial(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.SensorResult | dg.SkipReason:
        from resources.registry import RegistryUnavailable, project_aliases
        from resources.trial_judge import judge_trial

        found = judge_trial(platform.settings, stage.name, stage.use_case, datetime.now(UTC))
        if found is None:
            return dg.SkipReason("no release is tried")
        if not found.ended:
            return dg.SkipReason(found.told)
        try:
            project_aliases(platform.settings, stage.name)
        except RegistryUnavailable as error:
            context.log.warning("%s", error)
        seen = dg.AssetObservation(
            stage.key("release"), description=found.told, metadata=found.evidence
        )
        return dg.SensorResult(skip_reason=found.told, asset_events=[seen])

    return trial


def _looks_sensor(stage: Stage) -> dg.SensorDefinition:
    """Has batches held against the champion that it was not trained on and another model was.

    They came while it was trained, or before it became champion again: what was found on them is
    about the other model, which nobody trains for. The key names the look that is made up for, so
    that each asks for one run, also where the state of the sensor is lost.
    """

    @dg.sensor(
        name=f"{stage.name}_looks",
        job_name=graph_job_name(stage.name),
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description=f"Holds batches of {stage.name} against a champion that came after them.",
    )
    def looks(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.SensorResult | dg.SkipReason:
        champion = platform.releases.champion(stage.name)
        if champion is None:
            return dg.SkipReason("there is no champion")
        version, seen = champion.version, champion.facts["batches"]
        found = platform.recorded.unlooked(stage.name, version, seen)
        if not found:
            return dg.SkipReason(f"every batch was held against version {version}, or taught it")
        asked = [
            dg.RunRequest(
                run_key=f"look:{version}:{token}",
                partition_key=batch,
                asset_selection=[stage.key(node) for node in LOOKED],
            )
            for batch, token in found
        ]
        return dg.SensorResult(run_requests=asked)

    return looks


def _retrain_sensor(stage: Stage) -> dg.SensorDefinition:
    """Asks the controller what follows from what was recorded, and carries out what it says."""

    @dg.sensor(
        name=f"{stage.name}_retraining",
        job_name=retrain_job_name(stage.name),
        minimum_interval_seconds=30,
        default_status=RUNNING,
        description=f"Trains {stage.name} again when the retraining policy says so.",
    )
    def retrain(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        now = datetime.now(UTC)
        return retraining_tick(stage, context.instance, platform, now)

    return retrain
