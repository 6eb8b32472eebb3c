"""Distances equal those of scipy, and their bounds hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial import distance

from leeway.drift.cells import keys_of
from leeway.drift.column import ColumnDrift
from leeway.drift.declared import profile_table
from leeway.drift.distances import (
    chi_square,
    deviation_margin,
    jensen_shannon,
    ks_mean_square,
    ks_p_value,
    level_margin,
    population_stability_index,
    quantile_bins,
    total_variation,
    unseen_margin,
)
from leeway.drift.exact import exact_ks
from leeway.drift.number_pair import (
    NumberPair,
    ks_bounds,
    pair_of,
    quantile_bounds,
    wasserstein_bounds,
)
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import profile_column
from leeway.drift.tails import chi_square_tail, kolmogorov_tail
from leeway.drift.verdict import compare_profiles
from leeway.spec import Column, Drift

X = Column(name="x", type="number", description=".")


def compare(reference: Any, current: Any) -> ColumnDrift:
    sides = [profile_table(pa.table({"x": pa.array(side)}), [X]) for side in (reference, current)]
    return compare_profiles(sides[0], sides[1], Drift(), [X]).columns[0]


def counts(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, np.int64)


def drawn(seed: int, rows: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0, 2, rows), 1), np.round(rng.normal(0.5, 2, rows + 7), 1)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(30, 300))
def test_ks_and_wasserstein_equal_those_of_scipy(seed: int, rows: int) -> None:
    reference, current = drawn(seed, rows)
    found = compare(reference, current).statistics
    assert found["ks"] == pytest.approx(stats.ks_2samp(reference, current).statistic)
    expected = stats.wasserstein_distance(reference, current)
    assert found["wasserstein"] == pytest.approx(expected)


def paired(reference: Any, current: Any) -> NumberPair:
    found = [profile_column("number", [pa.array(side)]) for side in (reference, current)]
    assert isinstance(found[0], NumberProfile)
    assert isinstance(found[1], NumberProfile)
    return pair_of(found[0], found[1])


SHAPES = ("normal", "far from 0", "heavy tail", "positive", "spike", "rounded", "tiny", "huge")


def shaped(shape: str, rng: np.random.Generator, rows: int) -> Any:
    made: dict[str, Any] = {
        "normal": rng.normal(0, 1, rows),
        "far from 0": rng.normal(1e6, 1, rows),
        "heavy tail": rng.standard_cauchy(rows),
        "positive": rng.lognormal(0, 3, rows),
        "spike": np.where(rng.random(rows) < 0.7, 0, rng.exponential(1, rows)),
        "rounded": np.round(rng.gamma(2, 500, rows), 2),
        "tiny": rng.normal(0, 1e-310, rows),
        "huge": rng.uniform(-1, 1, rows) * 1e307,
    }
    return made[shape]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moved", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("rows", [1_000, 30_000])
def test_ks_and_wasserstein_of_scipy_lie_in_their_narrow_bounds(
    shape: str, moved: float, rows: int
) -> None:
    rng = np.random.default_rng(rows)
    reference, current = shaped(shape, rng, rows), shaped(shape, rng, rows - 77)
    current = current + moved * np.median(np.abs(current))
    pair = paired(reference, current)
    low, high = ks_bounds(pair)
    exact = stats.ks_2samp(reference, current).statistic
    assert low - 1e-12 <= exact <= high + 1e-12
    assert high - low < 0.004
    scale = np.abs(reference).max()
    cost = scale * stats.wasserstein_distance(reference / scale, current / scale)
    low, high = wasserstein_bounds(pair)
    allowed = 1e-12 * scale + 1e-9 * cost
    assert low - allowed <= cost <= high + allowed
    assert high - low < 0.02 * scale * np.abs(reference / scale).mean() + 0.15 * cost


def test_the_distances_of_numbers_that_use_every_exponent_are_bounded() -> None:
    """A cell then spans two exponents, and the mean of its numbers is not known."""
    rng = np.random.default_rng(0)
    reference, current = (
        side[np.isfinite(side)] / 4
        for side in rng.integers(-(2**63), 2**63, (2, 20_000)).view(np.float64)
    )
    exact = stats.ks_2samp(reference, current).statistic
    pair = paired(reference, current)
    assert ks_bounds(pair)[0] <= exact + 1e-12
    assert exact <= ks_bounds(pair)[1] + 1e-12
    cost = 1e300 * stats.wasserstein_distance(reference / 1e300, current / 1e300)
    low, high = wasserstein_bounds(pair)
    assert low <= cost <= high


def test_a_distance_beyond_the_largest_number_is_that_number() -> None:
    low, high = wasserstein_bounds(paired([-1.7e308], [1.7e308]))
    assert low == high == np.finfo(float).max


def test_the_bounds_hold_when_a_cell_hides_all_of_the_difference() -> None:
    """Two sets of numbers between the same neighbours of a cell, apart from each other."""
    wide = np.exp2(np.arange(-1000, 1000, 0.5))
    reference, current = np.r_[wide, np.full(9000, 1.0001)], np.r_[wide, np.full(9000, 1.0003)]
    pair = paired(reference, current)
    low, high = ks_bounds(pair)
    assert low == 0
    assert high >= stats.ks_2samp(reference, current).statistic > 0.6
    assert len(np.unique(keys_of(reference))) > 2048


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("moved", [0.0, 0.02, 1.0])
def test_the_exact_distance_is_that_of_scipy_and_looks_at_few_rows(
    shape: str, moved: float
) -> None:
    rng = np.random.default_rng(5)
    sides = [shaped(shape, rng, 40_000), shaped(shape, rng, 30_000)]
    sides[1] = sides[1] + moved * np.median(np.abs(sides[1]))
    pieces = [[pa.array(side[:9_000]), pa.array(side[9_000:])] for side in sides]
    found = [profile_column("number", each) for each in pieces]
    assert isinstance(found[0], NumberProfile)
    assert isinstance(found[1], NumberProfile)
    exact = exact_ks(found[0], found[1], (pieces[0], pieces[1]))
    assert exact == pytest.approx(stats.ks_2samp(sides[0], sides[1]).statistic, abs=1e-12)


@pytest.mark.parametrize("rows", [50, 20_000])
def test_a_quantile_lies_in_its_bounds_as_often_as_promised(rows: int) -> None:
    rng = np.random.default_rng(rows)
    missed = 0
    margin = float(np.sqrt(np.log(2 / 0.05) / (2 * rows)))
    for _ in range(100):
        values = rng.lognormal(0, 1, rows)
        pair = paired(values, values)
        estimate, low, high = quantile_bounds(pair, pair.reference, 0.7, margin)
        assert low <= estimate <= high
        assert estimate == pytest.approx(np.quantile(values, 0.7, method="inverted_cdf"), rel=0.003)
        missed += not low <= stats.lognorm(1).ppf(0.7) <= high
    assert missed <= 5
    assert quantile_bounds(pair, pair.reference, 0.1, 0.2)[1] == -np.inf
    assert quantile_bounds(pair, pair.reference, 0.9, 0.2)[2] == np.inf


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


def test_psi_counts_what_is_beyond_the_reference_and_what_is_missing() -> None:
    """Each row is in a bin: outer bins are open, and missing values have one of their own."""
    current = pa.array([-5.0] * 25 + [1e6] * 50 + [None] * 20 + [np.inf] * 5)
    p, q = np.full(11, 0.1), np.full(11, 0.5 / 100)
    p[10], q[[0, 9, 10]] = 0.5 / 100, (0.25, 0.5, 0.25)
    expected = ((p - q) * np.log(p / q)).sum()
    assert compare(np.arange(100.0), current).statistics["psi"] == pytest.approx(expected)


def test_psi_of_quantiles_that_coincide_is_finite() -> None:
    p, q = np.array([0.99, 0.01]), np.array([0.5 / 200, 1])
    found = compare([0.0] * 99 + [1.0], [1.0] * 200).statistics["psi"]
    assert found == pytest.approx(((p - q) * np.log(p / q)).sum())


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
    assert wasserstein_bounds(paired([1.0] * 5, [4.0] * 9)) == (3.0, 3.0)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(x=st.floats(0, 8), freedom=st.integers(1, 400), ratio=st.floats(0, 4))
def test_tails_equal_those_of_scipy(x: float, freedom: int, ratio: float) -> None:
    assert kolmogorov_tail(x) == pytest.approx(special.kolmogorov(x), rel=1e-9, abs=1e-14)
    expected = special.chdtrc(freedom, ratio * freedom)
    assert chi_square_tail(ratio * freedom, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-14)


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


@pytest.mark.parametrize("levels", [3, 60, 4000])
def test_the_margins_of_levels_hold_more_often_than_promised(levels: int) -> None:
    """The batch has one level more, with a share of 0.3; the shares of the others fall evenly."""
    rng = np.random.default_rng(levels)
    n, m, alpha, rounds = 120, 80, 0.05, 300
    p = np.r_[rng.dirichlet(np.full(levels, 0.5)), 0]
    q = 0.7 * p
    q[-1] = 0.3
    missed_level = missed_unseen = 0
    for _ in range(rounds):
        a, b = rng.multinomial(n, p), rng.multinomial(m, q)
        change = np.abs(a / n - b / m).max()
        missed_level += abs(change - np.abs(p - q).max()) > level_margin(n, m, alpha)
        surplus = (b / m)[a == 0].sum() - (a == 1).sum() / n
        true = q[a == 0].sum() - p[a == 0].sum()
        missed_unseen += abs(surplus - true) > unseen_margin(n, m, alpha)
    assert missed_level <= alpha * rounds
    assert missed_unseen <= alpha * rounds


@pytest.mark.parametrize(
    ("shares", "more"),
    [
        ([0.3, 0.7], 0.03),
        ([0.5, 0.5], 0.03),
        ([0.1] * 10, 0.03),
        ([0.6, *[0.4 / 400] * 400], 0.1),
        ([1 / 2000] * 2000, 0.1),
    ],
)
def test_the_mean_square_of_the_distance_of_a_sample_is_what_drawing_it_gives(
    shares: list[float], more: float
) -> None:
    """Ties make it smaller: of two values it is p (1 - p). Many levels count as continuous."""
    rng, rows, reached = np.random.default_rng(0), 4000, np.cumsum(shares)
    drawn = rng.multinomial(rows, shares, 8000) / rows
    largest = np.abs(np.cumsum(drawn, axis=1) - reached).max(axis=1)
    true = (largest**2).mean() * rows
    assert 0.97 * true <= ks_mean_square(reached) <= (1 + more) * true


def test_the_mean_square_of_the_distance_of_a_continuous_column_is_that_of_the_bridge() -> None:
    """pi^2 / 12, also where it rises only through a part of its range (Doob 1949)."""
    rising = np.linspace(0, 1, 3000)
    assert ks_mean_square(rising) == pytest.approx(np.pi**2 / 12, rel=0.03)
    rng, rows = np.random.default_rng(0), 2000
    below = rng.random((4000, rows)) < 0.5  # half the rows are one value, the rest are continuous
    largest = np.array([_half_tied(rng, int(tied), rows) for tied in below.sum(axis=1)])
    half = ks_mean_square(rising[rising >= 0.5])
    assert half == pytest.approx((largest**2).mean() * rows, rel=0.03)


def _half_tied(rng: np.random.Generator, tied: int, rows: int) -> float:
    """KS distance of rows of which `tied` are the lowest value from a column where half are."""
    values = np.sort(0.5 + rng.random(rows - tied) / 2)
    after = (tied + np.arange(1, rows - tied + 1)) / rows
    gaps = np.concatenate([after - values, after - 1 / rows - values, [tied / rows - 0.5]])
    return float(np.abs(gaps).max())


def test_a_constant_column_has_no_distance_from_itself() -> None:
    assert ks_mean_square(np.array([1.0])) == 0
