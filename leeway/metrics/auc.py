"""The area under the ROC curve of scores that come from several folds, with its interval.

Belongs here: the area, what each row adds to its error, and intervals from these. Does not belong
here: fitting what scores (`leeway.drift.classifier`), or areas with row weights
(`leeway.metrics.formulas`).

The area of a fold is Mann and Whitney's; its variance is that of the placements of its rows (E.
DeLong, D. DeLong and D. Clarke-Pearson, Comparing the areas under two or more correlated receiver
operating characteristic curves, Biometrics 44, 1988). Scores of different models are not compared
with each other: the areas of the folds are averaged (E. LeDell, M. Petersen and M. van der
Laan, Computationally efficient confidence intervals for cross-validated area under the ROC curve
estimates, Electronic Journal of Statistics 9, 2015). The models of two folds share most of their
rows, so that their areas stray together: the variance of the mean is widened as C. Nadeau and Y.
Bengio do (Inference for the generalization error, Machine Learning 52, 2003). Without that, areas
of equal tables strayed 1.25 to 1.34 times as far as their intervals said; with it, 0.83 to 0.90.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value and the bounds of the true one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Placements:
    """For each row of a fold the share of rows of the other class that it is placed right of.

    `positive` has shape (positives,), `negative` (negatives,); a tie counts half.
    """

    positive: Floats
    negative: Floats


def placements(scores: Floats, positive: NDArray[np.bool_]) -> Placements:
    """Placements of the rows of one fold.

    Args:
        scores: shape (rows,), the higher the more likely positive.
        positive: shape (rows,).

    Raises:
        ValueError: when a class has no row.
    """
    above, below = scores[positive], scores[~positive]
    if not above.size or not below.size:
        raise ValueError("both classes need a row to have an area under the ROC curve")
    return Placements(_share_below(above, below), 1 - _share_below(below, above))


def mean_auc(folds: Sequence[Placements], alpha: float) -> Estimate:
    """The mean area of some folds; its interval misses the true one with probability `alpha`.

    Where every pair of every fold is in order the variance is 0, which proves nothing: then the low
    end is the area at which as many pairs without a common row as there are would all be in order
    with a probability of `alpha` / 2 (as in `leeway.metrics.perfection`).

    Raises:
        ValueError: on no fold.
    """
    value, deviation = _mean_and_deviation(folds)
    if value == 1:
        pairs = sum(min(fold.positive.size, fold.negative.size) for fold in folds)
        return Estimate(1.0, float((alpha / 2) ** (1 / pairs)), 1.0)
    margin = NormalDist().inv_cdf(1 - alpha / 2) * deviation
    return Estimate(value, max(0.0, value - margin), min(1.0, value + margin))


def mean_auc_change(
    before: Sequence[Placements], after: Sequence[Placements], alpha: float
) -> Estimate:
    """How much lower the mean area is with the scores `after` of the same rows.

    Raises:
        ValueError: on no fold, or folds that are not of the same rows.
    """
    differences = [
        Placements(ours.positive - theirs.positive, ours.negative - theirs.negative)
        for ours, theirs in zip(before, after, strict=True)
    ]
    value, deviation = _mean_and_deviation(differences)
    margin = NormalDist().inv_cdf(1 - alpha / 2) * deviation
    return Estimate(value, value - margin, value + margin)


def _mean_and_deviation(folds: Sequence[Placements]) -> tuple[float, float]:
    if not folds:
        raise ValueError("there is no fold")
    areas = [float(fold.positive.mean()) for fold in folds]
    variances = [_variance(fold.positive) + _variance(fold.negative) for fold in folds]
    shared = 1 + len(folds) / (len(folds) - 1) if len(folds) > 1 else 1.0
    deviation = float(np.sqrt(shared * np.sum(variances)) / len(folds))
    return float(np.mean(areas)), deviation


def _variance(values: Floats) -> float:
    """Of the mean of `values`; of a single one nothing is known, so the largest there can be."""
    return float(values.var(ddof=1)) / values.size if values.size > 1 else 0.25


def _share_below(scores: Floats, others: Floats) -> Floats:
    """For each score the share of `others` that are lower, ties counted half, shape (scores,)."""
    ordered = np.sort(others)
    sides = np.searchsorted(ordered, scores) + np.searchsorted(ordered, scores, side="right")
    shares: Floats = sides / (2 * ordered.size)
    return shares
