"""A run does not make a connection for each statement of Dagster."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event
from sqlalchemy.pool import Pool

from resources.instance import keep_connections, open_instance
from tests.conftest import installation


def test_statements_of_a_run_share_a_connection(server_home: Path, tmp_path: Path) -> None:
    made: list[object] = []

    def count(*connected: object) -> None:
        made.append(connected)

    with installation(server_home, tmp_path / "home"), open_instance() as instance:
        keep_connections(instance)
        event.listen(Pool, "connect", count)
        try:
            for _ in range(5):
                instance.get_runs_count()
        finally:
            event.remove(Pool, "connect", count)
    assert len(made) == 1
