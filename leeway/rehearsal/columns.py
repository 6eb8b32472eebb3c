"""A column of a batch as its source gave it: read as its type, and put back with other values.

Belongs here: reading and replacing. Does not belong here: which values (`leeway.rehearsal.values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.data.values import is_text, parse_column
from leeway.spec import UseCase

Mask = NDArray[np.bool_]


class NotHere(ValueError):
    """The fault does not apply to this table; the message says why."""


@dataclass(frozen=True)
class Planted:
    """A batch with a fault.

    `rows` marks the rows that carry it, shape (rows of the table,). Rows that were taken away are
    in no table any more: `missing` counts them. `what` says what was done, for a person.
    """

    table: pa.Table
    rows: Mask
    what: str
    missing: int = 0


def values_of(table: pa.Table, use_case: UseCase, name: str) -> pa.Array:
    """The values of a column as its declared type; missing where one cannot be read."""
    column = use_case.column(name)
    return parse_column(table[column.in_source].combine_chunks(), column).values


def numbers_of(table: pa.Table, use_case: UseCase, name: str) -> NDArray[np.float64]:
    """A number or integer column as float64; NaN where a value is missing."""
    values = values_of(table, use_case, name)
    return np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def numeric_like(numbers: NDArray[np.float64], like: pa.DataType, name: str) -> pa.Array:
    """Numbers as column `name` of this type: rounded where it holds integers, NaN is missing.

    Raises:
        NotHere: when one does not fit the type.
    """
    known = np.where(np.isfinite(numbers), numbers, 0.0)
    whole = np.rint(known) if pa.types.is_integer(like) else known
    with fitting(name):
        return pa.array(whole, mask=~np.isfinite(numbers)).cast(like)


@contextmanager
def fitting(name: str) -> Iterator[None]:
    """Within it a value of column `name` that its type has no room for is `NotHere`."""
    try:
        yield
    except (OverflowError, pa.ArrowInvalid) as error:
        raise NotHere(f"{name} would have values that do not fit its type: {error}") from error


def put(table: pa.Table, use_case: UseCase, name: str, values: pa.Array, what: str) -> Planted:
    """The table with other values in a column, and the rows whose value is another now.

    A value that could not be read stays as it came, so that it is rejected with and without the
    fault.

    Args:
        table: the batch.
        use_case: declares the column.
        name: of the column.
        values: of its declared type.
        what: was done.

    Raises:
        NotHere: when no value is another, or a column in a notation of its own has values that
            cannot be read.
    """
    column = use_case.column(name)
    raw = table[column.in_source].combine_chunks()
    parsed = parse_column(raw, column)
    changed = differing(parsed.values, values)
    if not changed.any():
        raise NotHere(f"{name} would stay as it is")
    if parsed.unreadable and is_text(raw.type):
        if column.written or column.affix:
            raise NotHere(f"{name} has values that cannot be read, beside {column.written} ones")
        values = pc.if_else(pa.array(changed), pc.cast(values, pa.string()), raw.cast(pa.string()))
    position = table.column_names.index(column.in_source)
    return Planted(table.set_column(position, column.in_source, values), changed, what)


def differing(before: pa.Array, after: pa.Array) -> Mask:
    """Which values are not the same; two that are missing are."""
    if before.type != after.type:
        after = after.cast(before.type)
    same = pc.fill_null(pc.equal(before, after), False)
    both = pc.and_(pc.is_null(before), pc.is_null(after))
    return ~np.asarray(pc.or_(same, both).to_numpy(zero_copy_only=False), dtype=bool)


def together(plantings: Sequence[Planted], what: str) -> Planted:
    """Several columns of the same table that were replaced one after the other."""
    rows: Any = np.logical_or.reduce([each.rows for each in plantings])
    return Planted(plantings[-1].table, rows, what)
