"""An installation whose model is retrained under Dagster's real daemon, and what came of it.

Belongs here: its code server, its daemons, incidents, and outcomes. Does not belong here: when a
daemon is killed, and what must hold (test_daemon_retraining.py).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.batches import penguins
from tests.faults.harness import PROGRAMS, alive, hear, kill, until
from tests.installed import Complete
from tests.project_copy import NAME, environment_of, set_attributes

REAL, NAIVE = f"{NAME}_retraining", "naive"
SHORT = {"candidates": ["decision_tree"], "folds": 2, "trials": 1}
# A person promotes, so that each batch is held against the same champion.
POLICY = {"promotion": "manual", "retraining": {"cooldown": "0s", "window": "1s", "budget": 100}}
# Each time that a training comes to its end in the ledger, also where it comes to the same release.
KEEP_OUTCOMES = """
create table outcomes (seq bigserial, incident text, run_id text);
create function keep_outcome() returns trigger language plpgsql as $$ begin
    insert into outcomes (incident, run_id) values (new.incident, new.run_id); return new;
end $$;
create trigger keep_outcome after insert or update on leeway.releases
    for each row execute function keep_outcome();
select 1
"""
SHIFT_MM = 10.0
QUEUE = """
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""
UP_TO_DRIFT = "raw,staged,clean,profile,drift"


