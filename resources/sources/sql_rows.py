"""Rows of a query as an Arrow table, part by part.

Belongs here: which Arrow type a column has. Does not belong here: what is asked for (`sql_table`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resources.files import SourceError, largest_bytes, too_large

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Column, Connection, Select

_PART = 10_000  # rows that are objects of Python at one time


def fetch(
    connection: Connection, query: Select[Any], columns: Sequence[Column[Any]], place: str
) -> pa.Table:
    """What a query of these columns gives.

    Raises:
        SourceError: begins with `place`; when a value is binary or beyond its type, or all of them
            are more than may be read.
    """
    import pyarrow as pa

    schema = pa.schema([(column.name, _arrow_type(column)) for column in columns])
    parts: list[pa.RecordBatch] = []
    size = 0
    result = connection.execution_options(stream_results=True).execute(query)
    for rows in result.partitions(_PART):
        try:
            arrays = [_array(v, f) for v, f in zip(zip(*rows, strict=True), schema, strict=True)]
        except (ValueError, OverflowError, TypeError, pa.ArrowException) as error:
            raise SourceError(f"{place}: a value cannot be read: {error}") from error
        parts.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        size += parts[-1].nbytes
        if size > largest_bytes():
            raise too_large(place)
    return pa.Table.from_batches(parts, schema)


def _arrow_type(column: Column[Any]) -> pa.DataType:
    import pyarrow as pa
    from sqlalchemy import types

    type_ = column.type
    if isinstance(type_, types.DateTime):
        return pa.timestamp("us", tz="UTC" if type_.timezone else None)
    for kind, found in (
        (types.Boolean, pa.bool_()),
        (types.Integer, pa.int64()),
        (types.Float, pa.float64()),
        (types.Date, pa.date32()),
    ):
        if isinstance(type_, kind):
            return found
    return pa.string()  # a decimal, too: its digits stay


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_string(field.type):
        binary = next((v for v in values if isinstance(v, bytes | memoryview)), None)
        if binary is not None:
            raise TypeError(f"column {field.name!r} is binary; leave it out of source.columns")
        return pa.array([None if v is None else str(v) for v in values], field.type)
    return pa.array(values, field.type)
