"""Prediction sets hold the truth as often as they say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from leeway.explainers.calibration import calibrate, calibrated_rows, fresh_predictions
from leeway.explainers.conformal import (
    Calibration,
    calibrate_classes,
    calibrate_residuals,
    prediction_interval,
    prediction_set,
)
from leeway.training.folds import out_of_fold
from tests.unit.measured_penguins import FRAME, PENGUINS, TARGET

CLASSES = ("a", "b", "c")


def simulated(rows: int, seed: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Labels drawn from probabilities, and what an overconfident model says of them."""
    random = np.random.default_rng(seed)
    truth = random.dirichlet([1, 1, 1], size=rows)
    labels = np.array([random.choice(CLASSES, p=p) for p in truth], dtype=object)
    said = truth**3
    return labels, said / said.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_of_an_overconfident_model_still_hold_the_truth(coverage: float) -> None:
    calibration = calibrate_classes(*simulated(2000, 1), CLASSES, coverage)
    labels, probabilities = simulated(4000, 2)
    sets = prediction_set(probabilities, calibration)
    assert sets is not None
    held = np.mean([label in chosen for label, chosen in zip(labels, sets, strict=True)])
    # Two random parts: four standard deviations of a share of 2000 rows are 0.027 at most.
    assert held == pytest.approx(coverage, abs=0.03)
    assert 1 < np.mean([len(chosen) for chosen in sets]) < 3


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_intervals_hold_the_truth(coverage: float) -> None:
    random = np.random.default_rng(3)
    calibration = calibrate_residuals(random.standard_t(4, 2000), np.zeros(2000), coverage)
    interval = prediction_interval(np.zeros(4000), calibration)
    assert interval is not None
    truth = random.standard_t(4, 4000)
    held = np.mean((interval[:, 0] <= truth) & (truth <= interval[:, 1]))
    assert held == pytest.approx(coverage, abs=0.03)


def test_small_calibration_sets_cover_on_average() -> None:
    """Guards the finite-sample rank: the plain quantile of 12 rows covers 0.85 and not 0.9."""
    random = np.random.default_rng(5)
    held = []
    for _ in range(3000):
        calibration = calibrate_residuals(
            random.normal(size=12).astype(np.float64), np.zeros(12), 0.9
        )
        assert calibration.threshold is not None
        held.append(abs(random.normal()) <= calibration.threshold)
    assert 0.9 <= np.mean(held) < 0.95


@pytest.mark.parametrize(
    ("rows", "coverage", "rank"),
    [(19, 0.9, 18), (20, 0.9, 19), (99, 0.55, 55)],  # 100 * 0.55 is above 55 in binary
)
def test_the_threshold_is_the_finite_sample_rank(rows: int, coverage: float, rank: int) -> None:
    """The ceil((rows + 1) * coverage)-th residual."""
    residuals = np.arange(1.0, rows + 1, dtype=np.float64)
    calibration = calibrate_residuals(residuals, np.zeros(rows), coverage)
    assert calibration.threshold == rank


def test_an_interval_is_symmetric_and_in_the_unit_of_the_target() -> None:
    calibration = calibrate_residuals(np.arange(1.0, 20.0, dtype=np.float64), np.zeros(19), 0.9)
    interval = prediction_interval(np.array([100.0]), calibration)
    assert interval is not None
    assert interval.tolist() == [[82.0, 118.0]]


def test_eight_rows_are_undefined_with_the_reason_and_nine_are_enough() -> None:
    eight = calibrate_residuals(np.ones(8), np.zeros(8), 0.9)
    assert eight.threshold is None
    assert eight.reason == "coverage 0.9 needs at least 9 rows to calibrate on, there are 8"
    assert prediction_interval(np.ones(3), eight) is None
    assert prediction_set(np.ones((3, 3)) / 3, eight) is None
    nine = calibrate_residuals(np.ones(9), np.zeros(9), 0.9)
    assert (nine.threshold, nine.reason) == (1.0, None)


def test_a_set_is_never_empty_and_has_the_most_probable_class_first() -> None:
    calibration = Calibration("classification", 0.9, 100, 0.3, CLASSES)
    rows = np.array([[0.3, 0.4, 0.3], [0.1, 0.15, 0.75], [0.5, 0.2, 0.3]])
    assert prediction_set(rows, calibration) == [("b",), ("c",), ("a",)]
    wide = Calibration("classification", 0.9, 100, 0.7, CLASSES)
    assert prediction_set(rows, wide) == [("b", "a", "c"), ("c",), ("a", "c")]


def test_a_calibration_survives_json() -> None:
    calibration = calibrate_classes(*simulated(50, 1), CLASSES, 0.9)
    assert Calibration.from_dict(json.loads(json.dumps(calibration.as_dict()))) == calibration


def test_what_cannot_be_calibrated_on_is_refused() -> None:
    labels, probabilities = simulated(20, 1)
    with pytest.raises(ValueError, match="label 'c' is not among the classes"):
        calibrate_classes(labels, probabilities[:, :2], CLASSES[:2], 0.9)
    with pytest.raises(ValueError, match="a prediction to calibrate on is missing"):
        calibrate_residuals(np.ones(20), np.full(20, np.nan), 0.9)


def test_a_model_is_calibrated_on_other_folds_than_those_it_was_chosen_with() -> None:
    fresh = fresh_predictions(FRAME, TARGET, PENGUINS, "decision_tree", {"max_depth": 3})
    found = calibrate(TARGET, fresh, PENGUINS)
    chosen_with = out_of_fold(FRAME, TARGET, PENGUINS, "decision_tree", {"max_depth": 3})
    same = calibrate_classes(TARGET, chosen_with, sorted(set(TARGET)), found.coverage)
    assert found.rows == same.rows == len(FRAME)
    assert found.threshold != same.threshold


def test_of_many_rows_some_of_each_class_are_calibrated_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leeway.explainers.calibration.MOST_CALIBRATED_ROWS", 50)
    rare = np.flatnonzero(TARGET == "Chinstrap")
    target = np.delete(TARGET, rare[PENGUINS.search.folds + 1 :])  # of 50 rows, one by chance
    rows = calibrated_rows(target, PENGUINS)
    counts = np.unique(target[rows], return_counts=True)[1]
    assert len(set(rows.tolist())) == 50
    assert len(counts) == 3
    assert counts.min() >= PENGUINS.search.folds
