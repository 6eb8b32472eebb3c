"""Rows that come as JSON objects: read as a table of text, as a CSV file is.

Belongs here: JSON to columns. Does not belong here: where the JSON comes from (`resources`), or
what a value means (`leeway.data.values`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 5000  # of any file or answer; PostgreSQL ends at 1600, and some may be left out


class NotRecords(ValueError):
    """The JSON is not rows; the message names the place, and what is allowed."""


def parse_json(text: str | bytes) -> Any:
    """A JSON value whose numbers are the text that stands there: 007.10 is not rounded to 7.1.

    Raises:
        NotRecords: when it is no JSON, nests too deep, or an object has a name twice.
    """
    try:
        return json.loads(
            text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once
        )
    except NotRecords:
        raise
    except RecursionError:
        raise NotRecords("the JSON is nested too deep; rows are flat objects") from None
    except ValueError as error:  # not UTF-8, too
        raise NotRecords(f"not JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotRecords(f"an object names {twice!r} more than once")
    return found


def table_of_records(records: Sequence[object], first: int = 1) -> pa.Table:
    """The rows as a table of text; a name that a row lacks, and null, is missing.

    Args:
        records: objects of `parse_json` with texts, numbers, true, false and null.
        first: number of the first row, for messages.

    Raises:
        NotRecords: names the row and the field that is no single value.
    """
    import pyarrow as pa

    rows = [row_of(record, number) for number, record in enumerate(records, first)]
    names = dict.fromkeys(name for row in rows for name in row)
    if len(names) > MOST_COLUMNS:
        raise NotRecords(f"the rows have more than {MOST_COLUMNS} names; each is a column")
    # By way of structs, which are as many as the rows also where there is no name.
    structs = pa.array(rows, pa.struct([(name, pa.string()) for name in names]))
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(structs)])


def row_of(record: object, number: int) -> dict[str, str | None]:
    """The texts of one row by their names.

    Raises:
        NotRecords: as `table_of_records`.
    """
    if not isinstance(record, dict):
        raise NotRecords(f"row {number}: {str(record)[:40]!r} is no object with names and values")
    return {name: _text(value, name, number) for name, value in record.items()}


def _text(value: object, name: str, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise NotRecords(
            f"row {number}: {name!r} holds {'a list' if isinstance(value, list) else 'an object'}; "
            "a column holds texts, numbers, true, false and null: write what is in it as fields "
            "of the row"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotRecords(f"row {number}: {name!r} holds half a character: {value!r}") from None
    return value
