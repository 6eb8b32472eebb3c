"""`leeway dev`: the Dagster UI, its daemon, the service, the dashboard, dbt docs, MLflow's UI.

All on 127.0.0.1.

Belongs here: which services these are, waiting until they answer, starting one again that ended,
ending them together. Does not belong here: what they serve, or how processes are tied together
(`resources.processes`).

UI and daemon share one code server. Each of them would otherwise start its own, and the daemon a
new one every minute.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from cli.collector import collect_from_here
from cli.main import HIGHEST_PORT
from cli.output import say
from cli.recovery import recover
from cli.socket_folder import folder_for_socket
from resources.dbt import executable, manifest_path
from resources.instance import open_instance
from resources.processes import Keeper, Service, end_together
from resources.settings import PROJECT, get_settings
from resources.tracking import server_address

HOST = "127.0.0.1"
API_URL = "LEEWAY_API_URL"  # of the dashboard
START_SECONDS = 90
END_SECONDS = 15
# One that ends this often within a minute does so for a reason that starting it does not remove.
MOST_STARTS, WITHIN_SECONDS = 3, 60.0
CODE = "orchestration.definitions"
UI, DOCS, MLFLOW = "Dagster UI", "dbt docs", "MLflow UI"
API, DASHBOARD = "service", "dashboard"
PLACES = (UI, DOCS, MLFLOW, API, DASHBOARD)  # each at the port after that of the one before
SHOWN = (DOCS, MLFLOW, API, DASHBOARD)  # the graph needs none of them
LOCATION = "leeway"  # as in workspace.yaml: the state of sensors is kept under this name


def dev(port: int) -> int:
    """Serves until Ctrl-C; returns the exit code."""
    pages, server = _pages(port), server_address(get_settings())
    for wanted in pages.values():
        if _answers(wanted):
            other = port + 100 if port + 100 <= HIGHEST_PORT else port - 100
            say(f"error: port {wanted} of {HOST} is in use; try `leeway dev --port {other}`")
            return 1
    collect_from_here()
    open_instance()
    recover(get_settings())
    manifest_path()
    _end_when_asked()
    services: list[Service] = []
    try:
        with folder_for_socket(get_settings().home) as folder:
            try:
                _start(services, pages, folder)
                for service in services:
                    if service.name in pages:
                        say(f"{service.name:<12} {_address(pages[service.name])}")
                if server is not None:
                    say(f"{'MLflow':<12} {server}")
                say("Ctrl-C ends all.")
                _watch(services)
            finally:
                end_together(services, END_SECONDS)
    except KeyboardInterrupt:
        return 0


def _pages(port: int) -> dict[str, int]:
    """What people open, and at which port; MLflow's UI where no server has its own."""
    elsewhere = (MLFLOW,) if get_settings().mlflow_tracking_uri else ()
    return {n: port + beside for beside, n in enumerate(PLACES) if n not in elsewhere}


def _end_when_asked() -> None:
    """Ends by SIGTERM and by a terminal that closes as by Ctrl-C; what was ignored stays so.

    A shell has a command in the background ignore SIGINT, and `nohup` SIGHUP. What is ignored here
    would be in the services too, and Dagster's do with SIGTERM as they do with SIGINT: a handler
    that does nothing is not passed on to them.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for number in (signal.SIGINT, signal.SIGHUP):
        ignored = signal.getsignal(number) is signal.SIG_IGN
        signal.signal(number, (lambda *_: None) if ignored else signal.default_int_handler)


def _start(services: list[Service], pages: Mapping[str, int], folder: Path) -> None:
    """Starts one after the other what needs the one before it; waits until all answer."""
    programs, keeper = Path(sys.executable).parent, Keeper()
    code, workspace = folder / "code", folder / "workspace.yaml"
    location = {"socket": str(code), "location_name": LOCATION}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
    docs = get_settings().dbt_target / "docs"
    docs.mkdir(parents=True, exist_ok=True)

    def start(
        name: str,
        *command: str | Path | int,
        has_worker: bool = False,
        beside: Mapping[str, str] | None = None,
    ) -> None:
        parts = [str(part) for part in command]
        services.append(_service(name, parts, keeper, has_worker, beside or {}))

    start("Dagster code server", programs / "dagster", "code-server", "start", "-s", code,
          "-m", CODE, "--location-name", LOCATION, has_worker=True)  # fmt: skip
    start(DOCS, sys.executable, "-m", "cli.dbt_docs", docs, pages[DOCS], executable())
    if MLFLOW in pages:
        start(MLFLOW, sys.executable, "-m", "cli.mlflow_ui", pages[MLFLOW])
    start(API, programs / "leeway", "serve", "--port", pages[API])
    start(DASHBOARD, *_dashboard(pages[DASHBOARD]), beside={API_URL: _address(pages[API])})
    _wait_until(lambda: _listens(code), services)
    start(UI, programs / "dagster-webserver", "-h", HOST, "-p", pages[UI], "-w", workspace)
    start("Dagster daemon", programs / "dagster-daemon", "run", "-w", workspace)

    def answer() -> bool:  # those that were not given up
        names = {service.name for service in services}
        return all(_answers(at) for name, at in pages.items() if name in names)

    _wait_until(answer, services)


def _dashboard(port: int) -> list[str]:
    """The command that serves the dashboard, which asks nobody on the internet for anything."""
    options = {
        "server.address": HOST,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
    }
    script = str(PROJECT / "dashboard" / "app.py")
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "streamlit", "run", script, *flags]


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _service(
    name: str, command: Sequence[str], keeper: Keeper, has_worker: bool, beside: Mapping[str, str]
) -> Service:
    log = _log_of(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", **beside}
    return Service(
        name, command, log, keeper, environment=environment, folder=PROJECT, has_worker=has_worker
    )


def _log_of(name: str) -> Path:
    return get_settings().home / "logs" / f"{name.replace(' ', '_').lower()}.log"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


def _wait_until(ready: Callable[[], bool], services: list[Service]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for service in [*services]:
            why = service.why_ended()
            if why is not None:
                _give_up(service, why, services)
        if ready():
            return
        time.sleep(0.3)
    raise SystemExit(
        f"error: no answer within {START_SECONDS} s; see {get_settings().home / 'logs'}"
    )


def _give_up(service: Service, why: str, services: list[Service]) -> None:
    """Goes on without a page that is only looked at.

    Raises:
        SystemExit: when nothing works without the service.
    """
    service.kill()
    services.remove(service)
    said = f"the {service.name} {why}; see {_log_of(service.name)}"
    if service.name not in SHOWN:
        raise SystemExit(f"error: {said}")
    say(f"{said}. The others go on without it.")


def _watch(services: list[Service]) -> NoReturn:
    """Starts again what ends, or gives it up when that does not help.

    Workers of runs end with their code server. The sensor `reaper` reports their runs, and we do
    not: while no code server answers, the daemon drops the retry of a run that fails.
    """
    starts: dict[str, list[float]] = {service.name: [] for service in services}
    while True:
        for service in [*services]:
            why = service.why_ended()
            if why is None:
                continue
            service.kill()
            now = time.monotonic()
            recent = [at for at in starts[service.name] if now - at < WITHIN_SECONDS]
            if len(recent) == MOST_STARTS:
                _give_up(service, f"{why} again", services)
                continue
            say(f"the {service.name} {why}; it is started again")
            service.start()
            starts[service.name] = [*recent, now]
        time.sleep(0.5)
