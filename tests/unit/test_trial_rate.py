"""A challenger goes for its failures only where they are shown to be too many.

Belongs here: the error rate of a trial. Does not belong here: its losses
(tests/unit/test_trial.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from leeway.spec.trial import Trial
from leeway.trial.rate import is_above
from leeway.trial.verdict import ERROR, LEAST_REQUESTS, Evidence, TrialVerdict, judge

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
REQUESTS = 400


def verdict(answered: int, failed: int, hours: float = 0, limit: float = 0.05) -> TrialVerdict:
    evidence = Evidence(BEGAN, answered, failed, np.empty(0), "USD")
    return judge(evidence, Trial(max_error_rate=limit), BEGAN + timedelta(hours=hours))


@cache
def goes_back(asked: int, failed: int) -> bool:
    return verdict(asked - failed, failed).action == "back"


def test_of_1000_challengers_that_fail_as_often_as_is_allowed_few_go_at_any_look() -> None:
    rng, trials, looks = np.random.default_rng(11), 1000, range(LEAST_REQUESTS, REQUESTS, 5)
    for rate, most in ((0.05, binom.ppf(0.99, trials, ERROR)), (0.03, 5)):
        failed = np.cumsum(rng.random((trials, REQUESTS)) < rate, axis=1)
        went = sum(any(goes_back(n, int(each[n - 1])) for n in looks) for each in failed)
        assert went <= most, rate
        naive = (failed / np.arange(1, REQUESTS + 1) > 0.05)[:, LEAST_REQUESTS - 1 :: 5]
        assert naive.any(axis=1).mean() > 3 * ERROR, "so that this can fail"


def test_one_that_fails_far_too_often_goes_within_some_hundred_requests() -> None:
    rng = np.random.default_rng(12)
    for rate, within in ((1.0, LEAST_REQUESTS), (0.5, 25), (0.15, 250)):
        failed = rng.binomial(within, rate, 100)
        gone = [verdict(within - int(each), int(each)).action == "back" for each in failed]
        assert np.mean(gone) >= 0.9, rate


def test_none_is_promoted_that_failed_more_often_than_is_allowed_so_far() -> None:
    assert verdict(97, 3, hours=1).action == "promote"
    found = verdict(92, 8, hours=1)
    assert (found.action, "which may be by chance" in found.reason) == ("wait", True)
    assert verdict(75, 25, hours=1).action == "back"


@pytest.mark.parametrize(("failed", "asked", "limit"), [(3, 30, 0.05), (12, 80, 0.1), (0, 5, 0.2)])
def test_the_ratio_is_the_integral_that_it_is_said_to_be(
    failed: int, asked: int, limit: float
) -> None:
    def likelihood(p: float) -> float:
        return float(p**failed * (1 - p) ** (asked - failed))

    mixed = quad(likelihood, limit, 1)[0] / (1 - limit)
    ratio = mixed / likelihood(limit)
    assert is_above(failed, asked, limit, 1 / (ratio * 0.999))
    assert not is_above(failed, asked, limit, 1 / (ratio * 1.001))


def test_a_limit_of_nothing_and_of_everything() -> None:
    assert not is_above(0, 10_000, 0.0, ERROR)
    assert is_above(1, 10_000, 0.0, ERROR)
    assert not is_above(10_000, 10_000, 1.0, ERROR)
    assert not is_above(0, 1_000_000, 0.5, ERROR)
    assert is_above(1_000_000, 1_000_000, 0.5, ERROR)


def test_answers_that_lose_the_same_are_told_as_that() -> None:
    evidence = Evidence(BEGAN, 200, 0, np.zeros(200), "of Brier's score")
    found = judge(evidence, Trial(labelled_rows=400), BEGAN)
    assert found.reason == "200 of 400 rows have labels: all answers to 200 rows lose the same"
