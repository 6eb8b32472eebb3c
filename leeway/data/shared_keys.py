"""Keys that several batches have: to which batch each belongs, and which batches that concerns.

Belongs here: the rule (docs/adr/0013). Does not belong here: the other rules for rows
(`leeway.data.validation`), or reading what batches hold (`resources.warehouse`).

A key belongs to the batch with the least id of all that have a row of it which is good in itself.
Ids of batches are compared as text, which is their order in time where they are dates or numbers
with leading zeros. Nothing depends on which batch came first, or was read first.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc


def as_text(keys: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Keys as they are compared: their type may have changed since another batch came."""
    text = pc.cast(keys, pa.string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def held_by(keys: pa.Array | pa.ChunkedArray, batch: str) -> pa.Table:
    """The table of keys and their batch that says: these belong to `batch`."""
    text = as_text(keys)
    return pa.table({"key": text, "batch_id": pa.array([batch] * len(text), pa.string())})


def before(held: pa.Table, batch: str) -> pa.Table:
    """Of the keys that batches hold, those of the batches before `batch`."""
    return _of(held, [each for each in _batches(held) if each < batch])


def without(held: pa.Table, batch: str) -> pa.Table:
    """Of the keys that batches hold, those of all others."""
    return _of(held, [each for each in _batches(held) if each != batch])


def concerned(held: pa.Table, named: pa.Table, batch: str, keys: pa.Array) -> list[str]:
    """The batches after `batch` that have a key which it did not hold before, or holds no more.

    Args:
        held: columns `key` and `batch_id`: what each batch held until now.
        named: the same of what was rejected of them: a key that a batch had to leave to another.
        batch: the one that comes anew.
        keys: what it holds now.
    """
    old, new = as_text(_of(held, [batch])["key"]), as_text(keys)
    got = new.filter(pc.invert(pc.is_in(new, value_set=old)))
    gave_up = old.filter(pc.invert(pc.is_in(old, value_set=new)))
    moved = pa.concat_arrays([got, gave_up])
    found: set[str] = set()
    for table in (held, named):
        shared = table.filter(pc.is_in(as_text(table["key"]), value_set=moved))
        found |= {each for each in _batches(shared) if each > batch}
    return sorted(found)


def _batches(held: pa.Table) -> list[str]:
    batches: list[str] = pc.unique(held["batch_id"]).to_pylist()
    return batches


def _of(held: pa.Table, batches: Collection[str]) -> pa.Table:
    return held.filter(pc.is_in(held["batch_id"], value_set=pa.array(sorted(batches), pa.string())))
