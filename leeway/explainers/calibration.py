"""What a tuned model says of the rows of its training part, and its calibration by that.

Belongs here: out-of-fold predictions of the model that was chosen, handed to the conformal method.
Does not belong here: the method (`leeway.explainers.conformal`).

The algorithm and its parameters were chosen on the same rows, by the score of other folds. So the
rows are not quite new to the model, and sets and intervals may hold the truth a little less often
than they say; the held-out rows of a release are the ones that nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leeway.explainers.conformal import Calibration, calibrate_classes, calibrate_residuals
from leeway.spec import LARGEST_SEED
from leeway.training.folds import out_of_fold, sample_positions

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase

# Of more, the fits on each fold take four times as long as the model itself.
MOST_CALIBRATED_ROWS = 100_000


def calibrated_rows(target: NDArray[Any], use_case: UseCase) -> NDArray[np.intp]:
    """Positions of the rows to calibrate on: `MOST_CALIBRATED_ROWS` at most.

    The models that predict them are fitted on fewer rows than the one that is explained, and err no
    less: sets and intervals are rather too wide than too narrow.

    Args:
        target: of the training part, shape (rows,).
        use_case: gives the seed.
    """
    return sample_positions(target, use_case, MOST_CALIBRATED_ROWS)


def fresh_predictions(
    frame: pd.DataFrame,
    target: NDArray[Any],
    use_case: UseCase,
    algorithm: str,
    parameters: Mapping[str, Any],
) -> NDArray[np.float64]:
    """Out-of-fold predictions on folds that no choice was made with.

    Args:
        frame: features of the training part, shape (rows, columns).
        target: shape (rows,).
        use_case: gives the folds.
        algorithm: name of the candidate.
        parameters: what tuning found.

    Returns:
        Probabilities (rows, classes), classes sorted; or predictions (rows,) for regression.
    """
    seed = (use_case.search.seed + 1) % (LARGEST_SEED + 1)
    other = use_case.search.model_copy(update={"seed": seed})
    use_case = use_case.model_copy(update={"search": other})
    return out_of_fold(frame, target, use_case, algorithm, parameters)


def calibrate(
    target: NDArray[Any], predictions: NDArray[np.float64], use_case: UseCase
) -> Calibration:
    """Calibration at the coverage of the use case.

    Args:
        target: of the training part, shape (rows,).
        predictions: from `fresh_predictions`.
        use_case: its `explanation.coverage` is the coverage.
    """
    coverage = use_case.explanation.coverage
    if use_case.task == "classification":
        return calibrate_classes(target, predictions, sorted(set(target.tolist())), coverage)
    return calibrate_residuals(np.asarray(target, np.float64), predictions, coverage)
