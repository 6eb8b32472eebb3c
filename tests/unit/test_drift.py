"""Drift is found where it was planted, and not where nothing changed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import pyarrow as pa
import pytest

from leeway.drift.budget import MOST, alarm_probability
from leeway.drift.column import ColumnDrift
from leeway.drift.content import content_of
from leeway.drift.declared import profile_table
from leeway.drift.exact import undecided
from leeway.drift.history import PastBatch, PastEffect, past_batch_fields, past_batch_from
from leeway.drift.profile import Profile
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.report_drift import columns_html
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
    assert found.drifted_share == pytest.approx(1 / 6)
    change = found.columns[2].change
    assert change is not None
    assert change.low is not None
    assert 0 < change.low < 10
    assert change.high is None or change.high > 10
    assert found.reason.startswith(f"bill_length_mm moved, {change.what}: ")


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


def test_only_features_are_named_as_drifted_and_only_those_that_drifted_are_in_the_reason() -> None:
    target = Column(name="y", type="number", role="target", description=".")
    key = Column(name="id", type="integer", role="key", description=".")
    columns = [target, key, X, Column(name="still", type="number", description=".")]
    still = np.arange(300.0)
    reference, current = (
        profile_table(pa.table({"y": moved, "id": moved, "x": moved, "still": still}), columns)
        for moved in (np.zeros(300), np.ones(300))
    )
    found = compare_profiles(reference, current, Drift(), columns)
    assert (found.verdict, found.target_verdict) == ("confirmed", "confirmed")
    assert [column.name for column in found.columns] == ["y", "x", "still"]
    assert found.drifted == ("x",)
    assert found.reason.startswith("x moved, median: 0 to 1 (between +1 and +1); KS distance 1.000")
    assert "still" not in found.reason


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
    assert found.reason.startswith("None of 1 features has moved by more than is usual or worth ")
    assert found.reason.endswith("Not judged: c.")


def test_a_column_that_one_profile_lacks_is_undefined() -> None:
    known = profile_table(pa.table({"x": np.arange(99.0)}), [X])
    found = compare_profiles(known, known, Drift(), [C, X])
    assert [column.verdict for column in found.columns] == ["undefined", "none"]
    assert found.columns[0].reason == "c is not in the reference or the batch."
    other = profile_table(pa.table({"c": ["a"] * 99}), [C])
    for sides, lacking in (((known, other), "the batch"), ((other, known), "the reference")):
        (column,) = compare_profiles(sides[0], sides[1], Drift(), [X]).columns
        assert (column.verdict, column.kind) == ("undefined", "number")
        assert column.reason == f"x is not in {lacking}."
    text = profile_table(pa.table({"x": ["a"] * 99}), [X.model_copy(update={"type": "category"})])
    (column,) = compare_profiles(known, text, Drift(), [X]).columns
    assert column.reason == "x is a number in the reference and a category in the batch."


def test_a_shift_too_small_to_prove_is_suspect() -> None:
    rng = np.random.default_rng(0)
    found = compare(X, rng.normal(0, 1, 400), rng.normal(0.38, 1, 400))
    (column,) = found.columns
    assert column.verdict == found.verdict == "suspect"
    assert column.interval is not None
    assert 0 < column.interval[0] < 0.05 < column.effect < column.interval[1]  # type: ignore[operator]  # it is defined


def test_a_proven_difference_smaller_than_the_effect_is_none() -> None:
    rng = np.random.default_rng(0)
    found = compare(X, rng.normal(0, 1, 60_000), rng.normal(0.08, 1, 60_000))
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
    assert fields["drifted_share"] == pytest.approx(len(found.drifted) / 6)
    assert compare_penguins(PENGUINS, PENGUINS.head(9)).drifted_share is None
    assert fields["rows"] == {"reference": 344, "current": 60}
    column = fields["columns"]["bill_length_mm"]
    assert column["kind"] == "number"
    assert "name" not in column, "it is the key"
    assert len(column["interval"]) == 2
    assert {"ks", "psi", "wasserstein", "jensen_shannon"} <= column["statistics"].keys()
    assert "chi2" in fields["columns"]["island"]["statistics"]


# The budget of false alarms


def test_a_batch_may_spend_the_budget_of_the_time_since_the_one_before() -> None:
    year = 365.25 * 86_400
    drift = Drift(false_alarms_per_year=2, batches_per_year=1000)
    assert alarm_probability(drift) == 0.002
    hourly = [alarm_probability(drift, 3600)] * round(year / 3600)
    daily = [alarm_probability(drift, 86_400)] * 365
    assert sum(hourly) == pytest.approx(2)
    assert sum(daily) == pytest.approx(2, rel=0.001)
    assert alarm_probability(drift, -86_400) == daily[0], "a clock that goes backwards"
    assert alarm_probability(drift, 50 * year) == MOST
    assert alarm_probability(drift, 0.0) == 0.002


def test_what_a_batch_spends_is_told() -> None:
    hour = profile_table(pa.table({"x": np.arange(99.0)}), [X])
    found = compare_profiles(hour, hour, Drift(), [X], seconds=3600)
    assert found.as_dict()["alarm_probability"] == pytest.approx(2 / (365.25 * 24))


def test_less_budget_and_more_columns_need_more_proof() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(0, 1, 1000), rng.normal(0.35, 1, 1000)
    lows = []
    for drift in (Drift(), Drift(false_alarms_per_year=0.01), Drift(batches_per_year=8760)):
        sides = [profile_table(pa.table({"x": side}), [X]) for side in (reference, current)]
        (column,) = compare_profiles(sides[0], sides[1], drift, [X]).columns
        assert column.interval is not None
        lows.append(column.interval[0])
    assert lows[0] > lows[2] > lows[1]


# The smallest change worth acting on, in the unit of the column


@pytest.mark.parametrize(("worth", "verdict"), [(2.0, "confirmed"), (4.0, "none")])
def test_a_change_is_judged_in_the_unit_of_the_column(worth: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    column = X.model_copy(update={"unit": "mm"})
    sides = [
        profile_table(pa.table({"x": rng.normal(mean, 1, 20_000)}), [column]) for mean in (40, 43)
    ]
    found = compare_profiles(sides[0], sides[1], Drift(smallest_change={"x": worth}), [column])
    assert found.verdict == verdict
    change = found.columns[0].change
    assert change is not None
    assert (change.what, change.unit) == ("median", "mm")
    assert change.current - change.reference == pytest.approx(3, abs=0.05)
    if verdict == "confirmed":
        assert found.reason.endswith("proven, and more than the 2 mm that is worth acting on.")


def test_where_a_unit_judges_it_is_what_is_told_as_worth_acting_on() -> None:
    rng = np.random.default_rng(0)
    column = X.model_copy(update={"unit": "g"})
    sides = [
        profile_table(pa.table({"x": rng.normal(mean, 500, 20_000)}), [column])
        for mean in (4000, 4100)
    ]
    found = compare_profiles(sides[0], sides[1], Drift(smallest_change={"x": 200}), [column])
    (judged,) = found.columns
    assert judged.effect is not None
    assert judged.verdict == "none"
    assert judged.effect > judged.threshold
    assert judged.worth_told == "200 g"
    assert ColumnDrift.from_dict("x", judged.as_dict()) == judged
    page = columns_html(content_of(found, {}, {}))
    assert "200 g is worth acting on" in page
    assert "0.05 is worth" not in page


def test_what_cells_hide_is_undefined_until_the_rows_are_looked_at() -> None:
    """A few rows over 300 powers of ten put all others into one cell."""
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-300, 0, 5000)
    sides = [
        profile_table(pa.table({"x": np.append(rng.uniform(low, low + 0.05, 45_000), spread)}), [X])
        for low in (0.90, 0.95)
    ]
    found = compare_profiles(sides[0], sides[1], Drift(), [X])
    assert undecided(found) == ["x"]
    assert (found.verdict, found.columns[0].effect) == ("undefined", None)
    assert "so many powers of ten" in found.reason
    known = compare_profiles(sides[0], sides[1], Drift(), [X], exact={"x": 0.9})
    assert (known.verdict, undecided(known)) == ("confirmed", [])


def test_a_change_of_shares_is_judged_in_shares() -> None:
    reference, current = ["a"] * 9000 + ["b"] * 9000, ["a"] * 11_700 + ["b"] * 6300
    sides = [profile_table(pa.table({"c": side}), [C]) for side in (reference, current)]
    assert (
        compare_profiles(sides[0], sides[1], Drift(smallest_change={"c": 0.2}), [C]).verdict
        == "none"
    )
    assert (
        compare_profiles(sides[0], sides[1], Drift(smallest_change={"c": 0.1}), [C]).verdict
        == "confirmed"
    )


def test_a_median_that_did_not_move_is_not_told_when_a_tail_did() -> None:
    rng = np.random.default_rng(0)
    body = rng.normal(0, 1, 20_000)
    found = compare(X, body, np.where(body > 0.8, body * 3, body))
    assert found.columns[0].change is not None
    assert found.columns[0].change.what in ("80 % quantile", "90 % quantile")


# This batch and the one before it


def test_two_batches_prove_together_what_neither_proves_alone() -> None:
    rng = np.random.default_rng(3)
    reference = profile_table(pa.table({"x": rng.normal(0, 1, 5000)}), [X])
    moved = [profile_table(pa.table({"x": rng.normal(0.3, 1, 500)}), [X]) for _ in range(2)]
    quiet = profile_table(pa.table({"x": rng.normal(0, 1, 500)}), [X])
    assert compare_profiles(reference, moved[1], Drift(), [X]).verdict == "suspect"
    both = compare_profiles(reference, moved[1], Drift(), [X], before=moved[0])
    assert both.verdict == "confirmed"
    assert compare_profiles(reference, moved[1], Drift(), [X], before=quiet).verdict == "suspect"
    back = compare_profiles(reference, quiet, Drift(), [X], before=moved[0])
    assert back.verdict == "none", "what is over is no reason to act"


# What is usual


def past(estimate: float, expected: float = 0.0002) -> PastBatch:
    return {"x": {"ks": PastEffect(estimate, expected)}}


def effect_of(history: list[PastBatch], moved: float) -> BatchDrift:
    rng = np.random.default_rng(0)
    sides = [profile_table(pa.table({"x": rng.normal(mean, 1, 8000)}), [X]) for mean in (0, moved)]
    return compare_profiles(sides[0], sides[1], Drift(), [X], history=history)


def test_thirty_quiet_batches_let_a_smaller_effect_be_confirmed() -> None:
    quiet = [past(0.01 + 0.0001 * (n % 5)) for n in range(30)]
    assert effect_of(quiet[:29], 0.16).verdict == "suspect"
    found = effect_of(quiet, 0.16)
    assert (found.verdict, found.history) == ("confirmed", 30)


def test_what_past_batches_did_as_well_is_usual() -> None:
    restless = [past(0.03 + 0.005 * (n % 9)) for n in range(40)]
    assert effect_of([], 0.5).verdict == "confirmed"
    assert effect_of(restless, 0.3).verdict != "confirmed"
    assert effect_of(restless, 1.5).verdict == "confirmed"
    one_larger = [*[past(0.01)] * 40, past(0.5)]
    assert effect_of(one_larger, 1.0).columns[0].effect == pytest.approx(0.38, abs=0.02)
    assert effect_of(one_larger, 1.0).verdict != "confirmed", "one of the past was larger"


def test_past_batches_that_are_alike_count_for_less() -> None:
    values = [0.02 + 0.02 * (n % 2) for n in range(60)]
    apart = effect_of([past(value) for value in values], 0.6).columns[0]
    alike = effect_of([past(value) for value in sorted(values)], 0.6).columns[0]
    assert apart.interval is not None
    assert alike.interval is not None
    assert alike.interval[0] < apart.interval[0]


def test_a_past_batch_survives_json() -> None:
    found = compare_penguins(PENGUINS, PENGUINS.head(60)).past_batch
    again = past_batch_from(json.loads(json.dumps(past_batch_fields(found))))
    assert again.keys() == found.keys()
    for column, effects in found.items():
        for measure, effect in effects.items():
            assert again[column][measure].estimate == pytest.approx(effect.estimate, abs=1e-6)


def test_rows_beyond_the_reference_are_counted() -> None:
    beyond = compare(X, np.arange(1000.0), [*np.arange(900.0), *[5000.0] * 60, *[-9.0] * 40])
    assert beyond.columns[0].statistics["out_of_range_share"] == 0.1
    within = compare(X, np.arange(1000.0), np.arange(100.0, 900.0))
    assert within.columns[0].statistics["out_of_range_share"] == 0


# Levels of their own

RARE = [f"r{number}" for number in range(200)]


@pytest.mark.parametrize(("repeats", "measure"), [(1, "level"), (5, "unseen")])
def test_a_new_category_that_holds_half_of_a_batch_is_confirmed_however_many_were_rare(
    repeats: int, measure: str
) -> None:
    """Regression: rare and unseen levels are one bin, which held half of the rows on both sides."""
    reference = ["A"] * 200 * repeats + RARE * repeats
    found = compare(C, reference, ["A"] * 250 + ["BRAND_NEW"] * 250)
    (column,) = found.columns
    assert (column.verdict, column.measure, column.effect) == ("confirmed", measure, 0.5)
    assert column.effects[0].estimate == 0, "the total variation, where unseen ones are rare"
    assert column.statistics["unseen_share"] == 0.5
    assert column.statistics["unseen_share_by_chance"] == (0.5 if repeats == 1 else 0)


def test_a_rare_category_that_grows_to_half_of_a_batch_is_confirmed() -> None:
    found = compare(C, ["A"] * 200 + RARE, ["A"] * 250 + ["r7"] * 250)
    assert (found.verdict, found.columns[0].measure) == ("confirmed", "level")


def test_many_new_categories_are_confirmed_together_where_the_reference_missed_few() -> None:
    new = [f"n{number}" for number in range(500)]
    found = compare(C, ["A"] * 1000 + RARE * 5, ["A"] * 500 + new)
    (column,) = found.columns
    assert (column.verdict, column.measure) == ("confirmed", "unseen")
    told = "levels that the reference has not, 500, such as 'n0': 0.0 % to 50.0 % of the rows"
    assert f"c moved, {told}; share of unseen levels above" in found.reason


def test_one_category_in_a_column_of_names_is_confirmed_and_other_names_are_undefined() -> None:
    names = [f"a{number}" for number in range(500)]
    assert compare(C, names, ["x"] * 500).verdict == "confirmed"
    assert compare(C, names, [f"b{number}" for number in range(500)]).verdict == "undefined"


def test_a_column_of_ids_beyond_count_is_not_new_because_the_batch_is_smaller() -> None:
    """Guards: the reference was in buckets, a batch by name, and all of it was unseen."""
    ids = np.array([f"u{number}" for number in range(140_000)])
    drawn = np.random.default_rng(0).choice(ids, 1000)
    found = compare(C, ids, drawn)
    assert found.verdict == "undefined", "each bucket is rare"
    assert {each.measure: each.estimate for each in found.columns[0].effects}["unseen"] == 0
    mixed = np.concatenate([ids, ["often"] * 140_000])
    assert compare(C, mixed, np.concatenate([drawn, ["often"] * 1000])).verdict == "none"
    assert compare(C, mixed, ["often"] * 1000).verdict == "confirmed"


@pytest.mark.parametrize(("worth", "verdict"), [(0.1, "none"), (0.005, "confirmed")])
def test_unseen_levels_are_worth_acting_on_above_what_chance_gives(
    worth: float, verdict: str
) -> None:
    """A tenth of the rows is unseen by chance, and 7 % beyond that."""
    reference = ["A"] * 90_000 + [f"s{number}" for number in range(10_000)]
    current = ["A"] * 83_000 + [f"t{number}" for number in range(17_000)]
    sides = [profile_table(pa.table({"c": side}), [C]) for side in (reference, current)]
    drift = Drift(smallest_change={"c": worth})
    (column,) = compare_profiles(sides[0], sides[1], drift, [C]).columns
    found = {each.measure: each for each in column.effects}["unseen"]
    assert found.estimate == pytest.approx(0.07)
    assert found.verdict == verdict


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("singletons", [200, 20_000])
def test_rare_levels_that_are_drawn_again_are_false_alarms_in_at_most_1_of_100_batches(
    rows: int, singletons: int
) -> None:
    """Half of the rows are A; the others are drawn from 200 rare levels, or hardly ever repeat."""
    rng = np.random.default_rng(rows)

    def drawn(size: int) -> list[str]:
        rare = rng.integers(0, singletons, size).astype(str)
        return [str(level) for level in np.where(rng.random(size) < 0.5, "A", rare)]

    verdicts = [compare(C, drawn(400), drawn(rows)).verdict for _ in range(BATCHES)]
    assert verdicts.count("confirmed") <= 0.01 * BATCHES
    assert verdicts.count("suspect") <= 0.02 * BATCHES
