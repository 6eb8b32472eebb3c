"""What a verb does before its own work: it puts in order what killed processes left behind.

Belongs here: the order of these steps. Does not belong here: any of them. Dagster and MLflow are
imported only when a run was cut off.
"""

from __future__ import annotations

import time

from cli.output import say
from orchestration.use_cases import load_use_cases
from resources.ledger import Ledger
from resources.reaper import anything_unfinished, dead_runs, reap
from resources.settings import Settings
from resources.store import LocalStore

STALE_SECONDS = 3600.0  # no object takes this long to write


def recover(settings: Settings) -> list[str]:
    """Sweeps half-written files and reports dead runs; returns the ids of these runs."""
    LocalStore(settings.store_root).sweep(STALE_SECONDS, time.time())
    if not anything_unfinished(settings):
        return []
    from resources.instance import open_instance

    instance = open_instance(settings)
    if dead_runs(instance):
        _finish_releases()  # first, so that being cut off here leaves the sign that it is needed
    reaped = reap(instance)
    for run_id in reaped:
        say(f"run {run_id} was cut off: its process is gone; what it committed stays")
    return reaped


def _finish_releases() -> None:
    """Tells MLflow what the ledger says: a process may have died between the two."""
    from assets.release import project_aliases
    from resources.platform import Platform

    for name in load_use_cases():
        if Ledger().current(name, "release") is not None:
            project_aliases(Platform(), name, run_id="")
