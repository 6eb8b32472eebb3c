"""Recorded history of one use case, as the retraining policy reads it.

Belongs here: collecting incidents and trainings from the ledger and from Dagster's runs. Does not
belong here: deciding what follows from them (`leeway.retraining`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from assets.release import INCIDENT_TAG
from leeway.freshness import freshness_state
from leeway.retraining import Incident, Outcome, Training, incident_digest
from leeway.spec import UseCase
from orchestration.jobs import CHECKS_TAG, graph_job_name, retrain_job_name
from resources.platform import Platform
from resources.releases import Release

OUTCOMES: dict[str, Outcome] = {
    "promote": "promoted",
    "hold": "held",
    "reject": "rejected",
}
# How Dagster calls the runs of assets that were chosen in the UI or by a condition.
ASSET_JOB = "__ASSET_JOB"
MOST_RUNS = 200  # the newest ones; an incident has three attempts, and older ones are decided


def incidents_of(name: str, use_case: UseCase, platform: Platform, now: datetime) -> list[Incident]:
    """Incidents about the champion, oldest first: recorded drift, and its age."""
    champion = platform.releases.champion(name)
    if champion is None:
        return []
    found = [
        Incident(each.digest, each.batch, "confirmed", each.columns, each.found_at)
        for each in platform.releases.incidents(name)
        if each.release_digest == champion.digest
    ]
    if freshness_state(use_case.freshness, champion.released_at, now) == "fail":
        found += _stale(name, champion, platform)
    return sorted(found, key=lambda incident: incident.at)


def _stale(name: str, champion: Release, platform: Platform) -> list[Incident]:
    """The age of the champion, where batches are there that no judged model was trained on.

    It counts from the newest of these batches on, and so before drift that was found in that
    batch: the training for the drift answers both.
    """
    seen = {batch for each in platform.releases.every(name) for batch in each.facts["batches"]}
    committed = platform.ledger.every_current(name)
    unseen = [
        batch
        for batch in platform.ledger.batches(name)
        if ("clean", batch) in committed and batch not in seen
    ]
    if not unseen:
        return []
    digest = incident_digest(name, champion.digest, "stale", unseen)
    since = committed[("clean", unseen[-1])].committed_at
    return [Incident(digest, unseen[-1], "confirmed", ("the model",), since, "freshness")]


def trainings_of(name: str, instance: dg.DagsterInstance, platform: Platform) -> list[Training]:
    """Trainings from Dagster's runs, with the outcome that the ledger recorded for each."""
    releases = platform.releases.every(name)
    # A release that is made again belongs to that run, and still answers the incident.
    released = {release.incident: release for release in releases if release.incident}
    released |= {release.run_id: release for release in releases}
    trainings = []
    for job in (retrain_job_name(name), graph_job_name(name), ASSET_JOB):
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=MOST_RUNS):
            training = _training(record, released) if _trains(record.dagster_run, name) else None
            if training is not None:
                trainings.append(training)
    return trainings


def _trains(run: dg.DagsterRun, name: str) -> bool:
    """Whether the run trains the use case: a run without a selection takes the whole of its job."""
    trained = {dg.AssetKey([name, node]) for node in ("tuned_model", "release")}
    if CHECKS_TAG in run.tags:
        return False
    return not run.asset_selection or bool(trained & run.asset_selection)


def _training(record: dg.RunRecord, released: Mapping[str, Release]) -> Training | None:
    """The training that a run was, or None when it trained nothing."""
    run = record.dagster_run
    started = record.create_timestamp
    incident = run.tags.get(INCIDENT_TAG)
    release = released.get(run.run_id) or released.get(incident or "")
    if not run.is_finished:
        return Training(incident, started, None, "running")
    finished = datetime.fromtimestamp(record.end_time or started.timestamp(), UTC)
    if release is not None:
        return Training(incident, started, finished, _outcome(release))
    if incident is None:
        return None
    # A retraining that ended without a release did not come to a result, whatever its status says.
    return Training(incident, started, finished, "failed")


def _outcome(release: Release) -> Outcome:
    if release.facts.get("awaits_person"):
        return "proposed to a person"
    return OUTCOMES[release.verdict]
