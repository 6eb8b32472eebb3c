"""The formulas of the metrics, with a weight per row so that a bootstrap sorts only once.

Belongs here: metrics as functions of row weights. Does not belong here: names of classes, checks of
input, intervals (`leeway.metrics.evaluation`). NaN marks what a resample leaves undefined and never
leaves `leeway.metrics.evaluation`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scorer = Callable[[Floats], dict[str, float]]
Areas = Callable[[Floats], tuple[float, float]]

NEAR_PERCENT = (5, 10, 15)


def log_losses(codes: NDArray[np.intp], probabilities: Floats) -> Floats:
    """Log loss of each row in nats, shape (rows,); probabilities are clipped at machine epsilon."""
    own = probabilities[np.arange(len(codes)), codes]
    losses: Floats = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    return losses


def classification_scorer(
    codes: NDArray[np.intp], probabilities: Floats, predicted: NDArray[np.intp] | None = None
) -> Scorer:
    """A function from row weights, shape (rows,), to every classification metric.

    Args:
        codes: positions of the true classes, shape (rows,).
        probabilities: shape (rows, classes).
        predicted: positions of the decided classes, shape (rows,); None: the most probable ones.
    """
    rows, k = probabilities.shape
    if predicted is None:
        predicted = np.argmax(probabilities, axis=1) if rows else codes
    cell = codes * k + predicted
    truth = np.eye(k)[codes]
    log_loss = log_losses(codes, probabilities)
    brier = ((probabilities - truth) ** 2).sum(axis=1)
    curves = [ranking(probabilities[:, code], codes == code) for code in range(k)]

    def score(weights: Floats) -> dict[str, float]:
        confusion = np.bincount(cell, weights, minlength=k * k).reshape(k, k)
        hits, support, called = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        areas = np.array([curve(weights) for curve in curves])
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = hits / support
            # A class without a row is undefined, also where another class was taken for it.
            f1 = np.where(support > 0, 2 * hits / (support + called), np.nan)
        return {
            "accuracy": hits.sum() / weights.sum(),
            "balanced_accuracy": recall.mean(),
            "macro_f1": f1.mean(),
            "log_loss_nats": np.average(log_loss, weights=weights),
            "roc_auc": areas[:, 0].mean(),
            "pr_auc": areas[:, 1].mean(),
            "brier_score": np.average(brier, weights=weights),
        }

    return score


def ranking(scores: Floats, positive: NDArray[np.bool_]) -> Areas:
    """ROC area (Mann-Whitney, ties count half) and average precision, as functions of weights.

    Args:
        scores: shape (rows,), the higher the more likely positive.
        positive: shape (rows,).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else order
    is_positive = positive[order]

    def areas(weights: Floats) -> tuple[float, float]:
        weight = weights[order]
        hits = np.add.reduceat(weight * is_positive, starts)
        misses = np.add.reduceat(weight * ~is_positive, starts)
        true_positive, false_positive = np.cumsum(hits), np.cumsum(misses)
        positives, negatives = true_positive[-1], false_positive[-1]
        if positives == 0 or negatives == 0:
            return np.nan, np.nan
        below = negatives - false_positive + misses / 2
        called = np.maximum(true_positive + false_positive, 1)  # 0 only where hits are 0
        precision = true_positive / called
        roc = float(hits @ below / (positives * negatives))
        return roc, float(hits @ precision / positives)

    return areas


def regression_scorer(truth: Floats, predicted: Floats) -> Scorer:
    """A function from row weights, shape (rows,), to every regression metric.

    smape_percent is 200 |e| / (|y| + |p|), averaged over rows (0 to 200; S. Makridakis, Accuracy
    measures, International Journal of Forecasting 9, 1993); wmape_percent is 100 sum |e| / sum |y|.
    A row with a true value of 0 leaves all of them undefined but wmape: it has no percentage error,
    and a symmetric one of 200 whatever is predicted.
    """
    error, size = np.abs(truth - predicted), np.abs(truth)
    percent = _ratio(100 * error, size, truth != 0)
    symmetric = _ratio(200 * error, size + np.abs(predicted), truth != 0)
    near = {
        f"fraction_within_{limit}_percent": np.where(np.isnan(percent), np.nan, percent <= limit)
        for limit in NEAR_PERCENT
    }
    order = np.argsort(percent)

    def score(weights: Floats) -> dict[str, float]:
        squared = np.average(error**2, weights=weights)
        spread = np.average((truth - np.average(truth, weights=weights)) ** 2, weights=weights)
        varies = np.ptp(truth[weights > 0]) > 0 and spread > 0
        total = weights @ size
        return {
            "mae": np.average(error, weights=weights),
            "rmse": np.sqrt(squared),
            "r2": 1 - squared / spread if varies else np.nan,
            "mape_percent": np.average(percent, weights=weights),
            "median_ape_percent": _median(percent[order], weights[order]),
            "smape_percent": np.average(symmetric, weights=weights),
            "wmape_percent": 100 * (weights @ error) / total if total > 0 else np.nan,
            **{name: np.average(inside, weights=weights) for name, inside in near.items()},
        }

    return score


def _ratio(above: Floats, below: Floats, where: NDArray[np.bool_]) -> Floats:
    """`above / below`, NaN outside `where`."""
    result: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=where)
    return result


def _median(ordered: Floats, weights: Floats) -> float:
    """Median of sorted values, each repeated a whole number of times; NaN where one is NaN."""
    if np.isnan(ordered[-1:]).any():
        return np.nan
    reached = np.cumsum(weights)
    middle = [(reached[-1] - 1) // 2, reached[-1] // 2]
    return float(ordered[np.searchsorted(reached, middle, side="right")].mean())
