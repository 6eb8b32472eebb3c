"""What the columns of a batch hold: missing values, distinct ones, ends and most common ones.

Belongs here: counting, for a person who reads a report. Does not belong here: rules for rows
(`leeway.data.validation`), or how far a batch is from another (`leeway.drift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from leeway.spec import NUMERIC_TYPES, UseCase


@dataclass(frozen=True)
class ColumnQuality:
    """One column of a batch; `summary` is its range and median, or its most common values."""

    name: str
    type: str
    role: str
    unit: str
    missing: int
    rows: int
    distinct: int
    summary: str


MOST_COMMON = 3


def column_quality(table: pa.Table, use_case: UseCase) -> tuple[ColumnQuality, ...]:
    """The stored columns of a use case in the order of its file."""
    found = []
    for column in use_case.columns:
        if column.role == "ignored":
            continue
        values = table[column.name]
        known = values.drop_null()
        found.append(
            ColumnQuality(
                column.name,
                column.type,
                column.role,
                column.unit or "",
                values.null_count,
                len(values),
                pc.count_distinct(known).as_py(),
                _summary(known, column.type in NUMERIC_TYPES) if len(known) else "no value",
            )
        )
    return tuple(found)


def _summary(known: pa.ChunkedArray, number: bool) -> str:
    if number:
        ends = pc.min_max(known).as_py()
        (median,) = pc.quantile(known, 0.5).to_pylist()
        return f"{ends['min']:.5g} to {ends['max']:.5g}, median {median:.5g}"
    counts = sorted(
        ((str(each["values"]), each["counts"]) for each in pc.value_counts(known).to_pylist()),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return ", ".join(f"{value} ({count})" for value, count in counts[:MOST_COMMON])
