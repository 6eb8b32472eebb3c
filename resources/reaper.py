"""Runs whose worker process is dead: found, and reported failed.

Belongs here: telling a dead worker from one that works, and the report. Does not belong here:
running anything again (`leeway run` continues where the ledger ends, the retraining policy counts
the failure), or what a killed process left in the ledger: that is consistent at any moment.

Dagster itself notices a dead worker only while the code server that started it lives, and a run of
`leeway run` has none. `leeway run` therefore writes down its process in tags. Of a run that the
daemon launched, Dagster records the process id but not the machine: it is judged only where there
is one machine, which the embedded PostgreSQL means; elsewhere `max_runtime_seconds` of dagster.yaml
is what ends it. A pid that was given to a new process is recognised by when that process began.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psutil

from resources.ledger import Ledger
from resources.postgres import transaction
from resources.settings import Settings, get_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

PID, HOST, STARTED = "leeway/pid", "leeway/host", "leeway/process_started"
LAUNCH_SECONDS = 180.0  # a run is launched within this time, or never
_CLOCK_SECONDS = 2.0  # psutil derives the start of a process from the boot time, which may be set
_UNFINISHED = ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")


def worker_tags() -> Mapping[str, str]:
    """Tags by which a later process can tell whether this one still lives."""
    return {
        PID: str(os.getpid()),
        HOST: socket.gethostname(),
        STARTED: f"{psutil.Process().create_time():.2f}",
    }


def anything_unfinished(settings: Settings) -> bool:
    """Whether a run may be dead, asked without importing Dagster."""
    with transaction(settings, "dagster") as cursor:
        cursor.execute("select to_regclass('runs')")
        if cursor.fetchone() == (None,):
            return False
        cursor.execute("select 1 from runs where status = any(%s) limit 1", ([*_UNFINISHED],))
        return cursor.fetchone() is not None


def dead_runs(instance: DagsterInstance) -> list[tuple[DagsterRun, str]]:
    """The runs whose worker is dead, each with the reason."""
    from dagster import DagsterRunStatus, RunsFilter

    statuses = [DagsterRunStatus(status) for status in _UNFINISHED]
    found = []
    for record in instance.get_run_records(RunsFilter(statuses=statuses)):
        why = _why_dead(instance, record.dagster_run, record.update_timestamp.timestamp())
        if why is not None:
            found.append((record.dagster_run, why))
    return found


def reap(instance: DagsterInstance) -> list[str]:
    """Reports every run failed whose worker is dead; returns their ids.

    Any number of processes may do this at once, any number of times.
    """
    reaped = []
    for run, why in dead_runs(instance):
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            continue  # it ended while it was looked at
        Ledger().mark_untold(run.run_id, _told(instance, run.run_id))  # first: this sees it once
        instance.report_run_failed(
            now, f"{why}. What it committed stays; `leeway run` continues with what is missing."
        )
        reaped.append(run.run_id)
    return reaped


def _told(instance: DagsterInstance, run_id: str) -> set[tuple[str, str, str]]:
    """Use case, node and batch of what a run materialized, as Dagster knows it."""
    from dagster import DagsterEventType

    found = set()
    for entry in instance.all_logs(run_id, of_type={DagsterEventType.ASSET_MATERIALIZATION}):
        event = entry.dagster_event
        if event is not None and event.asset_key is not None:
            use_case, node = event.asset_key.path
            found.add((use_case, node, event.partition or ""))
    return found


def _why_dead(instance: DagsterInstance, run: DagsterRun, updated: float) -> str | None:
    """Why the run can never finish; None when it may."""
    # A run that the UI makes from one of `leeway run` has its tags, but was launched.
    if PID in run.tags and run.remote_job_origin is None:
        if run.tags.get(HOST) != socket.gethostname():
            return None
        pid, started = int(run.tags[PID]), float(run.tags[STARTED])
        return None if _is_alive(pid, started, started) else _message(pid)
    worker = _launched_worker(instance, run.run_id)
    if worker is not None:
        pid, seen = worker
        one_machine = get_settings().database_url is None
        return None if not one_machine or _is_alive(pid, 0, seen) else _message(pid)
    if run.status.value == "STARTING" and time.time() - updated > LAUNCH_SECONDS:
        return f"no worker began this run within {LAUNCH_SECONDS:.0f} s of its launch"
    return None


def _message(pid: int) -> str:
    return f"the process of this run, {pid} on {socket.gethostname()}, ended without a word"


def _launched_worker(instance: DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Pid of the process that the code server started for the run, and when it said so."""
    from dagster import DagsterEventType

    for entry in instance.all_logs(run_id, of_type={DagsterEventType.ENGINE_EVENT}):
        event = entry.dagster_event
        if event is None or not str(event.message).startswith("Started process for run"):
            continue
        pid = event.engine_event_data.metadata.get("pid")
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def _is_alive(pid: int, earliest: float, latest: float) -> bool:
    """Whether the process runs and began in the given time, else the pid was given anew."""
    try:
        process = psutil.Process(pid)
        began = process.create_time()
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return False
    return earliest - _CLOCK_SECONDS <= began <= latest + _CLOCK_SECONDS
