"""Bulk rows in and out of PostgreSQL: COPY in, ADBC out.

Belongs here: moving Arrow tables between memory and the warehouse, with identifiers quoted by the
driver. Does not belong here: SQL that transforms (dbt) or the ledger.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from resources.postgres import dsn, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions
    import psycopg2.sql
    import pyarrow as pa

_SPELLED = {"timestamp with time zone": "timestamptz"}  # as the catalogue has it, and we do


_COPIED = 100_000  # rows that are CSV at one time


class Unconvertible(RuntimeError):
    """A column's values cannot be of its new type; the message says what to do."""


def ensure_table(
    cursor: psycopg2.extensions.cursor, schema: str, table: str, columns: Mapping[str, str]
) -> None:
    """Creates the table, or adds the columns it lacks, and an index of its batches.

    A column whose type differs is an error of PostgreSQL at the next write; `retype` comes first
    where that may happen.
    """
    from psycopg2 import sql

    _lock(cursor, schema, table)
    cursor.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    cursor.execute(
        sql.SQL("create table if not exists {} ({})").format(
            sql.Identifier(schema, table), _declarations(columns)
        )
    )
    for name, type_ in columns.items():
        cursor.execute(
            sql.SQL("alter table {} add column if not exists {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(type_)
            )
        )
    if "batch_id" in columns:
        # Batches are read and replaced one at a time: without it each reads all those before it.
        cursor.execute(
            sql.SQL("create index if not exists {} on {} (batch_id)").format(
                sql.Identifier(f"{table}_batch_id"), sql.Identifier(schema, table)
            )
        )


def _declarations(columns: Mapping[str, str]) -> psycopg2.sql.Composable:
    from psycopg2 import sql

    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
        for name, type_ in columns.items()
    )


def _lock(cursor: psycopg2.extensions.cursor, schema: str, table: str) -> None:
    """From here to the end of the transaction, no other one changes the table's columns.

    `create … if not exists` of two transactions at once can collide in the catalogue, and what one
    has seen of the columns the other may have changed.
    """
    cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"{schema}.{table}",))


def retype(
    cursor: psycopg2.extensions.cursor,
    schema: str,
    table: str,
    columns: Mapping[str, str],
    *,
    replacing: str,
) -> bool:
    """Gives columns the types that they have now; says whether it had to.

    All rows are kept but those of the batch `replacing`, which come anew and whose old values need
    not be of the new type. The views on the table are dropped: dbt makes them anew.

    Raises:
        Unconvertible: when a row holds a value that the new type cannot.
    """
    from psycopg2 import errors, sql

    _lock(cursor, schema, table)
    changed = _retyped(cursor, schema, table, columns)
    if not changed:
        return False
    name = sql.Identifier(schema, table)
    cursor.execute(sql.SQL("delete from {} where batch_id = %s").format(name), (replacing,))
    for view in _views_on(cursor, schema, table):
        cursor.execute(sql.SQL("drop view if exists {} cascade").format(sql.Identifier(*view)))
    for column, type_ in changed.items():
        try:
            cursor.execute(
                sql.SQL("alter table {} alter column {c} type {t} using {c}::text::{t}").format(
                    name, c=sql.Identifier(column), t=sql.SQL(type_)
                )
            )
        except (errors.DataError, errors.CannotCoerce) as error:
            raise Unconvertible(
                f"column {column!r} is to be {type_}, but the rows of another batch in "
                f"{schema}.{table} hold what is none: {str(error).splitlines()[0]}. Nothing was "
                f"changed. Give the column a new name, or take its old type back; to give up what "
                f"the table holds of every batch, drop table {schema}.{table} cascade, and then "
                f"`leeway run {schema} --all`"
            ) from error
    return True


def _retyped(
    cursor: psycopg2.extensions.cursor, schema: str, table: str, columns: Mapping[str, str]
) -> dict[str, str]:
    """The columns that the table has with another type, with the one they are to have."""
    cursor.execute(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = %s and table_name = %s",
        (schema, table),
    )
    found = {name: _SPELLED.get(type_, type_) for name, type_ in cursor.fetchall()}
    return {n: t for n, t in columns.items() if n in found and found[n] != t}


def _views_on(cursor: psycopg2.extensions.cursor, schema: str, table: str) -> list[tuple[str, str]]:
    """Schema and name of the views that read the table."""
    cursor.execute(
        "select distinct n.nspname, v.relname from pg_depend d "
        "join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass "
        "join pg_class v on v.oid = r.ev_class and v.relkind = 'v' "
        "join pg_namespace n on n.oid = v.relnamespace "
        "join pg_class t on t.oid = d.refobjid join pg_namespace s on s.oid = t.relnamespace "
        "where s.nspname = %s and t.relname = %s",
        (schema, table),
    )
    return [(str(found[0]), str(found[1])) for found in cursor.fetchall()]


