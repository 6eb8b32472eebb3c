"""Which rows are equal, and what a mean of rows is worth where some are copies.

Belongs here: telling copies from rows that are equal because values are few. Does not belong here:
coding rows (`leeway.drift.rows`), or what is averaged.

A model that was fitted on a copy of a row knows the row. And copies are no evidence of their own:
as many of them as one likes say no more than the row does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway.drift.rows import CodedRows

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# Share of a table: what more rows say is a kind of rows. It leaves at least 50 units of a table.
MOST_COPIED = 0.02


@dataclass(frozen=True)
class Equal:
    """Which rows of both tables are equal to others; each field has shape (rows,).

    Rows with one number in `together` are equal: a model that was fitted on one of them knows all.
    Rows with one number in `units` are copies, one piece of evidence: equal rows that only one of
    the tables has. Where both have them, values are few, or the same things were seen twice, and
    each is evidence of its table.
    """

    together: Integers
    units: Integers


def equal_rows(rows: CodedRows) -> Equal:
    """Tells rows that are equal.

    Where they are more than `MOST_COPIED` of a table, or a level is theirs alone, they are a kind
    of rows, of which nothing would be known without them: then each row is for itself.
    """
    both = rows.both
    content = np.ascontiguousarray(np.where(np.isnan(both), np.inf, both) + 0.0)  # -0 is 0
    whole = content.view(np.dtype((np.void, content.shape[1] * content.itemsize))).ravel()
    _, first, same = np.unique(whole, return_index=True, return_inverse=True)
    size = len(rows.reference)
    ours, theirs = (np.bincount(side, minlength=first.size) for side in np.split(same, [size]))
    few = ours / size + theirs / len(rows.current) <= MOST_COPIED
    for levels in both[first][:, rows.categories].T:
        _, level, times = np.unique(levels, return_inverse=True, return_counts=True)
        few &= times[level] > 1
    each = np.arange(len(both))
    copied = few & (np.minimum(ours, theirs) == 0)
    return Equal(
        np.asarray(np.where(few[same], first[same], each)),
        np.asarray(np.where(copied[same], first[same], each)),
    )


def by_unit(values: Floats, units: Integers) -> Floats:
    """One value per unit: their mean is that of `values`, and its error that of so many units.

    The values of a unit stray together, by whatever they have in common; the variance of the mean
    is that of a ratio (W. Cochran, Sampling Techniques, 1977).

    Args:
        values: of rows, shape (rows,).
        units: as `Equal.units`, of the same rows.
    """
    first, unit = np.unique(units, return_inverse=True)
    mean = values.mean()
    return np.asarray(mean + np.bincount(unit, values - mean) * (first.size / values.size))
