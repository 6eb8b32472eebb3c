"""The one resource that assets ask for: ledger, store and tracking of this installation.

Belongs here: putting the parts together for Dagster. Does not belong here: what the parts do.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from resources.decisions import Decisions
from resources.ledger import Ledger
from resources.locks import one_at_a_time
from resources.postgres import dsn
from resources.recorded import Recorded
from resources.releases import Releases
from resources.settings import Settings, get_settings
from resources.store import LocalStore
from resources.tracking import Tracking
from resources.trainings import Trainings

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only for IO managers
    """Everything outside of Dagster that a node reads or writes."""

    _tracked: dict[tuple[str, str], Tracking] = PrivateAttr(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """Settings of this process."""
        return get_settings()

    @cached_property
    def ledger(self) -> Ledger:
        """Attempts, commits and batches."""
        return Ledger(self.settings)

    @cached_property
    def releases(self) -> Releases:
        """Releases, champions and incidents."""
        return Releases(self.settings)

    @cached_property
    def recorded(self) -> Recorded:
        """The past, as the controller reads it."""
        return Recorded(self.settings)

    @cached_property
    def decisions(self) -> Decisions:
        """What the controller decided."""
        return Decisions(self.settings)

    @cached_property
    def trainings(self) -> Trainings:
        """Which run trains for which attempt."""
        return Trainings(self.settings)

    @cached_property
    def store(self) -> LocalStore:
        """Objects by digest."""
        return LocalStore(self.settings.store_root)

    def tracking(self, use_case: str, run_id: str) -> Tracking:
        """MLflow for one use case and one Dagster run, whose end ends it there, too."""
        key = (use_case, run_id)
        if key not in self._tracked:
            self._tracked[key] = Tracking(self.settings, *key, dg.get_dagster_logger())
        return self._tracked[key]

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Ends the MLflow runs of the Dagster run that ends."""
        for tracking in self._tracked.values():
            if tracking.has_begun:
                tracking.end(failed=_has_failed(context.instance, tracking.dagster_run_id))

    def optuna_storage(self) -> "RDBStorage":
        """Where studies are kept, so that one that was cut off is resumed."""
        from optuna.storages import RDBStorage

        with one_at_a_time(self.settings, "optuna.tables"):  # it creates those that are missing
            return RDBStorage(dsn("optuna", self.settings))


def _has_failed(instance: dg.DagsterInstance | None, run_id: str) -> bool:
    """Whether a step of the run failed; the run itself has no end yet."""
    failures = {dg.DagsterEventType.STEP_FAILURE}
    return instance is not None and bool(instance.all_logs(run_id, of_type=failures))
