"""The sensor of live traffic: it closes windows, and has some looked at again.

Belongs here: what a tick registers and asks for. Does not belong here: when a window is closed
(`leeway.traffic.windows`), or what is found of one (`assets.traffic_drift`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from assets.stage import Stage
from leeway.traffic.windows import KEPT_UP
from orchestration.jobs import LIVE, traffic_job_name
from orchestration.tries import next_try
from resources.platform import Platform
from resources.traffic import answer_counts, close_windows, truth_changes, truth_state


def traffic_sensor(stage: Stage) -> dg.SensorDefinition:
    """Registers windows that were closed; conditions have them looked at once, this one again."""

    @dg.sensor(
        name=f"{stage.name}_new_traffic",
        job_name=traffic_job_name(stage.name),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Takes in what the service answered for {stage.name}, and its labels.",
    )
    def new_traffic(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.SensorResult | dg.SkipReason:
        return traffic_tick(stage, context.instance, platform, datetime.now(UTC), context.cursor)

    return new_traffic


def traffic_tick(
    stage: Stage,
    instance: dg.DagsterInstance,
    platform: Platform,
    now: datetime,
    cursor: str | None,
) -> dg.SensorResult | dg.SkipReason:
    """What is new: windows, answers that were logged late, and labels.

    The key of a run names what is new, so that each asks for one run, and for others where that
    failed. `cursor` is what labels and windows were at the last tick that had nothing to ask about
    labels: while that is the same, nothing is asked of each label.
    """
    settings, name, use_case = platform.settings, stage.name, stage.use_case
    found = close_windows(settings, name, use_case.monitoring.window, now)
    if not found:
        return dg.SkipReason("no window of live traffic has come to its end")
    known = set(instance.get_dynamic_partitions(f"{name}_traffic"))
    new = [each for each in found if each not in known]
    late = _changed(stage, platform, "traffic", answer_counts(settings, name, now - KEPT_UP))
    state = truth_state(settings, name)  # before what it is the state of
    truth = truth_changes(settings, name, use_case) if state != cursor else {}
    judged = _changed(stage, platform, "traffic_performance", truth)
    asked = [_request(stage, instance, LIVE, *each) for each in late.items()]
    asked += [
        _request(stage, instance, ("traffic_performance",), window, change)
        for window, change in judged.items()
        if window not in late
    ]
    seen = cursor if judged else state  # what was asked for may fail
    if not new and not asked:
        nothing = f"nothing is new of the {len(found)} windows"
        return dg.SensorResult(skip_reason=nothing, cursor=seen)
    added = [stage.windows.build_add_request(new)] if new else []
    return dg.SensorResult(run_requests=asked, dynamic_partitions_requests=added, cursor=seen)


def _changed(
    stage: Stage, platform: Platform, node: str, sources: Mapping[str, str | None]
) -> dict[str, str]:
    """The windows of which a node has read something else than there is now."""
    read = platform.ledger.sources_of(stage.name, node)
    return {
        window: source
        for window, source in sources.items()
        if source is not None and window in read and read[window] != source
    }


def _request(
    stage: Stage, instance: dg.DagsterInstance, nodes: tuple[str, ...], window: str, change: str
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=next_try(instance, f"{nodes[0]}:{window}:{change}"),
        job_name=traffic_job_name(stage.name),
        partition_key=window,
        asset_selection=[stage.key(node) for node in nodes],
    )
