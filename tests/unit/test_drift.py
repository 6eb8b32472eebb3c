"""Drift is found where it was planted, and not where nothing changed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import palmerpenguins
import pandas as pd
import pyarrow as pa
import pytest

from leeway.drift.profile import Profile, profile_table
from leeway.drift.verdict import BatchDrift, compare_profiles
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
    assert found.reason.startswith("x has a KS distance of 1.000")
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
    assert found.reason.startswith("None of 1 features is proven to have drifted by 0.1.")
    assert found.reason.endswith("Not judged: c.")


def test_a_column_that_one_profile_lacks_is_undefined() -> None:
    known = profile_table(pa.table({"x": np.arange(99.0)}), [X])
    found = compare_profiles(known, known, Drift(), [C, X])
    assert [column.verdict for column in found.columns] == ["undefined", "none"]
    assert found.columns[0].reason == "c is not in both profiles with the same kind."
    other = profile_table(pa.table({"c": ["a"] * 99}), [C])
    for sides in ((known, other), (other, known)):
        (column,) = compare_profiles(*sides, Drift(), [X]).columns
        assert (column.verdict, column.kind) == ("undefined", "number")


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
    assert fields["drifted_share"] == pytest.approx(len(found.drifted) / 6)
    assert compare_penguins(PENGUINS, PENGUINS.head(9)).drifted_share is None
    assert fields["rows"] == {"reference": 344, "current": 60}
    column = fields["columns"]["bill_length_mm"]
    assert column["kind"] == "number"
    assert "name" not in column, "it is the key"
    assert len(column["interval"]) == 2
    assert {"ks", "psi", "wasserstein", "jensen_shannon"} <= column["statistics"].keys()
    assert "chi2" in fields["columns"]["island"]["statistics"]


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
    assert column.statistics["total_variation"] == 0
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
    assert "c has a share of unseen levels above what chance gives of 0.500" in found.reason


def test_one_category_in_a_column_of_names_is_confirmed_and_other_names_are_undefined() -> None:
    names = [f"a{number}" for number in range(500)]
    assert compare(C, names, ["x"] * 500).verdict == "confirmed"
    assert compare(C, names, [f"b{number}" for number in range(500)]).verdict == "undefined"


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
