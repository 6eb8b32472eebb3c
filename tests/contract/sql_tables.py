"""A table of a database as a source, for the tests of its batches and of what goes wrong.

Belongs here: the table, its rows and its source. Does not belong here: the databases
(`tests/contract/conftest.py`), or what must hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from leeway.spec import SqlSource
from resources.postgres import embedded_url
from resources.sources import SqlTable

VARIABLE = "SALES_DATABASE"
NOW = datetime.now(UTC)
MOMENTS = [
    datetime(2023, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 31, 12, tzinfo=UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    NOW,
    NOW + timedelta(days=400),
]


def make(engine: sa.Engine, name: str = "sales", *more: sa.Column[Any]) -> sa.Table:
    """A table of eight columns, and rows in no order."""
    table = sa.Table(
        sa.quoted_name(name, quote=True), sa.MetaData(),
        sa.Column("id", sa.BigInteger), sa.Column("sold", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date), sa.Column("price", sa.Numeric(12, 2)),
        sa.Column("weight", sa.Double), sa.Column("kind", sa.String(20)),
        sa.Column("fresh", sa.Boolean), *more,
    )  # fmt: skip
    table.create(engine)
    add(engine, table, *reversed(list(enumerate(MOMENTS))))
    return table


def add(engine: sa.Engine, table: sa.Table, *rows: tuple[int, datetime | None]) -> None:
    zone = UTC if engine.dialect.name == "postgresql" else None  # MySQL's times have none
    with engine.begin() as connection:
        connection.execute(
            table.insert(),
            [
                {"id": i, "sold": sold and sold.replace(tzinfo=zone), "day": sold and sold.date(),
                 "price": f"{i}.10", "weight": i / 8, "kind": "a" if i else None, "fresh": True}
                for i, sold in rows
            ],
        )  # fmt: skip


def source(**fields: Any) -> SqlTable:
    fields = {"kind": "sql", "url_env": VARIABLE, "table": "sales"} | fields
    return SqlTable(SqlSource.model_validate(fields), "id")


@contextmanager
def scratch(server_home: Path, variable: str, table: str) -> Iterator[sa.Engine]:
    """A database that `variable` names, from which the table is gone afterwards."""
    url = embedded_url(server_home).replace("/leeway?", "/postgres?")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, url)
        engine = sa.create_engine(url, poolclass=NullPool)
        yield engine
    with engine.begin() as connection:
        connection.execute(sa.text(f"drop table if exists {table}"))
