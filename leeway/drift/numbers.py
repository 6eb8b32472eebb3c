"""The profile of a numeric column: counts in cells, and what is not a finite number.

Belongs here: one column of numbers, integers, dates or moments. Does not belong here: the cells
(`leeway.drift.cells`), categories (`leeway.drift.levels`), or tables (`leeway.drift.profile`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.drift.buffers import floats_in, numbers_in
from leeway.drift.cells import (
    EMPTY,
    CellCounter,
    Cells,
    Floats,
    merge,
)

_EXACT = 1 << 53  # integers up to it are float64 numbers
_MICROSECONDS = 1e6  # of a second


@dataclass(frozen=True)
class NumberProfile:
    """Counts of a numeric column.

    `missing` counts NULL, `nan` NaN, `infinite` both infinities. `lowest` and `highest` are the
    extremes of the finite numbers; None when there are none. `rounded` counts integers beyond 2^53
    that float64 does not have: they count as the next number below.
    """

    cells: Cells = field(default_factory=lambda: EMPTY)
    missing: int = 0
    nan: int = 0
    infinite: int = 0
    rounded: int = 0
    lowest: float | None = None
    highest: float | None = None

    @property
    def known(self) -> int:
        """Number of rows with a finite value."""
        return self.cells.rows

    @property
    def unusable(self) -> int:
        """Number of rows without one."""
        return self.missing + self.nan + self.infinite

    @property
    def exact(self) -> bool:
        """Whether nothing but the order of rows is lost."""
        return self.cells.exact and self.rounded == 0

    @property
    def values(self) -> tuple[float, ...]:
        """Lower ends of the cells, ascending: the distinct values where it is exact."""
        return tuple(self.cells.lower.tolist())

    @property
    def counts(self) -> tuple[int, ...]:
        """Rows of each of `values`."""
        return tuple(self.cells.counts.tolist())


def merge_numbers(profiles: Sequence[NumberProfile]) -> NumberProfile:
    """The profile of the rows of all."""
    lows = [each.lowest for each in profiles if each.lowest is not None]
    highs = [each.highest for each in profiles if each.highest is not None]
    return NumberProfile(
        merge([each.cells for each in profiles]),
        missing=sum(each.missing for each in profiles),
        nan=sum(each.nan for each in profiles),
        infinite=sum(each.infinite for each in profiles),
        rounded=sum(each.rounded for each in profiles),
        lowest=min(lows, default=None),
        highest=max(highs, default=None),
    )


class NumberCounter:
    """Counts a numeric column piece by piece; how it is cut does not matter."""

    def __init__(self) -> None:
        self._cells = CellCounter()
        self._missing = self._filled = self._rounded = 0

    def add(self, data: pa.Array) -> None:
        """Counts an array of numbers, integers, decimals, dates, times or moments.

        Raises:
            ValueError: when its values cannot be read as numbers (`pyarrow.ArrowInvalid`).
        """
        self._missing += data.null_count
        if pa.types.is_float64(data.type):
            self._cells.add(floats_in(data))
            self._filled += data.null_count
            return
        values, rounded = floats_of(data.drop_null() if data.null_count else data)
        self._rounded += rounded
        self._cells.add(values)

    def profile(self) -> NumberProfile:
        """What was counted so far."""
        counted = self._cells
        return NumberProfile(
            counted.cells(),
            self._missing,
            counted.nan - self._filled,
            counted.infinite,
            self._rounded,
            *counted.ends.tolist(),
        )


def floats_of(data: pa.Array) -> tuple[Floats, int]:
    """Values without NULL as float64, shape (rows,), and how many were rounded.

    Moments are seconds since 1970.
    """
    kind = data.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moments = data.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return numbers_in(moments) / _MICROSECONDS, 0
    if pa.types.is_int64(kind) or pa.types.is_uint64(kind):
        return _from_integers(data)
    return numbers_in(data.cast(pa.float64())), 0


def _from_integers(data: pa.Array) -> tuple[Floats, int]:
    """As float64, those that it does not have as the next number below."""
    whole = numbers_in(data)
    near = whole.astype(np.float64)
    extremes = pc.min_max(data).as_py()
    if not len(data) or max(-extremes["min"], extremes["max"]) <= _EXACT:
        return near, 0
    beyond = near >= 2.0 ** (whole.dtype.itemsize * 8 - (whole.dtype.kind == "i"))
    back = np.where(beyond, 0, near).astype(whole.dtype)
    above = beyond | (back > whole)
    return np.where(above, np.nextafter(near, -np.inf), near), int((above | (back < whole)).sum())
