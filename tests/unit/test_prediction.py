"""The table that a fitted pipeline gives for a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leeway.data.frames import feature_frame, target_array
from leeway.data.tables import from_parquet, to_parquet
from leeway.explainers.conformal import Calibration
from leeway.performance import WHOLE, measure
from leeway.prediction import model_output, most_probable, prediction_table
from leeway.spec import UseCase

CLASSES = ["high", "low"]


def use_case(task: str) -> UseCase:
    target = {"type": "category"} if task == "classification" else {"type": "number", "unit": "g"}
    return UseCase.model_validate(
        {
            "title": "t",
            "task": task,
            "source": {"kind": "file", "path": "t.csv"},
            "columns": [
                {"name": "id", "type": "integer", "role": "key", "description": "d"},
                {"name": "y", "role": "target", "description": "d", **target},
                {"name": "x", "type": "number", "description": "d"},
                {"name": "z", "type": "integer", "description": "d"},
            ],
        }
    )


def table(task: str, rows: int = 40) -> pa.Table:
    """The target is 3 x, or whether x is above the middle; z is noise, and columns are mixed."""
    x = np.random.default_rng(7).permutation(rows).astype(float)
    classes = np.where(x >= rows / 2, "high", "low")
    y = pa.array(classes.tolist(), pa.string()) if task == "classification" else pa.array(3 * x)
    z = pa.array([i % 3 for i in range(rows)], pa.int64())
    keys = pa.array(range(100, 100 + rows), pa.int64())
    return pa.table({"z": z, "y": y, "x": pa.array(x), "id": keys})


def fitted(task: str) -> Any:
    rows, spec = table(task), use_case(task)
    model = LogisticRegression(C=100) if task == "classification" else LinearRegression()
    pipeline = make_pipeline(StandardScaler(), model)
    return pipeline.fit(feature_frame(rows, spec), target_array(rows, spec))


def calibration(task: Any, threshold: float | None) -> Calibration:
    classes = tuple(CLASSES) if task == "classification" else ()
    return Calibration(task, 0.9, 40, threshold, classes)


def predict(task: str, threshold: float | None = 0.5, rows: int = 40) -> pa.Table:
    classes = CLASSES if task == "classification" else None
    return prediction_table(
        fitted(task), table(task, rows), use_case(task), classes, calibration(task, threshold)
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_each_row_has_its_prediction_under_its_own_key(task: str) -> None:
    found, rows = predict(task), table(task)
    assert found["id"].to_pylist() == rows["id"].to_pylist()
    if task == "classification":
        assert found["prediction"].to_pylist() == rows["y"].to_pylist()
    else:
        assert found["prediction"].to_numpy() == pytest.approx(rows["y"].to_numpy())


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_measures_predictions_reads_the_names_that_they_are_stored_under(task: str) -> None:
    """Trap 193: one number had a name where it was made and another where it was read."""
    stored = from_parquet(to_parquet(predict(task)))
    classes = CLASSES if task == "classification" else None
    found = measure(table(task), stored, use_case(task), classes)
    assert (found.rows, found.labelled) == (40, 40)
    name, value = ("accuracy", 1.0) if task == "classification" else ("mae", 0.0)
    assert found.segments[WHOLE][name].value == pytest.approx(value)
    renamed = [n.replace("prediction", "predicted_price") for n in stored.column_names]
    with pytest.raises(KeyError, match="prediction"):
        measure(table(task), stored.rename_columns(renamed), use_case(task), classes)


def test_a_class_has_the_probability_of_its_own_column() -> None:
    found = predict("classification")
    assert found.column_names == [
        "id", "prediction", "probability_high", "probability_low", "prediction_set"
    ]  # fmt: skip
    high, low = found["probability_high"].to_numpy(), found["probability_low"].to_numpy()
    assert high + low == pytest.approx(np.ones(40))
    expected = ["high" if p >= 0.5 else "low" for p in high]
    assert found["prediction"].to_pylist() == expected


@pytest.mark.parametrize(("threshold", "sizes"), [(1.0, {2}), (0.0, {1}), (0.9, {1, 2})])
def test_a_set_grows_with_the_threshold_and_begins_with_the_prediction(
    threshold: float, sizes: set[int]
) -> None:
    found = predict("classification", threshold)
    sets = found["prediction_set"].to_pylist()
    assert {len(each) for each in sets} == sizes
    assert [each[0] for each in sets] == found["prediction"].to_pylist()


def test_an_interval_has_the_threshold_on_both_sides_of_the_prediction() -> None:
    found = predict("regression", 2.5)
    assert found.column_names == ["id", "prediction", "low", "high"]
    predicted = found["prediction"].to_numpy()
    assert found["low"].to_numpy() == pytest.approx(predicted - 2.5)
    assert found["high"].to_numpy() == pytest.approx(predicted + 2.5)


@pytest.mark.parametrize(
    ("task", "columns"), [("classification", ["prediction_set"]), ("regression", ["low", "high"])]
)
def test_an_undefined_calibration_gives_missing_values_of_the_same_type(
    task: str, columns: list[str]
) -> None:
    undefined, defined = predict(task, None), predict(task, 0.5)
    assert undefined.schema == defined.schema
    assert all(undefined[name].null_count == 40 for name in columns)
    assert undefined["prediction"].null_count == 0


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_batch_without_rows_gives_a_table_without_rows(task: str) -> None:
    """Regression: a batch whose rows were all rejected ended in an error of scikit-learn."""
    empty = predict(task, rows=0)
    assert empty.num_rows == 0
    assert empty.schema == predict(task).schema


def test_the_first_of_equally_probable_classes_is_chosen() -> None:
    chosen = most_probable(np.array([[0.5, 0.5], [0.2, 0.8]]), CLASSES)
    assert chosen.tolist() == ["high", "low"]


def test_a_table_without_a_feature_is_refused_with_its_name() -> None:
    rows = table("regression").drop_columns(["z"])
    with pytest.raises(KeyError, match="no column 'z'"):
        model_output(fitted("regression"), rows, use_case("regression"))
