"""`leeway serve`: the prediction service.

Belongs here: its socket, its processes and their end. Does not belong here: what it serves
(`serving`).
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from cli.output import say
from resources.keys import Keys, is_this_machine, keys_are_needed
from resources.processes import die_with_parent
from resources.settings import Settings, get_settings

KEEP_ALIVE_SECONDS = 5
# In a step of its loop libuv accepts one connection of a socket (libuv#3696), and models may run
# for 20 ms: of more than 50 new connections a second the rest would wait in the kernel's queue.
ACCEPTED_A_STEP = 16
DRAIN_SECONDS = 10
OTHER_FILES = 500  # that a process has open, beside its connections
HANGING_SECONDS = 20  # of a worker; the supervisor waits as long for one that dies as it is asked
LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}


class _Workers(Multiprocess):
    """uvicorn's, which listens on while its workers drain: nobody would ever answer."""

    def terminate_all(self) -> None:
        """Who comes after the last worker has ended listening finds no connection."""
        for each in self.sockets:
            each.close()
        super().terminate_all()


def serve(host: str, port: int, workers: int) -> int:
    """Serves until Ctrl-C or SIGTERM, and answers what it has taken; returns the exit code."""
    settings = get_settings()
    closed = keys_are_needed(settings, host)
    if closed and not Keys(settings.home).every():
        say(
            f"error: {_why_closed(settings, host)}, so that who asks needs a key, and there is "
            "none; `leeway keys new` makes one"
        )
        return 1
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
        except OSError as error:
            say(f"error: port {port} of {host}: {error.strerror}; try `leeway serve --port N`")
            return 1
        shown = f"[{host}]" if ":" in host else host
        say(f"Serving http://{shown}:{port}, documented at /docs. Ctrl-C ends it.")
        sockets = [found, *(found.dup() for _ in range(ACCEPTED_A_STEP - 1))]
        if workers == 1:
            _alone(partial(_service, host, closed=closed), sockets)
        else:
            _together(partial(_worker, os.getpid(), host, closed), sockets, workers)
    return 0


def _make_room(files: int) -> None:
    """A connection is an open file, of which a process may often have only 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        most = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _why_closed(settings: Settings, host: str) -> str:
    if settings.environment == "production":
        return "LEEWAY_ENVIRONMENT is production"
    return "there were keys before" if is_this_machine(host) else f"the service listens on {host}"


def _config(make: partial[ASGIApp], workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        make,
        factory=True,
        workers=workers,
        http="serving.connections:Connection",  # imported where it is needed
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=LOG,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anybody can send them; the key says who it is
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_worker_healthcheck=HANGING_SECONDS,
    )


def _alone(make: partial[ASGIApp], sockets: list[socket.socket]) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again once it has drained: the end that was asked for.
        signal.signal(each, lambda *_: sys.exit(0))
    uvicorn.Server(_config(make, 1)).run(sockets=sockets)


def _together(make: partial[ASGIApp], sockets: list[socket.socket], workers: int) -> None:
    """Workers that share the socket; their numbers meet in a folder that lives as long."""
    folder = tempfile.mkdtemp(prefix="leeway-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        _Workers(_config(make, workers), sockets=sockets).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _worker(parent: int, host: str, closed: bool) -> ASGIApp:
    die_with_parent(parent)
    return _service(host, closed=closed, loaded=True)


def _service(host: str, *, closed: bool, loaded: bool = False) -> ASGIApp:
    """In the process that serves: a supervisor has no need of what this imports."""
    from serving.connections import MOST_CONNECTIONS
    from serving.process import service

    _make_room(MOST_CONNECTIONS + OTHER_FILES)
    return service(host, closed=closed, loaded=loaded)
