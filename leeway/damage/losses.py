"""Metrics of a regression as functions of mean losses.

Belongs here: which losses a metric is made of, and how. Does not belong here: metrics with labels
(`leeway.metrics.formulas`), or estimating a mean (`leeway.damage.estimate`).

median_ape_percent is a quantile, and no function of means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.formulas import NEAR_PERCENT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeanMetric:
    """A metric of mean losses; the first loss is the one that columns are blamed for.

    `losses` gives them from truth and prediction, both of shape (rows,), as (rows, losses); `value`
    makes the metric of their means, shape (losses,).
    """

    loss: str
    losses: Callable[[Floats, Floats], Floats]
    value: Callable[[Floats], float]


def _first(means: Floats) -> float:
    return float(means[0])


def _absolute(truth: Floats, predicted: Floats) -> Floats:
    return np.abs(truth - predicted)[:, np.newaxis]


def _squared(truth: Floats, predicted: Floats) -> Floats:
    return (truth - predicted)[:, np.newaxis] ** 2


def _of_variance(truth: Floats, predicted: Floats) -> Floats:
    return np.column_stack([(truth - predicted) ** 2, truth, truth**2])


def _explained(means: Floats) -> float:
    squared, truth, square = means
    spread = square - truth**2
    return float(1 - squared / spread) if spread > 0 else float("nan")


def _percent(truth: Floats, predicted: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100 * np.abs(truth - predicted) / np.abs(truth)
    return np.where(truth != 0, percent, np.nan)[:, np.newaxis]


def _symmetric(truth: Floats, predicted: Floats) -> Floats:
    size = np.abs(truth) + np.abs(predicted)
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 200 * np.abs(truth - predicted) / size
    return np.where(truth != 0, percent, np.nan)[:, np.newaxis]


def _weighed(truth: Floats, predicted: Floats) -> Floats:
    return np.column_stack([np.abs(truth - predicted), np.abs(truth)])


def _within(limit: int) -> Callable[[Floats, Floats], Floats]:
    def near(truth: Floats, predicted: Floats) -> Floats:
        percent = _percent(truth, predicted)
        return np.where(np.isnan(percent), np.nan, percent <= limit)

    return near


MEAN_METRICS: Mapping[str, MeanMetric] = {
    "mae": MeanMetric("absolute error", _absolute, _first),
    "rmse": MeanMetric("squared error", _squared, lambda means: float(np.sqrt(max(means[0], 0)))),
    "r2": MeanMetric("squared error", _of_variance, _explained),
    "mape_percent": MeanMetric("percentage error", _percent, _first),
    "smape_percent": MeanMetric("symmetric percentage error", _symmetric, _first),
    "wmape_percent": MeanMetric(
        "absolute error",
        _weighed,
        lambda means: float(100 * means[0] / means[1]) if means[1] > 0 else float("nan"),
    ),
    **{
        f"fraction_within_{limit}_percent": MeanMetric(f"within {limit} %", _within(limit), _first)
        for limit in NEAR_PERCENT
    },
}
