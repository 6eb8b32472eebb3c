"""Profiles as bytes: a Parquet table of one row per profile and column, and back.

Belongs here: the stored form, a few kilobytes per column whatever the number of rows. Does not
belong here: making profiles (`leeway.drift.profile`), or where the bytes go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
from leeway.drift.profile import ColumnProfile, Profile, merge_profiles

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


@dataclass(frozen=True)
class Stored:
    """What is kept of a batch, or of the batches that a model was trained on.

    `profiles` by layer: raw, staged, clean, and of a model `train`. `history` is what is usual of
    the batches. `definitions` are digests of what says how a layer is made, by layer, and `commits`
    the commits of the project that they were made from: of several batches there may be several.
    """

    profiles: Mapping[str, Profile]
    history: Sequence[PastBatch] = ()
    definitions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    commits: Sequence[str] = ()


def merged(members: Sequence[Stored]) -> Stored:
    """Several batches together, without a history.

    A layer is left out where the batches have other columns at it: there is nothing to add up.

    Raises:
        ValueError: when there is no batch.
    """
    if not members:
        raise ValueError("there is no batch to merge")
    profiles = {}
    for layer in members[0].profiles:
        columns = [each.profiles[layer].columns.keys() for each in members]
        if all(names == columns[0] for names in columns):
            profiles[layer] = merge_profiles([each.profiles[layer] for each in members])
    definitions = {
        name: _each_once(each.definitions.get(name, ()) for each in members)
        for name in members[-1].definitions
    }
    return Stored(
        profiles, definitions=definitions, commits=_each_once(each.commits for each in members)
    )


def _each_once(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(each for found in lists for each in found))


def to_bytes(stored: Stored) -> bytes:
    """The profiles as Parquet, the others as its notes; equal ones give equal bytes."""
    rows = [
        {"profile": name, "column": column, **_fields(found)}
        for name, profile in stored.profiles.items()
        for column, found in profile.columns.items()
    ]
    note = {
        "spans": {name: [p.rows, p.since, p.until] for name, p in stored.profiles.items()},
        "history": [past_batch_fields(batch) for batch in stored.history],
        "definitions": {name: list(found) for name, found in stored.definitions.items()},
        "commits": list(stored.commits),
    }
    return to_parquet(pa.Table.from_pylist(rows, _SCHEMA), {_NOTE: json.dumps(note)})


def from_bytes(data: bytes) -> Stored:
    """The inverse of `to_bytes`.

    Raises:
        ValueError: when the bytes are not stored profiles.
    """
    table = parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    note = (table.schema.metadata or {}).get(_NOTE.encode())
    if note is None:
        raise ValueError("these are not stored profiles; materialize what made them again")
    known = json.loads(note)
    columns: dict[str, dict[str, ColumnProfile]] = {}
    for row in range(table.num_rows):
        cell = {name: table[name][row] for name in table.column_names}
        owner = columns.setdefault(cell["profile"].as_py(), {})
        owner[cell["column"].as_py()] = _column(cell)
    return Stored(
        {
            name: Profile(rows, columns.get(name, {}), since, until)
            for name, (rows, since, until) in known["spans"].items()
        },
        [past_batch_from(batch) for batch in known["history"]],
        known["definitions"],
        known["commits"],
    )


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


def _column(cell: Mapping[str, pa.Scalar]) -> ColumnProfile:
    shift = cell["shift"].as_py()
    if shift is None:
        levels = zip(cell["levels"].as_py(), cell["counts"].as_py(), strict=True)
        return CategoryProfile(dict(levels), cell["missing"].as_py(), cell["bucketed"].as_py())
    cells, counts, offsets, same = (
        numbers_in(cell[name].values) for name in ("cells", "counts", "offsets", "same")
    )
    plain = ("missing", "nan", "infinite", "rounded", "lowest", "highest")
    return NumberProfile(
        Cells(shift, np.cumsum(cells), counts, offsets, same),
        **{name: cell[name].as_py() for name in plain},
    )
