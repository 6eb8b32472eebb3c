"""Starts Dagster's own `dagster-daemon run` each time that a line of standard input asks for one.

A line is a JSON object: crash points of a sensor's tick, each with `kill`, or how often to raise
there. The answer is `daemon` and a pid. Arguments: the workspace, and the sensor to crash in.

A daemon is a fork of this process, so that the imports of Dagster, which take seconds, are done
once. Two things are not as in `dagster-daemon run`: the crash points, which Dagster's own tests
pass in the same way, and that sensors are looked at every half second and not every five.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import Any

from dagster._daemon import sensor
from dagster._daemon.cli import run_command

import resources.dagster_storage  # noqa: F401  # what a daemon would import
from resources.instance import prepare
from resources.processes import die_with_parent

LOOK_SECONDS = 0.5


class Crashes(dict[str, Any]):
    """Dagster's `debug_crash_flags` of one sensor; an exception is raised so often."""

    def get(self, point: str, default: Any = None) -> Any:
        """What happens at this point now: a signal, an exception, or nothing."""
        wanted = super().get(point, 0)
        if wanted == 0:
            return default
        print("crash at", point, file=sys.stderr, flush=True)  # noqa: T201
        if wanted == "kill":
            return signal.SIGKILL
        self[point] = wanted - 1
        return RuntimeError(f"planted at {point}")


def run(workspace: str, name: str, crashes: Crashes, parent: int) -> None:
    """Is a daemon until it is killed."""
    die_with_parent(parent)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # it logs there, and nobody reads the pipe
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    vars(sensor)["MIN_INTERVAL_LOOP_TIME"] = LOOK_SECONDS
    vars(sensor)["execute_sensor_iteration"] = partial(
        sensor.execute_sensor_iteration, debug_crash_flags={name: crashes}
    )
    run_command(["-w", workspace])


if __name__ == "__main__":
    workspace, name = sys.argv[1:]
    prepare()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            run(workspace, name, Crashes(json.loads(line)), parent)
            os._exit(0)
        print("daemon", pid, flush=True)  # noqa: T201
