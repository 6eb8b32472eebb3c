"""Each column of a query names the columns of tables that it is made of."""

from __future__ import annotations

import time

import pytest
from sqlglot.errors import SqlglotError

from leeway.data.lineage import column_sources

TABLES = {"raw": ["id", "x", "y", "at"], "regions": ["id", "name"]}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select id, x as y from raw", {"id": ["raw.id"], "y": ["raw.x"]}),
        ('select r.x from "db"."penguins"."raw" r', {"x": ["raw.x"]}),
        ("select x + coalesce(y, 0) as z, 1 as one from raw", {"z": ["raw.x", "raw.y"], "one": []}),
        (
            "select * from raw",
            {"id": ["raw.id"], "x": ["raw.x"], "y": ["raw.y"], "at": ["raw.at"]},
        ),
        (
            "with a as (select id, max(x) as m from raw group by id) "
            "select m / 2 as half, upper(name) as n from a join regions using (id) where m > 0",
            {"half": ["raw.x"], "n": ["regions.name"]},
        ),
        (
            "select x, row_number() over (partition by y order by at) as n from raw",
            {"x": ["raw.x"], "n": ["raw.at", "raw.y"]},
        ),
    ],
)
def test_columns_are_followed_to_the_tables(sql: str, found: dict[str, list[str]]) -> None:
    sources = column_sources(sql, TABLES)
    assert {name: [".".join(each) for each in of] for name, of in sources.items()} == found


def test_three_hundred_columns_take_no_minute() -> None:
    """Guards: each column by itself, of a query with all of them, takes a hundred times as long."""
    names = [f"x{number}" for number in range(300)]
    started = time.process_time()
    found = column_sources(f"select {', '.join(names)} from raw", {"raw": names})  # noqa: S608
    assert found == {name: [("raw", name)] for name in names}
    assert time.process_time() - started < 2


@pytest.mark.parametrize("sql", ["select from where", "select nothing from raw"])
def test_what_cannot_be_read_is_an_error(sql: str) -> None:
    with pytest.raises(SqlglotError):
        column_sources(sql, TABLES)
