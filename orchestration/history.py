"""Recorded history of one use case, as the retraining policy reads it.

Belongs here: collecting incidents and trainings from the ledger and from Dagster's runs. Does not
belong here: deciding what follows from them (`leeway.retraining`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from assets.release import INCIDENT_TAG
from leeway.freshness import freshness_state
from leeway.retraining import Incident, Training, incident_digest
from leeway.spec import UseCase
from orchestration.jobs import graph_job_name, retrain_job_name
from resources.platform import Platform
from resources.releases import Release

OUTCOMES: dict[str, Literal["promoted", "held", "rejected"]] = {
    "promote": "promoted",
    "hold": "held",
    "reject": "rejected",
}
MOST_RUNS = 200  # the newest ones; an incident has three attempts, and older ones are decided


def incidents_of(name: str, use_case: UseCase, platform: Platform, now: datetime) -> list[Incident]:
    """Incidents about the champion: recorded drift, and its age where newer batches are there."""
    champion = platform.releases.champion(name)
    if champion is None:
        return []
    found = [
        Incident(each.digest, each.batch, "confirmed", each.columns, each.found_at)
        for each in platform.releases.incidents(name)
        if each.release_digest == champion.digest
    ]
    committed = platform.ledger.every_current(name)
    trained = committed.get(("training_set", ""))
    unseen = [
        batch
        for batch in platform.ledger.batches(name)
        if ("clean", batch) in committed
        and (trained is None or batch not in trained.facts["batches"])
    ]
    stale = freshness_state(use_case.freshness, champion.released_at, now) == "fail"
    if stale and unseen:
        digest = incident_digest(name, champion.digest, "stale", unseen)
        about = Incident(digest, unseen[-1], "confirmed", ("the model",), now, "freshness")
        found.append(about)
    return found


def trainings_of(name: str, instance: dg.DagsterInstance, platform: Platform) -> list[Training]:
    """Trainings from Dagster's runs, with the outcome that the ledger recorded for each."""
    released = {release.run_id: release for release in platform.releases.every(name)}
    trainings = []
    for job in (retrain_job_name(name), graph_job_name(name)):
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=MOST_RUNS):
            training = _training(record, released)
            if training is not None:
                trainings.append(training)
    return trainings


def _training(record: dg.RunRecord, released: Mapping[str, Release]) -> Training | None:
    """The training that a run was, or None when it trained nothing."""
    run = record.dagster_run
    started = record.create_timestamp
    incident = run.tags.get(INCIDENT_TAG)
    release = released.get(run.run_id)
    if not run.is_finished:
        return Training(incident, started, None, "running")
    finished = datetime.fromtimestamp(record.end_time or started.timestamp(), UTC)
    if release is not None:
        return Training(incident, started, finished, OUTCOMES[release.verdict])
    if incident is None:
        return None
    # A retraining that ended without a release did not come to a result, whatever its status says.
    return Training(incident, started, finished, "failed")
