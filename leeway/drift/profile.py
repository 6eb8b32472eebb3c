"""What a batch looks like: counts per column that merge, so that any window is a sum of profiles.

Belongs here: making, merging and storing profiles. Does not belong here: comparing them
(`leeway.drift.verdict`), or which rows are valid (`leeway.data.validation`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.drift.cells import coarsen, keys_of, lower_ends
from leeway.spec import NUMERIC_TYPES, Column

PROFILED_ROLES = frozenset({"target", "feature", "monitored"})


@dataclass(frozen=True)
class NumberProfile:
    """Counts of a numeric column.

    `values` are the ascending distinct numbers while `shift` is 0, else the lower ends of cells
    (`leeway.drift.cells`); `counts` go with them. `missing` counts NULL, `non_finite` NaN and
    infinities.
    """

    values: tuple[float, ...]
    counts: tuple[int, ...]
    shift: int
    missing: int
    non_finite: int

    @property
    def cells(self) -> NDArray[np.int64]:
        """The cells at `shift`, ascending, shape (cells,)."""
        return keys_of(np.array(self.values, np.float64)) >> self.shift

    @property
    def known(self) -> int:
        """Number of rows with a finite value."""
        return sum(self.counts)

    def merge(self, other: NumberProfile) -> NumberProfile:
        """The profile of the rows of both."""
        shift = max(self.shift, other.shift)
        cells = [side.cells >> (shift - side.shift) for side in (self, other)]
        counts = np.array(self.counts + other.counts, np.int64)
        return _number_profile(
            *coarsen(np.concatenate(cells), counts, shift),
            missing=self.missing + other.missing,
            non_finite=self.non_finite + other.non_finite,
        )

    def as_dict(self) -> dict[str, object]:
        """For JSON; numbers keep every bit."""
        return {
            "kind": "number",
            "values": list(self.values),
            "counts": list(self.counts),
            "shift": self.shift,
            "missing": self.missing,
            "non_finite": self.non_finite,
        }


@dataclass(frozen=True)
class CategoryProfile:
    """Rows per level of a column, levels as text; `missing` counts NULL."""

    counts: dict[str, int]
    missing: int

    @property
    def known(self) -> int:
        """Number of rows with a level."""
        return sum(self.counts.values())

    def merge(self, other: CategoryProfile) -> CategoryProfile:
        """The profile of the rows of both."""
        counts = Counter(self.counts) + Counter(other.counts)
        return CategoryProfile(dict(sorted(counts.items())), self.missing + other.missing)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"kind": "category", "counts": dict(self.counts), "missing": self.missing}


ColumnProfile = NumberProfile | CategoryProfile


@dataclass(frozen=True)
class Profile:
    """Profiles of the columns of `rows` rows."""

    rows: int
    columns: dict[str, ColumnProfile]

    def merge(self, other: Profile) -> Profile:
        """The profile of the rows of both; associative and commutative.

        Raises:
            ValueError: when the columns or their kinds differ.
        """
        if self.columns.keys() != other.columns.keys():
            differing = sorted(self.columns.keys() ^ other.columns.keys())
            raise ValueError(f"cannot merge profiles: only one has the columns {differing}")
        theirs = other.columns
        merged = {name: _merge(name, one, theirs[name]) for name, one in self.columns.items()}
        return Profile(self.rows + other.rows, merged)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        columns = {name: column.as_dict() for name, column in self.columns.items()}
        return {"rows": self.rows, "columns": columns}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Profile:
        """The inverse of `as_dict`.

        Raises:
            KeyError: when a field is missing.
        """
        columns = {name: _column_from(column) for name, column in fields["columns"].items()}
        return cls(fields["rows"], columns)


def _merge(name: str, one: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    if isinstance(one, NumberProfile) and isinstance(other, NumberProfile):
        return one.merge(other)
    if isinstance(one, CategoryProfile) and isinstance(other, CategoryProfile):
        return one.merge(other)
    raise ValueError(f"cannot merge profiles: column {name!r} is a number in only one of them")


def _column_from(fields: Mapping[str, Any]) -> ColumnProfile:
    if fields["kind"] == "category":
        return CategoryProfile(dict(fields["counts"]), fields["missing"])
    values = tuple(map(float, fields["values"]))
    counts = tuple(fields["counts"])
    return NumberProfile(values, counts, fields["shift"], fields["missing"], fields["non_finite"])


def profile_table(table: pa.Table, columns: Sequence[Column]) -> Profile:
    """Profiles the target, the features and the monitored columns of a table.

    Numbers, integers (exact up to 2^53), dates and timestamps (as seconds since 1970) are counted
    as numbers, all else as categories.

    Raises:
        KeyError: when the table lacks one of these columns.
        ValueError: when a column cannot be read as its type (`pyarrow.ArrowInvalid`).
    """
    profiles: dict[str, ColumnProfile] = {}
    for column in columns:
        if column.role not in PROFILED_ROLES:
            continue
        data = table.column(column.name)
        if column.type in NUMERIC_TYPES:
            profiles[column.name] = _count_numbers(data.cast(pa.float64(), safe=False))
        elif column.type in ("date", "timestamp"):
            moments = data.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
            profiles[column.name] = _count_numbers(pc.divide(moments, 1e6))
        else:
            profiles[column.name] = _count_levels(data.cast(pa.string()))
    return Profile(table.num_rows, profiles)


def _count_numbers(data: pa.ChunkedArray) -> NumberProfile:
    present = data.drop_null().to_numpy()
    finite = present[np.isfinite(present)]
    cells, counts = np.unique(keys_of(finite), return_counts=True)
    return _number_profile(
        *coarsen(cells, counts.astype(np.int64), 0),
        missing=data.null_count,
        non_finite=present.size - finite.size,
    )


def _number_profile(
    cells: NDArray[np.int64],
    counts: NDArray[np.int64],
    shift: int,
    *,
    missing: int,
    non_finite: int,
) -> NumberProfile:
    values = tuple(lower_ends(cells, shift).tolist())
    return NumberProfile(values, tuple(counts.tolist()), shift, missing, non_finite)


def _count_levels(data: pa.ChunkedArray) -> CategoryProfile:
    counted = pc.value_counts(data.drop_null()).to_pylist()
    levels = {entry["values"]: entry["counts"] for entry in counted}
    return CategoryProfile(dict(sorted(levels.items())), data.null_count)
