"""Which rows are copies, and what a mean of rows is worth where some are.

Belongs here: telling copies from rows that are equal because values are few. Does not belong here:
coding rows (`leeway.drift.rows`), or what is averaged.

A model that was fitted on a copy of a row knows the row. And copies are no evidence of their own:
as many of them as one likes say no more than the row does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leeway.drift.rows import CodedRows

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# Share of a table: what more rows say is a kind of rows. It leaves at least 50 units of a table.
MOST_COPIED = 0.02


def units_of(rows: CodedRows) -> Integers:
    """A number per row of both tables, the same for copies of one row; shape (rows,).

    Copies are equal rows of one table that the other does not have. Where rows are equal because
    values are few, such as ages, the other table has them, or they are more than `MOST_COPIED`, or
    a level is theirs alone, of which nothing would be known without them: there each row counts.
    """
    both = rows.both
    content = np.ascontiguousarray(np.where(np.isnan(both), np.inf, both) + 0.0)  # -0 is 0
    whole = content.view(np.dtype((np.void, content.shape[1] * content.itemsize))).ravel()
    _, first, same = np.unique(whole, return_index=True, return_inverse=True)
    copied = _copied(rows, first, same)
    return np.asarray(np.where(copied[same], first[same], np.arange(len(both))))


def _copied(rows: CodedRows, first: Integers, same: Integers) -> NDArray[np.bool_]:
    """Of each distinct row, first met at `first`, whether its equals are copies of it."""
    size = len(rows.reference)
    ours, theirs = (np.bincount(side, minlength=first.size) for side in np.split(same, [size]))
    share = ours / size + theirs / len(rows.current)
    copied: NDArray[np.bool_] = (np.minimum(ours, theirs) == 0) & (share <= MOST_COPIED)
    for levels in rows.both[first][:, rows.categories].T:
        _, level, times = np.unique(levels, return_inverse=True, return_counts=True)
        copied &= times[level] > 1
    return copied


def by_unit(values: Floats, units: Integers) -> Floats:
    """One value per unit: their mean is that of `values`, and its error that of so many units.

    The values of a unit stray together, by whatever they have in common; the variance of the mean
    is that of a ratio (W. Cochran, Sampling Techniques, 1977).

    Args:
        values: of rows, shape (rows,).
        units: as `units_of`, of the same rows.
    """
    first, unit = np.unique(units, return_inverse=True)
    mean = values.mean()
    return np.asarray(mean + np.bincount(unit, values - mean) * (first.size / values.size))
