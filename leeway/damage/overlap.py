"""How much a reference has to say of other rows: weights of its rows, and what they are worth.

Belongs here: density ratios and the refusal where they mean nothing. Does not belong here: the
classifier (`leeway.drift.classifier`), or estimates that use the weights
(`leeway.damage.estimate`).

A reference row weighs the odds that the classifier gives it of being a current one, which is the
ratio of the two densities (S. Bickel, M. Brückner and T. Scheffer, Discriminative learning under
covariate shift, Journal of Machine Learning Research 10, 2009), and no row is weighed by a
classifier that was fitted on it. The worth of weights is the number of equal ones that have the
same variance (L. Kish, Survey Sampling, 1965).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leeway.drift.classifier import tell_origin
from leeway.drift.rows import CodedRows

Floats = NDArray[np.float64]

# A mean of fewer rows than these has no interval to act on.
FEWEST_EFFECTIVE = 30
# Density ratio from which on a current row is like none of the reference; 5 folds of 50 rounds tell
# separate tables apart with 50 and more.
ALONE = 20.0
MOST_ALONE = 0.2


@dataclass(frozen=True)
class Overlap:
    """Weights of the reference rows, of mean 1, shape (rows,).

    `effective_rows` is what they are worth; `alone` is the share of current rows that are like no
    reference row.
    """

    weights: Floats
    effective_rows: float
    alone: float

    @property
    def lost(self) -> str | None:
        """Why the reference says nothing of the current rows; None where it does."""
        if self.alone > MOST_ALONE:
            return (
                f"{self.alone:.0%} of the rows are like none of the reference; at most "
                f"{MOST_ALONE:.0%} may be."
            )
        if self.effective_rows < FEWEST_EFFECTIVE:
            return (
                f"The reference is worth {self.effective_rows:.0f} rows of this kind; "
                f"{FEWEST_EFFECTIVE} are needed."
            )
        return None


def overlap(rows: CodedRows) -> Overlap:
    """Weighs the rows of the reference to be like the current ones; equal tables weigh 1 each.

    Raises:
        ValueError: when a side has fewer rows than there are folds.
    """
    ours, theirs = len(rows.reference), len(rows.current)
    if not rows.varying.any():
        return Overlap(np.ones(ours), float(ours), 0.0)
    probability = tell_origin(rows.only(rows.varying)).probability
    ratio = probability / (1 - probability) * ours / theirs
    weights = ratio[:ours] / ratio[:ours].mean()
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    return Overlap(weights, effective, float((ratio[ours:] > ALONE).mean()))
