"""A mean that is looked at again and again: an interval that holds at all looks together.

Belongs here: the interval. Does not belong here: what is averaged (`leeway.trial.losses`), or what
follows from it (`leeway.trial.verdict`).

An interval for one look is wrong more often the more often one looks. This one, an asymptotic
confidence sequence with a normal mixture (I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy,
A. Ramdas, Time-uniform central limit theory and asymptotic confidence sequences, Annals of
Statistics 52, 2024, Theorem 2.2), is wrong at any look with the stated probability at most, up to
what the central limit theorem leaves out of few rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_ROWS = 30  # of each group; before that, nothing is said: the variance is hardly known


@dataclass(frozen=True)
class Sequential:
    """A mean with its interval; `low` and `high` are None where too few rows are known."""

    mean: float | None
    low: float | None
    high: float | None
    rows: int

    @property
    def side(self) -> int:
        """1: above zero, -1: below, 0: neither is shown."""
        if self.low is None or self.high is None:
            return 0
        return (self.low > 0) - (self.high < 0)


def sequential_mean(
    values: Floats, error: float, expected_rows: int, fewest: int | None = None
) -> Sequential:
    """The mean of values that came one by one, of which this is the state now.

    Args:
        values: in the order in which they came, shape (rows,), finite.
        error: probability that the interval is ever wrong, both sides together.
        expected_rows: where the interval is to be tightest; it holds everywhere.
        fewest: rows of the smaller of two groups, where the values are of two; None: of one.

    Raises:
        ValueError: when a value is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError("a loss is not finite")
    rows = len(values)
    if rows == 0:
        return Sequential(None, None, None, 0)
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if rows > 1 else 0.0
    if min(rows, rows if fewest is None else fewest) < LEAST_ROWS or spread == 0:
        return Sequential(mean, None, None, rows)
    half = spread * _half_width(rows, error, expected_rows)
    return Sequential(mean, mean - half, mean + half, rows)


def _half_width(rows: int, error: float, expected_rows: int) -> float:
    """Of a mean of `rows` values whose standard deviation is 1."""
    scaled = rows * _mixture(error) / expected_rows
    return sqrt(2 * (scaled + 1) / (rows * scaled) * log(sqrt(scaled + 1) / error))


def _mixture(error: float) -> float:
    """Rows times rho squared that makes the interval tightest there (ibid., Appendix B.2)."""
    return -2 * log(error) + log(-2 * log(error) + 1)
