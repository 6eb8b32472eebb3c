"""Recorded facts of one use case, as the controller reads them.

Belongs here: collecting what the ledger and Dagster's runs hold, only as much of it as a decision
can rest on, so that a tick costs the same after a thousand batches. Does not belong here: deciding
what follows (`leeway.controller`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.requested import ATTEMPT_TAG, INCIDENT_TAG
from leeway.controller.facts import Facts, Incident, Training, incident_digest
from leeway.controller.machine import confirmed_incidents
from leeway.freshness import freshness_state
from leeway.spec import Retraining, UseCase
from orchestration.jobs import CHECKS_TAG, graph_job_name, retrain_job_name
from resources.platform import Platform
from resources.recorded import Result
from resources.releases import Release

# How Dagster calls the runs of assets that were chosen in the UI or by a condition.
ASSET_JOB = "__ASSET_JOB"
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
UNFINISHED = [status for status in dg.DagsterRunStatus if status.name not in FINISHED]
MOST_UNFINISHED = 100  # of one job
MOST_ATTEMPTS = 30  # runs of one incident: its attempts, and what Dagster or a person made again
MOST_INCIDENTS = 50  # of the champion; ten batches in a row, each with one of every cause
# Dagster says of a run that a crash ended that it will make it again, and of which run that is.
WILL_RETRY, RETRIED_BY = "dagster/will_retry", "dagster/auto_retry_run_id"
RETRIED_WITHIN = timedelta(minutes=10)  # it takes seconds, where the daemon works


def facts_of(
    name: str,
    use_case: UseCase,
    instance: dg.DagsterInstance,
    platform: Platform,
    now: datetime,
    *,
    switched_off: bool = False,
) -> Facts:
    """What is known of a use case at a time.

    `now` says whether the champion is too old, and whether a run that Dagster wanted to make again
    has been given up.
    """
    champion = platform.releases.champion(name)
    if champion is None:
        return Facts(switched_off=switched_off)
    known = Facts(
        champion=champion.digest,
        looks=platform.recorded.looks(name, champion.version),
        incidents=platform.releases.incidents(name, champion.digest, MOST_INCIDENTS),
        intents=platform.decisions.intents(name, use_case.retraining.budget),
        overdue=_overdue(name, use_case, champion, platform, now),
        trained_for=champion.incident,
        switched_off=switched_off,
    )
    judged = _judged(known, use_case.retraining)
    answers = {each.digest: platform.recorded.answer(name, each) for each in judged}
    runs = _runs(name, judged, use_case.retraining.budget, instance)
    return replace(
        known,
        answers={digest: outcome for digest, outcome in answers.items() if outcome is not None},
        trainings=_trainings(name, runs, known, judged, champion, platform, now),
    )


def _overdue(
    name: str, use_case: UseCase, champion: Release, platform: Platform, now: datetime
) -> Incident | None:
    """The age of the champion, where a batch is there that no judged model was trained on."""
    if "freshness" not in use_case.retraining.on:
        return None
    if freshness_state(use_case.freshness, champion.released_at, now) != "fail":
        return None
    unseen = platform.recorded.unseen(name)
    if unseen is None:
        return None
    batch, since = unseen
    digest = incident_digest(name, champion.digest, "stale", [batch])
    return Incident(digest, batch, ("the model",), since, "freshness")


def _judged(known: Facts, policy: Retraining) -> list[Incident]:
    """The incidents of which the controller asks what became of their training."""
    confirmed = confirmed_incidents(known, policy)
    found = {each.digest: each for each in confirmed[-1:]}
    if known.overdue is not None:
        found[known.overdue.digest] = known.overdue
    return list(found.values())


def _runs(
    name: str, judged: Sequence[Incident], newest: int, instance: dg.DagsterInstance
) -> list[dg.RunRecord]:
    """Runs that train, oldest first: unfinished, newest, and those for an incident."""
    asked = [
        (dg.RunsFilter(job_name=job, statuses=UNFINISHED), MOST_UNFINISHED)
        for job in (retrain_job_name(name), graph_job_name(name), ASSET_JOB)
    ]
    asked.append((dg.RunsFilter(job_name=retrain_job_name(name)), newest))
    asked += [
        (dg.RunsFilter(tags={INCIDENT_TAG: incident.digest}), MOST_ATTEMPTS) for incident in judged
    ]
    found = {
        record.storage_id: record
        for chosen, limit in asked
        for record in instance.get_run_records(chosen, limit=limit)
        if _trains(record.dagster_run, name)
    }
    return [found[storage_id] for storage_id in sorted(found)]


def _trains(run: dg.DagsterRun, name: str) -> bool:
    """Whether the run trains the use case: a run without a selection takes the whole of its job."""
    trained = {dg.AssetKey([name, node]) for node in ("tuned_model", "release")}
    if CHECKS_TAG in run.tags:
        return False
    return not run.asset_selection or bool(trained & run.asset_selection)


def _trainings(
    name: str,
    runs: Sequence[dg.RunRecord],
    known: Facts,
    judged: Sequence[Incident],
    champion: Release,
    platform: Platform,
    now: datetime,
) -> list[Training]:
    """Those that came to a release, in the order of their releases; then all others."""
    incidents = {record.dagster_run.tags.get(INCIDENT_TAG, "") for record in runs}
    results = platform.recorded.results(
        name,
        champion.version,
        [record.dagster_run.run_id for record in runs],
        [*incidents, *(each.digest for each in judged)],
    )
    decided = {intent.incident: intent.attempt for intent in known.intents}
    about_champion = {each.digest for each in known.incidents}
    ended, unchanged, matched = [], [], set()
    for result in results:
        run = _run_of(result, runs)
        if run is not None:
            matched.add(run.storage_id)
        training = _ended(result, run, decided)
        if result.version == champion.version and result.incident in about_champion:
            # What an incident about the champion led to is the champion again: the release is
            # that of then, and the training is of now.
            unchanged.append(replace(training, outcome="unchanged"))
            training = Training(None, 0, result.released_at, result.released_at, "promoted")
        ended.append(training)
    others = [_unanswered(record, now) for record in runs if record.storage_id not in matched]
    return [*ended, *unchanged, *others]


def _run_of(result: Result, runs: Sequence[dg.RunRecord]) -> dg.RunRecord | None:
    """The run of a release; of one that was made again since, the newest for its incident."""
    finished = [record for record in runs if record.dagster_run.is_finished]
    own = [record for record in finished if record.dagster_run.run_id == result.run_id]
    asked = [
        record
        for record in finished
        if result.incident and record.dagster_run.tags.get(INCIDENT_TAG) == result.incident
    ]
    found = own or asked
    return found[-1] if found else None


def _ended(result: Result, run: dg.RunRecord | None, decided: Mapping[str, int]) -> Training:
    """The training that came to a release; its times are those of its run, where that is known."""
    started = finished = result.released_at
    attempt = decided.get(result.incident or "", 1 if result.incident else 0)
    if run is not None:
        started, finished = run.create_timestamp, _end(run)
        attempt = int(run.dagster_run.tags.get(ATTEMPT_TAG, attempt))
    return Training(result.incident, attempt, started, finished, result.outcome)


def _unanswered(record: dg.RunRecord, now: datetime) -> Training:
    """A run without a release: it goes on, or it failed, whatever its status says."""
    tags = record.dagster_run.tags
    incident, attempt = tags.get(INCIDENT_TAG), int(tags.get(ATTEMPT_TAG, 0))
    started = record.create_timestamp
    if not record.dagster_run.is_finished:
        return Training(incident, attempt, started, None, "running")
    again = tags.get(WILL_RETRY) == "true" and RETRIED_BY not in tags
    if again and now < _end(record) + RETRIED_WITHIN:
        return Training(incident, attempt, started, None, "running")
    return Training(incident, attempt, started, _end(record), "failed")


def _end(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)
