"""`leeway dev`: the Dagster UI, its daemon and the dbt docs, on 127.0.0.1.

Belongs here: starting these processes, waiting until they answer, ending them together. Does not
belong here: what they serve.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from cli.output import say
from cli.recovery import recover
from resources.dbt import executable, manifest_path
from resources.instance import open_instance
from resources.processes import end_with_parent
from resources.settings import PROJECT, get_settings

HOST = "127.0.0.1"
START_SECONDS = 90


def dev(port: int) -> int:
    """Serves until Ctrl-C; returns the exit code."""
    for wanted in (port, port + 1):
        if _answers(wanted):
            say(f"error: port {wanted} of {HOST} is in use; try `leeway dev --port {port + 100}`")
            return 1
    open_instance()
    recover(get_settings())
    manifest_path()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's Ctrl-C
    processes = _start(port)
    try:
        _wait_until_ready(processes, port)
        say(f"Dagster UI   http://{HOST}:{port}")
        say(f"dbt docs     http://{HOST}:{port + 1}")
        say("Ctrl-C ends both.")
        return _watch(processes)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(processes)


def _start(port: int) -> dict[str, subprocess.Popen[bytes]]:
    programs = Path(sys.executable).parent
    workspace = str(PROJECT / "workspace.yaml")
    docs = get_settings().dbt_target / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    commands = {
        "Dagster UI": [
            str(programs / "dagster-webserver"), "-h", HOST, "-p", str(port), "-w", workspace,
        ],
        "Dagster daemon": [str(programs / "dagster-daemon"), "run", "-w", workspace],
        "dbt docs": [
            sys.executable, "-m", "cli.dbt_docs", str(docs), str(port + 1), executable(),
        ],
    }  # fmt: skip
    log = get_settings().home / "logs"
    log.mkdir(parents=True, exist_ok=True)
    started = {}
    for name, command in commands.items():
        with (log / f"{name.replace(' ', '_').lower()}.log").open("ab") as file:
            started[name] = subprocess.Popen(
                command, stdout=file, stderr=file, cwd=PROJECT, start_new_session=True,
                preexec_fn=end_with_parent,
                env=os.environ | {"PYTHONWARNINGS": "ignore"},
            )  # fmt: skip
    return started


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _wait_until_ready(processes: dict[str, subprocess.Popen[bytes]], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for name, process in processes.items():
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with code {process.returncode}; see its log under "
                                 f"{get_settings().home / 'logs'}")  # fmt: skip
        if _answers(port) and _answers(port + 1):
            return
        time.sleep(0.3)
    raise SystemExit(f"the Dagster UI did not answer within {START_SECONDS} s")


def _watch(processes: dict[str, subprocess.Popen[bytes]]) -> int:
    """Returns 1 when one of them ends by itself."""
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                say(f"error: {name} ended with code {process.returncode}")
                return 1
        time.sleep(0.5)


def _stop(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in processes.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    for process in processes.values():
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
