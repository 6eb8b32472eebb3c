"""The threshold between two classes at which wrong decisions cost least.

Belongs here: choosing it by probabilities of models that have not seen the row. Does not belong
here: making those probabilities (`leeway.explainers.calibration`), deciding with the threshold
(`leeway.prediction`), or what it costs on held-out rows (`leeway.metrics.positive`).

Source: V. Sheng and C. Ling, Thresholding for making classifiers cost-sensitive, AAAI 2006: the
threshold with the lowest cost in cross-validation on the training part. It need not be
fp / (fp + fn), the best one of calibrated probabilities (C. Elkan, The foundations of
cost-sensitive learning, IJCAI 2001). The curve's own lowest cost was chosen among many, so that it
flatters; what the threshold costs is told by the held-out rows of a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import FEWEST_ROWS, bootstrap_weights, percentile_interval

if TYPE_CHECKING:
    from leeway.spec import DecisionCosts

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_THRESHOLDS = 200


@dataclass(frozen=True)
class CostCurve:
    """Mean cost per row of deciding for the positive class from each threshold on.

    `low` and `high` bound each cost by themselves; they are None on too few rows. The last
    threshold is above every probability: nothing is positive. `cost` is that of `threshold`.
    """

    positive: str
    threshold: float
    cost: float
    unit: str
    rows: int
    thresholds: tuple[float, ...]
    costs: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def chosen(self) -> dict[str, Any]:
        """What `leeway.prediction.Threshold` is made from, for JSON."""
        return {"positive": self.positive, "value": self.threshold}


def cost_curve(
    positive: Flags,
    probability: Floats,
    costs: DecisionCosts,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> CostCurve:
    """Chooses the threshold with the lowest mean cost.

    Of equal ones it is the one nearest to that of calibrated probabilities.

    Args:
        positive: whether a row is of the positive class, shape (rows,).
        probability: of the positive class, by a model that has not seen the row, shape (rows,).
        costs: of the two kinds of error.

    Raises:
        ValueError: when there are no rows, shapes differ or a probability is missing.
    """
    if not len(positive) or positive.shape != probability.shape:
        raise ValueError(f"need rows of one shape, got {positive.shape} and {probability.shape}")
    if not np.isfinite(probability).all():
        raise ValueError("a probability to choose a threshold by is missing")
    observed = np.quantile(probability, np.linspace(0, 1, MOST_THRESHOLDS), method="lower")
    thresholds = np.append(np.unique(observed), np.nextafter(observed[-1], np.inf))
    mean = _mean_costs(positive, probability, thresholds, costs)
    found = mean(np.ones(len(positive)))
    expected = costs.false_positive / (costs.false_positive + costs.false_negative)
    cheapest = np.flatnonzero(found <= found.min() * (1 + 1e-12))
    chosen = cheapest[np.argmin(np.abs(thresholds[cheapest] - expected))]
    low = high = None
    if len(positive) >= FEWEST_ROWS:
        drawn = np.array([mean(w) for w in bootstrap_weights(len(positive), resamples, seed)])
        bounds = [percentile_interval(column) for column in drawn.T]
        low, high = tuple(b[0] for b in bounds), tuple(b[1] for b in bounds)
    return CostCurve(
        costs.positive,
        float(thresholds[chosen]),
        float(found[chosen]),
        costs.unit,
        len(positive),
        tuple(thresholds.tolist()),
        tuple(found.tolist()),
        low,
        high,
    )


def _mean_costs(
    positive: Flags, probability: Floats, thresholds: Floats, costs: DecisionCosts
) -> Any:
    """A function from row weights, shape (rows,), to the mean cost at each threshold."""
    # Row i is decided positive by the first `passed[i]` thresholds.
    passed = np.searchsorted(thresholds, probability, side="right")
    size = len(thresholds) + 1

    def mean(weights: Floats) -> Floats:
        found = np.bincount(passed, weights * positive, minlength=size)
        wrong = np.bincount(passed, weights * ~positive, minlength=size)
        # At threshold j: positives with passed <= j are missed, negatives with more are taken.
        missed = np.cumsum(found)[:-1]
        taken = wrong.sum() - np.cumsum(wrong)[:-1]
        total = costs.false_negative * missed + costs.false_positive * taken
        return np.asarray(total / weights.sum(), np.float64)

    return mean


def positive_column(probabilities: Floats, classes: Sequence[str], costs: DecisionCosts) -> Floats:
    """The probability of the positive class, shape (rows,); 0 where the model does not know it."""
    if costs.positive not in classes:
        return np.zeros(len(probabilities))
    return probabilities[:, list(classes).index(costs.positive)]
