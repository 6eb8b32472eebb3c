"""What is said of an explanation: of which release, in which unit, and what is undefined."""

from __future__ import annotations

import msgspec
import numpy as np

from leeway.explainers.neighbourhood import Axes
from leeway.explainers.shapley import ShapValues
from leeway.served.contract import Classes, Classified, Estimated, Estimates
from leeway.served.explanations import (
    Explanations,
    Nearest,
    Neighbour,
    axes_told,
    explanations,
    nearest,
)

ABOUT = ("houses", "price", "EUR", 0.9, 3, "sha256:0")
NUMBERS = Estimates(*ABOUT, [Estimated("a", 5.0, (4.0, 6.0), []), Estimated("b", 7.0, None, [])])
NEAR = [Neighbour({"rooms": 3}, 5.0, 0.1), Neighbour({"rooms": None}, 6.0, 0.5)]
AXES = axes_told(Axes(np.zeros(2), np.eye(2)), [0.75, 0.25], ["rooms", "age"])


def test_each_prediction_has_its_values_and_the_header_is_that_of_predict() -> None:
    values = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    shap = ShapValues(
        values, np.array([2.0]), ("rooms", "age"), ("target",), "target unit", "T", 0.5, "why"
    )
    found = msgspec.json.decode(
        msgspec.json.encode(explanations(NUMBERS, shap)), type=Explanations[Estimated]
    )
    assert (found.unit, found.model_version, found.release) == ("EUR", 3, "sha256:0")
    assert (found.additivity_gap, found.fallback_reason) == (0.5, "why")
    assert [each.prediction.prediction_id for each in found.explanations] == ["a", "b"]
    assert found.explanations[1].shap_values == {"rooms": [3.0], "age": [4.0]}


def test_no_two_numbers_agree_and_the_reason_is_given() -> None:
    places = np.array([[0.0, 1.0], [2.0, 3.0]])
    found = msgspec.json.decode(
        msgspec.json.encode(nearest(NUMBERS, [NEAR, NEAR], places, AXES, (2, 9))),
        type=Nearest[Estimated],
    )
    assert (found.searched_rows, found.training_rows) == (2, 9)
    for each in found.surroundings:
        assert each.agreement is None
        assert "undefined for a regression" in (each.agreement_reason or "")
    assert found.surroundings[1].coordinates == (2.0, 3.0)
    assert [each.weights for each in found.axes] == [
        {"rooms": 1.0, "age": 0.0},
        {"rooms": 0.0, "age": 1.0},
    ]


def test_neighbours_agree_with_the_class_that_is_decided_for() -> None:
    """With costs it may not be the most probable one."""
    decided = Classified("a", "yes", {"no": 0.6, "yes": 0.4}, ["no", "yes"], [])
    near = [Neighbour({}, label, 0.0) for label in ("yes", "no", "yes", "yes")]
    found = nearest(Classes(*ABOUT, [decided]), [near], np.zeros((1, 2)), AXES, (4, 4))
    assert found.surroundings[0].agreement == 0.75
    assert found.surroundings[0].agreement_reason is None
