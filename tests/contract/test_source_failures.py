"""A source that fails tells its node the place, the reason and the remedy; what is stored stays.

Belongs here: sources that are elsewhere, through the node `raw`. Does not belong here: every way in
which one kind fails (test_source_http.py and its neighbours), or bad files
(tests/graph/test_bad_input.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.stage import stage_of
from leeway.spec import UseCase
from resources.settings import Settings, get_settings
from tests.contract.sql_tables import scratch
from tests.faults.intake import Intake, use_case
from tests.reference import Reference

ROWS = [{"id": number, "x": number / 2, "kind": "ab"[number % 2]} for number in range(20)]
CSV = "\n".join(["id,x,kind", *(f"{r['id']},{r['x']},{r['kind']}" for r in ROWS)]).encode()


class Failing(NamedTuple):
    """A source with a batch that is good, and what becomes of it before another is asked for."""

    source: dict[str, Any]
    good: str
    fail: Callable[[], object]
    asked: str
    said: tuple[str, ...]  # place, reason, remedy
    changed: dict[str, Any]  # in its declaration


def http(reference: Reference, database: sa.Engine) -> Failing:
    months = {"2024-01": ROWS[:10], "2024-02": ROWS[10:]}
    reference.hold(months)
    source = {"kind": "http", "url": reference.url, "batches": "months", "rows": "listings",
              "batch_parameter": "month", "requests_per_second": 1000}  # fmt: skip
    said = (reference.url, "500", "Run the command again")
    down = ["500 after 0"] * 50
    return Failing(source, "2024-01", lambda: reference.next(*down), "2024-02", said, {})


def sql(reference: Reference, database: sa.Engine) -> Failing:
    table = sa.Table(
        "failing", sa.MetaData(),
        sa.Column("id", sa.Integer), sa.Column("x", sa.Double), sa.Column("kind", sa.String(1)),
    )  # fmt: skip
    table.create(database)
    with database.begin() as connection:
        connection.execute(table.insert(), ROWS)
    source = {"kind": "sql", "url_env": "FAILING", "table": "failing"}
    said = ("table failing of FAILING", "no such table", "source.table")
    return Failing(source, "failing", lambda: table.drop(database), "failing", said, {})


def archive(reference: Reference, database: sa.Engine) -> Failing:
    source = {"kind": "archive", "url": reference.serve("failing.csv", CSV),
              "digest": f"sha256:{hashlib.sha256(CSV).hexdigest()}"}  # fmt: skip
    said = (source["url"], "sha256:", "digest")
    wrong = {"digest": "sha256:" + 64 * "0"}
    return Failing(source, "failing", reference.next, "failing", said, wrong)


@pytest.fixture
def database(server_home: Path) -> Iterator[sa.Engine]:
    with scratch(server_home, "FAILING", "failing") as found:
        yield found


@pytest.fixture
def allowed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation that may ask this machine."""
    monkeypatch.setenv("LEEWAY_SOURCE_SCHEMES", "http")
    monkeypatch.setenv("LEEWAY_SOURCE_NETWORKS", "127.0.0.0/8")
    get_settings.cache_clear()
    return get_settings()


def of(source: dict[str, Any], folder: Path) -> UseCase:
    return UseCase.model_validate(use_case(folder).model_dump() | {"source": source})


@pytest.mark.parametrize("kind", [http, sql, archive], ids=lambda kind: kind.__name__)
def test_a_source_that_fails_says_where_why_and_what_mends_it_and_nothing_is_lost(
    kind: Callable[[Reference, sa.Engine], Failing],
    reference_server: Reference,
    database: sa.Engine,
    allowed: Settings,
    tmp_path: Path,
) -> None:
    reference_server.next()
    failing = kind(reference_server, database)
    intake = Intake("failing", of(failing.source, tmp_path), allowed)
    intake.take(failing.good)
    before, rows = intake.state(), intake.held()
    assert len(rows) >= 10
    failing.fail()
    intake.stage = stage_of("failing", of(failing.source | failing.changed, tmp_path))
    with pytest.raises(dg.Failure) as refused:
        intake.take(failing.asked)
    said = str(refused.value.description)
    assert said.startswith(f"failing, batch {failing.asked}: "), "on the node"
    assert [words for words in failing.said if words not in said] == []
    assert (intake.state(), intake.held()) == (before, rows)
