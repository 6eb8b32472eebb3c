"""The one resource that assets ask for: ledger, store and tracking of this installation.

Belongs here: putting the parts together for Dagster. Does not belong here: what the parts do.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from resources.ledger import Ledger
from resources.postgres import dsn
from resources.releases import Releases
from resources.settings import Settings, get_settings
from resources.store import LocalStore
from resources.tracking import Tracking

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only for IO managers
    """Everything outside of Dagster that a node reads or writes."""

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
    def store(self) -> LocalStore:
        """Objects by digest."""
        return LocalStore(self.settings.store_root)

    def tracking(self, use_case: str, run_id: str) -> Tracking:
        """MLflow for one use case and one Dagster run."""
        return Tracking(self.settings, use_case, run_id, dg.get_dagster_logger())

    def optuna_storage(self) -> "RDBStorage":
        """Where studies are kept, so that one that was cut off is resumed."""
        from optuna.storages import RDBStorage

        return RDBStorage(dsn("optuna", self.settings))
