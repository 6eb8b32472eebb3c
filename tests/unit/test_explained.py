"""What a release carries of one model: enough to explain and bound a prediction, and to be JSON."""

from __future__ import annotations

from typing import Any

import pytest

from leeway.digests import canonical_json
from leeway.explainers import explained
from leeway.explainers.explained import Explained, explain
from leeway.spec import DecisionCosts
from leeway.training.search import fit_final
from tests.unit.measured_penguins import FRAME, TARGET, penguins

COSTS = DecisionCosts(positive="Gentoo", false_positive=1, false_negative=3, unit="EUR")
NAME = "logistic_regression"


def explanation(**update: Any) -> Explained:
    """Of a penguin's species by a linear model."""
    use_case = penguins().model_copy(update=update)
    pipeline = fit_final(FRAME, TARGET, use_case, NAME, {})
    tuned = {"algorithm": NAME, "parameters": {}, "choices": {}, "classes": [*pipeline.classes_]}
    return explain(pipeline, FRAME, TARGET, use_case, tuned)


def test_it_is_kept_as_json_with_the_strongest_feature_first() -> None:
    found = explanation()
    kept = found.as_dict()
    assert canonical_json(kept)
    strengths = [each["mean_abs_shap"] for each in kept["shap"]["importance"]]
    assert {each["feature"] for each in kept["shap"]["importance"]} == set(FRAME.columns)
    assert strengths == sorted(strengths, reverse=True)
    assert 0 < kept["calibration"]["threshold"] <= 1
    assert kept["threshold"] is kept["cost_curve"] is None, "nothing was said of costs"


def test_with_costs_it_has_the_threshold_of_least_cost() -> None:
    kept = explanation(costs=COSTS).as_dict()
    curve = kept["cost_curve"]
    assert kept["threshold"] == {"positive": "Gentoo", "value": curve["threshold"]}
    assert curve["cost"] == min(curve["costs"])
    assert curve["rows"] == len(FRAME)


def test_of_many_rows_some_are_on_the_map_and_fewer_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explained, "MOST_ROWS", 100)
    monkeypatch.setattr(explained, "EXPLAINED_ROWS", 30)
    found = explanation()
    on_the_map = len(found.labels)
    assert 50 < on_the_map <= 100
    assert found.pca.coordinates.shape == (on_the_map, 2)
    assert found.neighbours.indices.shape == (on_the_map, 5)
    assert 15 < len(found.shap.values) <= 30
