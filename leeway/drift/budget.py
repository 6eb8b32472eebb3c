"""How likely a batch without drift may be called confirmed: the budget of false alarms in pieces.

Belongs here: the probability that one verdict may spend. Does not belong here: the verdict
(`leeway.drift.verdict`).

A verdict spends the budget of the time since the one before it. So however often one looks, the
probabilities of a year add up to the budget, and so does the expected number of false alarms,
however alike the batches are: expectations add without independence.
"""

from __future__ import annotations

from leeway.drift.policy import DriftPolicy

_SECONDS_PER_YEAR = 365.25 * 86_400
MOST = 0.05  # of one batch, however seldom batches come


def alarm_probability(drift: DriftPolicy, seconds: float | None = None) -> float:
    """Probability of a false alarm that one batch may spend.

    Args:
        drift: with the budget.
        seconds: since the batch before it, by the time column; None, or 0 as between batches of one
            date: as batches come on average. Time that went backwards counts as if it went on.
    """
    years = 1 / drift.batches_per_year if not seconds else abs(seconds) / _SECONDS_PER_YEAR
    return min(MOST, drift.false_alarms_per_year * years)
