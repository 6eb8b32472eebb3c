"""Dagster's storage in PostgreSQL, which keeps its connections.

Belongs here: how Dagster connects. Does not belong here: where to (`resources.postgres`), or the
rest of the instance (`dagster.yaml`, which names the class below).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import create_engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes import ConfigurableClassData

IDLE = 2  # connections that a process keeps; how many it may have at once has no limit, as before


class PooledPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules in PostgreSQL over connections that are used again.

    Dagster's own class connects anew for each query, and a look at the conditions of twenty nodes
    asks thousands: 37 s, where this takes 5. A connection is tried before it is used, since the
    server may have been restarted meanwhile.
    """

    def __init__(self, postgres_url: str, **arguments: Any) -> None:
        super().__init__(postgres_url, **arguments)
        engine = create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=IDLE,
            max_overflow=-1,
            pool_pre_ping=True,
        )
        # There is no public way: `optimize_for_webserver` keeps connections that it does not try.
        # tests/contract/test_dagster_storage.py fails when the name changes.
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        """Makes it of what dagster.yaml says, as Dagster asks."""
        return cls(pg_url_from_config(config_value), inst_data=inst_data)
