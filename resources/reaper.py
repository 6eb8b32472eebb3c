"""Runs whose worker process is dead: found, and reported failed; and what failed runs left untold.

Belongs here: telling a dead worker from one that works, the report, and comparing what a run that
did not succeed committed with what Dagster knows of it. Does not belong here: running anything
again (`leeway run` continues where the ledger ends, the retraining policy counts the failure), or
what a killed process left in the ledger: that is consistent at any moment.

Dagster itself notices a dead worker only while the code server that started it lives, and a run of
`leeway run` has none. `leeway run` therefore writes down its process in tags. Of a run that the
daemon launched, Dagster records the process id but not the machine: it is judged only where there
is one machine, which the embedded PostgreSQL means; elsewhere `start_timeout_seconds` and
`max_runtime_seconds` of dagster.yaml are what ends it. A pid that was given to a new process is
recognised by when that process began: since which boot of the machine and how long after it where
the system says so, for a clock is set.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from resources.ledger import Key, Ledger
from resources.postgres import transaction
from resources.settings import Settings, get_settings
from resources.tracking import end_abandoned_runs

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

PID, HOST, STARTED = "leeway/pid", "leeway/host", "leeway/process_started"
# A worker of this machine says its pid a few seconds after its launch. One that comes later than
# this finds its run finished and leaves it alone (dagster 1.13.27, execute_run_iterator).
LAUNCH_SECONDS = 45.0
_CLOCK_SECONDS = 2.0  # psutil derives the start of a process from the boot time, which may be set
_UNFINISHED = ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")
_FAILED = ("FAILURE", "CANCELED")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def worker_tags() -> Mapping[str, str]:
    """Tags by which a later process can tell whether this one still lives."""
    return {
        PID: str(os.getpid()),
        HOST: socket.gethostname(),
        STARTED: str(identity_of(os.getpid())),
    }


def identity_of(pid: int) -> str | None:
    """What no later process with the same number has; None when the process does not run."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if not _BOOT.exists():
            return f"{process.create_time():.2f}"
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program, in parentheses, may hold blanks; 22nd of all: ticks since the boot.
    return f"{_BOOT.read_text().strip()}/{stat.rpartition(')')[2].split()[19]}"


def anything_unfinished(settings: Settings) -> bool:
    """Whether a run may be dead or has left something untold, asked without importing Dagster."""
    with transaction(settings, "dagster") as cursor:
        cursor.execute("select to_regclass('runs')")
        if cursor.fetchone() == (None,):
            return False
        cursor.execute("select 1 from runs where status = any(%s) limit 1", ([*_UNFINISHED],))
        if cursor.fetchone() is not None:
            return True
    return bool(untold_commits(settings))


def untold_commits(settings: Settings) -> dict[str, list[Key]]:
    """What runs that did not succeed committed without Dagster knowing of it, by run.

    A step tells Dagster of its node at its end. It may commit before, and then fail or be killed.
    """
    ledger = Ledger(settings)
    with transaction(settings, "dagster") as cursor:
        cursor.execute(
            "select run_id from runs where run_id = any(%s) and status = any(%s)",
            (ledger.runs_told(), [*_FAILED]),
        )
        failed = [row[0] for row in cursor.fetchall()]
        if not failed:
            return {}
        cursor.execute(
            "select run_id, asset_key, partition from event_logs where run_id = any(%s) "
            "and dagster_event_type = 'ASSET_MATERIALIZATION'",
            (failed,),
        )
        known = {(run, (*json.loads(key), batch or "")) for run, key, batch in cursor.fetchall()}
    found = {
        run_id: [key for key in ledger.committed_by(run_id) if (run_id, key) not in known]
        for run_id in failed
    }
    return {run_id: keys for run_id, keys in found.items() if keys}


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

    Then marks what these and other runs that failed left untold, and ends their runs in MLflow. Any
    number of processes may do this at once, any number of times.
    """
    reaped = []
    for run, why in dead_runs(instance):
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            continue  # it ended while it was looked at
        instance.report_run_failed(
            now, f"{why}. What it committed stays; `leeway run` continues with what is missing."
        )
        reaped.append(run.run_id)
    settings = get_settings()
    for run_id, keys in untold_commits(settings).items():
        Ledger(settings).mark_untold(run_id, keys)
    if reaped:
        end_abandoned_runs(settings, logging.getLogger(__name__))
    return reaped


def _why_dead(instance: DagsterInstance, run: DagsterRun, updated: float) -> str | None:
    """Why the run can never finish; None when it may."""
    one_machine = get_settings().database_url is None  # whatever it is called now
    # A run that the UI makes from one of `leeway run` has its tags, but was launched.
    if PID in run.tags and run.remote_job_origin is None:
        if not one_machine and run.tags.get(HOST) != socket.gethostname():
            return None
        pid = int(run.tags[PID])
        return None if identity_of(pid) == run.tags.get(STARTED) else _message(pid)
    worker = _launched_worker(instance, run.run_id)
    if worker is not None:
        pid, seen = worker
        return None if not one_machine or _was_alive(pid, seen) else _message(pid)
    late = time.time() - updated > LAUNCH_SECONDS
    if one_machine and late and run.status.value == "STARTING":
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


def _was_alive(pid: int, seen: float) -> bool:
    """Whether the process runs and did so when it was seen, else the pid was given anew."""
    try:
        began = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return identity_of(pid) is not None and began <= seen + _CLOCK_SECONDS
