"""The new-batch sensor on sources that are elsewhere: what is there anew is registered, once.

Does not belong here: a folder, and what follows from a batch (tests/graph/test_arrivals.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.stage import stage_of
from leeway.spec import UseCase
from orchestration.sensors import sensors_of
from resources.settings import Settings, get_settings
from tests.contract.sql_tables import scratch
from tests.faults.intake import use_case
from tests.reference import Reference

ROWS = [{"id": number, "x": number / 2, "kind": "ab"[number % 2]} for number in range(30)]
Grow = Callable[[int], None]  # makes the first so many batches of ten rows be there


def http(reference: Reference, database: sa.Engine) -> tuple[dict[str, Any], Grow]:
    source = {"kind": "http", "url": reference.url, "batches": "months", "rows": "listings",
              "batch_parameter": "month", "requests_per_second": 1000}  # fmt: skip

    def grow(batches: int) -> None:
        months = {f"{number * 10:012}": ROWS[number * 10 : number * 10 + 10] for number in range(3)}
        reference.hold(dict(list(months.items())[:batches]))

    return source, grow


def sql(reference: Reference, database: sa.Engine) -> tuple[dict[str, Any], Grow]:
    table = sa.Table(
        "ticking", sa.MetaData(),
        sa.Column("id", sa.Integer), sa.Column("x", sa.Double), sa.Column("kind", sa.String(1)),
    )  # fmt: skip
    table.create(database)

    def grow(batches: int) -> None:
        last = ROWS[: batches * 10 + 3]  # of the next one three rows are there already
        with database.begin() as connection:
            connection.execute(table.delete())
            if last:
                connection.execute(table.insert(), last)

    by_key = {"column": "id", "size": 10}
    return {"kind": "sql", "url_env": "TICKING", "table": "ticking", "batch_by_key": by_key}, grow


@pytest.fixture
def database(server_home: Path) -> Iterator[sa.Engine]:
    with scratch(server_home, "TICKING", "ticking") as found:
        yield found


@pytest.mark.parametrize("kind", [http, sql], ids=lambda kind: kind.__name__)
def test_a_batch_is_registered_once_it_is_there_and_never_again(
    kind: Callable[[Reference, sa.Engine], tuple[dict[str, Any], Grow]],
    reference_server: Reference,
    database: sa.Engine,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEEWAY_SOURCE_SCHEMES", "http")
    monkeypatch.setenv("LEEWAY_SOURCE_NETWORKS", "127.0.0.0/8")
    get_settings.cache_clear()
    reference_server.next()
    source, grow = kind(reference_server, database)
    what = UseCase.model_validate(use_case(tmp_path).model_dump() | {"source": source})
    sensor = sensors_of(stage_of("ticking", what))[0]
    with dg.DagsterInstance.ephemeral() as instance:
        registered = []
        for batches in (1, 1, 3, 2):
            grow(batches)
            found = sensor.evaluate_tick(
                dg.build_sensor_context(instance=instance, sensor_name=sensor.name)
            )
            keys = [
                key
                for each in found.dynamic_partitions_requests or []
                for key in each.partition_keys
            ]
            instance.add_dynamic_partitions("ticking_batches", keys)
            registered.append([int(key) for key in keys])
    assert registered == [[0], [], [10, 20], []]
