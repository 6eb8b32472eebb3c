"""Penguins from a table of MySQL are the penguins of the package: the same rows, NULL kept."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.pool import NullPool

from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases
from resources.platform import Platform
from resources.settings import PROJECT
from resources.warehouse import read_batch
from tests.batches import penguins
from tests.conftest import used_installation
from tests.graph.conftest import NAME, opened
from tests.mariadb import running_mariadb

pytestmark = pytest.mark.debian
BATCHES = ["2007-2008", "2009"]


def of_the_guide() -> UseCase:
    """Penguins with the `source` that docs/sources.md shows."""
    guide = (PROJECT / "docs" / "sources.md").read_text().partition("## Penguins from MySQL")[2]
    shown = yaml.safe_load(guide.partition("```yaml\n")[2].partition("```")[0])
    content = load_use_cases()[NAME].model_dump(mode="json")
    return UseCase.model_validate(content | shown)


def fill(address: str) -> str:
    """The table as the original had it, with NULL for what is missing; its database's address."""
    server = sa.create_engine(
        address.replace("mysql:", "mysql+pymysql:"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )
    with server.connect() as connection:
        connection.execute(sa.text("create database penguins"))
    engine = sa.create_engine(
        f"{address.replace('mysql:', 'mysql+pymysql:')}penguins", poolclass=NullPool
    )
    rows = penguins().astype(object)
    rows = rows.where(rows.notna(), None)
    numbers = {"bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"}
    columns = [
        sa.Column(name, sa.Double if name in numbers else sa.String(20))
        for name in rows.columns
        if name not in ("penguin_id", "year")
    ]
    table = sa.Table("penguins", sa.MetaData(), sa.Column("penguin_id", sa.Integer),
                     *columns, sa.Column("year", sa.Integer))  # fmt: skip
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(
            table.insert(),
            [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")],
        )
    return f"{address}penguins"


def materialized(use_case: UseCase, nodes: list[str]) -> None:
    """Materializes nodes of both batches from the source of the use case."""
    with opened(NAME, use_case, PROJECT) as graph:
        assert graph.materialize(BATCHES, nodes).success


def rows_of(table: str) -> list[pa.Table]:
    return [read_batch(NAME, table, batch, ["penguin_id"]) for batch in BATCHES]


def test_both_sources_end_in_the_same_clean_rows(
    server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("mariadb", "home"):
        (tmp_path / folder).mkdir()
    with (
        running_mariadb(tmp_path / "mariadb") as address,
        used_installation(server_home, tmp_path / "home"),
    ):
        monkeypatch.setenv("PENGUINS_DATABASE", fill(address))
        materialized(load_use_cases()[NAME], ["raw"])
        of_package = rows_of("raw")
        materialized(of_the_guide(), ["raw", "staged", "clean"])
        of_mysql, clean = rows_of("raw"), rows_of("clean")
        ledger = Platform().ledger
        commits = [ledger.require(NAME, "raw", batch) for batch in BATCHES]
    assert {commit.facts["source"] for commit in commits} == {"table penguins of PENGUINS_DATABASE"}
    for package, mysql, cleaned in zip(of_package, of_mysql, clean, strict=True):
        assert mysql.drop_columns(["row_number"]).equals(package.drop_columns(["row_number"]))
        shared = [name for name in cleaned.column_names if name in mysql.column_names]
        assert {"sex", "body_mass_g", "species"} <= set(shared)
        assert cleaned.select(shared).equals(mysql.select(shared))
    frame = pd.concat([table.to_pandas() for table in clean])
    # Of 344 penguins two were never measured; eleven have no sex, and nine of these are kept.
    assert (len(frame), frame["sex"].isna().sum()) == (342, 9)
