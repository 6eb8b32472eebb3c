"""Profiles count every row once, merge without error, and survive JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.drift.cells import MAX_CELLS, keys_of, middles, values_of
from leeway.drift.profile import CategoryProfile, NumberProfile, Profile, profile_table
from leeway.spec import Column

X = Column(name="x", type="number", description="a number")
C = Column(name="c", type="category", description="a category")

NUMBERS = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1.0, 1e300, -1e300]))
LEVELS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "é"]))
ROWS = st.lists(st.tuples(NUMBERS, LEVELS), max_size=30)


def table(rows: list[tuple[float | None, str | None]]) -> pa.Table:
    return pa.table(
        {
            "x": pa.array([x for x, _ in rows], pa.float64()),
            "c": pa.array([c for _, c in rows], pa.string()),
        }
    )


def profile(rows: list[tuple[float | None, str | None]]) -> Profile:
    return profile_table(table(rows), [X, C])


def number(values: Any) -> NumberProfile:
    found = profile_table(pa.table({"x": pa.array(values, pa.float64())}), [X]).columns["x"]
    assert isinstance(found, NumberProfile)
    return found


@settings(max_examples=60, derandomize=True, deadline=None)
@given(a=ROWS, b=ROWS, c=ROWS)
def test_a_merge_is_the_profile_of_all_rows_in_any_order(a: Any, b: Any, c: Any) -> None:
    pa_, pb, pc_ = profile(a), profile(b), profile(c)
    assert pa_.merge(pb) == profile(a + b)
    assert pa_.merge(pb) == pb.merge(pa_)
    assert pa_.merge(pb).merge(pc_) == pa_.merge(pb.merge(pc_))


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_a_merge_of_coarsened_numbers_is_the_profile_of_all_rows(scale: float) -> None:
    rng = np.random.default_rng(0)
    parts = [scale * rng.standard_t(2, n) for n in (3000, 3000, 10, 9000)]
    profiles = [number(part) for part in parts]
    whole = number(np.concatenate(parts))
    left = profiles[0].merge(profiles[1]).merge(profiles[2]).merge(profiles[3])
    right = profiles[3].merge(profiles[2].merge(profiles[1].merge(profiles[0])))
    assert left == right == whole
    assert profiles[0].shift == 0 < whole.shift
    assert len(whole.values) <= MAX_CELLS
    assert whole.known == 15_010


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=ROWS)
def test_every_row_is_counted_once(rows: Any) -> None:
    found = profile(rows)
    x, c = found.columns["x"], found.columns["c"]
    assert isinstance(x, NumberProfile)
    assert isinstance(c, CategoryProfile)
    assert x.known + x.missing + x.non_finite == len(rows) == found.rows
    assert c.known + c.missing == len(rows)
    finite = [v for v, _ in rows if v is not None and np.isfinite(v)]
    assert x.values == tuple(sorted(set(finite)))


def test_missing_values_nan_and_infinities_are_counted_apart() -> None:
    found = number([None, float("nan"), float("inf"), -float("inf"), 2.0, 2.0, -0.0, 0.0])
    assert found == NumberProfile((0.0, 2.0), (2, 2), 0, missing=1, non_finite=3)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=ROWS)
def test_json_keeps_every_bit(rows: Any) -> None:
    found = profile(rows)
    assert Profile.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False))) == found


def test_json_keeps_coarsened_numbers_up_to_the_largest_float() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 5000) * np.finfo(float).max
    found = profile_table(pa.table({"x": values}), [X])
    assert Profile.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False))) == found


@settings(max_examples=100, derandomize=True, deadline=None)
@given(a=st.floats(allow_nan=False), b=st.floats(allow_nan=False))
def test_keys_are_ordered_as_the_numbers_are(a: float, b: float) -> None:
    ka, kb = keys_of(np.array([a, b])).tolist()
    assert (ka < kb) == (a < b)
    assert values_of(np.array([ka]))[0] == a


def test_a_cell_holds_its_numbers_and_is_narrow() -> None:
    values = np.random.default_rng(0).normal(100, 5, 50_000)
    found = number(values)
    lower = np.array(found.values)
    assert lower[0] <= values.min()
    middle = middles(found.cells, found.shift)
    position = np.searchsorted(lower, values, side="right") - 1
    assert np.bincount(position).tolist() == list(found.counts)
    assert (np.abs(values - middle[position]) / values).max() < 2**-10


def test_all_null_and_empty_columns_have_a_profile() -> None:
    nothing = pa.table({"x": pa.nulls(3), "c": pa.nulls(3)})
    found = profile_table(nothing, [X, C])
    assert found.columns == {"x": NumberProfile((), (), 0, 3, 0), "c": CategoryProfile({}, 3)}
    assert profile(()).rows == 0  # type: ignore[arg-type]  # no rows of any type


def test_booleans_integers_dictionaries_and_moments_are_read_by_the_declared_type() -> None:
    columns = [
        Column(name="b", type="boolean", description="."),
        Column(name="i", type="integer", description="."),
        Column(name="d", type="category", description="."),
        Column(name="t", type="timestamp", role="monitored", description="."),
        Column(name="day", type="date", role="monitored", description="."),
        Column(name="k", type="integer", role="key", description="."),
    ]
    data = pa.table(
        {
            "b": [True, None, True],
            "i": [1, 2, None],
            "d": pa.array(["u", "v", "u"]).dictionary_encode(),
            "t": pa.array([0, 1_500, None], pa.timestamp("ms")),
            "day": pa.array([0, 1, 1], pa.date32()),
            "k": [1, 2, 3],
        }
    )
    found = profile_table(data, columns).columns
    assert found == {
        "b": CategoryProfile({"true": 2}, 1),
        "i": NumberProfile((1.0, 2.0), (1, 1), 0, 1, 0),
        "d": CategoryProfile({"u": 2, "v": 1}, 0),
        "t": NumberProfile((0.0, 1.5), (1, 1), 0, 1, 0),
        "day": NumberProfile((0.0, 86400.0), (1, 2), 0, 0, 0),
    }


def test_an_absent_column_and_text_in_a_number_column_are_errors() -> None:
    with pytest.raises(KeyError, match="x"):
        profile_table(pa.table({"y": [1]}), [X])
    with pytest.raises(ValueError, match="abc"):
        profile_table(pa.table({"x": ["abc"]}), [X])


def test_profiles_of_different_columns_do_not_merge() -> None:
    one = Profile(1, {"x": NumberProfile((1.0,), (1,), 0, 0, 0)})
    with pytest.raises(ValueError, match=r"\['y'\]"):
        one.merge(Profile(1, {**one.columns, "y": CategoryProfile({"a": 1}, 0)}))
    with pytest.raises(ValueError, match="'x' is a number in only one"):
        one.merge(Profile(1, {"x": CategoryProfile({"a": 1}, 0)}))
