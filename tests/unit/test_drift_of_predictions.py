"""Predictions drift apart from inputs: what a model says of new rows, against its held-out ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leeway.drift.policy import UsualPolicy
from leeway.drift.predicted import compared, profile_prediction_table, profile_predictions
from leeway.drift.verdict import BatchDrift, compare_profiles

CLASSES = ["no", "yes"]


def said(rng: np.random.Generator, rows: int, leaning: float) -> pa.Table:
    """Predictions of a model that is surer of yes the larger `leaning` is."""
    yes = 1 / (1 + np.exp(-rng.normal(leaning, 1, rows)))
    return pa.table(
        {
            "prediction": pa.array(np.where(yes > 0.5, "yes", "no")),
            "probability_no": 1 - yes,
            "probability_yes": yes,
        }
    )


def drift(reference: pa.Table, current: pa.Table) -> BatchDrift:
    sides = [profile_prediction_table(table, CLASSES) for table in (reference, current)]
    return compare_profiles(sides[0], sides[1], UsualPolicy(), compared(CLASSES, None))


def test_a_model_that_says_the_same_has_not_drifted() -> None:
    rng = np.random.default_rng(0)
    assert drift(said(rng, 2000, 0), said(rng, 2000, 0)).verdict == "none"


def test_another_mix_of_classes_is_drift_of_predictions() -> None:
    rng = np.random.default_rng(0)
    found = drift(said(rng, 2000, 0), said(rng, 2000, 1))
    assert found.verdict == "confirmed"
    assert "prediction" in found.drifted


def test_a_model_that_grew_unsure_is_drift_of_predictions_with_the_same_mix() -> None:
    rng = np.random.default_rng(0)
    sure, unsure = rng.normal(0, 3, 4000), rng.normal(0, 0.5, 4000)
    sides = []
    for score in (sure, unsure):
        yes = 1 / (1 + np.exp(-score))
        output = np.column_stack([1 - yes, yes])
        sides.append(profile_predictions(output, np.where(yes > 0.5, "yes", "no"), CLASSES))
    found = compare_profiles(sides[0], sides[1], UsualPolicy(), compared(CLASSES, None))
    assert found.drifted == ("highest_probability",)


def test_predicted_numbers_drift_in_the_unit_of_the_target() -> None:
    rng = np.random.default_rng(0)
    sides = [
        profile_prediction_table(pa.table({"prediction": rng.normal(mean, 10, 3000)}), None)
        for mean in (200, 230)
    ]
    found = compare_profiles(sides[0], sides[1], UsualPolicy(), compared(None, "USD"))
    assert found.verdict == "confirmed"
    assert "USD" in found.reason


def test_a_batch_without_rows_is_undefined() -> None:
    rng = np.random.default_rng(0)
    nothing = said(rng, 5, 0).slice(0, 0)
    assert drift(said(rng, 2000, 0), nothing).verdict == "undefined"
