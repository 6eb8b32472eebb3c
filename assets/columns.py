"""Columns of a node's table as the UI shows them: types, and which columns they come from.

Belongs here: metadata of columns. Does not belong here: reading SQL (`leeway.data.lineage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assets.stage import Stage
from leeway.data.lineage import column_sources
from leeway.graph import node
from leeway.spec import Column


def column_schema(columns: Iterable[Column], **added: str) -> dg.TableSchema:
    """The columns that are stored as the UI shows them; `added` are types of Leeway's own."""
    declared = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description + (f" [{column.unit}]" if column.unit else ""),
            constraints=dg.TableColumnConstraints(
                nullable=not column.required and column.role != "key",
                unique=column.role == "key",
            ),
        )
        for column in columns
        if column.role != "ignored"
    ]
    ours = [
        dg.TableColumn(name, kind, constraints=dg.TableColumnConstraints(nullable=False))
        for name, kind in added.items()
    ]
    return dg.TableSchema(columns=declared + ours)


def column_lineage(
    stage: Stage, upstream: str, columns: Mapping[str, Iterable[str]]
) -> dg.TableColumnLineage:
    """Which columns of the node `upstream` each column comes from, as the UI shows it."""
    key = stage.key(upstream)
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=key, column_name=source) for source in sources]
            for name, sources in columns.items()
        }
    )


def columns_of_clean(stage: Stage, names: Iterable[str], **added: str) -> dict[str, Any]:
    """Metadata of a table of clean rows: its columns, and which of `clean` they come from.

    Args:
        stage: of the use case.
        names: of all columns.
        **added: types of those that `clean` does not have.
    """
    sources = {name: [name] for name in names if name not in added}
    return {
        "dagster/column_schema": column_schema(stage.use_case.columns, batch_id="text", **added),
        "dagster/column_lineage": column_lineage(stage, "clean", sources),
    }


def model_lineage(
    stage: Stage, manifest: Mapping[str, Any], name: str, target: Path
) -> dg.TableColumnLineage:
    """Which columns of its upstream node each column of a dbt model comes from.

    Args:
        manifest: of dbt.
        name: of the node.
        target: where dbt left the SQL that it ran.

    Raises:
        sqlglot.errors.SqlglotError: when that SQL cannot be read.
    """
    (upstream,) = node(name).upstream
    model = manifest["nodes"][f"model.leeway.{stage.name}_{name}"]
    read = {**manifest["sources"], **manifest["nodes"]}
    tables = {
        read[parent].get("identifier") or read[parent]["alias"]: list(read[parent]["columns"])
        for parent in model["depends_on"]["nodes"]
    }
    sql = (target / "compiled" / "leeway" / model["original_file_path"]).read_text()
    found = column_sources(sql, tables)
    return column_lineage(
        stage,
        upstream,
        {
            column: [source for table, source in sources if table == upstream]
            for column, sources in found.items()
        },
    )
