"""An installation of its own for one process, of which nothing is left when it ends.

Belongs here: its folder, its server, the settings and variables that lead there, and taking all of
it away. Does not belong here: what is done with it (`cli.rehearse`).

A process that is killed takes nothing away. A lock on the folder, which ends with its process
however that ends, tells the next one that nobody uses it any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from resources.embedded import end_server
from resources.postgres import embedded_url, server_dsn
from resources.settings import Settings, get_settings, instead

PREFIX = "leeway-rehearsal-"
_NEW_SECONDS = 10.0  # a folder is made before it is locked
# Of `resources.instance.prepare`, which sets them in passing.
_SET_IN_PASSING = ("DAGSTER_HOME", "LEEWAY_DAGSTER_DATABASE_URL")


@contextmanager
def private_copy() -> Iterator[Settings]:
    """Settings of a new installation, which this process and its children use within the block.

    Its server is the embedded one, whatever the user's is. SIGTERM ends the block as Ctrl-C does.

    Raises:
        PostgresUnavailable: when its server does not start.
    """
    remove_abandoned()
    with _ended_by_sigterm():
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = os.open(home, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            if os.geteuid() == 0:  # the server is another user's process, and has to pass through
                home.chmod(0o711)
            url = embedded_url(home)
            settings = get_settings().model_copy(
                update={
                    "environment": "local",
                    "home": home,
                    "database_url": SecretStr(url),
                    "store_url": str(home / "store"),
                    "mlflow_tracking_uri": None,
                }
            )
            _never_wait_for_the_disk(settings)
            with _variables(settings, url), instead(settings):
                yield settings
        finally:
            _remove(home, held)


def remove_abandoned() -> None:
    """Removes what killed processes of this user left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            probe = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # it has just ended, or is another user's
            continue
        try:
            state = os.fstat(probe)
            new = abs(time.time() - state.st_mtime) < _NEW_SECONDS
            if new or state.st_uid != os.geteuid():
                continue
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # it is in use
            continue
        else:
            with suppress(RuntimeError):
                end_server(folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(probe)


def _remove(home: Path, held: int) -> None:
    """Takes everything away; a second Ctrl-C does not keep it from that."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if here else None
    try:
        end_server(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(held)
        if here:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _variables(settings: Settings, url: str) -> Iterator[None]:
    """The variables that children read; what they were before comes back."""
    ours = {
        "LEEWAY_ENVIRONMENT": settings.environment,
        "LEEWAY_HOME": str(settings.home),
        "LEEWAY_DATABASE_URL": url,
        "LEEWAY_STORE_URL": str(settings.store_url),
    }
    before = {name: os.environ.get(name) for name in (*ours, *_SET_IN_PASSING)}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _never_wait_for_the_disk(settings: Settings) -> None:
    """A power cut may take what is thrown away anyway."""
    import psycopg2

    connection = psycopg2.connect(server_dsn(settings))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("alter system set fsync = off")
            cursor.execute("select pg_reload_conf()")
    finally:
        connection.close()
