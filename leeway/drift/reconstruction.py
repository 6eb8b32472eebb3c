"""How well the principal components of a reference describe the rows of a batch.

Belongs here: the reconstruction error of rows, and its change with an interval. Does not belong
here: what counts as drift (`leeway.drift.multivariate`).

Components are fitted on half of the reference, and the rows of a batch are held against its other
half, which they have not seen either, nor copies of it. Columns that used to move together and no
longer do are far from the components, whatever their marginals are. The method is that of NannyML's
data reconstruction (https://nannyml.readthedocs.io, "Multivariate Drift Detection": imputation,
shares of levels, standard deviations, components that keep 65 % of the variance, Euclidean
distance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from leeway.drift.copies import Integers, by_unit
from leeway.drift.rows import CodedRows, seed_of
from leeway.metrics.auc import Estimate

Floats = NDArray[np.float64]

KEPT_VARIANCE = 0.65
# Standard deviations: one wild value must not be the error of the whole batch.
FURTHEST = 5.0
# An error that differs by less than this from row to row is that of rounding, and has no spread.
LEAST_SPREAD = 0.01


@dataclass(frozen=True)
class Reconstruction:
    """Mean errors of held-out reference rows and of current rows, in standard deviations.

    `change` is their difference in standard deviations of the error of the reference rows.
    """

    components: int
    columns: int
    reference: float
    current: float
    change: Estimate

    @property
    def ratio(self) -> float | None:
        """Mean error of current rows over that of reference rows; None where that is zero."""
        return self.current / self.reference if self.reference > 0 else None


@dataclass(frozen=True)
class _Components:
    """What is learned from the fitted half; `axes` have shape (components, columns)."""

    shares: dict[int, Floats]
    fill: Floats
    centre: Floats
    scale: Floats
    axes: Floats

    def errors(self, rows: Floats) -> Floats:
        """Euclidean distance of each row from what the components keep of it, shape (rows,)."""
        scaled = self.scaled(rows)
        return np.asarray(np.linalg.norm(scaled - scaled @ self.axes.T @ self.axes, axis=1))

    def scaled(self, rows: Floats) -> Floats:
        values = _numbers(rows, self.shares)
        values = np.where(np.isnan(values), self.fill, values)
        scaled: Floats = np.clip((values - self.centre) / self.scale, -FURTHEST, FURTHEST)
        return scaled


def reconstruct(rows: CodedRows, units: Integers, alpha: float) -> Reconstruction | None:
    """Compares the errors; the interval of the change is wrong with probability `alpha`.

    Args:
        rows: of both tables.
        units: which of them are copies of each other, as `leeway.drift.copies.Equal.units`.
        alpha: of the interval, which is as wide as that of so many units.

    Returns:
        None where fewer than two columns vary in the half that components are fitted on, so that
        there is nothing to leave out.

    Raises:
        ValueError: when either half of the reference or the batch has fewer than two rows.
    """
    ours, theirs = np.split(units, [len(rows.reference)])
    order = np.random.default_rng(seed_of(rows.reference)).permutation(np.unique(ours))
    seen = np.isin(ours, order[: len(order) // 2])
    fit, held_out = rows.reference[seen], rows.reference[~seen]
    if min(len(fit), len(rows.current)) < 2:
        raise ValueError("fewer than two rows have no spread")
    varying = _varying(fit, rows.categories)
    if varying.sum() < 2:
        return None
    fitted = _fit(fit[:, varying], rows.categories[varying])
    errors = [fitted.errors(side[:, varying]) for side in (held_out, rows.current)]
    return Reconstruction(
        components=len(fitted.axes),
        columns=int(varying.sum()),
        reference=float(errors[0].mean()),
        current=float(errors[1].mean()),
        change=_standardised_change(errors, (ours[~seen], theirs), alpha),
    )


def _standardised_change(
    errors: Sequence[Floats], units: Sequence[Integers], alpha: float
) -> Estimate:
    """Difference of means in standard deviations of the first, whose own error is in the interval.

    G. Glass's delta (Educational Researcher 5, 1976) with the large-sample variance of L. Hedges
    and I. Olkin, Statistical Methods for Meta-Analysis, 1985, for unequal variances.
    """
    spread = max(float(errors[0].std(ddof=1)), LEAST_SPREAD)
    ours, theirs = (by_unit(*side) for side in zip(errors, units, strict=True))
    value = float(theirs.mean() - ours.mean()) / spread
    variance = ours.var(ddof=1) / ours.size + theirs.var(ddof=1) / theirs.size
    deviation = np.sqrt(variance / spread**2 + value**2 / (2 * (ours.size - 1)))
    margin = float(NormalDist().inv_cdf(1 - alpha / 2) * deviation)
    return Estimate(value, value - margin, value + margin)


def _fit(rows: Floats, categories: NDArray[np.bool_]) -> _Components:
    shares = {
        int(position): _level_shares(rows[:, position]) for position in np.flatnonzero(categories)
    }
    values = _numbers(rows, shares)
    fill = np.nanmedian(values, axis=0)
    filled = np.where(np.isnan(values), fill, values)
    centre, scale = filled.mean(axis=0), filled.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    scaled = np.clip((filled - centre) / scale, -FURTHEST, FURTHEST)
    _, singular, axes = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    kept = np.cumsum(singular**2) / max(float((singular**2).sum()), np.finfo(np.float64).tiny)
    # One component is always left out: with all of them there is no error to compare.
    count = min(int(np.searchsorted(kept, KEPT_VARIANCE)) + 1, rows.shape[1] - 1)
    return _Components(shares, fill, centre, scale, axes[:count])


def _numbers(rows: Floats, shares: dict[int, Floats]) -> Floats:
    """A copy in which each level is the share of rows that it has; an unseen one has 0."""
    values = rows.copy()
    for position, known in shares.items():
        codes = values[:, position]
        there = ~np.isnan(codes)
        inside = np.minimum(codes[there].astype(np.intp), len(known) - 1)
        values[there, position] = np.where(codes[there] < len(known), known[inside], 0.0)
    return values


def _level_shares(codes: Floats) -> Floats:
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.intp))
    shares: Floats = counts / max(int(counts.sum()), 1)
    return shares


def _varying(rows: Floats, categories: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Columns with two values that are not gaps, shape (columns,); levels also by their shares."""
    found = []
    for column, is_category in zip(rows.T, categories, strict=True):
        known = column[~np.isnan(column)]
        if is_category and known.size:
            known = _level_shares(column)[known.astype(np.intp)]
        found.append(np.unique(known).size > 1)
    return np.array(found, dtype=np.bool_)
