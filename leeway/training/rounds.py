"""How many rounds boosting gets: stopped when rows that it was not fitted on gain no more.

Belongs here: the inner rows that say when, and the rounds that follow for a model of all rows. Does
not belong here: the folds that judge (`leeway.training.folds`), which are never the inner rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What counts the rounds of each algorithm that is stopped.
ROUNDS = {"gradient_boosting": "max_iter", "xgboost": "n_estimators"}
MOST_ROUNDS = 2_000
PATIENCE = 20  # rounds without a gain
INNER = 0.15  # share of the rows that say when


def stops_early(name: str) -> bool:
    """Whether the rounds of an algorithm are found by stopping."""
    return name in ROUNDS


def fit_until_no_gain(
    model: Any, name: str, rows: NDArray[np.float64], target: NDArray[Any]
) -> int:
    """Fits a model on `1 - INNER` of the rows, and stops it by the loss on the others.

    Args:
        model: an unfitted estimator of an algorithm that `stops_early`; its seed draws the rows.
        name: of the algorithm.
        rows: preprocessed, shape (rows, columns).
        target: shape (rows,).

    Returns:
        The rounds after which the loss was lowest, at least 1.
    """
    from sklearn.model_selection import train_test_split

    if name == "gradient_boosting":
        model.set_params(
            max_iter=MOST_ROUNDS,
            early_stopping=True,
            validation_fraction=INNER,
            n_iter_no_change=PATIENCE,
        ).fit(rows, target)
        # Its trees reach beyond the best round, by as many as it waited for a gain.
        waited = PATIENCE if model.n_iter_ < MOST_ROUNDS else 0
        return max(1, int(model.n_iter_) - waited)
    labels = target if hasattr(model, "predict_proba") else None
    fitted, inner = train_test_split(
        np.arange(len(rows)), test_size=INNER, random_state=model.random_state, stratify=labels
    )
    model.set_params(n_estimators=MOST_ROUNDS)
    model.fit_until_no_gain(rows[fitted], target[fitted], rows[inner], target[inner], PATIENCE)
    return int(model.rounds_)


def rounds_of_all(found: list[int]) -> int:
    """Rounds for a model that is fitted on the inner rows, too: more rows bear more rounds."""
    return max(1, round(float(np.mean(found)) / (1 - INNER)))
