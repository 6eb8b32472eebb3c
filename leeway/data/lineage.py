"""Which columns a query's columns come from, read from its SQL.

Belongs here: parsing SQL. Does not belong here: where the SQL is (`resources.dbt`), or how the UI
shows it (`assets.cleaning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast


def column_sources(
    sql: str, tables: Mapping[str, Sequence[str]]
) -> dict[str, list[tuple[str, str]]]:
    """The table columns that each column of a query comes from, in PostgreSQL's SQL.

    Args:
        sql: one `select`.
        tables: names of columns by table, without schema, of those that are read with a star or
            without saying which table has the column.

    Returns:
        Table and column, sorted, by column of the query; none where it is made of no column.

    Raises:
        sqlglot.errors.SqlglotError: when the SQL cannot be parsed or names an unknown column.
    """
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify

    query = parse_one(sql, dialect="postgres")
    for table in query.find_all(exp.Table):
        table.set("catalog", None)
        table.set("db", None)
    schema: dict[str, object] = {
        name: dict.fromkeys(columns, "text") for name, columns in tables.items()
    }
    # Declared to be any expression; of a query it makes a query.
    qualified = cast("exp.Query", qualify(query, schema=schema, dialect="postgres", identify=False))
    found: dict[str, list[tuple[str, str]]] = {}
    for name in qualified.named_selects:
        nodes = lineage(name, qualified.copy(), schema=schema, dialect="postgres").walk()
        sources = {
            (node.expression.name, node.name.rpartition(".")[-1])
            for node in nodes
            if isinstance(node.expression, exp.Table)
        }
        found[name] = sorted(sources)
    return found
