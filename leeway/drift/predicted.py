"""What a model says of rows, as a profile: whether its predictions drift, apart from its inputs.

Belongs here: which numbers of a prediction are counted. Does not belong here: predicting
(`leeway.prediction`), or comparing (`leeway.drift.verdict`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from leeway.drift.profile import Profile, profile_column

PREDICTION = "prediction"
HIGHEST = "highest_probability"  # how sure a classification is


@dataclass(frozen=True)
class Predicted:
    """What is compared of predictions."""

    name: str
    unit: str | None = None
    role: Literal["feature"] = "feature"


def profile_predictions(
    output: NDArray[np.float64], predicted: NDArray[Any], classes: Sequence[str] | None
) -> Profile:
    """The profile of predictions.

    Args:
        output: probabilities, shape (rows, classes), or predicted numbers, shape (rows,).
        predicted: the decided class, or the number again, shape (rows,).
        classes: of the probabilities; None for a regression.
    """
    if classes is None:
        return Profile(len(output), {PREDICTION: profile_column("number", [pa.array(output)])})
    highest = output.max(axis=1) if len(output) else np.zeros(0)
    columns = {
        PREDICTION: profile_column("category", [pa.array(predicted, pa.string())]),
        HIGHEST: profile_column("number", [pa.array(highest)]),
    }
    return Profile(len(output), columns)


def profile_prediction_table(table: pa.Table, classes: Sequence[str] | None) -> Profile:
    """The profile of what `leeway.prediction.prediction_table` made."""
    predicted = table[PREDICTION].to_numpy(zero_copy_only=False)
    if classes is None:
        return profile_predictions(predicted, predicted, None)
    output = np.column_stack([table[f"probability_{name}"].to_numpy() for name in classes])
    return profile_predictions(output, predicted, classes)


def compared(classes: Sequence[str] | None, unit: str | None) -> list[Predicted]:
    """What is compared: `unit` is that of the target."""
    if classes is None:
        return [Predicted(PREDICTION, unit)]
    return [Predicted(PREDICTION), Predicted(HIGHEST, "probability")]
