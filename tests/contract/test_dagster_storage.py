"""Dagster's storage keeps its connections, and notices those that were lost."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from resources.instance import open_instance
from resources.postgres import transaction
from resources.settings import Settings

BATCHES = "penguins_batches"


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as found:
        yield found


def backends() -> set[int]:
    """Processes of PostgreSQL that serve the database of Dagster."""
    with transaction(database="dagster") as cursor:
        cursor.execute(
            "select pid from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def use(instance: dg.DagsterInstance) -> None:
    """Asks each of the three storages."""
    instance.get_dynamic_partitions(BATCHES)
    instance.get_runs_count()
    instance.all_instigator_state()


def test_queries_go_over_the_connection_that_is_there(instance: dg.DagsterInstance) -> None:
    """Guards: each query had a connection of its own, and a tick of the conditions took 37 s."""
    use(instance)
    before = backends()
    assert len(before) == 1
    for _ in range(20):
        use(instance)
    assert backends() == before


def test_a_connection_that_was_lost_is_made_anew(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(BATCHES, ["2009"])
    before = backends()
    with transaction(database="dagster") as cursor:
        for pid in before:
            cursor.execute("select pg_terminate_backend(%s, 5000)", (pid,))
    assert instance.get_dynamic_partitions(BATCHES) == ["2009"]
    assert backends().isdisjoint(before)
