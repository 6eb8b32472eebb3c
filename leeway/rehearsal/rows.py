"""Faults of whole rows: repeated, cut off, or late.

Belongs here: what a fault does to the rows of a batch. Does not belong here: faults of values
(`leeway.rehearsal.values`), or keys that no batch has (`leeway.rehearsal.keys`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.rehearsal.columns import NotHere, Planted, fitting, put, values_of
from leeway.rehearsal.values import chosen
from leeway.spec import UseCase

REPEATED = 0.1  # share of rows that come twice
KEPT = 0.3  # share of rows of a batch that was cut off


def repeated(table: pa.Table, use_case: UseCase, seed: int) -> Planted:
    """A tenth of the rows a second time at the end; the second ones carry the fault."""
    copies = table.filter(pa.array(chosen(table.num_rows, REPEATED, seed)))
    what = f"{copies.num_rows} rows come twice"
    return _added(table, copies, what)


def repeated_keys(table: pa.Table, use_case: UseCase, seed: int) -> Planted:
    """A tenth of the keys a second time at the end, with what other rows say.

    Raises:
        NotHere: when the key is made from positions, so that none can repeat.
    """
    key = use_case.key
    if key.from_position:
        raise NotHere(f"{key.name} is made from the position of a row, and never repeats")
    if table.num_rows < 2:
        raise NotHere("one row has no other whose content it could have")
    hit = np.flatnonzero(chosen(table.num_rows, REPEATED, seed))
    others = table.take(pa.array((hit + 1) % table.num_rows))
    keys = table[key.in_source].take(pa.array(hit))
    copies = others.set_column(others.column_names.index(key.in_source), key.in_source, keys)
    return _added(table, copies, f"{copies.num_rows} keys come twice, with the content of others")


def _added(table: pa.Table, copies: pa.Table, what: str) -> Planted:
    rows = np.zeros(table.num_rows + copies.num_rows, bool)
    rows[table.num_rows :] = True
    return Planted(pa.concat_tables([table, copies.cast(table.schema)]), rows, what)


def cut_off(table: pa.Table, use_case: UseCase) -> Planted:
    """The first three tenths of the rows alone; no row that is left carries the fault."""
    kept = max(1, int(KEPT * table.num_rows))
    missing = table.num_rows - kept
    if missing == 0:
        raise NotHere("the batch has one row, which cannot be cut off")
    what = f"{missing} of {table.num_rows} rows are missing at the end"
    return Planted(table.slice(0, kept), np.zeros(kept, bool), what, missing)


def late(table: pa.Table, use_case: UseCase) -> Planted:
    """The time of every row moved to before the first of the batch.

    Raises:
        NotHere: when no column says when a row is from, or there is no time that is so early.
    """
    times = [c for c in use_case.with_role("time") if c.in_source in table.column_names]
    if not times:
        raise NotHere("no column has the role time, so that nothing says when a row is from")
    name = times[0].name
    values = values_of(table, use_case, name)
    if values.null_count == len(values):
        raise NotHere(f"{name} has no value")
    bounds: dict[str, Any] = pc.min_max(values).as_py()
    step = timedelta(days=1) if pa.types.is_temporal(values.type) else 1
    back = bounds["max"] - bounds["min"] + step
    with fitting(name):
        last = bounds["max"] - back
        moved = [None if each is None else each - back for each in values.to_pylist()]
        earlier = pa.array(moved, values.type)
    what = f"{name} ends at {last}, before the last batch begins, and comes after"
    return put(table, use_case, name, earlier, what)
