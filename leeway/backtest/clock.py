"""The clock of a replay: when each batch came, and in which order, as their rows tell.

Belongs here: the moment of a batch, and what a reader must know of it. Does not belong here:
cutting rows into batches (`leeway.backtest.cut`), or what happens then (`leeway.backtest.walk`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from leeway.backtest.facts import BEGIN, Batch
from leeway.drift.declared import time_of
from leeway.drift.stored import Stored
from leeway.spec import UseCase

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_PER_YEAR = 365.25
# One row that is dated years ahead would end every wait, if the newest of all told the time.
_NEARLY_ALL = 0.95


def ended_at(rows: pa.Table, use_case: UseCase) -> datetime | None:
    """The moment by which 95 % of the rows of a batch were there; None: no time column tells."""
    name = time_of(use_case.columns)
    if name is None:
        return None
    moments = pc.cast(pc.cast(rows[name], pa.timestamp("us", tz="UTC")), pa.int64())
    (found,) = pc.quantile(moments, q=_NEARLY_ALL, interpolation="lower").to_pylist()
    return None if found is None else _EPOCH + timedelta(microseconds=found)


def in_order(tables: Mapping[str, pa.Table], use_case: UseCase) -> list[str]:
    """The batches by their time where each has one, else as they are given.

    Ids that are not in the order of time, such as `1`, `10`, `2`, would let a model be trained on
    what it is judged by later.
    """
    ends = {name: ended_at(rows, use_case) for name, rows in tables.items()}
    known = {name: end for name, end in ends.items() if end is not None}
    return sorted(known, key=known.__getitem__) if len(known) == len(ends) else list(ends)


def in_time(
    tables: Mapping[str, pa.Table], stored: Mapping[str, Stored], use_case: UseCase
) -> list[Batch]:
    """The batches with the time at which each came: the end of its rows.

    Without a time column they come as often as the policy says. A batch whose rows are older than
    those before it came with the one before it.

    Args:
        tables: clean rows by batch, in the order in which the batches came.
        stored: profiles by batch.
        use_case: names the time column, and says how often batches come where there is none.
    """
    apart = timedelta(days=_DAYS_PER_YEAR / use_case.drift.batches_per_year)
    found: list[Batch] = []
    for name, rows in tables.items():
        ended, before = ended_at(rows, use_case), found[-1].at if found else None
        if ended is not None:
            at = ended if before is None else max(ended, before)
        else:
            at = BEGIN if before is None else before + apart
        found.append(Batch(name, at, stored[name], ended))
    return found


def notes_on_order(batches: Sequence[Batch]) -> list[str]:
    """Which batches came late, by their rows."""
    late = [each.name for each in batches if each.ended is not None and each.ended < each.at]
    told = "came late, and at once on the clock here: their rows are older than those before them"
    return [f"{', '.join(late)} {told}"] if late else []
