"""Two numeric columns on the same cells: certified bounds of their distances, and quantiles.

Belongs here: what follows from two profiles of numbers, reference first. Does not belong here:
distances of bins (`leeway.drift.distances`), or which of them decides (`leeway.drift.effects`).

At the ends of cells both empirical distribution functions are known. Within a cell each rises from
one known value to another, and its mean is known from the sum of the cell's numbers. What follows
from that and no more is a bound, and both bounds are the distance itself where each cell holds one
value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway.drift.cells import Cells
from leeway.drift.distances import Floats, Integers
from leeway.drift.numbers import NumberProfile

LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 10))  # deciles
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Side:
    """One column on the cells of both, shape (cells,) each.

    `before` and `through` are its distribution function where a cell begins and ends, `position` is
    the mean of a cell's numbers as a share of its width, which may be larger by `error`; `same` is
    where its only number is, or -1.
    """

    counts: Integers
    before: Floats
    through: Floats
    position: Floats
    error: Floats
    same: Integers

    @property
    def rise(self) -> Floats:
        """Share of rows in each cell."""
        return self.through - self.before


@dataclass(frozen=True)
class NumberPair:
    """Two columns on common cells, which run from `lower` to `upper`, shape (cells,)."""

    shift: int
    lower: Floats
    upper: Floats
    reference: Side
    current: Side

    @property
    def counts(self) -> tuple[Integers, Integers]:
        """Rows of both per cell."""
        return self.reference.counts, self.current.counts


def pair_of(reference: NumberProfile, current: NumberProfile) -> NumberPair:
    """Both columns on the cells of the coarser one.

    Raises:
        ValueError: when a side has no finite number.
    """
    if not reference.known or not current.known:
        raise ValueError("there are no rows to compare")
    shift = max(reference.cells.shift, current.cells.shift)
    own = [side.cells.at(shift) for side in (reference, current)]
    cells = np.union1d(own[0].cells, own[1].cells)
    zeros = np.zeros(cells.size, np.int64)
    frame = Cells(shift, cells, zeros, zeros, zeros)
    sides = [
        _side(cells, counted, profile.rounded > 0)
        for counted, profile in zip(own, (reference, current), strict=True)
    ]
    return NumberPair(shift, frame.lower, frame.upper, *sides)


def _side(cells: Integers, own: Cells, rounded: bool) -> Side:
    """Rounded numbers are anywhere between theirs and the next: no cell is known to hold one."""
    place = np.searchsorted(cells, own.cells)
    counts, same = np.zeros((2, cells.size), np.int64)
    position, error = np.zeros((2, cells.size))
    counts[place] = own.counts
    same[place] = -1 if rounded else own.same
    position[place], error[place] = own.position
    sums = np.cumsum(counts)
    before, through = (sums - counts) / sums[-1], sums / sums[-1]
    return Side(counts, before, through, position, error, same)


def ks_bounds(pair: NumberPair) -> tuple[float, float]:
    """Bounds of the two-sample Kolmogorov-Smirnov distance.

    Within a cell, one side may have risen before the other did: which one is known where each side
    has one number, and then both rise at once when it is the same.
    """
    ours, theirs = pair.reference, pair.current
    inner, known = _inner(pair)
    # Sides with one number each are known, so that theirs is part of the lower bound as well.
    low = float(np.abs(ours.through - theirs.through).max())
    low = max(low, float(inner[known].max(initial=0)))
    return low, min(1.0, max(low, float(inner.max())))


def wider_than(pair: NumberPair, distance: float) -> NDArray[np.bool_]:
    """The cells within which the distance may be larger, shape (cells,)."""
    inner, known = _inner(pair)
    wider: NDArray[np.bool_] = (inner > distance) & ~known
    return wider


def _inner(pair: NumberPair) -> tuple[Floats, NDArray[np.bool_]]:
    """The largest distance that there may be within each cell, and where it is known to be."""
    ours, theirs = pair.reference, pair.current
    known = (ours.same >= 0) & (theirs.same >= 0)
    ours_first = np.where(known & (ours.same >= theirs.same), 0, ours.through - theirs.before)
    theirs_first = np.where(known & (theirs.same >= ours.same), 0, theirs.through - ours.before)
    inner: Floats = np.maximum(ours_first, theirs_first)
    return inner, known


def wasserstein_bounds(pair: NumberPair) -> tuple[float, float]:
    """Bounds of the mean distance that mass moves (Wasserstein, of order 1), in the column's unit.

    It is the area between the two distribution functions. Within a cell where they do not cross,
    that is the difference of their areas, which the means give. Where they may cross, it is at
    least that, and at most the way over any constant in between. 1.8e308 stands for anything
    larger.
    """
    # A quarter, so that the distance between the largest numbers has no overflow.
    lower, upper = pair.lower / 4, pair.upper / 4
    width = upper - lower
    ours, theirs = pair.reference, pair.current
    gap_before, gap_through = (
        np.abs(ours.before - theirs.before),
        np.abs(ours.through - theirs.through),
    )
    between = gap_through[:-1] @ (lower[1:] - upper[:-1])
    # Area of each distribution function above its value at the start of the cell.
    above = [side.rise * (1 - side.position) * width for side in (ours, theirs)]
    below = [side.rise * side.position * width for side in (ours, theirs)]
    unknown = width * (ours.rise * ours.error + theirs.rise * theirs.error)
    signed = np.abs((ours.before - theirs.before) * width + above[0] - above[1])
    crossing = (ours.before < theirs.through) & (theirs.before < ours.through)
    over_start = sum(above) + gap_before * width
    over_end = sum(below) + gap_through * width
    low = np.maximum(signed - unknown, 0)
    high = np.where(crossing, np.minimum(over_start, over_end), signed) + unknown
    # Where both rise at once, the area is that of two rectangles.
    at_once = (
        (ours.counts > 0) & (theirs.counts > 0) & (ours.same >= 0) & (ours.same == theirs.same)
    )
    rectangles = width * (gap_before * ours.position + gap_through * (1 - ours.position))
    low, high = (np.where(at_once, rectangles, bound) for bound in (low, high))
    bounds = (4 * min(float(between + part.sum()), _LARGEST / 4) for part in (low, high))
    return next(bounds), next(bounds)


def beyond_share(pair: NumberPair) -> float:
    """Share of the current rows that are certainly below or above every number of the reference."""
    known = np.flatnonzero(pair.reference.counts)
    current = pair.current.counts
    return float((current[: known[0]].sum() + current[known[-1] + 1 :].sum()) / current.sum())


def quantile_bounds(
    pair: NumberPair, side: Side, level: float, margin: float
) -> tuple[float, float, float]:
    """A quantile of one side, and bounds of the true one from a band around its distribution.

    Args:
        level: of the quantile, between 0 and 1.
        margin: how far the true distribution function may be from the observed one.

    Returns:
        Estimate, lower and upper bound; a bound is infinite where the band leaves 0 to 1.
    """
    last = pair.lower.size - 1
    places = np.searchsorted(side.through, [level, level - margin, level + margin])
    at, first, final = np.minimum(places, last).tolist()
    low = _within(pair, side, first, 0.0) if level > margin else -np.inf
    high = _within(pair, side, final, 1.0) if level + margin < 1 else np.inf
    return _within(pair, side, at, float(side.position[at])), low, high


def _within(pair: NumberPair, side: Side, cell: int, share: float) -> float:
    """A number in a cell, at a share of the way to its end; its only number where it has one."""
    if side.counts[cell] and side.same[cell] >= 0:
        share = float(side.position[cell])
    half = pair.upper[cell] / 2 - pair.lower[cell] / 2
    return float(pair.lower[cell] + 2 * half * min(share, 1.0))
