"""What is to be expected of a row whose label is not known: of a loss, or of each class.

Belongs here: models of losses and labels that are fitted on held-out rows of the reference. Does
not belong here: what becomes of their errors (`leeway.damage.estimate`).

Losses of a regression are estimated from the features and the prediction (direct loss estimation,
https://nannyml.readthedocs.io). Classes are expected with the model's own probabilities,
recalibrated by a logistic regression on their logarithms (M. Kull et al., Beyond temperature
scaling, NeurIPS 2019), which makes any metric of labels one of rows (confidence-based performance
estimation, J. Białek et al., Estimating model performance under covariate shift without labels,
2024). What corrects an estimate is expected of each reference row by a model that was not fitted on
it. What columns are blamed for is expected by the mean of all models, of rows of both tables alike,
and four of five models were fitted on a reference row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.drift.rows import fittable, seed_of

Floats = NDArray[np.float64]
Fit = Callable[[Floats, Floats], Callable[[Floats], Floats]]

FOLDS = 5


@dataclass(frozen=True)
class Expected:
    """Expected values: of reference rows out of fold, shape (rows, values), and of any other rows.

    `of` maps what the models read, shape (rows, inputs), to the mean of what all folds expect; for
    reference rows, which most of them were fitted on, it is no measure of what was missed.
    """

    reference: Floats
    of: Callable[[Floats], Floats]


def expected_losses(inputs: Floats, losses: Floats, categories: NDArray[np.bool_]) -> Expected:
    """Each loss by gradient boosting.

    Args:
        inputs: coded features and predictions of the reference, shape (rows, inputs).
        losses: shape (rows, losses).
        categories: which inputs are codes of levels, shape (inputs,).
    """
    seed = seed_of(inputs, losses)

    def fit(rows: Floats, truth: Floats) -> Callable[[Floats], Floats]:
        known = fittable(rows)
        models = [_boosting(categories, seed).fit(known, column) for column in truth.T]
        return lambda others: np.column_stack([model.predict(others) for model in models])

    return _out_of_fold(fit, inputs, losses, np.zeros(len(losses), np.intp), seed)


def expected_classes(probabilities: Floats, codes: NDArray[np.intp]) -> Expected:
    """Recalibrated probabilities of each class.

    Args:
        probabilities: of the model on the reference, shape (rows, classes).
        codes: positions of the true classes, shape (rows,); of each class at least one.
    """
    classes = probabilities.shape[1]
    truth = np.eye(classes)[codes]

    def fit(rows: Floats, truth: Floats) -> Callable[[Floats], Floats]:
        from sklearn.linear_model import LogisticRegression

        known = truth.argmax(axis=1)
        if np.unique(known).size < 2:
            return lambda others: np.tile(truth.mean(axis=0), (len(others), 1))
        model = LogisticRegression(max_iter=1000).fit(_logarithms(rows), known)

        def expect(others: Floats) -> Floats:
            found = np.zeros((len(others), classes))
            found[:, model.classes_] = model.predict_proba(_logarithms(others))
            return found

        return expect

    return _out_of_fold(fit, probabilities, truth, codes, seed_of(probabilities, truth))


def _out_of_fold(
    fit: Fit, inputs: Floats, truth: Floats, strata: NDArray[np.intp], seed: int
) -> Expected:
    from sklearn.model_selection import KFold, StratifiedKFold

    from leeway.training.folds import one_thread

    enough = np.bincount(strata)[np.unique(strata)].min() >= FOLDS
    splitter = (StratifiedKFold if enough else KFold)(FOLDS, shuffle=True, random_state=seed)
    found, fitted = np.empty_like(truth, dtype=np.float64), []
    with one_thread():
        for rest, judged in splitter.split(inputs, strata):
            expect = fit(inputs[rest], truth[rest])
            found[judged] = expect(inputs[judged])
            fitted.append(expect)

    def of(others: Floats) -> Floats:
        with one_thread():
            return np.asarray(np.mean([expect(others) for expect in fitted], axis=0))

    return Expected(found, of)


def _boosting(categories: NDArray[np.bool_], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=50,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=categories,
        random_state=seed,
    )


def _logarithms(probabilities: Floats) -> Floats:
    logarithms: Floats = np.log(np.clip(probabilities, 1e-6, 1))
    return logarithms
