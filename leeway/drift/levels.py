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
from functools import cached_property
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.digests import digest_of
from leeway.drift.buffers import numbers_in, texts

Integers = NDArray[np.int64]

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

    @cached_property
    def known(self) -> int:
        """Number of rows with a level."""
        return sum(self.counts.values())

    @property
    def unusable(self) -> int:
        """Number of rows without one."""
        return self.missing


def in_one_code(
    ours: CategoryProfile, theirs: CategoryProfile
) -> tuple[CategoryProfile, CategoryProfile]:
    """Both by name, or both in buckets where one is."""
    if ours.bucketed == theirs.bucketed:
        return ours, theirs
    in_buckets = CategoryProfile(bucketed=True)
    return merge_levels([ours, in_buckets]), merge_levels([theirs, in_buckets])


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
        self._rows: list[Integers] = []
        self._missing = 0

    def add(self, data: pa.Array) -> None:
        """Counts an array of anything that can be written as text.

        Raises:
            ValueError: when it cannot (`pyarrow.ArrowInvalid`, such as bytes that are not UTF-8).
        """
        self._missing += data.null_count
        present = data.drop_null() if data.null_count else data
        if not pa.types.is_dictionary(data.type):
            present = present.dictionary_encode()
        self._add(_named(present.dictionary), _counted(present))

    def add_counts(self, counted: CategoryProfile) -> None:
        """Counts the rows of a profile; one of buckets needs a counter of buckets."""
        self._missing += counted.missing
        names = texts(counted.counts)
        rows = np.fromiter(counted.counts.values(), np.int64, len(counted.counts))
        self._add(names, rows, named=not counted.bucketed)

    def profile(self) -> CategoryProfile:
        """What was counted so far."""
        self._sum()
        counts: dict[str, int] = {}
        if self._names:
            pairs = zip(self._names[0].to_pylist(), self._rows[0].tolist(), strict=True)
            counts = dict(sorted(pairs))
        return CategoryProfile(counts, self._missing, self._bucketed)

    def _add(self, names: pa.Array, rows: Integers, *, named: bool = True) -> None:
        self._names.append(_buckets(names) if named and self._bucketed else names)
        self._rows.append(rows)
        if sum(map(len, self._names)) > _PENDING:
            self._sum()

    def _sum(self) -> None:
        """Sums the rows of equal levels, and goes over to buckets when there are too many."""
        if not self._names:
            return
        names, rows = _sum_equal(self._names, self._rows)
        if len(names) > MAX_LEVELS and not self._bucketed:
            self._bucketed = True
            names, rows = _sum_equal([_buckets(names)], [rows])
        self._names, self._rows = [names], [rows]


def _counted(data: pa.DictionaryArray) -> Integers:
    """Rows of each entry of the dictionary."""
    rows: Integers = np.bincount(numbers_in(data.indices), minlength=len(data.dictionary))
    return rows


def _sum_equal(names: list[pa.Array], rows: list[Integers]) -> tuple[pa.Array, Integers]:
    found = pa.concat_arrays(names).dictionary_encode()
    # As float64, which counts exactly up to 2^53 rows.
    sums = np.bincount(numbers_in(found.indices), np.concatenate(rows), len(found.dictionary))
    used = pa.Array.from_buffers(
        pa.bool_(), sums.size, [None, pa.py_buffer(np.packbits(sums > 0, bitorder="little"))]
    )
    return found.dictionary.filter(used), sums[sums > 0].astype(np.int64)


def _named(levels: pa.Array) -> pa.Array:
    """Levels as text, the long ones shortened."""
    text = levels.cast(pa.string())
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    return text if longest <= MAX_BYTES else texts(map(_shortened, text.to_pylist()))


def _shortened(level: str) -> str:
    if len(level.encode()) <= MAX_BYTES:
        return level
    return f"{level[:_BEGINNING]}… {digest_of(level)[:24]}"


def _buckets(names: pa.Array) -> pa.Array:
    return texts(_bucket_names(names.to_pylist()))


def _bucket_names(levels: Iterable[str]) -> list[str]:
    places = np.fromiter((crc32(level.encode()) for level in levels), np.int64) % BUCKETS
    return [f"bucket {place:04d}" for place in places.tolist()]
