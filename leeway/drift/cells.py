"""Counts of numbers in cells: exact up to 2048 distinct values, and mergeable without error.

Belongs here: the cells of float64 numbers, how rows are counted in them, and how they coarsen. Does
not belong here: tables and missing values (`leeway.drift.numbers`), or distances
(`leeway.drift.distances`).

A float64 is read as an integer of the same order, its key, and a cell holds the numbers whose keys
agree but for the last `shift` bits: the number itself at shift 0, and a share of its power of two
above (the buckets of DDSketch, Masson et al., VLDB 2019, without its logarithm). The shift is the
smallest that leaves at most `MAX_CELLS` cells. Since cells of one shift nest in those of the next,
that depends on the numbers alone, so a merge of counts equals the counts of all the numbers, in
whatever order they were merged. Within a cell a number is linear in its key, so that the sum of the
keys, which is an integer and has no rounding, gives the mean of its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_CELLS = 2048
# Bits of a key that the sums leave out: what is left is below 2^32, so that the sum of 2^31 rows is
# below 2^63. A number is known to 2^-32 of its power of two.
UNIT = 20
_CHUNK = 1 << 16  # rows counted at once: they stay in the cache
_FIRST = 1 << 12  # rows that tell about which shift is needed: at shift 0 each row is a cell
_MIXED = -1
_MANTISSA = 52  # bits below sign and exponent
_MAGNITUDE = np.iinfo(np.int64).max
_INFINITE = int(np.array([np.inf]).view(np.int64)[0])
_NOT_FINITE = (-_INFINITE, 1 - _INFINITE, _INFINITE, _INFINITE + 1)  # where its keys begin and end


def keys_of(values: Floats) -> Integers:
    """Integers that are ordered as the `values` are; -0.0 and 0.0 share one.

    NaN is above infinity or below minus infinity, by its sign.
    """
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    return np.where(bits < 0, -(bits & _MAGNITUDE), bits)


def _sort_keys(values: Floats, keys: Integers, work: Integers) -> None:
    """Writes the keys, ascending; `work` is for its use.

    The bits are sorted before they are keys: those of positive numbers are their keys already, and
    those of negative ones only stand the wrong way round.
    """
    keys[:] = values.view(np.int64)
    keys.sort()
    negative = int(np.searchsorted(keys, 0))
    if negative:
        magnitudes = np.bitwise_and(keys[:negative], _MAGNITUDE, out=work[:negative])
        np.negative(magnitudes[::-1], out=keys[:negative])


def values_of(keys: Integers) -> Floats:
    """The inverse of `keys_of`; keys beyond the finite numbers give the largest of these."""
    finite = np.clip(keys, 1 - _INFINITE, _INFINITE - 1)
    found: Floats = np.where(finite < 0, np.iinfo(np.int64).min - finite, finite).view(np.float64)
    return found


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of finite numbers per cell.

    `cells` ascend, shape (cells,), as the others; `counts` are rows; `offsets` the sum over rows of
    the key's distance from the start of the cell, in units of 2^`UNIT`, rounded down for each row;
    `same` that distance itself where all rows of a cell hold one number, else -1.
    """

    shift: int
    cells: Integers
    counts: Integers
    offsets: Integers
    same: Integers

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same numbers."""
        return (
            isinstance(other, Cells)
            and self.shift == other.shift
            and all(map(np.array_equal, self._arrays(), other._arrays()))
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def _arrays(self) -> tuple[Integers, ...]:
        return self.cells, self.counts, self.offsets, self.same

    @property
    def rows(self) -> int:
        """Number of rows that are counted."""
        return int(self.counts.sum())

    @property
    def exact(self) -> bool:
        """Whether each cell holds one number, so that nothing is lost."""
        return bool((self.same >= 0).all())

    @property
    def lower(self) -> Floats:
        """Smallest number of each cell, shape (cells,)."""
        return values_of(self.cells << self.shift)

    @property
    def upper(self) -> Floats:
        """Where the next cell begins, shape (cells,); at shift 0 the number itself."""
        return values_of((self.cells + 1) << self.shift) if self.shift else self.lower

    @property
    def position(self) -> tuple[Floats, Floats]:
        """Mean of each cell's numbers as a share of the way from `lower` to `upper`; its error.

        The shares may be that much larger. Beyond shift 52, which numbers need that use over 2000
        of the signs and exponents that there are, a cell is not linear, and nothing is known.
        """
        share = np.ldexp(self.offsets / self.counts, UNIT - self.shift)
        known = UNIT < self.shift <= _MANTISSA
        error = 2.0 ** (UNIT - self.shift) if known else 1.0
        single = self.same >= 0
        exact = np.ldexp(np.maximum(self.same, 0).astype(np.float64), -self.shift)
        share = np.where(single, exact, share if known else 0.0)
        return share, np.where(single & (self.shift <= _MANTISSA), 0.0, error)

    def at(self, shift: int) -> Cells:
        """The same rows at a shift that is at least as large."""
        if shift == self.shift:
            return self
        return _sum_equal(shift, *self._coarser(shift))

    def _coarser(self, shift: int) -> tuple[Integers, ...]:
        """What it holds, as it is at a larger shift; cells that become equal are not summed."""
        if shift == self.shift:
            return self._arrays()
        within = (self.cells << self.shift) & ((1 << shift) - 1)
        return (
            self.cells >> (shift - self.shift),
            self.counts,
            self.offsets + self.counts * (within >> UNIT),
            np.where(self.same < 0, _MIXED, self.same + within),
        )


EMPTY = Cells(0, *(np.zeros(0, np.int64) for _ in range(4)))


def merge(parts: Sequence[Cells]) -> Cells:
    """All rows of `parts`, in at most `MAX_CELLS` cells."""
    parts = [part for part in parts if part.cells.size]
    if not parts:
        return EMPTY
    shift = max(part.shift for part in parts)
    coarse = [
        np.concatenate(each) for each in zip(*(part._coarser(shift) for part in parts), strict=True)
    ]
    order = np.argsort(coarse[0], kind="stable")
    together = _sum_equal(shift, *(array[order] for array in coarse))
    return together.at(_smallest_shift(together))


class CellCounter:
    """Counts numbers as they come, in bounded memory; how they are cut does not matter.

    It writes to the same memory for each piece: to ask the system for it anew took half the time.
    """

    def __init__(self) -> None:
        self.nan = self.infinite = 0
        self._ends: list[int] = []
        self._parts: list[Cells] = []
        self._shift = 0
        self._work = np.empty((2, _CHUNK), np.int64)

    @property
    def ends(self) -> Floats:
        """The smallest and the largest finite number, or nothing."""
        return values_of(np.array(self._ends, np.int64))

    def add(self, values: Floats) -> None:
        """Counts numbers, shape (rows,), in any order."""
        values = np.ascontiguousarray(values, np.float64)
        start = 0
        while start < values.size:
            size = _CHUNK if self._parts else _FIRST
            self._add(values[start : start + size])
            start += size
            pending = sum(each.cells.size for each in self._parts)
            if pending > 8 * MAX_CELLS or len(self._parts) == 1:
                self._parts = [merge(self._parts)]
                self._shift = self._parts[0].shift

    def cells(self) -> Cells:
        """What was counted so far."""
        return merge(self._parts)

    def _add(self, values: Floats) -> None:
        keys, work = self._work[:, : values.size]
        _sort_keys(values, keys, work)
        below, low, high, above = np.searchsorted(keys, _NOT_FINITE).tolist()
        self.nan += below + values.size - above
        self.infinite += low - below + above - high
        keys, work = keys[low:high], work[low:high]
        if keys.size:
            self._ends = [min([*self._ends, int(keys[0])]), max([*self._ends, int(keys[-1])])]
            self._parts.append(_count(keys, self._shift, work))


def _count(keys: Integers, shift: int, work: Integers) -> Cells:
    """Counts ascending keys; it writes to both arrays."""
    np.right_shift(keys, shift, out=work)
    first = np.concatenate([[0], np.flatnonzero(work[1:] != work[:-1]) + 1])
    after = np.append(first[1:], keys.size)
    cells, counts = work[first], after - first
    lowest, highest = keys[first], keys[after - 1]
    same = np.where(lowest == highest, lowest - (cells << shift), _MIXED)
    if shift <= UNIT:
        return Cells(shift, cells, counts, np.zeros_like(cells), same)
    keys >>= UNIT
    offsets = np.add.reduceat(keys, first) - counts * (cells << (shift - UNIT))
    return Cells(shift, cells, counts, offsets, same)


def _sum_equal(
    shift: int, cells: Integers, counts: Integers, offsets: Integers, same: Integers
) -> Cells:
    """Sums the rows of equal cells, which ascend."""
    first = np.concatenate([[0], np.flatnonzero(cells[1:] != cells[:-1]) + 1])
    least, most = np.minimum.reduceat(same, first), np.maximum.reduceat(same, first)
    return Cells(
        shift,
        cells[first],
        np.add.reduceat(counts, first),
        np.add.reduceat(offsets, first),
        np.where(least == most, least, _MIXED),
    )


def _smallest_shift(found: Cells) -> int:
    """The smallest shift of at least its own that leaves at most `MAX_CELLS` cells.

    Neighbours become one cell at the shift that drops the highest bit in which they differ.
    """
    more = found.cells.size - MAX_CELLS
    if more <= 0:
        return found.shift
    differing = (found.cells[1:] ^ found.cells[:-1]).view(np.uint64)
    return found.shift + int(np.partition(differing, more - 1)[more - 1]).bit_length()
