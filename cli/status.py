"""`leeway status`: what the ledger and Dagster know of each use case.

Belongs here: collecting recorded facts into the fixed JSON, and printing them. Does not belong
here: computing anything that is not recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from cli.checks import latest_checks
from cli.experiment import effects_text, experiment_status, savings_text, setting_text
from cli.output import console
from cli.run import DECISIONS
from leeway.freshness import freshness_state
from leeway.spec import UseCase
from orchestration.use_cases import find_use_case, load_use_cases
from resources import trials
from resources.decisions import Decisions
from resources.instance import open_instance
from resources.ledger import Commit, Ledger
from resources.releases import Release, Releases
from resources.settings import get_settings
from resources.sources import open_source

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun, RunRecord

Commits = Mapping[tuple[str, str], Commit]
RUNS_AT_ONCE = 20  # mostly the first of them is what is looked for


def status_of(name: str | None) -> dict[str, Any]:
    """The status of one use case, or of all."""
    chosen = {name: find_use_case(name)} if name else load_use_cases()
    instance = open_instance()
    ledger = Ledger()
    return {
        "use_cases": {each: _status(each, spec, ledger, instance) for each, spec in chosen.items()}
    }


def _status(
    name: str, use_case: UseCase, ledger: Ledger, instance: DagsterInstance
) -> dict[str, Any]:
    commits = ledger.every_current(name)
    batches = [batch for batch in ledger.batches(name) if ("raw", batch) in commits]
    raw = [commits[("raw", batch)] for batch in batches]
    newest = max((commit.committed_at for commit in raw), default=None)
    source = open_source(use_case)
    # What the rows came from, which may have been what stands in for the source.
    read = raw[-1].facts if raw else {}
    return {
        "task": use_case.task,
        "data": {
            "origin": read.get("origin", source.origin),
            "source": read.get("source", source.description),
            "rows": sum(commit.rows or 0 for commit in raw),
            "rejected": sum(commit.facts["rejected"] for commit in raw),
            "batches": len(batches),
            "last_batch": batches[-1] if batches else None,
        },
        **_judged(name, use_case, commits, batches, ledger),
        "freshness": freshness_state(use_case.freshness, newest, datetime.now(UTC)),
        "checks": _checks(name, use_case, instance),
        "last_run": _last_run(name, commits, instance),
    }


def _judged(
    name: str, use_case: UseCase, commits: Commits, batches: Sequence[str], ledger: Ledger
) -> dict[str, Any]:
    if use_case.task == "experiment":
        return experiment_status(use_case, commits)
    champion = Releases(ledger.settings).champion(name)
    return {
        "champion": _champion(champion),
        "metrics": _metrics(champion, use_case),
        "drift": _drift(name, commits, batches, champion),
    }


def _champion(champion: Release | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    return {
        "version": champion.version,
        "release": champion.digest,
        "algorithm": champion.algorithm,
        "trained_at": champion.released_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "training_set": champion.facts["training_set"],
    }


def _metrics(champion: Release | None, use_case: UseCase) -> dict[str, Any]:
    """Held-out metrics of the champion, the one that candidates are compared by first."""
    if champion is None:
        return {}
    return dict(sorted(champion.facts["metrics"].items(), key=lambda m: m[0] != use_case.metric))


def _drift(
    name: str, commits: Commits, batches: Sequence[str], champion: Release | None
) -> dict[str, Any]:
    for batch in reversed(batches):
        if found := commits.get(("drift", batch)):
            if champion is None or found.facts["version"] != champion.version:
                # The champion was moved since, by promote or rollback.
                reason = f"not compared with the present champion; run `leeway run {name}`"
                return {"batch": batch, "verdict": "undefined", "reason": reason, "columns": []}
            return {
                "batch": batch,
                "verdict": found.facts["verdict"],
                "reason": found.facts["reason"],
                "columns": found.facts["columns"],
            }
    reason = "no batch was compared with a champion yet"
    return {"batch": None, "verdict": "undefined", "reason": reason, "columns": []}


def _checks(name: str, use_case: UseCase, instance: DagsterInstance) -> dict[str, Any]:
    """What the latest execution of each check said; one that never ran is not counted."""
    failed = []
    passed = 0
    for key, check in latest_checks(name, use_case, instance).items():
        if check.passed:
            passed += 1
        else:
            node = key.asset_key.path[-1]
            failed.append({"node": node, "check": key.name, "severity": check.severity})
    return {"passed": passed, "failed": failed}


def _last_run(name: str, commits: Commits, instance: DagsterInstance) -> dict[str, Any] | None:
    """The newest run of the use case's jobs, or any other that committed one of its nodes later.

    The runs that one command was cut into count as one; those of `leeway check` do not count.
    """
    from dagster import RunsFilter

    records = list(islice(_materializing(name, instance), 1))
    latest = max(commits.values(), key=lambda commit: commit.committed_at, default=None)
    if latest is not None:
        records += instance.get_run_records(RunsFilter(run_ids=[latest.run_id]), limit=1)
    if not records:
        return None
    newest = max(records, key=lambda found: found.create_timestamp)
    parts = _of_one_command(newest, instance)
    states = {_state(part.dagster_run) for part in parts}
    starts = [part.start_time for part in parts if part.start_time is not None]
    seconds = None
    if starts and newest.end_time is not None:
        seconds = round(newest.end_time - min(starts), 1)
    release = commits.get(("release", ""))
    decided = release is not None and release.run_id in {each.dagster_run.run_id for each in parts}
    return {
        "id": newest.dagster_run.run_id,
        "status": next(state for state in ("running", "failure", "success") if state in states),
        "seconds": seconds,
        "decision": DECISIONS[str(release.facts["verdict"])] if release and decided else None,
    }


def _materializing(name: str, instance: DagsterInstance) -> Iterator[RunRecord]:
    """Runs of the use case's jobs, the newest first, without those of checks alone."""
    from dagster import RunsFilter

    from orchestration.jobs import CHECKS_TAG, USE_CASE_TAG

    chosen, before = RunsFilter(tags={USE_CASE_TAG: name}), None
    while found := instance.get_run_records(chosen, limit=RUNS_AT_ONCE, cursor=before):
        yield from (each for each in found if CHECKS_TAG not in each.dagster_run.tags)
        before = found[-1].dagster_run.run_id