class Retrained:
    """An installation, the process that starts daemons for it, and the daemon that should run."""

    def __init__(self, installed: Complete, starter: subprocess.Popen[str]) -> None:
        self.installed = installed
        self.starter = starter
        self.pids: list[int] = []
        self.number = 0
        self.restarted = 0

    def start(self, **points: str | int) -> int:
        """Starts a daemon that is killed at a point (`kill`), or fails there so often; its pid."""
        assert self.starter.stdin is not None
        self.starter.stdin.write(f"{json.dumps(points)}\n")
        self.starter.stdin.flush()
        self.pids.append(int(hear(self.starter, "daemon")))
        return self.pids[-1]

    def kill(self) -> None:
        """Kills every daemon that runs."""
        for pid in self.pids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        assert until(lambda: not any(map(alive, self.pids)), 10) is not None
        self.pids.clear()

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Waits; a daemon that ended meanwhile is started again, as `leeway dev` does."""

        def holds() -> bool:
            if not condition():
                time.sleep(0.2)
                if self.pids and not alive(self.pids[-1]):
                    self.restarted += 1
                    self.start()
                return False
            return True

        took = until(holds, seconds)
        assert took is not None, f"not within {seconds} s: {what}"
        return took

    def ended(self) -> bool:
        """Whether the daemon that was started last was killed at its crash point."""
        return not alive(self.pids[-1])

    def incident(self) -> str:
        """A batch that drifted arrives, unlike every other one; the digest of its incident."""
        self.number += 1
        table = penguins(first_key=10_000 + 1000 * self.number, year=[2009])
        table["bill_length_mm"] += SHIFT_MM + self.number / 100
        batch = f"d{self.number:03}"
        self.installed.write(batch, table)
        done = self.installed.leeway("run", NAME, "--batch", batch, "--select", UP_TO_DRIFT)
        assert done.code == 0, done.err
        found = dict(self.select("select batch, digest from leeway.incidents"))
        return str(found[batch])

    def select(self, statement: str, database: str = "leeway") -> list[tuple[Any, ...]]:
        return self.installed.select(database, statement)

    def crashes(self, point: str) -> int:
        """How often a daemon was killed or failed at a point."""
        log = (self.installed.home / "logs" / "daemons.log").read_text()
        return log.splitlines().count(f"crash at {point}")

    def phase(self, digest: str) -> str:
        """How far things are with an incident."""
        statuses = self.select(
            "select value, status from runs join run_tags using (run_id) "
            "where key = 'leeway/incident' order by runs.id",
            "dagster",
        )
        of_incident = [status for value, status in statuses if value == digest]
        if of_incident:
            return str(of_incident[-1])
        decided = self.select("select incident from leeway.decisions where action = 'retrain'")
        return "decided" if (digest,) in decided else "verdict"

    def trained(self) -> Counter[str]:
        """How many trainings came to their end, by incident."""
        return Counter(
            str(incident)
            for (incident,) in self.select("select incident from outcomes where incident <> ''")
        )

    def ran(self) -> list[tuple[Any, ...]]:
        """Outcomes, and every run with its tags: what there is to know of a wrong count."""
        runs = self.select(
            "select runs.run_id, status, create_timestamp::text, array_agg(key || '=' || value) "
            "from runs join run_tags using (run_id) group by 1, 2, 3 order by 3",
            "dagster",
        )
        return [*self.select("select * from outcomes"), *runs]

    def trained_naively(self) -> Counter[str]:
        """As `trained`, of those that the naive sensor asked for."""
        asked = dict(
            self.select(
                "select run_id, value from run_tags where key = 'naive/incident'", "dagster"
            )
        )
        runs = [run for (run,) in self.select("select run_id from outcomes")]
        return Counter(str(asked[run]) for run in runs if run in asked)

    def forget_sensors(self) -> None:
        """Resets cursors, ticks and state of every sensor."""
        for table in ("job_ticks", "instigators", "jobs"):
            self.select(f"delete from {table} returning 1", "dagster")  # noqa: S608


def quicken(project: Path) -> None:
    """Retraining sensor and queue look each second; what else would launch runs is off."""
    sensors = project / "orchestration" / "sensors.py"
    before, slow, after = sensors.read_text().rpartition("minimum_interval_seconds=30")
    assert slow
    assert "_retraining" in before.rpartition("@dg.sensor")[2]
    sensors.write_text(f"{before}minimum_interval_seconds=1{after}")
    build = project / "orchestration" / "build.py"
    running = "default_status=dg.DefaultSensorStatus.RUNNING"
    assert build.read_text().count(running) == 1
    build.write_text(build.read_text().replace(running, running.replace("RUNNING", "STOPPED")))
    settings = project / "dagster.yaml"
    settings.write_text(settings.read_text() + QUEUE)
    set_attributes(project, search=SHORT, **POLICY)


def one_at_a_time(project: Path) -> None:
    """Of two trainings at once the ledger refuses the older: a control must not have its help."""
    settings = project / "dagster.yaml"
    before, limit, after = settings.read_text().partition("max_concurrent_runs: 2")
    assert limit
    settings.write_text(f"{before}max_concurrent_runs: 1{after}")


@contextmanager
def retrained(installed: Complete, sensor: str = REAL) -> Iterator[Retrained]:
    """The installation as the demo left it, with a code server; no daemon runs yet."""
    installed.put_back()
    quicken(installed.project)
    if sensor == NAIVE:
        one_at_a_time(installed.project)
    installed.select("leeway", KEEP_OUTCOMES)
    with tempfile.TemporaryDirectory(prefix="leeway-") as name:
        socket, workspace = Path(name) / "code", Path(name) / "workspace.yaml"
        location = {"socket": str(socket), "location_name": "leeway"}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
        naive = str(PROGRAMS / "naive_sensor.py")
        module = naive if sensor == NAIVE else "orchestration.definitions"
        code = _program(installed, "code_server", str(socket), module, naive=sensor == NAIVE)
        starter = _program(installed, "daemons", str(workspace), sensor)
        found = Retrained(installed, starter)
        try:
            hear(starter, "ready")
            assert until(lambda: socket.exists() or code.poll() is not None, 60) is not None
            assert code.poll() is None, "the code server ended"
            yield found
        finally:
            found.kill()
            kill(starter)
            kill(code)


def _program(
    installed: Complete, program: str, *arguments: str, naive: bool = False
) -> subprocess.Popen[str]:
    log = installed.home / "logs" / f"{program}.log"
    log.parent.mkdir(exist_ok=True)
    environment = environment_of(installed.project, installed.home)
    if naive:
        environment["LEEWAY_RETRAINING"] = "off"
    with log.open("a") as file:
        return subprocess.Popen(
            [sys.executable, str(PROGRAMS / f"{program}.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if program == "daemons" else file,
            stderr=file,
            text=True,
            cwd=installed.project,
            env=environment,
        )
