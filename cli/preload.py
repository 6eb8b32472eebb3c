"""Imports what the steps after dbt need, while dbt works in a process of its own.

Belongs here: when, and which modules. Does not belong here: a step's own imports, which stay in the
step: here they are only made earlier, at a time when this process would wait. MLflow, scikit-learn
and skops take seconds, as long as dbt does (`benchmarks/README.md`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread

import dagster as dg

from leeway.spec import UseCase

# An import that fails here is made again by its step, and told there. A training imports all of
# these, whatever its candidates are.
LIBRARIES = (
    "dagster_mlflow",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "optuna.storages",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.decomposition",
    "sklearn.neighbors",
)
OF_CANDIDATES = {"xgboost": "xgboost"}  # what one candidate alone needs


class Preload:
    """Listens to the events of one run: begins with the step of dbt, and ends before the next."""

    def __init__(self, nodes: Collection[str], use_case: UseCase) -> None:
        self.libraries = _libraries(use_case) if "tuned_model" in nodes else ()
        self.thread: Thread | None = None

    def notice(self, entry: dg.EventLogEntry) -> None:
        """Takes the next event."""
        event = entry.dagster_event
        if event is None or event.event_type_value != "STEP_START" or not self.libraries:
            return
        if self.thread is not None:
            self.thread.join()
        elif event.step_key is not None and event.step_key.endswith("_dbt"):
            self.thread = Thread(target=_load, args=[self.libraries], name="preload", daemon=True)
            self.thread.start()


def _libraries(use_case: UseCase) -> tuple[str, ...]:
    alone = (OF_CANDIDATES[name] for name in use_case.candidates if name in OF_CANDIDATES)
    return (*LIBRARIES, *alone)


def _load(libraries: Sequence[str]) -> None:
    from resources.tracking import load_mlflow

    with suppress(ImportError):
        # First: it looks through every module that is loaded, and MLflow doubles their number.
        import_module("skops.io")
        load_mlflow()
        for name in libraries:
            import_module(name)
