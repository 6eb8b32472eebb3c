"""The metrics that candidates are compared by.

Belongs here: one number from targets and predictions, by the names of `spec.METRIC_RANGES`. Does
not belong here: intervals and gates of a release.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LABEL_METRICS = frozenset({"accuracy", "balanced_accuracy", "macro_f1"})


def score_model(model: Any, X: Any, y: NDArray[Any], metric: str) -> float:
    """The metric of a fitted estimator on rows it has not seen.

    Args:
        model: fitted; a classifier has `classes_` and `predict_proba`.
        X: shape (rows, columns).
        y: shape (rows,).
        metric: a name of `spec.METRIC_RANGES`.

    Returns:
        In the unit of the metric; a percentage for names that end in `_percent`.

    Raises:
        ValueError: when the metric is unknown, or undefined for these rows.
    """
    if metric in LABEL_METRICS:
        value = _label_metric(metric, y, model.predict(X))
    elif hasattr(model, "classes_"):
        value = _probability_metric(metric, y, model.predict_proba(X), model.classes_)
    else:
        value = _error_metric(metric, y, model.predict(X))
    if not np.isfinite(value):
        raise ValueError(f"{metric} is {value} on {len(y)} rows: the model diverged")
    return float(value)


def _label_metric(metric: str, y: NDArray[Any], predicted: NDArray[Any]) -> float:
    from sklearn import metrics

    if metric == "accuracy":
        return float(metrics.accuracy_score(y, predicted))
    if metric == "balanced_accuracy":
        return float(metrics.balanced_accuracy_score(y, predicted))
    return float(metrics.f1_score(y, predicted, average="macro", zero_division=0.0))


def _probability_metric(
    metric: str, y: NDArray[Any], probabilities: NDArray[Any], classes: NDArray[Any]
) -> float:
    from sklearn import metrics

    truth = (y[:, np.newaxis] == classes[np.newaxis, :]).astype(np.float64)
    if metric == "log_loss_nats":
        return float(metrics.log_loss(truth.argmax(axis=1), probabilities, labels=range(len(classes))))
    if metric == "brier_score":
        # Brier's original sum over all classes, which ranges from 0 to 2.
        return float(((probabilities - truth) ** 2).sum(axis=1).mean())
    if metric not in ("roc_auc", "pr_auc"):
        raise ValueError(f"unknown classification metric {metric!r}")
    absent = [str(c) for c, count in zip(classes, truth.sum(axis=0), strict=True) if count == 0]
    if absent or len(classes) < 2:
        raise ValueError(f"{metric} needs rows of every class; there is none of {absent}")
    # With two classes, of the one that is last in the alphabet; otherwise the mean over classes.
    columns = [1] if len(classes) == 2 else list(range(len(classes)))
    one = metrics.roc_auc_score if metric == "roc_auc" else metrics.average_precision_score
    return float(np.mean([one(truth[:, c], probabilities[:, c]) for c in columns]))


def _error_metric(metric: str, y: NDArray[Any], predicted: NDArray[Any]) -> float:
    error = np.abs(y - predicted)
    if metric == "mae":
        return float(error.mean())
    if metric == "rmse":
        return float(np.sqrt((error**2).mean()))
    if metric == "r2":
        spread = float(((y - y.mean()) ** 2).sum())
        if spread == 0:
            raise ValueError("r2 is undefined: the target is constant on these rows")
        return 1.0 - float((error**2).sum()) / spread
    if metric not in ("mape_percent", "median_ape_percent"):
        raise ValueError(f"unknown regression metric {metric!r}")
    if (y == 0).any():
        raise ValueError(f"{metric} is undefined: {int((y == 0).sum())} rows have target 0")
    share = 100.0 * error / np.abs(y)
    return float(share.mean() if metric == "mape_percent" else np.median(share))
