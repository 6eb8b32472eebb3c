"""How good predictions were once the truth is known, whole and by segment."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from leeway.metrics.evaluation import Metric
from leeway.performance import WHOLE, broken_gates, measure
from leeway.spec import Gate, UseCase

CLASSES = ["a", "b"]
SITES = ["x", "y", None]


def use_case(task: str, segments: tuple[str, ...] = ("site", "wet")) -> UseCase:
    target = {"type": "category"} if task == "classification" else {"type": "number", "unit": "g"}
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer", "role": "key"},
        {"name": "y", "role": "target", **target},
        {"name": "low", "type": "number"},
        {"name": "site", "type": "category"},
        {"name": "wet", "type": "boolean"},
    ]
    return UseCase.model_validate(
        {
            "title": "t",
            "task": task,
            "source": {"kind": "file", "path": "t.csv"},
            "columns": [{"description": "d", **column} for column in columns],
            "monitoring": {"segments": segments},
        }
    )


def clean(rows: int, truth: list[Any]) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "y": pa.array(truth),
            "low": pa.array([0.5] * rows),  # predictions have a column of this name, too
            "site": pa.array([SITES[i % 3] for i in range(rows)], pa.string()),
            "wet": pa.array([i % 2 == 0 for i in range(rows)]),
            "batch_id": pa.array(["1"] * rows),
            "row_number": pa.array(range(1, rows + 1)),
        }
    )


def classified(rows: int, right: set[int]) -> tuple[pa.Table, pa.Table]:
    """Clean rows of class a and b in turn, and predictions that are right in the rows `right`."""
    truth = [CLASSES[i % 2] for i in range(rows)]
    said = [t if i in right else CLASSES[1 - i % 2] for i, t in enumerate(truth)]
    probability = [0.9 if s == "a" else 0.1 for s in said]
    predictions = pa.table(
        {
            "id": pa.array(range(rows)),
            "prediction": pa.array(said),
            "probability_a": pa.array(probability),
            "probability_b": pa.array([1 - p for p in probability]),
            "prediction_set": pa.array([[s] for s in said]),
        }
    )
    return clean(rows, truth), predictions


def regressed(rows: int, error: float) -> tuple[pa.Table, pa.Table]:
    truth = [float(i) for i in range(rows)]
    said = pa.array([t + error for t in truth])
    bounds = {"low": said, "high": said}
    return clean(rows, truth), pa.table({"id": pa.array(range(rows)), "prediction": said, **bounds})


def test_a_planted_share_of_right_predictions_is_the_accuracy() -> None:
    found = measure(*classified(60, right=set(range(45))), use_case("classification"), CLASSES)
    assert found.segments[WHOLE]["accuracy"].value == pytest.approx(0.75)
    assert (found.rows, found.labelled) == (60, 60)


def test_a_planted_error_is_the_mean_absolute_error_in_the_unit_of_the_target() -> None:
    found = measure(*regressed(60, error=2.0), use_case("regression"), None)
    mae = found.segments[WHOLE]["mae"]
    assert mae.value == pytest.approx(2.0)
    assert (mae.unit, mae.rows) == ("g", 60)


def test_a_segment_holds_its_own_rows_and_a_missing_value_is_in_none() -> None:
    rows, predictions = classified(60, right={i for i in range(60) if i % 3 == 0})
    segments = measure(rows, predictions, use_case("classification"), CLASSES).segments
    assert list(segments) == [WHOLE, "site=x", "site=y", "wet=False", "wet=True"]
    assert segments["site=x"]["accuracy"].value == 1.0
    assert segments["site=y"]["accuracy"].value == 0.0
    assert [metrics["accuracy"].rows for metrics in segments.values()] == [60, 20, 20, 30, 30]


def test_rows_without_a_label_or_a_prediction_are_counted_and_not_judged() -> None:
    rows, predictions = regressed(20, error=1.0)
    labels = [None if i < 5 else float(i) for i in range(20)]
    rows = rows.set_column(1, "y", pa.array(labels))
    found = measure(rows, predictions.slice(0, 18), use_case("regression"), None)
    assert (found.rows, found.labelled) == (18, 13)
    assert found.segments[WHOLE]["mae"].rows == 13


def test_without_any_label_there_is_no_segment() -> None:
    rows, predictions = regressed(20, error=1.0)
    rows = rows.set_column(1, "y", pa.nulls(20, pa.float64()))
    found = measure(rows, predictions, use_case("regression"), None)
    assert found.as_dict() == {
        "rows": 20,
        "labelled": 0,
        "unknown_labels": 0,
        "fitted": 0,
        "maturity": 0.0,
        "segments": {},
    }


def test_the_result_does_not_depend_on_the_order_of_rows() -> None:
    """Regression: a join gives rows in any order, and intervals are drawn row by row."""
    rows, predictions = regressed(3000, error=0.0)
    noise = np.random.default_rng(3).normal(size=3000)
    predictions = predictions.set_column(1, "prediction", pa.array(np.arange(3000) + noise))
    expected = measure(rows, predictions, use_case("regression", ()), None).as_dict()
    order = pa.array(np.random.default_rng(4).permutation(3000))
    shuffled = measure(rows.take(order), predictions, use_case("regression", ()), None)
    assert shuffled.as_dict() == expected
    reversed_ = measure(rows, predictions.take(order), use_case("regression", ()), None)
    assert reversed_.as_dict() == expected


@pytest.mark.parametrize(
    ("bound", "low", "high", "broken"),
    [
        ({"at_most": 12}, 12.1, 20, True),
        ({"at_most": 12}, 11.9, 20, False),
        ({"at_least": 12}, 5, 11.9, True),
        ({"at_least": 12}, 5, 12, False),
        ({"at_most": 12}, None, None, False),
    ],
)
def test_a_batch_breaks_a_gate_when_its_whole_interval_is_beyond_it(
    bound: dict[str, float], low: float | None, high: float | None, broken: bool
) -> None:
    gates = [Gate.model_validate({"metric": "mape_percent", **bound})]
    found = broken_gates(gates, {"mape_percent": Metric(15, low, high, "percent", 90)})
    assert bool(found) is broken
    assert broken_gates(gates, {}) == [], "no label is in"
    if "at_most" in bound and broken:
        assert found == ["mape_percent is 15 (12.1 to 20) on 90 rows, and has to be at most 12."]


def test_the_result_is_json() -> None:
    found = measure(*classified(30, right=set(range(20))), use_case("classification"), CLASSES)
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["labelled"] == 30


def test_a_label_that_the_model_does_not_know_is_an_error_of_the_model_and_counted() -> None:
    """Regression: a batch with one new label was not measured at all."""
    rows, predictions = classified(30, right=set(range(30)))
    labels = ["new", None, *rows["y"].to_pylist()[2:]]
    rows = rows.set_column(1, "y", pa.array(labels))
    found = measure(rows, predictions, use_case("classification"), CLASSES)
    assert (found.rows, found.labelled, found.unknown_labels) == (30, 29, 1)
    whole = found.segments[WHOLE]
    assert whole["accuracy"].value == pytest.approx(28 / 29)
    assert whole["balanced_accuracy"].value == pytest.approx(2 / 3)
    certain, clipped = -np.log(0.9), -np.log(np.finfo(float).eps)
    assert whole["log_loss_nats"].value == pytest.approx((28 * certain + clipped) / 29)
    assert found.segments["site=y"]["accuracy"].value == 1.0
    assert found.as_dict()["unknown_labels"] == 1


def test_rows_that_the_model_was_fitted_on_are_counted_and_do_not_judge_it() -> None:
    """Customers to score who were in the training data measure nothing (trap of churn)."""
    rows, predictions = classified(60, right=set(range(30)))
    fitted_on = pa.chunked_array([list(range(30))])
    found = measure(rows, predictions, use_case("classification"), CLASSES, fitted_on)
    assert (found.rows, found.labelled, found.fitted) == (60, 30, 30)
    assert found.segments[WHOLE]["accuracy"].value == 0.0, "of the others none is right"
    every = pa.chunked_array([list(range(60))])
    none = measure(rows, predictions, use_case("classification"), CLASSES, every)
    assert (none.labelled, none.fitted, none.segments) == (0, 60, {})
