"""What metrics are computed from: checked, and made to fit.

Belongs here: refusing truth and predictions that do not fit each other, and labels that a model
does not know. Does not belong here: the metrics (`leeway.metrics.evaluation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[Any]


def encode(labels: Labels, classes: Sequence[str]) -> NDArray[np.intp]:
    """Positions of labels among `classes`, shape (rows,).

    Raises:
        ValueError: names the first label that is no class.
    """
    position = {name: code for code, name in enumerate(classes)}
    unknown = [label for label in np.unique(labels).tolist() if label not in position]
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not among the classes {list(classes)}")
    return np.fromiter((position[label] for label in labels.tolist()), np.intp, len(labels))


def with_unseen(
    probabilities: Floats, classes: Sequence[str], truth: Labels
) -> tuple[Floats, list[str]]:
    """Probabilities and classes of a model for which labels it does not know have probability 0.

    A row with such a label then counts as an error, as it should: the model cannot be right.

    Args:
        probabilities: shape (rows, classes).
        classes: labels of the columns.
        truth: labels, shape (rows,).

    Returns:
        One column and one class more for each label of `truth` that is no class, in their order.
    """
    unseen = sorted(set(truth.tolist()) - set(classes))
    added = np.zeros((len(probabilities), len(unseen)))
    return np.column_stack([probabilities, added]), [*classes, *unseen]


def check_probabilities(probabilities: Floats, rows: int, classes: int) -> None:
    """Checks the shape, that values are from 0 to 1, and that rows sum to 1 within 0.001.

    Raises:
        ValueError: says which of these does not hold.
    """
    if probabilities.shape != (rows, classes):
        raise ValueError(f"probabilities have shape {probabilities.shape}, need {(rows, classes)}")
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("a probability is missing or outside 0 to 1")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError("the probabilities of a row do not sum to 1")


def finite_pair(truth: Labels, predicted: Floats) -> tuple[Floats, Floats]:
    """Both as finite float arrays of one length.

    Raises:
        ValueError: on different shapes or a value that is not finite.
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth has shape {truth.shape}, predictions have {predicted.shape}")
    if not (np.isfinite(truth).all() and np.isfinite(predicted).all()):
        raise ValueError("a true or predicted value is missing or infinite")
    return truth, predicted
