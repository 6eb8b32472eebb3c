"""The answers of a service, from what a model gives.

Belongs here: naming outputs, bounding them, and warning of inputs that the model does not know.
Does not belong here: computing the outputs, or what the conformal method is
(`leeway.explainers.conformal`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from leeway.explainers.conformal import Calibration, prediction_interval, prediction_set
from leeway.prediction import Threshold, decided_classes
from leeway.served.contract import Classified, Estimated, Warned
from leeway.served.inputs import Input, Instance

Floats = NDArray[np.float64]


def classified(
    outputs: Floats,
    warned: Sequence[list[Warned]],
    classes: Sequence[str],
    threshold: Threshold | None,
    calibration: Calibration,
    ids: Sequence[str],
) -> list[Classified]:
    """The answers of a classification.

    Args:
        outputs: probabilities, shape (rows, classes).
        warned: the warnings of each row.
        classes: of the columns.
        threshold: that decides between two; None decides by probability.
        calibration: of the release.
        ids: of the answers.
    """
    decided = decided_classes(outputs, classes, threshold)
    sets = prediction_set(outputs, calibration)
    return [
        Classified(
            ids[row],
            decided[row],
            dict(zip(classes, shares, strict=True)),
            None if sets is None else list(sets[row]),
            warned[row],
        )
        for row, shares in enumerate(outputs.tolist())
    ]


def estimated(
    outputs: Floats,
    warned: Sequence[list[Warned]],
    calibration: Calibration,
    ids: Sequence[str],
) -> list[Estimated]:
    """The answers of a regression; `outputs` has shape (rows, 1), else as `classified`."""
    numbers = outputs[:, 0]
    found = prediction_interval(numbers, calibration)
    bounds = [None] * len(numbers) if found is None else found.tolist()
    return [Estimated(*each) for each in zip(ids, numbers.tolist(), bounds, warned, strict=True)]


def warnings_of(instance: Instance, inputs: Sequence[Input]) -> list[Warned]:
    """Which values of an instance no row of the training part had, or none so small or large."""
    return [found for each in inputs for found in _warnings(each, instance[each.name])]


def _warnings(each: Input, value: object) -> Iterator[Warned]:
    if isinstance(value, str) and each.seen is not None and value not in each.seen:
        told = f"the model was trained without {value!r}; it predicts as for any unknown category"
        yield Warned(each.name, "unseen_category", told)
    low, high = each.seen_low, each.seen_high
    if not isinstance(value, int | float) or low is None or high is None:
        return
    if not low <= value <= high:
        unit = f" {each.unit}" if each.unit else ""
        told = f"{value:.15g}{unit} is outside of what the model was trained on, "
        told += f"{low:.15g} to {high:.15g}"
        yield Warned(each.name, "outside_training_range", f"{told}{unit}")
