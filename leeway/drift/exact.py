"""The exact KS distance, where cells leave open what follows from it.

Belongs here: looking again at the rows of the cells that leave it open, and at no others. Does not
belong here: the bounds (`leeway.drift.number_pair`), or where the rows are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from leeway.drift.cells import keys_of
from leeway.drift.distances import Floats, Integers
from leeway.drift.number_pair import Side, ks_bounds, pair_of, wider_than
from leeway.drift.numbers import NumberProfile, floats_of
from leeway.drift.verdict import BatchDrift


def undecided(found: BatchDrift) -> list[str]:
    """The columns of which cells hide something that would be another verdict."""
    return [column.name for column in found.columns if any(each.hidden for each in column.effects)]


def exact_ks(
    reference: NumberProfile,
    current: NumberProfile,
    pieces: tuple[Iterable[pa.Array], Iterable[pa.Array]],
) -> float:
    """The two-sample Kolmogorov-Smirnov distance itself.

    Args:
        reference: profile of one side.
        current: profile of the other.
        pieces: the rows of both, as they were profiled.
    """
    pair = pair_of(reference, current)
    low, _ = ks_bounds(pair)
    open_ = np.flatnonzero(wider_than(pair, low))
    if not open_.size:
        return low
    starts = keys_of(pair.lower[open_])
    sides = [
        np.sort(np.concatenate([_keys_within(piece, pair.shift, starts) for piece in rows]))
        for rows in pieces
    ]
    at = np.union1d(sides[0], sides[1])
    cells = open_[np.searchsorted(starts, at, side="right") - 1]
    reached = [
        _reached(side, keys, at, cells, starts)
        for side, keys in zip((pair.reference, pair.current), sides, strict=True)
    ]
    return max(low, float(np.abs(reached[0] - reached[1]).max(initial=0)))


def _keys_within(piece: pa.Array, shift: int, starts: Integers) -> Integers:
    """Keys of the numbers of a piece that lie in cells which begin at `starts`, ascending."""
    keys = keys_of(floats_of(piece.drop_null())[0])
    cells = keys >> shift
    places = np.searchsorted(starts >> shift, cells)
    found = np.minimum(places, starts.size - 1)
    kept: Integers = keys[(starts >> shift)[found] == cells]
    return kept


def _reached(side: Side, keys: Integers, at: Integers, cells: Integers, starts: Integers) -> Floats:
    """The distribution function of a side at each of `at`."""
    begin = starts[np.searchsorted(starts, at, side="right") - 1]
    within = np.searchsorted(keys, at, side="right") - np.searchsorted(keys, begin, side="left")
    total: Floats = side.before[cells] + within / side.counts.sum()
    return total
