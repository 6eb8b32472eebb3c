"""Imports what the steps after dbt need, while dbt works in a process of its own.

Belongs here: when, and which modules. Does not belong here: a step's own imports, which stay in the
step: here they are only made earlier, at a time when this process would wait. MLflow, scikit-learn
and skops take seconds, as long as dbt does (`benchmarks/README.md`).
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from threading import Thread

import dagster as dg

# An import that fails here is made again by its step, and told there.
LIBRARIES = (
    "dagster_mlflow",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "xgboost",
    "optuna.storages",
    "skops.io",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.decomposition",
    "sklearn.neighbors",
)


class Preload:
    """Listens to the events of one run: begins with the step of dbt, and ends before the next."""

    def __init__(self, nodes: Collection[str]) -> None:
        self.needed = "tuned_model" in nodes
        self.thread: Thread | None = None

    def notice(self, entry: dg.EventLogEntry) -> None:
        """Takes the next event."""
        event = entry.dagster_event
        if event is None or event.event_type_value != "STEP_START" or not self.needed:
            return
        if self.thread is not None:
            self.thread.join()
        elif event.step_key is not None and event.step_key.endswith("_dbt"):
            self.thread = Thread(target=_load, name="preload", daemon=True)
            self.thread.start()


def _load() -> None:
    from resources.tracking import load_mlflow

    with suppress(ImportError):
        load_mlflow()
        for name in LIBRARIES:
            import_module(name)
