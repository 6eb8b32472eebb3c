"""Recorded facts of one use case, as the controller reads them.

Belongs here: collecting what the ledger and Dagster's runs hold, only as much of it as a decision
can rest on, so that a tick costs the same after a thousand batches. Does not belong here: deciding
what follows (`leeway.controller`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.requested import INCIDENT_TAG, asked_of
from leeway.controller.facts import Facts, Incident, Training, incident_digest
from leeway.controller.machine import confirmed_incidents
from leeway.freshness import freshness_state
from leeway.spec import Retraining, UseCase
from orchestration.jobs import retrain_job_name
from resources.platform import Platform
from resources.recorded import Result
from resources.releases import Release

FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
UNFINISHED = [status for status in dg.DagsterRunStatus if status.name not in FINISHED]
MOST_UNFINISHED = 100
TRAINED = ("tuned_model", "release")  # nodes
MOST_PLANNED = 30  # runs that train, whoever began them; far more than run at once
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
        windows=platform.recorded.looks(name, champion.version, live=True),
        incidents=_incidents(name, champion, platform),
        intents=platform.decisions.intents(name, use_case.retraining.budget),
        overdue=_overdue(name, use_case, champion, platform, now),
        trained_for=champion.incident,
        switched_off=switched_off,
    )
    judged = _judged(known, use_case.retraining)
    if any(incident.live for incident in judged):
        known = replace(known, unseen=platform.recorded.unseen(name))
    answers = {each.digest: platform.recorded.answer(name, each) for each in judged}
    planned = max(MOST_PLANNED, use_case.retraining.budget)
    runs = _runs(name, judged, planned, instance)
    return replace(
        known,
        answers={digest: outcome for digest, outcome in answers.items() if outcome is not None},
        trainings=_trainings(name, runs, judged, champion, platform, now),
    )


def _incidents(name: str, champion: Release, platform: Platform) -> list[Incident]:
    """The newest about the champion, after the fault of our own that stands, however old it is."""
    newest = platform.releases.incidents(name, champion.digest, MOST_INCIDENTS)
    own = platform.releases.own_fault(name, champion.digest)
    return newest if own is None or own in newest else [own, *newest]


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
    """Runs that train, oldest first: the newest of whichever job, and those for an incident.

    Which run trains is known by what it plans to make. That is logged after the run is made: until
    then, one that the sensor asked for is known by its job.
    """
    job = retrain_job_name(name)
    asked = [(dg.RunsFilter(job_name=job, statuses=UNFINISHED), MOST_UNFINISHED)]
    if planned := _planned(name, newest, instance):
        asked.append((dg.RunsFilter(run_ids=planned), len(planned)))
    asked += [
        (dg.RunsFilter(tags={INCIDENT_TAG: incident.digest}), MOST_ATTEMPTS) for incident in judged
    ]
    found = {
        record.storage_id: record
        for chosen, limit in asked
        for record in instance.get_run_records(chosen, limit=limit)
    }
    return [found[storage_id] for storage_id in sorted(found)]


def _planned(name: str, newest: int, instance: dg.DagsterInstance) -> list[str]:
    """Ids of the newest runs that were to make a model or its release."""
    event = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    filters = [
        dg.EventRecordsFilter(event_type=event, asset_key=dg.AssetKey([name, node]))
        for node in TRAINED
    ]
    storage = instance.event_log_storage
    return list(
        {record.run_id for each in filters for record in storage.get_event_records(each, newest)}
    )


def _trainings(
    name: str,
    runs: Sequence[dg.RunRecord],
    judged: Sequence[Incident],
    champion: Release,
    platform: Platform,
    now: datetime,
) -> list[Training]:
    """Those that came to an end in the ledger, in that order; then all others."""
    digests = [incident.digest for incident in judged]
    results = platform.recorded.results(name, champion.version, digests)
    ended = {(each.incident, each.attempt) for each in results if each.incident}
    released = {each.run_id for each in results if not each.incident}
    by_id = {record.dagster_run.run_id: record for record in runs}
    others = [
        _unanswered(record, now)
        for record in runs
        if not record.dagster_run.is_finished
        or not (record.dagster_run.run_id in released or _asked(record) in ended)
    ]
    return [*(_ended(each, by_id.get(each.run_id)) for each in results), *others]


def _ended(result: Result, run: dg.RunRecord | None) -> Training:
    """What a training came to; where nothing else is known of its begin, its run was made then."""
    begun = result.begun_at
    if result.incident is None and run is not None:
        begun = run.create_timestamp
    return Training(result.incident, result.attempt, begun, result.ended_at, result.outcome)


def _unanswered(record: dg.RunRecord, now: datetime) -> Training:
    """A run as far as Dagster knows it: it goes on, or it came to nothing, whatever its status."""
    tags = record.dagster_run.tags
    incident, attempt = _asked(record)
    started = record.create_timestamp
    if not record.dagster_run.is_finished:
        return Training(incident, attempt, started, None, "running")
    again = tags.get(WILL_RETRY) == "true" and RETRIED_BY not in tags
    if again and now < _end(record) + RETRIED_WITHIN:
        return Training(incident, attempt, started, None, "running")
    return Training(incident, attempt, started, _end(record), "failed")


def _asked(record: dg.RunRecord) -> tuple[str | None, int]:
    """The incident and the attempt that a run is for; None and 0: it is for none."""
    asked = asked_of(record.dagster_run)
    return (asked.incident, asked.attempt) if asked else (None, 0)


def _end(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)
