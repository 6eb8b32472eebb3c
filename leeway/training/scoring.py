"""One metric of a fitted model on a fold, and how two differ over the folds.

Belongs here: asking a model for what a metric needs, and paired differences. Does not belong here:
the formulas (`leeway.metrics.formulas`), or intervals (`leeway.metrics.evaluation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.formulas import classification_scorer, regression_scorer
from leeway.metrics.inputs import encode, finite_pair
from leeway.spec import LOWER_IS_BETTER


def score_model(model: Any, rows: NDArray[np.float64], target: NDArray[Any], metric: str) -> float:
    """The metric of a fitted model on `rows`, in the unit of the metric.

    Args:
        model: a fitted estimator; a classifier has `classes_` and `predict_proba`.
        rows: preprocessed features, shape (rows, columns).
        target: shape (rows,).
        metric: a name of `spec.METRIC_RANGES`.

    Raises:
        KeyError: when there is no such metric for the task.
        ValueError: when the metric is undefined for these rows or a prediction is not finite.
    """
    if hasattr(model, "classes_"):
        codes = encode(target, model.classes_.tolist())
        score = classification_scorer(codes, model.predict_proba(rows))
    else:
        score = regression_scorer(*finite_pair(target, model.predict(rows)))
    value = score(np.ones(len(target)))[metric]
    if not np.isfinite(value):
        raise ValueError(f"{metric} is undefined on the {len(target)} rows of a fold")
    return float(value)


def paired_gain(ours: Sequence[float], others: Sequence[float], metric: str) -> tuple[float, float]:
    """How much better the scores of the same folds are in the mean, and the standard error of that.

    In the unit of the metric. The models of two folds share most of their rows, so the variance is
    that of C. Nadeau and Y. Bengio, Inference for the Generalization Error, Machine Learning 52,
    2003.

    Args:
        ours: one score per fold, at least two.
        others: of the same folds.
        metric: name of the metric.
    """
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    differences = sign * np.subtract(ours, others)
    folds = len(differences)
    error = differences.std(ddof=1) * np.sqrt(1 / folds + 1 / (folds - 1))
    return float(differences.mean()), float(error)
