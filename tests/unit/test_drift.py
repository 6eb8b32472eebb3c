"""Drift is found where it was planted, and not where nothing changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from leeway.distances import (
    chi_square,
    deviation_margin,
    jensen_shannon,
    ks_distance,
    ks_p_value,
    population_stability_index,
    quantile_bins,
    total_variation,
    wasserstein,
)
from leeway.drift import BatchDrift, compare_profiles
from leeway.profile import Profile, profile_table
from leeway.spec import Column, Drift

PENGUINS = palmerpenguins.load_penguins()
NUMBERS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
COLUMNS = [
    Column(name="species", type="category", role="target", description="."),
    Column(name="island", type="category", description="."),
    *(Column(name=name, type="number", description=".") for name in NUMBERS),
    Column(name="sex", type="category", description="."),
]
X = Column(name="x", type="number", description=".")
C = Column(name="c", type="category", description=".")
SIZES = (34, 119, 500)
BATCHES = 150


def penguin_profile(frame: pd.DataFrame) -> Profile:
    return profile_table(pa.Table.from_pandas(frame, preserve_index=False), COLUMNS)


def compare_penguins(reference: pd.DataFrame, current: pd.DataFrame) -> BatchDrift:
    return compare_profiles(penguin_profile(reference), penguin_profile(current), Drift(), COLUMNS)


def compare(
    column: Column, reference: Any, current: Any, kind: pa.DataType | None = None
) -> BatchDrift:
    sides = [
        profile_table(pa.table({column.name: pa.array(side, kind)}), [column])
        for side in (reference, current)
    ]
    return compare_profiles(sides[0], sides[1], Drift(), [column])


def counts(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, np.int64)


# Real penguins


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [120, 344])
def test_bills_that_grew_by_10_mm_are_confirmed_drift(seed: int, rows: int) -> None:
    reference = PENGUINS.sample(219, random_state=seed)
    current = PENGUINS.sample(rows, random_state=seed + 100)
    current["bill_length_mm"] += 10
    found = compare_penguins(reference, current)
    assert found.verdict == "confirmed"
    assert found.drifted == ("bill_length_mm",)
    assert "bill_length_mm has a KS distance of 0." in found.reason


def test_the_real_bills_of_2009_plus_10_mm_are_confirmed_against_the_years_before() -> None:
    before = PENGUINS[PENGUINS.year < 2009].sample(frac=0.8, random_state=0)
    after = PENGUINS[PENGUINS.year == 2009].copy()
    assert compare_penguins(before, after).verdict != "confirmed"
    after["bill_length_mm"] += 10
    assert compare_penguins(before, after).drifted == ("bill_length_mm",)


@pytest.mark.parametrize("seed", range(10))
def test_the_real_penguins_of_2009_are_not_confirmed_drift(seed: int) -> None:
    reference = PENGUINS.sample(frac=0.8, random_state=seed)
    current = PENGUINS[PENGUINS.year == 2009]
    found = compare_penguins(reference, current)
    assert found.verdict in ("none", "suspect")
    assert found.target_verdict in ("none", "suspect")


@pytest.mark.parametrize("rows", SIZES)
def test_false_alarms_on_unchanged_penguins_are_at_most_1_in_100_batches(rows: int) -> None:
    """Prints the measured rates with `pytest -s -k false_alarms`."""
    rng = np.random.default_rng(rows)
    verdicts = []
    for _ in range(BATCHES):
        reference = PENGUINS.iloc[rng.integers(0, len(PENGUINS), 219)]
        current = PENGUINS.iloc[rng.integers(0, len(PENGUINS), rows)]
        verdicts.append(compare_penguins(reference, current).verdict)
    confirmed, suspect = verdicts.count("confirmed"), verdicts.count("suspect")
    counted = f"{confirmed} confirmed, {suspect} suspect of {BATCHES} batches"
    print(f"{rows} rows: {counted}")  # noqa: T201 - shown with -s
    assert confirmed <= 0.01 * BATCHES
    assert suspect <= 0.02 * BATCHES


# Verdicts


def test_a_change_of_the_target_is_kept_apart_from_the_features() -> None:
    current = PENGUINS.copy()
    current["species"] = "Gentoo"
    found = compare_penguins(PENGUINS, current)
    assert (found.verdict, found.target_verdict) == ("none", "confirmed")
    assert found.drifted == ()


def test_a_monitored_column_is_reported_and_decides_nothing() -> None:
    watched = Column(name="x", type="number", role="monitored", description=".")
    found = compare(watched, np.zeros(500), np.ones(500))
    assert found.columns[0].verdict == "confirmed"
    assert (found.verdict, found.target_verdict) == ("undefined", None)
    assert found.reason == "No feature is compared."


def test_fewer_rows_than_needed_are_undefined_with_the_reason() -> None:
    found = compare(X, np.zeros(500), np.ones(29))
    assert found.verdict == "undefined"
    assert found.reason == "x has 29 values on one side; 30 are needed."
    assert found.columns[0].effect is None
    assert compare(X, np.zeros(500), np.ones(30)).verdict == "confirmed"
    assert compare(X, np.zeros(500), [None] * 29, pa.float64()).verdict == "undefined"
    sparse = compare(X, [0] * 40 + [None] * 60, [1] * 29 + [None] * 71, pa.float64())
    assert sparse.verdict == "undefined"


@pytest.mark.parametrize("current", [[None] * 300, [float("nan")] * 300, [float("inf")] * 300])
def test_values_that_vanish_are_an_effect_of_their_own(current: list[float | None]) -> None:
    found = compare(X, list(np.arange(300.0)), current, pa.float64())
    (column,) = found.columns
    assert (column.verdict, column.measure, column.effect) == ("confirmed", "missing_rate", 1.0)
    assert column.statistics["missing_rate_change"] == 1.0


def test_values_that_were_always_missing_are_undefined() -> None:
    found = compare(X, [None] * 300, [None] * 300, pa.float64())
    assert found.verdict == "undefined"
    assert compare(X, [], [], pa.float64()).verdict == "undefined"


def test_a_feature_that_cannot_be_judged_is_named_beside_the_verdict() -> None:
    known = profile_table(pa.table({"x": np.arange(99.0), "c": pa.nulls(99)}), [X, C])
    found = compare_profiles(known, known, Drift(), [X, C])
    assert found.verdict == "none"
    assert found.reason.endswith("Not judged: c.")


def test_a_column_that_one_profile_lacks_is_undefined() -> None:
    known = profile_table(pa.table({"x": np.arange(99.0)}), [X])
    found = compare_profiles(known, known, Drift(), [C, X])
    assert [column.verdict for column in found.columns] == ["undefined", "none"]


def test_a_shift_too_small_to_prove_is_suspect() -> None:
    rng = np.random.default_rng(0)
    found = compare(X, rng.normal(0, 1, 400), rng.normal(0.45, 1, 400))
    (column,) = found.columns
    assert column.verdict == found.verdict == "suspect"
    assert column.interval is not None
    assert 0 < column.interval[0] < 0.1 < column.effect < column.interval[1]  # type: ignore[operator]  # it is defined


def test_a_proven_difference_smaller_than_the_effect_is_none() -> None:
    rng = np.random.default_rng(0)
    found = compare(X, rng.normal(0, 1, 60_000), rng.normal(0.1, 1, 60_000))
    (column,) = found.columns
    assert column.verdict == "none"
    assert column.statistics["ks_p_value"] < 1e-20
    assert column.interval is not None
    assert column.interval[0] > 0


def test_unseen_and_rare_levels_count_as_one() -> None:
    reference = ["a"] * 500 + ["b"] * 498 + ["rare"] * 2
    moved = compare(C, reference, ["new1"] * 150 + ["new2"] * 150 + ["a"] * 150 + ["b"] * 150)
    assert moved.columns[0].verdict == "confirmed"
    assert moved.columns[0].effect == pytest.approx(0.5 - 0.002)
    ids = [str(n) for n in range(500)]
    found = compare(C, ids, [str(n) for n in range(500, 1000)])
    assert found.reason == "c has no level that holds 1 % of the reference."


def test_booleans_that_flip_are_confirmed() -> None:
    flag = Column(name="c", type="boolean", description=".")
    assert compare(flag, [True] * 200, [False] * 200).verdict == "confirmed"


def test_the_result_is_json_without_nan() -> None:
    found = compare_penguins(PENGUINS, PENGUINS.head(60))
    fields = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert fields["rows"] == {"reference": 344, "current": 60}
    column = fields["columns"]["bill_length_mm"]
    assert column["kind"] == "number"
    assert len(column["interval"]) == 2
    assert {"ks", "psi", "wasserstein", "jensen_shannon"} <= column["statistics"].keys()
    assert "chi2" in fields["columns"]["island"]["statistics"]


# Distances


def drawn(seed: int, rows: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0, 2, rows), 1), np.round(rng.normal(0.5, 2, rows + 7), 1)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(30, 300))
def test_ks_and_wasserstein_equal_those_of_scipy(seed: int, rows: int) -> None:
    reference, current = drawn(seed, rows)
    found = compare(X, reference, current).columns[0].statistics
    assert found["ks"] == pytest.approx(stats.ks_2samp(reference, current).statistic)
    expected = stats.wasserstein_distance(reference, current)
    assert found["wasserstein"] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.05, 1.0])
def test_the_ks_distance_of_many_distinct_values_lies_in_its_narrow_bounds(shift: float) -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.standard_t(3, 20_000), rng.standard_t(3, 15_000) + shift
    exact = stats.ks_2samp(reference, current).statistic
    (column,) = compare(X, reference, current).columns
    margin = deviation_margin(20_000, 15_000, 2, 0.01 / 2)
    assert column.interval is not None
    low, high = column.statistics["ks"], column.interval[1] - margin
    assert low <= exact + 1e-12
    assert exact <= high + 1e-12
    assert high - low < 0.005
    moved = stats.wasserstein_distance(reference, current)
    assert column.statistics["wasserstein"] == pytest.approx(moved, rel=0.01, abs=0.002)


def test_the_bounds_hold_when_a_cell_hides_all_of_the_difference() -> None:
    assert ks_distance(counts(10), counts(10), exact=False) == (0.0, 1.0)
    assert ks_distance(counts(10), counts(10), exact=True) == (0.0, 0.0)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(first=st.lists(st.integers(0, 50), min_size=2, max_size=8), seed=st.integers(0, 99))
def test_chi_square_jensen_shannon_and_total_variation_equal_those_of_scipy(
    first: Sequence[int], seed: int
) -> None:
    a = counts(*first) + counts(1, *[0] * (len(first) - 1))
    b = np.random.default_rng(seed).integers(1, 50, len(first))
    expected = stats.chi2_contingency(np.stack([a, b]), correction=False)
    assert chi_square(a, b) == pytest.approx((expected.statistic, expected.pvalue))
    assert jensen_shannon(a, b) == pytest.approx(distance.jensenshannon(a, b, base=2))
    p, q = a / a.sum(), b / b.sum()
    assert total_variation(a, b) == pytest.approx(distance.cityblock(p, q) / 2)
    assert jensen_shannon(a, a) == total_variation(a, a) == population_stability_index(a, a) == 0


def test_psi_counts_an_empty_bin_as_half_a_row() -> None:
    p, q = np.array([0.5, 0.5]), np.array([1.0, 1 / 40])
    expected = ((p - q) * np.log(p / q)).sum()
    assert population_stability_index(counts(5, 5, 0), counts(20, 0, 0)) == pytest.approx(expected)


def test_bins_are_those_between_the_quantiles_of_the_reference() -> None:
    reference, current = drawn(1, 200)
    cells = np.unique(np.concatenate([reference, current]))
    in_cells = np.array([(reference == cell).sum() for cell in cells])
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf"))
    assert quantile_bins(in_cells).tolist() == np.digitize(cells, edges, right=True).tolist()
    assert quantile_bins(counts(100, 1, 1)).tolist() == [0, 1, 1]


def test_the_p_value_is_close_to_the_exact_one() -> None:
    reference, current = np.random.default_rng(0).normal(0, 1, (2, 150))
    exact = stats.ks_2samp(reference, current, method="exact")
    assert ks_p_value(float(exact.statistic), 150, 150) == pytest.approx(exact.pvalue, abs=0.03)


@pytest.mark.parametrize("function", [total_variation, jensen_shannon, chi_square])
def test_a_side_without_rows_is_refused(function: Any) -> None:
    with pytest.raises(ValueError, match="no rows"):
        function(counts(1, 2), counts(0, 0))
    with pytest.raises(ValueError, match="no rows"):
        deviation_margin(0, 5, 2, 0.01)


def test_wasserstein_of_a_move_by_three_is_three() -> None:
    assert wasserstein(np.array([1.0, 4.0]), counts(5, 0), counts(0, 9)) == pytest.approx(3)


# The margin


def test_the_margin_is_the_level_of_a_simulated_sum_of_the_two_bounds() -> None:
    """X and Y are drawn with exactly the tails of the bound, by inversion."""
    rng = np.random.default_rng(0)
    n, m, events, alpha = 219, 120, 2.0, 0.01
    x, y = (np.sqrt(np.log(events / rng.random(400_000)) / (2 * rows)) for rows in (n, m))
    margin = deviation_margin(n, m, events, alpha)
    assert np.mean(x + y > margin) == pytest.approx(alpha, rel=0.08)


def test_the_margin_is_tighter_than_giving_each_sample_half_of_alpha() -> None:
    half = np.sqrt(np.log(2 * 2 / 0.001) / 2)
    assert deviation_margin(200, 200, 2, 0.001) < 0.85 * 2 * half / np.sqrt(200)


@pytest.mark.parametrize(("events", "levels"), [(2.0, 0), (2.0**4 - 2, 4)])
def test_the_true_distance_is_within_the_margin_more_often_than_promised(
    events: float, levels: int
) -> None:
    """Drifted data: the true KS distance is 0.3, or the true total variation 0.3."""
    rng = np.random.default_rng(0)
    margin = deviation_margin(100, 60, events, 0.05)
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.3, 0.4, 0.2])
    missed = 0
    for _ in range(400):
        if levels:
            observed = total_variation(rng.multinomial(100, p), rng.multinomial(60, q))
        else:
            # Uniform on 0 to 1 against uniform on 0.3 to 1.3: the distance is 0.3.
            values = stats.ks_2samp(rng.random(100), rng.random(60) + 0.3, method="asymp")
            observed = float(values.statistic)
        missed += abs(observed - 0.3) > margin
    assert missed <= 0.05 * 400
