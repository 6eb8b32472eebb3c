"""How many rows are explained follows from the work that one takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from leeway.explainers import shapley
from leeway.explainers.shapley import affordable_rows
from leeway.training.estimators import XGBoostRegressor

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 4))
Y = X[:, 0] + RANDOM.normal(size=600)


def fitted(model: Any) -> Pipeline:
    return Pipeline([("model", model.fit(X, Y))])


@pytest.mark.parametrize(
    "model",
    [Ridge(), HistGradientBoostingRegressor(), XGBoostRegressor(), RandomForestRegressor(9)],
)
def test_a_small_model_is_explained_on_as_many_rows_as_are_asked_for(model: Any) -> None:
    assert affordable_rows(fitted(model), 200) == 200


def test_a_larger_forest_is_explained_on_fewer_rows_down_to_twenty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small, large = (
        fitted(RandomForestRegressor(trees, max_depth=8, random_state=0)) for trees in (10, 40)
    )
    leaves = sum(tree.get_n_leaves() for tree in small["model"].estimators_)
    monkeypatch.setattr(shapley, "MOST_WORK", 100 * leaves * 8**2)
    assert affordable_rows(small, 200) == 100
    assert 20 < affordable_rows(large, 200) < 30
    monkeypatch.setattr(shapley, "MOST_WORK", 1)
    assert affordable_rows(large, 200) == 20


def test_no_more_rows_than_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapley, "MOST_WORK", 10**18)
    assert affordable_rows(fitted(RandomForestRegressor(5)), 7) == 7
