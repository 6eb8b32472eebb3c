"""One table cut into batches by the values of a column.

Belongs here: which rows are of a batch. Does not belong here: reading the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.spec import BatchBy
from resources.files import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 5  # values that a message quotes


def cut(table: pa.Table, batch_by: BatchBy, batch: str) -> pa.Table:
    """The rows of one batch.

    Raises:
        SourceError: when the batch or the column is unknown, or rows would be in no batch.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if batch not in batch_by.batches:
        raise SourceError(f"unknown batch {batch!r}; there are {', '.join(batch_by.batches)}")
    if batch_by.column not in table.column_names:
        raise SourceError(
            f"source.batch_by.column: the table has no column {batch_by.column!r} "
            f"(it has {', '.join(table.column_names)})"
        )
    values = pc.cast(table[batch_by.column], pa.string())
    _check_declared(values, batch_by)
    wanted = pa.array([str(value) for value in batch_by.batches[batch]])
    return table.filter(pc.is_in(values, value_set=wanted))


def _check_declared(values: pa.ChunkedArray, batch_by: BatchBy) -> None:
    """Refuses rows that would be in no batch: nobody would miss them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    declared = pa.array([str(value) for held in batch_by.batches.values() for value in held])
    stray = values.filter(pc.invert(pc.is_in(values, value_set=declared)))
    if not len(stray):
        return
    found = ["none" if value is None else repr(value) for value in stray.unique().to_pylist()]
    shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    raise SourceError(
        f"column {batch_by.column!r}: {len(stray)} of {len(values)} rows are in no batch, their "
        f"value is {shown}; add each value under source.batch_by.batches in defs.yaml, and mend "
        "rows that have none"
    )
