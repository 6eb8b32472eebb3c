"""What a verb does before its own work: it puts in order what killed processes left behind.

Belongs here: the order of these steps. Does not belong here: any of them. Dagster and MLflow are
imported only when there is something to put in order.
"""

from __future__ import annotations

import time

from cli.output import say
from resources.reaper import anything_unfinished, reap
from resources.registry import RegistryUnavailable, project_aliases, untold
from resources.settings import Settings
from resources.store import LocalStore

STALE_SECONDS = 3600.0  # no object takes this long to write


def recover(settings: Settings) -> list[str]:
    """Sweeps half-written files, tells MLflow what it was not told, and reports dead runs.

    Returns the ids of these runs.
    """
    LocalStore(settings.store_root).sweep(STALE_SECONDS, time.time())
    for name in untold(settings):
        tell_registry(settings, name)
    if not anything_unfinished(settings):
        return []
    from resources.instance import open_instance

    reaped = reap(open_instance(settings))
    for run_id in reaped:
        say(f"run {run_id} was cut off: its process is gone; what it committed stays")
    return reaped


def tell_registry(settings: Settings, name: str) -> str | None:
    """Makes MLflow's aliases say what the ledger says; returns why that was not possible."""
    try:
        project_aliases(settings, name)
    except RegistryUnavailable as error:
        say(f"warning: {error}.")
        return str(error)
    return None
