"""Profiles as bytes: a Parquet table of one row per profile and column, and back.

Belongs here: the stored form, a few kilobytes per column whatever the number of rows. Does not
belong here: making profiles (`leeway.drift.profile`), or where the bytes go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from leeway.data.tables import to_parquet
from leeway.drift.buffers import numbers_in
from leeway.drift.cells import Cells
from leeway.drift.history import PastBatch, past_batch_fields, past_batch_from
from leeway.drift.levels import CategoryProfile
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Profile

_INTEGERS = pa.list_(pa.int64())
_SCHEMA = pa.schema(
    {
        "profile": pa.string(),
        "column": pa.string(),
        "missing": pa.int64(),
        "nan": pa.int64(),
        "infinite": pa.int64(),
        "rounded": pa.int64(),
        "lowest": pa.float64(),
        "highest": pa.float64(),
        "shift": pa.int32(),  # null in the row of a category
        "cells": _INTEGERS,  # each less the one before it: small numbers, which compress well
        "offsets": _INTEGERS,
        "same": _INTEGERS,
        "counts": _INTEGERS,
        "levels": pa.list_(pa.string()),
        "bucketed": pa.bool_(),
    }
)
_NOTE = "leeway.profiles"
_HISTORY = "leeway.history"


def to_bytes(profiles: Mapping[str, Profile], history: Sequence[PastBatch] = ()) -> bytes:
    """Named profiles, and what is usual of their batches, as Parquet; equal ones: equal bytes."""
    rows = [
        {"profile": name, "column": column, **_fields(found)}
        for name, profile in profiles.items()
        for column, found in profile.columns.items()
    ]
    spans = {name: [each.rows, each.since, each.until] for name, each in profiles.items()}
    notes = {_NOTE: json.dumps(spans), _HISTORY: json.dumps([*map(past_batch_fields, history)])}
    return to_parquet(pa.Table.from_pylist(rows, _SCHEMA), notes)


def from_bytes(data: bytes) -> dict[str, Profile]:
    """The profiles that `to_bytes` was given.

    Raises:
        ValueError: when the bytes are not stored profiles.
    """
    table = parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    notes = _notes(table.schema)
    columns: dict[str, dict[str, ColumnProfile]] = {}
    for row in range(table.num_rows):
        field = {name: table[name][row] for name in table.column_names}
        owner = columns.setdefault(field["profile"].as_py(), {})
        owner[field["column"].as_py()] = _column(field)
    spans = json.loads(notes[_NOTE])
    return {
        name: Profile(rows, columns.get(name, {}), since, until)
        for name, (rows, since, until) in spans.items()
    }


def history_from_bytes(data: bytes) -> list[PastBatch]:
    """The history that `to_bytes` was given.

    Raises:
        ValueError: when the bytes are not stored profiles.
    """
    notes = _notes(parquet.read_schema(pa.BufferReader(data)))
    return [past_batch_from(batch) for batch in json.loads(notes[_HISTORY])]


def _notes(schema: pa.Schema) -> dict[str, str]:
    notes = {key.decode(): note.decode() for key, note in (schema.metadata or {}).items()}
    if _NOTE not in notes:
        raise ValueError("these are not stored profiles; materialize what made them again")
    return notes


def _fields(column: ColumnProfile) -> dict[str, Any]:
    if isinstance(column, CategoryProfile):
        return {
            "missing": column.missing,
            "levels": list(column.counts),
            "counts": list(column.counts.values()),
            "bucketed": column.bucketed,
        }
    cells = column.cells
    return {
        "missing": column.missing,
        "nan": column.nan,
        "infinite": column.infinite,
        "rounded": column.rounded,
        "lowest": column.lowest,
        "highest": column.highest,
        "shift": cells.shift,
        "cells": np.diff(cells.cells, prepend=0),
        "offsets": cells.offsets,
        "same": cells.same,
        "counts": cells.counts,
    }


def _column(field: Mapping[str, pa.Scalar]) -> ColumnProfile:
    shift = field["shift"].as_py()
    if shift is None:
        levels = zip(field["levels"].as_py(), field["counts"].as_py(), strict=True)
        return CategoryProfile(dict(levels), field["missing"].as_py(), field["bucketed"].as_py())
    cells, counts, offsets, same = (
        numbers_in(field[name].values) for name in ("cells", "counts", "offsets", "same")
    )
    plain = ("missing", "nan", "infinite", "rounded", "lowest", "highest")
    return NumberProfile(
        Cells(shift, np.cumsum(cells), counts, offsets, same),
        **{name: field[name].as_py() for name in plain},
    )