def _of_one_command(run: RunRecord, instance: DagsterInstance) -> Sequence[RunRecord]:
    """The run and those that the same command made beside it."""
    from dagster import RunsFilter

    from orchestration.jobs import COMMAND_TAG

    command = run.dagster_run.tags.get(COMMAND_TAG)
    if command is None or run.dagster_run.remote_job_origin is not None:
        return [run]  # what the UI makes again of a run has its tags, but was launched
    found = instance.get_run_records(RunsFilter(tags={COMMAND_TAG: command}))
    return [each for each in found if each.dagster_run.remote_job_origin is None]


def _state(run: DagsterRun) -> str:
    if not run.is_finished:
        return "running"
    return "success" if run.is_success else "failure"


def waiting_versions(names: Iterable[str]) -> dict[str, int]:
    """The version of each use case that waits for a person to promote it, where there is one."""
    releases = Releases(get_settings())
    found = {name: releases.waiting(name) for name in names}
    return {name: release.version for name, release in found.items() if release}


def decisions_of(names: Iterable[str]) -> dict[str, str]:
    """What the controller decided last for each use case, where it has decided."""
    decisions = Decisions(get_settings())
    found = {name: decisions.position(name).newest for name in names}
    return {
        name: f"{last.decision.state}, {last.decision.diagnosis}: {last.decision.reason}"
        for name, last in found.items()
        if last
    }


def print_status(
    found: dict[str, Any], waiting: Mapping[str, int], decided: Mapping[str, str]
) -> None:
    """Prints the status for a person, the versions that wait for one, and the last decisions."""
    from cli.demo import metric_text

    for name, each in found["use_cases"].items():
        data, champion, run = each["data"], each["champion"], each["last_run"]
        console.print(f"[bold]{name}[/bold]  {each['task']}")
        console.print(
            f"  data       {data['rows']} rows in {data['batches']} "
            f"{'batch' if data['batches'] == 1 else 'batches'}, "
            f"{data['rejected']} rejected, last {data['last_batch'] or 'none'} ({data['source']})",
            markup=False,
        )
        console.print(f"  champion   {_about(name, champion, waiting.get(name))}", markup=False)
        if each["task"] == "experiment":
            console.print(f"  predicted  {metric_text(each['metrics'])}", markup=False)
            console.print(f"  savings    {savings_text(each['metrics'])}", markup=False)
            console.print(f"  effects    {effects_text(each['effects']) or 'none'}", markup=False)
        else:
            drift = each["drift"]
            console.print(f"  held out   {metric_text(each['metrics'])}", markup=False)
            console.print(f"  drift      {drift['verdict']}: {drift['reason']}", markup=False)
            told = decided.get(name, "nothing decided yet; the sensors work under `leeway dev`")
            console.print(f"  retraining {told}", markup=False)
        console.print(f"  freshness  {each['freshness']}")
        checks = each["checks"]
        failing = [f"{c['node']}.{c['check']} ({c['severity']})" for c in checks["failed"]]
        console.print(
            f"  checks     {checks['passed']} passed, failing: {', '.join(failing) or 'none'}",
            markup=False,
        )
        console.print(f"  last run   {run['status'] + ' ' + run['id'] if run else 'none'}")


def print_trials(names: Collection[str]) -> None:
    """Prints the trials that run, with what each waits for."""
    for name, trial in sorted(trials.running(get_settings()).items()):
        if name in names:
            told = trial.reason or "nobody has judged it yet"
            console.print(
                f"trial of {name}: version {trial.version} beside version {trial.champion}, "
                f"{trial.policy.mode}, since {trial.began_at:%Y-%m-%d %H:%M} UTC: {told}",
                markup=False,
            )


def _about(name: str, champion: dict[str, Any] | None, waiting: int | None) -> str:
    if waiting is not None:
        now = _about(name, champion, None) if champion else "none"
        return f"{now}; version {waiting} waits for `leeway promote {name} {waiting}`"
    if champion is None:
        return f"none; run `leeway run {name}`"
    if "design" in champion:
        return f"{setting_text(champion)} ({champion['design']})"
    return f"version {champion['version']}, {champion['algorithm']}, {champion['trained_at']}"
