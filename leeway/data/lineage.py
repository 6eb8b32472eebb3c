"""Which columns a query's columns come from, read from its SQL.

Belongs here: parsing SQL. Does not belong here: where the SQL is (`resources.dbt`), or how the UI
shows it (`assets.cleaning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from sqlglot.lineage import Node


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
    # All columns at once, with nothing cut out of the query for each: of 300 columns one by one
    # took a minute of CPU, and this a tenth of a second.
    roots = lineage(None, qualified, schema=schema, dialect="postgres", trim_selects=False)
    return {name: _tables_below(root) for name, root in roots.items()}


def _tables_below(root: Node) -> list[tuple[str, str]]:
    from sqlglot import exp

    return sorted(
        {
            (node.expression.name, node.name.rpartition(".")[-1])
            for node in root.walk()
            if isinstance(node.expression, exp.Table)
        }
    )
