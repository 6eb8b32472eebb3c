"""What batches do to a column when nothing is wrong: how much of an effect is usual.

Belongs here: past effects, and how they widen an interval. Does not belong here: the effects
(`leeway.drift.effects`) or the rule (`leeway.drift.verdict`).

Batches differ by more than the chance of drawing rows: days, machines, seasons within limits. The
excess of the mean square of past effects over what drawing rows alone gives estimates its variance,
of which the upper 95 % bound counts, so that few batches widen more. Batches that follow each other
alike count as fewer: n (1 - r) / (1 + r) with their lag-1 autocorrelation r (Bayley and Hammersley
1946), which is corrected for its bias in short series (Marriott and Pope 1954). A new batch may
then be as far off as a normal deviate with that variance is, beside the margin of drawing its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# Fewer say little about what is usual, and a rank among them nothing.
ENOUGH_BATCHES = 30
_CONFIDENT = NormalDist().inv_cdf(0.95)
MOST_BATCHES = 100  # the newest ones: what was usual long ago may not be any more
# The newest batches tell nothing yet: a change that lasts would be taken for usual, batch by batch,
# while it is still looked at. To leave out those that are suspect would leave out what varies most.
UNSETTLED = 10


@dataclass(frozen=True)
class PastEffect:
    """An effect on a batch that was not alarming.

    `expected_square` is the mean square that drawing as many rows without drift gives.
    """

    estimate: float
    expected_square: float


# Of one batch: column, then measure.
PastBatch = Mapping[str, Mapping[str, PastEffect]]


@dataclass(frozen=True)
class Usual:
    """How one effect on one column varies between batches.

    `variance` is the most that goes beyond drawing rows, `batches` how many it rests on, and
    `largest` the largest effect on them.
    """

    variance: float
    batches: int
    largest: float

    def widen(self, margin: float, alpha: float) -> float:
        """The margin of an effect at the probability of error `alpha`, with what is usual."""
        return hypot(margin, NormalDist().inv_cdf(1 - alpha / 2) * sqrt(self.variance))


def settled(verdicts: Sequence[T]) -> Sequence[T]:
    """Those of the verdicts on batches, oldest first, that may tell what is usual."""
    return verdicts[:-UNSETTLED]


def usual(history: Sequence[PastBatch], column: str, measure: str) -> Usual | None:
    """What is usual of an effect, from past batches in their order; None: too few are known."""
    known = [batch.get(column, {}).get(measure) for batch in history[-MOST_BATCHES:]]
    past = [each for each in known if each is not None]
    if len(past) < ENOUGH_BATCHES:
        return None
    estimates = np.array([each.estimate for each in past])
    expected = np.array([each.expected_square for each in past])
    excess = estimates**2 - expected
    alike = _autocorrelation(estimates)
    effective = len(past) * (1 - alike) / (1 + alike)
    most = float(excess.mean() + _CONFIDENT * excess.std(ddof=1) / np.sqrt(effective))
    return Usual(max(0.0, most), len(past), float(estimates.max()))


def _autocorrelation(series: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Of neighbours, at least 0; 0 for a constant series."""
    centred = series - series.mean()
    square = float(centred @ centred)
    if square == 0:
        return 0.0
    found = float(centred[1:] @ centred[:-1]) / square
    corrected = found + (1 + 3 * found) / series.size
    return min(max(corrected, 0.0), 0.95)


def past_batch_from(fields: Mapping[str, Mapping[str, Sequence[float]]]) -> PastBatch:
    """The inverse of `past_batch_fields`."""
    return {
        column: {measure: PastEffect(*numbers) for measure, numbers in effects.items()}
        for column, effects in fields.items()
    }


def past_batch_fields(batch: PastBatch) -> dict[str, dict[str, list[float]]]:
    """A past batch for JSON, in few bytes."""
    return {
        column: {
            measure: [round(past.estimate, 6), round(past.expected_square, 9)]
            for measure, past in effects.items()
        }
        for column, effects in batch.items()
    }
