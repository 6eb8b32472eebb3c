"""Losses of two models on live rows, as values whose mean says which is better.

Belongs here: losses of one row, and differences of champion and challenger. Does not belong here:
the interval around their mean (`leeway.trial.sequence`).

Each difference is the loss of the champion less that of the challenger: above zero, the challenger
is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def brier_losses(probabilities: Floats, classes: Sequence[str], truth: Sequence[str]) -> Floats:
    """Brier's score of each row, 0 to 2 (Brier 1950): proper, and bounded, which log loss is not.

    Args:
        probabilities: shape (rows, classes).
        classes: of the columns.
        truth: shape (rows,); a label that is no class counts as none of them.
    """
    observed = np.array([[name == label for name in classes] for label in truth], dtype=np.float64)
    missed: Floats = 1.0 - observed.sum(axis=1)  # the class that the model does not have
    squares: Floats = ((probabilities - observed) ** 2).sum(axis=1)
    return squares + missed


def absolute_losses(predicted: Floats, truth: Floats) -> Floats:
    """The absolute error of each row, in the unit of the target."""
    found: Floats = np.abs(predicted - truth)
    return found


def paired(champion: Floats, challenger: Floats) -> Floats:
    """Differences where both answered the same rows, shape (rows,)."""
    return champion - challenger


def assigned(losses: Floats, challenged: NDArray[Any], share: float) -> Floats:
    """Values with the mean of the difference where each row was answered by one of both.

    Weighted by the inverse of the probability of who answered (Horvitz and Thompson 1952), after
    the mean loss of the rows before is taken off, which changes no mean and takes most of the
    variance away.

    Args:
        losses: of whoever answered, in the order of the rows, shape (rows,).
        challenged: whether that was the challenger, shape (rows,).
        share: the probability of that, between 0 and 1.
    """
    if len(losses) == 0:
        return losses
    before = np.concatenate([[losses[0]], np.cumsum(losses)[:-1] / np.arange(1, len(losses))])
    weights = np.where(challenged, -1 / share, 1 / (1 - share))
    values: Floats = (losses - before) * weights
    return values
