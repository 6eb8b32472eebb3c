"""Rows of one table as batches in time order, where the source has no batches of its own.

Belongs here: which unit of the calendar cuts them. Does not belong here: reading the rows
(`resources.backtest`).
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from leeway.backtest.errors import CannotBacktest
from leeway.drift.declared import time_of
from leeway.spec import UseCase

FEWEST, MOST = 10, 60
MIN_ROWS = 30  # of a batch on average: fewer tell nothing of drift
Unit = Literal["month", "week", "day", "quarter", "hour", "year"]
# The first that fits: what people plan by comes first.
UNITS: tuple[Unit, ...] = ("month", "week", "day", "quarter", "hour", "year")
_FORMATS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}


def cut_by_time(table: pa.Table, use_case: UseCase) -> tuple[dict[str, pa.Table], Unit]:
    """The rows by a unit of their time, oldest first; rows without a time are left out.

    Batches are named after the first moment of the unit, and `batch_id` says so.

    Raises:
        CannotBacktest: without a time column, or when no unit gives 10 to 60 batches of 30 rows.
    """
    name = time_of(use_case.columns)
    if name is None:
        raise CannotBacktest(
            "there are fewer than 3 batches, and no time column to cut the rows by: declare "
            "a column with `role: time` and `type: date` or `timestamp`, or give the source batches"
        )
    timed = table.filter(pc.is_valid(table[name]))
    counts: dict[str, int] = {}
    for unit in UNITS:
        if unit == "hour" and pa.types.is_date(timed[name].type):
            continue
        starts = pc.floor_temporal(timed[name], unit=unit)
        counts[unit] = count = pc.count_distinct(starts).as_py()
        if FEWEST <= count <= MOST and timed.num_rows >= MIN_ROWS * count:
            return _cut(timed, starts, unit), unit
    told = ", ".join(f"{count} by {unit}" for unit, count in counts.items())
    raise CannotBacktest(
        f"{timed.num_rows} rows with a time cannot be cut into {FEWEST} to {MOST} batches of at "
        f"least {MIN_ROWS} rows: there would be {told}; give the source batches"
    )


def _cut(timed: pa.Table, starts: pa.ChunkedArray, unit: Unit) -> dict[str, pa.Table]:
    found: dict[str, pa.Table] = {}
    for start in sorted(pc.unique(starts).to_pylist()):
        name = start.strftime(_FORMATS.get(unit, "%Y-%m"))
        rows = timed.filter(pc.equal(starts, pa.scalar(start, starts.type)))
        if "batch_id" in rows.column_names:
            rows = rows.drop_columns(["batch_id"])
        found[name] = rows.append_column("batch_id", pa.array([name] * rows.num_rows, pa.string()))
    return found