def replace_batch(
    cursor: psycopg2.extensions.cursor, schema: str, table: str, batch: str, rows: pa.Table
) -> None:
    """Replaces the rows of one batch; `rows` has the column `batch_id`."""
    from psycopg2 import sql

    cursor.execute(
        sql.SQL("delete from {} where batch_id = %s").format(sql.Identifier(schema, table)),
        (batch,),
    )
    _copy(cursor, schema, table, rows)


def replace_table(
    cursor: psycopg2.extensions.cursor,
    schema: str,
    table: str,
    columns: Mapping[str, str],
    rows: pa.Table,
) -> None:
    """Replaces all rows of a table, which is made when it is missing.

    A column that has a new type is dropped first, with the views that read it.
    """
    from psycopg2 import sql

    ensure_table(cursor, schema, table, columns)
    name = sql.Identifier(schema, table)
    cursor.execute(sql.SQL("delete from {}").format(name))
    for column in _retyped(cursor, schema, table, columns):
        statement = sql.SQL("alter table {} drop column {} cascade")
        cursor.execute(statement.format(name, sql.Identifier(column)))
    ensure_table(cursor, schema, table, columns)
    _copy(cursor, schema, table, rows)


def _copy(cursor: psycopg2.extensions.cursor, schema: str, table: str, rows: pa.Table) -> None:
    """Adds rows to a table."""
    from psycopg2 import sql
    from pyarrow import csv

    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        sql.Identifier(schema, table),
        sql.SQL(", ").join(sql.Identifier(name) for name in rows.column_names),
    )
    for start in range(0, rows.num_rows, _COPIED):  # a piece at a time: as CSV it is larger yet
        buffer = io.BytesIO()
        csv.write_csv(rows.slice(start, _COPIED), buffer, csv.WriteOptions(include_header=False))
        buffer.seek(0)
        cursor.copy_expert(statement, buffer)


def read_batch(
    schema: str, table: str, batch: str, order_by: Iterable[str], settings: Settings | None = None
) -> pa.Table:
    """The rows of one batch in a fixed order, without the columns that Leeway added."""
    import adbc_driver_postgresql.dbapi as adbc

    source, order = f"{_quoted(schema)}.{_quoted(table)}", ", ".join(map(_quoted, order_by))
    with adbc.connect(dsn("leeway", settings)) as connection, connection.cursor() as cursor:
        cursor.execute(
            # ADBC has no way to compose identifiers; each is quoted by `_quoted`. With a parameter
            # it would not use COPY, and hold all rows twice: 800 MB of a million.
            f"select * from {source} where batch_id = {_literal(batch)} order by {order}"  # noqa: S608
        )
        found = cursor.fetch_arrow_table()
    return found.drop_columns([n for n in ("loaded_at",) if n in found.column_names])


def keys_of(
    cursor: psycopg2.extensions.cursor, schema: str, table: str, column: str
) -> pa.Table | None:
    """Columns `key` (of `column`) and `batch_id` of every row; None when there is no such column.

    No row has a missing key. By COPY, because the caller is in a transaction: a connection of ADBC
    takes as long as the keys of half a million rows.
    """
    import pyarrow as pa
    from psycopg2 import sql
    from pyarrow import csv

    from leeway.data.values import ARROW_TYPES, POSTGRES_TYPES

    cursor.execute(
        "select data_type from information_schema.columns "
        "where table_schema = %s and table_name = %s and column_name = %s",
        (schema, table, column),
    )
    found = cursor.fetchone()
    if found is None:
        return None
    statement = sql.SQL(
        "copy (select {column} as key, batch_id from {table} where {column} is not null) "
        "to stdout with (format csv, header)"
    ).format(column=sql.Identifier(column), table=sql.Identifier(schema, table))
    buffer = io.BytesIO()
    cursor.copy_expert(statement, buffer)
    buffer.seek(0)
    types = {POSTGRES_TYPES[type_]: arrow for type_, arrow in ARROW_TYPES.items()}
    own = types.get(_SPELLED.get(found[0], found[0]), pa.string())
    return csv.read_csv(
        buffer,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={"key": own, "batch_id": pa.string()},
            true_values=["t"],
            false_values=["f"],
        ),
    )


def outdated(
    schema: str, key: str, batches: Sequence[str], settings: Settings | None = None
) -> list[str]:
    """The batches that have a row in the table `clean` whose key is no longer theirs in `raw`."""
    from psycopg2 import sql

    statement = sql.SQL(
        "select distinct batch_id from {clean} made where batch_id = any(%s) and not exists "
        "(select 1 from {raw} given where given.batch_id = made.batch_id "
        "and given.{key}::text = made.{key}::text) order by 1"
    ).format(
        clean=sql.Identifier(schema, "clean"),
        raw=sql.Identifier(schema, "raw"),
        key=sql.Identifier(key),
    )
    with transaction(settings) as cursor:
        cursor.execute(statement, (list(batches),))
        return [row[0] for row in cursor.fetchall()]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
