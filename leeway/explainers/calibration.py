"""Calibrates a tuned model's prediction sets or intervals on its training part.

Belongs here: out-of-fold predictions of the model that was chosen, handed to the conformal method.
Does not belong here: the method (`leeway.explainers.conformal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.explainers.conformal import Calibration, calibrate_classes, calibrate_residuals
from leeway.training.folds import out_of_fold

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase


def calibrate(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    algorithm: str,
    parameters: Mapping[str, Any],
) -> Calibration:
    """Calibration at the coverage of the use case.

    Args:
        frame: features of the training part, shape (rows, columns).
        target: shape (rows,).
        use_case: its `explanation.coverage` is the coverage.
        algorithm: name of the candidate.
        parameters: what tuning found.
    """
    coverage = use_case.explanation.coverage
    predictions = out_of_fold(frame, target, use_case, algorithm, parameters)
    if use_case.task == "classification":
        return calibrate_classes(target, predictions, sorted(set(target.tolist())), coverage)
    return calibrate_residuals(np.asarray(target, np.float64), predictions, coverage)
