"""The profile of a categorical column: rows per level, in bounded size.

Belongs here: one column of levels. Does not belong here: numbers (`leeway.drift.numbers`), or
tables (`leeway.drift.profile`).

Up to `MAX_LEVELS` levels are counted by name. A column that has more, such as free text or an id,
is counted in `BUCKETS` buckets by the CRC-32 of its levels instead: that depends on the levels
alone, so a merge is the profile of all rows, in whatever order they were merged. No level is longer
than `MAX_BYTES`: what is longer keeps its beginning and gets the digest of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.digests import digest_of

MAX_LEVELS = 1 << 17
BUCKETS = 2048
MAX_BYTES = 120
_BEGINNING = 32  # characters that a level too long keeps; four bytes each at most
_PENDING = 1 << 18  # entries that wait to be summed


@dataclass(frozen=True)
class CategoryProfile:
    """Rows per level of a column, levels as text; `missing` counts NULL.

    `bucketed`: the levels were too many, and the names are of buckets of them.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    bucketed: bool = False

    @property
    def known(self) -> int:
        """Number of rows with a level."""
        return sum(self.counts.values())

    @property
    def unusable(self) -> int:
        """Number of rows without one."""
        return self.missing


def merge_levels(profiles: Sequence[CategoryProfile]) -> CategoryProfile:
    """The profile of the rows of all."""
    counter = LevelCounter(any(each.bucketed for each in profiles))
    for each in profiles:
        counter.add_counts(each)
    return counter.profile()


class LevelCounter:
    """Counts a column of levels piece by piece; how it is cut does not matter."""

    def __init__(self, bucketed: bool = False) -> None:
        self._bucketed = bucketed
        self._names: list[pa.Array] = []
        self._rows: list[pa.Array] = []
        self._missing = 0

    def add(self, data: pa.Array) -> None:
        """Counts an array of anything that can be written as text.

        Raises:
            ValueError: when it cannot (`pyarrow.ArrowInvalid`, such as bytes that are not UTF-8).
        """
        self._missing += data.null_count
        present = data.drop_null() if data.null_count else data
        if pa.types.is_dictionary(data.type):
            rows = np.bincount(present.indices.to_numpy(), minlength=len(data.dictionary))
            used = np.flatnonzero(rows)
            levels, counts = data.dictionary.take(pa.array(used)), pa.array(rows[used])
        else:
            counted = pc.value_counts(present)
            levels, counts = counted.field("values"), counted.field("counts")
        self._add(_named(levels), counts)

    def add_counts(self, counted: CategoryProfile) -> None:
        """Counts the rows of a profile; one of buckets needs a counter of buckets."""
        self._missing += counted.missing
        names = pa.array(list(counted.counts), pa.string())
        rows = pa.array(list(counted.counts.values()), pa.int64())
        self._add(names, rows, named=not counted.bucketed)

    def profile(self) -> CategoryProfile:
        """What was counted so far."""
        self._sum()
        if not self._names:
            return CategoryProfile({}, self._missing, self._bucketed)
        pairs = zip(self._names[0].to_pylist(), self._rows[0].to_pylist(), strict=True)
        return CategoryProfile(dict(sorted(pairs)), self._missing, self._bucketed)

    def _add(self, names: pa.Array, rows: pa.Array, *, named: bool = True) -> None:
        self._names.append(_buckets(names) if named and self._bucketed else names)
        self._rows.append(rows)
        if sum(map(len, self._names)) > _PENDING:
            self._sum()

    def _sum(self) -> None:
        """Sums the rows of equal levels, and goes over to buckets when there are too many."""
        if not self._names:
            return
        summed = _sum_equal(pa.chunked_array(self._names), pa.chunked_array(self._rows))
        if len(summed[0]) > MAX_LEVELS and not self._bucketed:
            self._bucketed = True
            summed = _sum_equal(_buckets(summed[0]), summed[1])
        self._names, self._rows = [summed[0]], [summed[1]]


def _sum_equal(
    names: pa.Array | pa.ChunkedArray, rows: pa.Array | pa.ChunkedArray
) -> tuple[pa.Array, pa.Array]:
    table = pa.table({"name": names, "rows": rows})
    summed = table.group_by("name", use_threads=False).aggregate([("rows", "sum")])
    return summed["name"].combine_chunks(), summed["rows_sum"].combine_chunks()


def _named(levels: pa.Array) -> pa.Array:
    """Levels as text, the long ones shortened."""
    text = levels.cast(pa.string())
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    return text if longest <= MAX_BYTES else pa.array(map(_shortened, text.to_pylist()))


def _shortened(level: str) -> str:
    if len(level.encode()) <= MAX_BYTES:
        return level
    return f"{level[:_BEGINNING]}… {digest_of(level)[:24]}"


def _buckets(names: pa.Array) -> pa.Array:
    return pa.array(_bucket_names(names.to_pylist()), pa.string())


def _bucket_names(levels: Iterable[str]) -> list[str]:
    places = np.fromiter((crc32(level.encode()) for level in levels), np.int64) % BUCKETS
    return [f"bucket {place:04d}" for place in places.tolist()]
