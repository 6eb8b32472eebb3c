"""Profiles as bytes: an Arrow file with one row per profile and column, and back.

Belongs here: the stored form, a few kilobytes per column whatever the number of rows. Does not
belong here: making profiles (`leeway.drift.profile`), or where the bytes go.

It is Arrow's own file format with LZ4, which is read in half of the CPU of Parquet: a year of days
is read at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from leeway.drift.buffers import numbers_in
from leeway.drift.cells import Cells, Integers
from leeway.drift.history import PastBatch, past_batch_fields, past_batch_from
from leeway.drift.levels import CategoryProfile
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import ColumnProfile, Profile, merge_common

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
_AT_ONCE = 16  # batches that are merged at a time
_LISTS = ("cells", "offsets", "same", "counts")
_PLAIN = ("missing", "nan", "infinite", "rounded", "lowest", "highest")  # of a number


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


def merged(members: Iterable[Stored]) -> Stored:
    """Several batches together, without a history; of many, a few are in memory at a time.

    A layer, or a column of it, is left out where not every batch has it.

    Raises:
        ValueError: when there is no batch.
    """
    left = iter(members)
    parts: list[Future[Stored]] = []
    # The next ones are read while those before them are merged.
    with ThreadPoolExecutor(1) as thread:
        while batches := list(islice(left, _AT_ONCE)):
            parts.append(thread.submit(_merged, batches))
            if len(parts) > 1:
                parts[-2].result()
    if not parts:
        raise ValueError("there is no batch to merge")
    return _merged([each.result() for each in parts])


def _merged(members: Sequence[Stored]) -> Stored:
    profiles = {}
    for layer in members[0].profiles:
        found = [each.profiles[layer] for each in members if layer in each.profiles]
        if len(found) == len(members):
            profiles[layer] = merge_common(found)
    definitions = {
        name: _each_once(each.definitions.get(name, ()) for each in members)
        for name in members[-1].definitions
    }
    return Stored(
        profiles, definitions=definitions, commits=_each_once(each.commits for each in members)
    )


def as_reference(members: Iterable[Stored]) -> Stored:
    """Several batches as what another one is compared with: `train` are the clean rows of all.

    Raises:
        ValueError: when there is no batch.
    """
    together = merged(members)
    return replace(together, profiles={**together.profiles, "train": together.profiles["clean"]})


def _each_once(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(each for found in lists for each in found))


def to_bytes(stored: Stored) -> bytes:
    """The profiles as an Arrow file, the others as its notes; equal ones give equal bytes."""
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
    schema = _SCHEMA.with_metadata({_NOTE: json.dumps(note)})
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_file(buffer, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as out:
        out.write_table(pa.Table.from_pylist(rows, schema))
    found: bytes = buffer.getvalue().to_pybytes()
    return found


def from_bytes(data: bytes) -> Stored:
    """The inverse of `to_bytes`.

    Raises:
        ValueError: when the bytes are not stored profiles.
    """
    try:
        table = pa.ipc.open_file(data).read_all()
        note = table.schema.metadata[_NOTE.encode()]
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        told = "these are not stored profiles; materialize what made them again"
        raise ValueError(told) from error
    known = json.loads(note)
    columns: dict[str, dict[str, ColumnProfile]] = {}
    for owner, name, column in _columns(table):
        columns.setdefault(owner, {})[name] = column
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


def _columns(table: pa.Table) -> Iterator[tuple[str, str, ColumnProfile]]:
    """Profile, name and content of each column; in bulk, since a year of days has thousands."""
    plain = {name: table[name].to_pylist() for name in table.column_names if name not in _LISTS}
    lists = {name: _lists(table[name]) for name in _LISTS}
    for row in range(table.num_rows):
        cell = {name: values[row] for name, values in plain.items()}
        yield cell["profile"], cell["column"], _column(cell, {n: lists[n][row] for n in _LISTS})


def _lists(column: pa.ChunkedArray) -> list[Integers]:
    """The list of each row, shape (entries,); empty where there is none."""
    (whole,) = column.chunks or [column.combine_chunks()]  # as it was written: at once
    values = numbers_in(whole.values)
    return [values[start:end] for start, end in pairwise(numbers_in(whole.offsets).tolist())]


def _column(cell: Mapping[str, Any], lists: Mapping[str, Integers]) -> ColumnProfile:
    if cell["shift"] is None:
        counts = dict(zip(cell["levels"], lists["counts"].tolist(), strict=True))
        return CategoryProfile(counts, cell["missing"], cell["bucketed"])
    cells = np.cumsum(lists["cells"])
    return NumberProfile(
        Cells(cell["shift"], cells, lists["counts"], lists["offsets"], lists["same"]),
        **{name: cell[name] for name in _PLAIN},
    )
