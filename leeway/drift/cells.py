"""Counts of numbers in cells: exact up to 4096 distinct values, and mergeable without error.

Belongs here: the cells of float64 numbers, and how they coarsen. Does not belong here: tables,
missing values (`leeway.drift.profile`), or distances (`leeway.drift.distances`).

A float64 is read as an integer of the same order, and a cell holds the numbers whose integers
agree but for the last `shift` bits: the number itself at shift 0, and a share of its power of two
above (the buckets of DDSketch, Masson et al., VLDB 2019, without its logarithm). The shift is the
smallest that leaves at most `MAX_CELLS` cells. Since cells of one shift nest in those of the next,
that depends on the numbers alone, so a merge of counts equals the counts of all the numbers, in
whatever order they were merged. 4096 cells are always enough: at shift 52 one is left per sign and
exponent, of which there are 4094.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_CELLS = 4096
_MAX_SHIFT = 52
_SIGN = np.iinfo(np.int64).min


def keys_of(values: Floats) -> Integers:
    """Integers that are ordered as the finite `values` are; -0.0 and 0.0 share one."""
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    return np.where(bits < 0, _SIGN - bits, bits)


def values_of(keys: Integers) -> Floats:
    """The inverse of `keys_of`."""
    return np.where(keys < 0, _SIGN - keys, keys).view(np.float64)


def lower_ends(cells: Integers, shift: int) -> Floats:
    """Smallest finite number of each cell, shape (cells,)."""
    return np.maximum(values_of(cells << shift), np.finfo(np.float64).min)


def middles(cells: Integers, shift: int) -> Floats:
    """Middle of each cell, shape (cells,); at shift 0 the number itself."""
    upper = values_of(((cells + 1) << shift) - 1)
    return lower_ends(cells, shift) / 2 + np.minimum(upper, np.finfo(np.float64).max) / 2


def coarsen(cells: Integers, counts: Integers, shift: int) -> tuple[Integers, Integers, int]:
    """Sums counts per distinct cell, at the smallest shift of at least `shift` that fits.

    Args:
        cells: cells at `shift`, in any order, repeated or not.
        counts: of each, shape (cells,).

    Returns:
        Ascending distinct cells, their counts, and their shift.
    """
    distinct, position = np.unique(cells, return_inverse=True)
    more = bisect_left(
        range(_MAX_SHIFT - shift), True, key=lambda bits: _distinct(distinct >> bits) <= MAX_CELLS
    )
    final, owner = np.unique(distinct >> more, return_inverse=True)
    sums = np.zeros(final.size, np.int64)
    np.add.at(sums, owner[position], counts)
    return final, sums, shift + more


def _distinct(ascending: Integers) -> int:
    return int(np.count_nonzero(np.diff(ascending))) + min(ascending.size, 1)
