"""Metrics of one class against the other, where the use case says what wrong decisions cost.

Belongs here: average precision of the positive class, and costs of decisions. Does not belong here:
metrics that treat classes alike (`leeway.metrics.evaluation`), or choosing a threshold
(`leeway.metrics.costs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.bootstrap import bootstrap_weights
from leeway.metrics.evaluation import Metric, with_intervals
from leeway.metrics.formulas import ranking

if TYPE_CHECKING:
    from leeway.spec import DecisionCosts

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def row_costs(positive: Flags, decided: Flags, costs: DecisionCosts) -> Floats:
    """Cost of each decision in the unit of `costs`, shape (rows,).

    Args:
        positive: whether a row is of the positive class, shape (rows,).
        decided: whether it was taken for it, shape (rows,).
    """
    wrongly = costs.false_positive * (decided & ~positive)
    return np.asarray(wrongly + costs.false_negative * (positive & ~decided), np.float64)


def positive_metrics(
    truth: NDArray[Any],
    probability: Floats,
    predicted: NDArray[Any],
    costs: DecisionCosts,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Metric]:
    """positive_pr_auc, the average precision of the positive class, and mean_cost per row.

    Args:
        truth: labels, shape (rows,); one that is no class counts as not positive.
        probability: of the positive class, shape (rows,).
        predicted: labels that were decided for, shape (rows,).
        costs: names the positive class.
    """
    positive, rows = truth == costs.positive, len(truth)
    each = row_costs(positive, predicted == costs.positive, costs)
    areas = ranking(probability, positive)
    undefined = {}
    if rows and (positive.all() or not positive.any()):
        kind = "only rows" if positive.any() else "no row"
        undefined["positive_pr_auc"] = f"there are {kind} of class {costs.positive!r}"

    def score(weights: Floats) -> dict[str, float]:
        _, precision = areas(weights)
        return {"positive_pr_auc": precision, "mean_cost": float(weights @ each / weights.sum())}

    units = {"positive_pr_auc": "score", "mean_cost": f"{costs.unit} per row"}
    weights = bootstrap_weights(rows, resamples, seed)
    return with_intervals(score, rows, units, undefined, weights)
