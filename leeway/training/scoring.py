"""One metric of a fitted model, for comparing candidates on a fold.

Belongs here: asking a model for what a metric needs. Does not belong here: the formulas
(`leeway.metrics.formulas`), or intervals (`leeway.metrics.evaluation`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.metrics.formulas import classification_scorer, regression_scorer
from leeway.metrics.inputs import encode, finite_pair


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
