"""The Dagster instance of this installation.

Belongs here: where the instance lives and what must exist before it opens. Does not belong here:
its settings (`dagster.yaml`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from resources.ledger import Ledger
from resources.postgres import dsn
from resources.settings import PROJECT, Settings, get_settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

_KEPT_SECONDS = 5
_STATEMENT_MS = 7_200_000  # as SESSION of `resources.postgres` has it


def prepare(settings: Settings | None = None) -> Settings:
    """Creates what an installation needs, and sets the variables that Dagster reads.

    Any number of processes may do this at once, any number of times.
    """
    settings = settings or get_settings()
    Ledger(settings).prepare()
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    wanted = (PROJECT / "dagster.yaml").read_bytes()
    target = home / "dagster.yaml"
    if not target.exists() or target.read_bytes() != wanted:
        temporary = home / f".dagster.yaml.{os.getpid()}"
        temporary.write_bytes(wanted)
        temporary.replace(target)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["LEEWAY_DAGSTER_DATABASE_URL"] = dsn("dagster", settings)
    os.environ["LEEWAY_HOME"] = str(settings.home)
    return settings


def keep_connections(instance: DagsterInstance) -> None:
    """Has this process keep the connections of Dagster's storages for some seconds.

    By default they make one for each statement, some 600 in a run. A statement on a connection that
    was lost meanwhile fails, and is not tried again: hence no longer.
    """
    instance.optimize_for_webserver(
        statement_timeout=_STATEMENT_MS, pool_recycle=_KEPT_SECONDS, max_overflow=-1
    )


def open_instance(settings: Settings | None = None) -> DagsterInstance:
    """The instance, with its tables created where they are missing."""
    from dagster import DagsterInstance

    prepare(settings)
    return DagsterInstance.get()
