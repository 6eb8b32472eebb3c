"""Errors in per cent are those of their formulas, with unit and interval, and undefined at zero."""

from __future__ import annotations

import numpy as np
import pytest

from leeway.metrics.evaluation import OF_PERCENTAGE_ERRORS, regression_metrics
from leeway.metrics.formulas import regression_scorer
from leeway.spec import LOWER_IS_BETTER, METRIC_RANGES, unit_of

# Worked by hand: errors of 4, 10, 12.5 and 40 per cent of the true value.
TRUTH = np.array([100.0, 200.0, 80.0, -50.0])
PREDICTED = np.array([104.0, 180.0, 90.0, -70.0])
BY_HAND = {
    "mape_percent": (4 + 10 + 12.5 + 40) / 4,
    "median_ape_percent": 11.25,
    "smape_percent": 50 * (4 / 204 + 20 / 380 + 10 / 170 + 20 / 120),
    "wmape_percent": 100 * (4 + 20 + 10 + 20) / (100 + 200 + 80 + 50),
    "fraction_within_5_percent": 0.25,
    "fraction_within_10_percent": 0.5,
    "fraction_within_15_percent": 0.75,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_four_rows_give_what_the_formula_gives_by_hand(name: str) -> None:
    found = regression_metrics(TRUTH, PREDICTED, unit="USD")[name]
    assert found.value == pytest.approx(BY_HAND[name])
    assert found.unit == ("fraction" if "fraction" in name else "percent") == unit_of(name)


def test_an_error_of_exactly_the_limit_is_within_it() -> None:
    found = regression_metrics(np.array([100.0]), np.array([110.0]), unit="USD")
    assert found["fraction_within_10_percent"].value == 1
    assert found["fraction_within_5_percent"].value == 0


@pytest.mark.parametrize("name", BY_HAND)
def test_every_one_has_the_interval_of_its_bootstrap(name: str) -> None:
    random = np.random.default_rng(5)
    truth = random.uniform(50, 500, 60)
    predicted = truth * random.normal(1, 0.1, 60)
    found = regression_metrics(truth, predicted, unit="USD", resamples=80, seed=3)[name]
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(80):
        rows = rng.integers(0, 60, 60)
        of_rows = regression_metrics(truth[rows], predicted[rows], unit="USD", resamples=1)
        drawn.append(of_rows[name].value)
    expected = np.quantile(np.array(drawn, dtype=float), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_a_true_zero_has_no_percentage_error_but_still_an_absolute_one() -> None:
    truth = np.append(np.linspace(1, 2, 20), 0.0)
    found = regression_metrics(truth, truth + 0.1, unit="USD", resamples=20)
    for name in OF_PERCENTAGE_ERRORS:
        assert (found[name].value, found[name].low, found[name].high) == (None, None, None)
        assert found[name].reason == "a true value is 0, which has no percentage error"
    assert found["wmape_percent"].value == pytest.approx(100 * 2.1 / 30)
    assert found["wmape_percent"].low is not None


def test_true_values_that_are_all_zero_leave_the_weighted_error_undefined() -> None:
    found = regression_metrics(np.zeros(12), np.ones(12), unit="USD", resamples=20)
    assert found["wmape_percent"].value is None
    assert "nothing to weigh by" in (found["wmape_percent"].reason or "")
    assert found["mae"].value == 1


def test_a_candidate_is_not_scored_by_the_rows_that_happen_to_have_an_error_in_per_cent() -> None:
    """Regression: the median passed over the rows whose true value is 0."""
    scores = regression_scorer(np.array([0.0, 1, 2, 3]), np.ones(4))(np.ones(4))
    assert all(np.isnan(scores[name]) for name in OF_PERCENTAGE_ERRORS)


def test_the_schema_names_every_one_with_its_direction_and_its_bounds() -> None:
    known = METRIC_RANGES["regression"]
    assert set(BY_HAND) <= set(known)
    for name in BY_HAND:
        fraction = name.startswith("fraction")
        assert (name in LOWER_IS_BETTER) != fraction
        assert known[name] == ((0, 1) if fraction else (0, 200 if "smape" in name else None))
