"""Seeded percentile bootstrap intervals.

Belongs here: drawing rows and reading off an interval. Does not belong here: the statistic that is
resampled.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. The number of
resamples shrinks on many rows so that its product with the rows stays near `RESAMPLED_ROWS`, but
never below `FEWEST_RESAMPLES`: on 100 000 rows an interval is narrow, and 100 place it well enough.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95  # of every interval of a metric
# A percentile bootstrap of fewer rows is much too narrow to act on.
FEWEST_ROWS = 10
RESAMPLED_ROWS = 10_000_000
FEWEST_RESAMPLES = 100


def bootstrap_weights(rows: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of `rows` rows is drawn, one array of shape (rows,) per resample.

    Yields fewer than `resamples` arrays on many rows.
    """
    rng = np.random.default_rng(seed)
    affordable = max(FEWEST_RESAMPLES, RESAMPLED_ROWS // max(rows, 1))
    for _ in range(min(resamples, affordable)):
        drawn = rng.integers(0, rows, rows)
        yield np.bincount(drawn, minlength=rows).astype(np.float64)


def percentile_interval(sample: Floats) -> tuple[float, float]:
    """The central interval that holds the share `CONFIDENCE` of a resampled statistic."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(sample, [tail, 1 - tail])
    return float(low), float(high)
