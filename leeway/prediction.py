"""Predictions of a fitted pipeline as a table: what a batch of rows gets.

Belongs here: calling the pipeline and naming its outputs. Does not belong here: fitting, or reading
and writing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leeway.data.frames import feature_frame

if TYPE_CHECKING:
    from leeway.explainers.conformal import Calibration
    from leeway.spec import UseCase


@dataclass(frozen=True)
class Threshold:
    """Of two classes, `positive` is decided for where its probability is at least `value`."""

    positive: str
    value: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Threshold | None:
        """The threshold that a release holds as `data`, or None where it holds none."""
        return None if data is None else cls(**data)


@dataclass(frozen=True)
class Model:
    """A fitted pipeline; `classes` are in the order of its probabilities, None for a regression.

    A `threshold` of None decides for the most probable class.
    """

    pipeline: Any
    classes: Sequence[str] | None
    threshold: Threshold | None = None


def model_output(pipeline: Any, table: pa.Table, use_case: UseCase) -> NDArray[np.float64]:
    """Probabilities, shape (rows, classes), or predicted numbers, shape (rows,)."""
    frame = feature_frame(table, use_case)
    if frame.empty:  # a batch whose rows were all rejected, which estimators refuse
        shape = (0, len(pipeline.classes_)) if use_case.task == "classification" else (0,)
        return np.empty(shape)
    if use_case.task == "classification":
        return np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    return np.asarray(pipeline.predict(frame), dtype=np.float64)


def most_probable(
    probabilities: NDArray[np.float64], classes: Sequence[str]
) -> NDArray[np.object_]:
    """The class with the highest probability in each row; the first of equals."""
    names: NDArray[np.object_] = np.array(classes, dtype=object)
    chosen: NDArray[np.object_] = names[np.argmax(probabilities, axis=1)]
    return chosen


def decided_classes(
    probabilities: NDArray[np.float64], classes: Sequence[str], threshold: Threshold | None
) -> NDArray[np.object_]:
    """The class that each row is decided to be: by the threshold, else the most probable one.

    Args:
        probabilities: shape (rows, classes).
        classes: of the columns; of two where there is a threshold.
        threshold: None decides by probability alone.
    """
    if threshold is None:
        return most_probable(probabilities, classes)
    position = list(classes).index(threshold.positive)
    names: NDArray[np.object_] = np.array(classes, dtype=object)
    passed = probabilities[:, position] >= threshold.value
    decided: NDArray[np.object_] = names[np.where(passed, position, 1 - position)]
    return decided


def prediction_table(
    pipeline: Any,
    table: pa.Table,
    use_case: UseCase,
    classes: Sequence[str] | None,
    calibration: Calibration,
    threshold: Threshold | None = None,
) -> pa.Table:
    """One row per row of `table`: its key, the prediction, and the set or interval around it.

    Classification adds `probability_<class>` and `prediction_set`; regression adds `low` and
    `high`. All hold at the calibration's coverage, or are missing when it is undefined.
    """
    from leeway.explainers.conformal import prediction_interval, prediction_set

    output = model_output(pipeline, table, use_case)
    columns: dict[str, Any] = {use_case.key.name: table[use_case.key.name]}
    if classes is None:
        bounds = prediction_interval(output, calibration)
        missing = pa.nulls(len(output), pa.float64())
        columns["prediction"] = pa.array(output)
        columns["low"] = missing if bounds is None else pa.array(bounds[:, 0])
        columns["high"] = missing if bounds is None else pa.array(bounds[:, 1])
        return pa.table(columns)
    columns["prediction"] = pa.array(decided_classes(output, classes, threshold), pa.string())
    for position, name in enumerate(classes):
        columns[f"probability_{name}"] = pa.array(output[:, position])
    sets = prediction_set(output, calibration)
    set_type = pa.list_(pa.string())
    columns["prediction_set"] = (
        pa.nulls(len(output), set_type) if sets is None else pa.array(sets, set_type)
    )
    return pa.table(columns)
