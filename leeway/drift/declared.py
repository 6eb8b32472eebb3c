"""Profiles of a use case's tables, by the types and roles that it declares.

Belongs here: how declared columns are counted. Does not belong here: counting
(`leeway.drift.profile`).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from leeway.drift.profile import PROFILED_ROLES, Kind, Profile, profile_column, span_of
from leeway.spec import NUMERIC_TYPES, Column


def kinds_of(columns: Sequence[Column]) -> dict[str, Kind]:
    """How the target, the features and the monitored columns of a use case are counted.

    Numbers, integers, dates and timestamps (as seconds since 1970) are counted as numbers, all else
    as categories.
    """
    numeric = NUMERIC_TYPES | {"date", "timestamp"}
    return {
        column.name: "number" if column.type in numeric else "category"
        for column in columns
        if column.role in PROFILED_ROLES
    }


def time_of(columns: Sequence[Column]) -> str | None:
    """Name of the column that says when a row is from, where that is a date or a moment."""
    return next(
        (c.name for c in columns if c.role == "time" and c.type in ("date", "timestamp")), None
    )


def profile_table(table: pa.Table, columns: Sequence[Column]) -> Profile:
    """Profiles the target, the features and the monitored columns of a table.

    Raises:
        KeyError: when the table lacks one of these columns.
        ValueError: when a column cannot be read as its type (`pyarrow.ArrowInvalid`).
    """
    found = {
        name: profile_column(kind, table.column(name).chunks)
        for name, kind in kinds_of(columns).items()
    }
    moment = time_of(columns)
    span = (None, None) if moment is None else span_of(table.column(moment).chunks)
    return Profile(table.num_rows, found, *span)
