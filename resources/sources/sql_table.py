"""A table of a database, whole or cut into batches by values, time or key.

Belongs here: which batches the table has, and their rows. Does not belong here: connecting
(`resources.databases`), conditions (`sql_ranges`) or types (`sql_rows`). Every name reaches SQL
quoted by SQLAlchemy, and every value bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from leeway.spec import SqlSource
from resources.databases import look
from resources.files import SourceError
from resources.sources.base import Origin, batch_of, digest_of_rows, unknown_batch
from resources.sources.cutting import cut
from resources.sources.sql_ranges import Ranges, blocks, periods
from resources.sources.sql_rows import fetch
from resources.variables import variable

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Column, ColumnElement, Connection, Table

Found = TypeVar("Found")


class SqlTable:
    """One table; each answer is of one consistent state of it."""

    origin: Origin = "real"

    def __init__(self, source: SqlSource, key: str) -> None:
        self.source = source
        self.key = key
        names = (source.database_schema, source.table)
        self.name = ".".join(name for name in names if name)
        self.description = f"table {self.name} of {source.url_env}"

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        if self.source.batch_by is not None:
            return list(self.source.batch_by.batches)
        return self._look(lambda connection, table: list(self._ranges(connection, table)))

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return self.description

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`; in the order of the use case's key."""
        rows = self._look(lambda connection, table: self._read(connection, table, batch))
        if rows is None:
            raise unknown_batch(self.description, batch, self.batches())
        return rows

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the rows, because no database marks a change in the same way."""
        rows = self._look(lambda connection, table: self._read(connection, table, batch))
        return None if rows is None else digest_of_rows(rows)

    def _look(self, work: Callable[[Connection, Table], Found]) -> Found:
        """What `work` makes of the table as it is now."""

        def with_table(connection: Connection) -> Found:
            from sqlalchemy import Float, MetaData, Table, exc
            from sqlalchemy.sql import quoted_name

            try:
                table = Table(
                    quoted_name(self.source.table, quote=True),
                    MetaData(),
                    schema=self.source.database_schema,
                    autoload_with=connection,
                    resolve_fks=False,
                )
            except exc.NoSuchTableError:
                raise SourceError(
                    f"{self.description}: there is no such table; check source.table and "
                    "source.database_schema"
                ) from None
            for column in table.columns:
                if isinstance(column.type, Float):
                    column.type.asdecimal = False  # MySQL's would be rounded to ten digits
            return work(connection, table)

        url = variable(self.source.url_env, "source.url_env")
        return look(url, self.description, with_table)

    def _read(self, connection: Connection, table: Table, batch: str) -> pa.Table | None:
        """The rows of a batch; None when there is none of that name."""
        batch_by = self.source.batch_by
        if batch_by is not None:
            if batch not in batch_by.batches:
                return None
            return cut(self._rows(connection, table, None), batch_by, batch)
        ranges = self._ranges(connection, table)
        return self._rows(connection, table, ranges[batch]) if batch in ranges else None

    def _ranges(self, connection: Connection, table: Table) -> Ranges:
        """The batches, oldest first, each with the condition for its rows."""
        by_time, by_key = self.source.batch_by_time, self.source.batch_by_key
        if by_time is not None:
            column = self._column(table, by_time.column)
            return periods(connection, column, by_time.period, self.description)
        if by_key is not None:
            column = self._column(table, by_key.column)
            return blocks(connection, column, by_key.size, self.description)
        return {batch_of(self.source.table, self.description): None}

    def _column(self, table: Table, name: str) -> Column[Any]:
        if name not in table.columns:
            raise SourceError(
                f"{self.description}: there is no column {name!r}; it has "
                f"{', '.join(table.columns.keys())}"
            )
        return table.columns[name]

    def _rows(
        self, connection: Connection, table: Table, condition: ColumnElement[bool] | None
    ) -> pa.Table:
        from sqlalchemy import select

        chosen = self.source.columns or tuple(table.columns.keys())
        columns = [self._column(table, name) for name in chosen]
        key = self._column(table, self.key)
        # All columns decide, so that the rows of one key, too, come in the same order each time.
        query = select(*columns).order_by(key, *(c for c in columns if c is not key))
        if condition is not None:
            query = query.where(condition)
        return fetch(connection, query, columns, self.description)
