"""One tick of the controller: facts in, a recorded decision, and what it asks of Dagster.

Belongs here: recording a decision before it is carried out, the run that it asks for, and how the
UI shows it. Does not belong here: collecting the facts (`orchestration.history`), or deciding
(`leeway.controller`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

from assets.requested import ATTEMPT_TAG, CAUSE_TAG, INCIDENT_TAG
from assets.stage import Stage
from leeway.controller.facts import Facts
from leeway.controller.machine import Decision, decide
from leeway.digests import digest_of
from orchestration.history import facts_of
from orchestration.jobs import retrain_job_name
from resources.platform import Platform
from resources.settings import retraining_is_off

REASON_TAG = "leeway/reason"


def retraining_tick(
    stage: Stage, instance: dg.DagsterInstance, platform: Platform, now: datetime
) -> dg.SensorResult:
    """A request under the key of the incident and the attempt, or the reason for none.

    A decision that is not the last one again is recorded before it is carried out. A tick that is
    repeated finds it recorded and asks for the same run, of which Dagster makes one. Of two ticks
    at once, the one whose decision is not recorded asks for nothing.
    """
    name, use_case = stage.name, stage.use_case
    # Before the facts: what happens while they are read makes the decision be refused.
    since = platform.decisions.position(name)
    facts = facts_of(name, use_case, instance, platform, now, switched_off=retraining_is_off())
    decision = decide(facts, use_case.retraining, now)
    content = use_case.retraining.model_dump()
    policy = digest_of(content)
    if since.newest is not None and since.newest.says(decision, policy):
        return dg.SensorResult(**_asked(stage, decision, facts))
    platform.decisions.keep_policy(content)  # before the decision, which names it
    aged = facts.overdue is not None and facts.overdue.digest == decision.incident
    overdue = (facts.overdue, facts.champion) if aged and facts.overdue else None
    if not platform.decisions.record(name, decision, policy, now, since=since, overdue=overdue):
        return dg.SensorResult(skip_reason="another tick decided, or a training began, meanwhile")
    return dg.SensorResult(
        asset_events=[_observation(stage, decision)], **_asked(stage, decision, facts)
    )


def _asked(stage: Stage, decision: Decision, facts: Facts) -> dict[str, Any]:
    """What a decision asks of Dagster: a run, or nothing for a reason."""
    if decision.action != "retrain":
        return {"skip_reason": decision.reason}
    known = [*facts.incidents, *([facts.overdue] if facts.overdue else [])]
    incident = next(each for each in known if each.digest == decision.incident)
    # A window is no batch of the nodes that train: what is new beside it is looked at.
    batch = facts.unseen[0] if incident.live and facts.unseen else incident.batch
    request = dg.RunRequest(
        run_key=decision.run_key,
        job_name=retrain_job_name(stage.name),
        partition_key=batch,
        tags={
            INCIDENT_TAG: incident.digest,
            CAUSE_TAG: incident.cause,
            ATTEMPT_TAG: str(decision.attempt),
            REASON_TAG: decision.reason,
        },
    )
    return {"run_requests": [request]}


def _observation(stage: Stage, decision: Decision) -> dg.AssetObservation:
    """The decision among the events of `release`, where the UI shows when a model was made."""
    until = decision.until.isoformat() if decision.until else None
    shown = {**decision.as_dict(), "until": until}
    return dg.AssetObservation(
        stage.key("release"),
        description=decision.reason,
        metadata={key: value for key, value in shown.items() if value is not None},
    )
