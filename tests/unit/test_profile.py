"""Profiles count every row once, merge without error, and survive being stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from leeway.data.tables import to_parquet
from leeway.drift.buffers import texts
from leeway.drift.cells import MAX_CELLS, keys_of, values_of
from leeway.drift.declared import kinds_of, profile_table, time_of
from leeway.drift.history import PastEffect
from leeway.drift.levels import BUCKETS, MAX_BYTES, MAX_LEVELS, CategoryProfile
from leeway.drift.numbers import NumberProfile
from leeway.drift.profile import (
    Profile,
    merge_profiles,
    profile_column,
    profile_parquet,
)
from leeway.drift.stored import Stored, from_bytes, to_bytes
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
    one, two, three = profile(a), profile(b), profile(c)
    assert merge_profiles([one, two]) == profile(a + b)
    assert merge_profiles([one, two]) == merge_profiles([two, one])
    left = merge_profiles([merge_profiles([one, two]), three])
    assert left == merge_profiles([one, merge_profiles([two, three])])
    assert left == merge_profiles([one, two, three]) == profile(a + b + c)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(names=st.lists(st.text(st.characters(codec="utf-8"))))
def test_texts_are_the_array_that_arrow_makes_of_them(names: list[str]) -> None:
    assert texts(names).equals(pa.array(names, pa.string()))
    assert texts(iter(names)).validate(full=True) is None


def merged(profiles: Any) -> NumberProfile:
    found = merge_profiles([Profile(each.known, {"x": each}) for each in profiles])
    assert isinstance(found.columns["x"], NumberProfile)
    return found.columns["x"]


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_a_merge_of_coarsened_numbers_is_the_profile_of_all_rows(scale: float) -> None:
    rng = np.random.default_rng(0)
    parts = [scale * rng.standard_t(2, n) for n in (3000, 3000, 10, 9000)]
    profiles = [number(part) for part in parts]
    whole = number(np.concatenate(parts))
    left = merged([merged([merged(profiles[:2]), profiles[2]]), profiles[3]])
    right = merged([profiles[3], merged([profiles[2], merged(profiles[1::-1])])])
    assert left == right == merged(profiles) == whole
    assert profiles[2].cells.shift == 0 < whole.cells.shift
    assert MAX_CELLS / 2 < len(whole.values) <= MAX_CELLS
    assert whole.known == 15_010


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=ROWS)
def test_every_row_is_counted_once(rows: Any) -> None:
    found = profile(rows)
    x, c = found.columns["x"], found.columns["c"]
    assert isinstance(x, NumberProfile)
    assert isinstance(c, CategoryProfile)
    assert x.known + x.unusable == len(rows) == found.rows
    assert c.known + c.missing == len(rows)
    finite = [v for v, _ in rows if v is not None and np.isfinite(v)]
    assert x.values == tuple(sorted(set(finite)))


def test_missing_values_nan_and_infinities_are_counted_apart() -> None:
    found = number([None, float("nan"), float("inf"), -float("inf"), 2.0, 2.0, -0.0, 0.0])
    assert (found.missing, found.nan, found.infinite) == (1, 1, 2)
    assert (found.values, found.counts, found.exact) == ((0.0, 2.0), (2, 2), True)
    assert (found.lowest, found.highest) == (0.0, 2.0)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=ROWS)
def test_what_is_stored_keeps_every_bit(rows: Any) -> None:
    found = Stored(
        {"clean": profile(rows), "raw": profile(rows[:3])},
        [{"x": {"ks": PastEffect(0.25, 0.125)}}],
        {"raw": ["a", "b"]},
        ["c"],
    )
    stored = to_bytes(found)
    assert from_bytes(stored) == found
    assert to_bytes(from_bytes(stored)) == stored


def test_what_is_stored_keeps_coarsened_numbers_up_to_the_largest_float() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 5000) * np.finfo(float).max
    found = profile_table(pa.table({"x": values}), [X])
    assert from_bytes(to_bytes(Stored({"clean": found}))).profiles == {"clean": found}


def test_bytes_that_are_no_profile_are_refused() -> None:
    with pytest.raises(ValueError, match="not stored profiles"):
        from_bytes(to_parquet(pa.table({"x": [1]})))


@pytest.mark.parametrize("rows", [3_000, 300_000])
def test_a_profile_has_some_kilobytes_per_column_whatever_the_rows(rows: int) -> None:
    rng = np.random.default_rng(0)
    found = profile_table(pa.table({"x": rng.lognormal(0, 2, rows)}), [X])
    assert len(to_bytes(Stored({"clean": found}))) < 40_000


@settings(max_examples=100, derandomize=True, deadline=None)
@given(a=st.floats(allow_nan=False), b=st.floats(allow_nan=False))
def test_keys_are_ordered_as_the_numbers_are(a: float, b: float) -> None:
    ka, kb = keys_of(np.array([a, b])).tolist()
    assert (ka < kb) == (a < b)
    finite = np.clip(a, -np.finfo(float).max, np.finfo(float).max)
    assert values_of(np.array([ka]))[0] == finite


def test_a_cell_holds_its_numbers_and_is_narrow() -> None:
    values = np.random.default_rng(0).normal(100, 5, 50_000)
    found = number(values)
    lower, upper = found.cells.lower, found.cells.upper
    assert lower[0] <= values.min() == found.lowest
    position = np.searchsorted(lower, values, side="right") - 1
    assert np.bincount(position).tolist() == list(found.counts)
    assert (values < upper[position]).all()
    assert ((upper - lower) / lower).max() < 2**-9


@pytest.mark.parametrize("rows", [3_000, 200_000])
def test_the_mean_of_a_cell_is_that_of_its_numbers(rows: int) -> None:
    values = np.random.default_rng(0).standard_t(2, rows)
    cells = number(values).cells
    share, error = cells.position
    owner = np.searchsorted(cells.lower, values, side="right") - 1
    means = np.bincount(owner, values) / cells.counts
    inferred = cells.lower + share * (cells.upper - cells.lower)
    allowed = error * (cells.upper - cells.lower) + 1e-12 * np.abs(means)
    assert (np.abs(means - inferred) <= allowed).all()
    assert error.max() < 1e-6


@pytest.mark.parametrize("size", [100, 40_000])
def test_how_a_column_is_cut_into_pieces_does_not_matter(size: int) -> None:
    rng = np.random.default_rng(size)
    data = pa.array(np.where(rng.random(90_000) < 0.1, 0, rng.normal(0, 1e3, 90_000)))
    pieces = [data.slice(start, size) for start in range(0, len(data), size)]
    assert profile_column("number", pieces) == profile_column("number", [data])
    levels = pc.floor(data).cast(pa.string())
    cut = [levels.slice(start, size) for start in range(0, len(levels), size)]
    assert profile_column("category", cut) == profile_column("category", [levels])


def test_numbers_of_all_magnitudes_have_cells() -> None:
    """More signs and exponents than cells: the only case in which a cell spans two exponents."""
    bits = np.random.default_rng(0).integers(-(2**63), 2**63, 400_000)
    found = number(bits.view(np.float64))
    assert len(found.values) <= MAX_CELLS
    assert found.known + found.unusable == 400_000
    assert found.cells.position[1].max() == 1.0


def test_integers_beyond_2_53_count_as_the_next_number_below() -> None:
    column = Column(name="x", type="integer", description=".")
    for kind, top in ((pa.int64(), 2**63 - 1), (pa.uint64(), 2**64 - 1)):
        data = pa.table({"x": pa.array([2**53, 2**53 + 1, 2**53 + 3, top], kind)})
        found = profile_table(data, [column]).columns["x"]
        assert isinstance(found, NumberProfile)
        below = float(np.nextafter(float(top), 0))
        assert found.values == (2.0**53, 2.0**53 + 2, below)
        assert (found.counts, found.rounded, found.exact) == ((2, 1, 1), 3, False)
    low = pa.table({"x": pa.array([-(2**53) - 1, -(2**63)], pa.int64())})
    found = profile_table(low, [column]).columns["x"]
    assert isinstance(found, NumberProfile)
    assert found.values == (-(2.0**63), -(2.0**53) - 2)
    assert found.rounded == 1


def test_a_hundred_thousand_levels_are_counted_by_name_and_more_in_buckets() -> None:
    names = pa.array([f"level {n}" for n in range(MAX_LEVELS)])
    exact = profile_column("category", [names, names.slice(0, 5)])
    assert isinstance(exact, CategoryProfile)
    assert (len(exact.counts), exact.counts["level 3"], exact.bucketed) == (MAX_LEVELS, 2, False)
    one_more = profile_column("category", [pa.array(["another"])])
    both = merge_profiles([Profile(1, {"c": exact}), Profile(1, {"c": one_more})]).columns["c"]
    assert isinstance(both, CategoryProfile)
    assert (len(both.counts), both.known, both.bucketed) == (BUCKETS, MAX_LEVELS + 6, True)
    assert both == profile_column("category", [pa.array(["another"]), names, names.slice(0, 5)])
    again = merge_profiles([Profile(1, {"c": one_more}), Profile(1, {"c": both})]).columns["c"]
    assert isinstance(again, CategoryProfile)
    assert (again.known, again.bucketed) == (MAX_LEVELS + 7, True)


def test_long_levels_are_shortened_and_stay_apart() -> None:
    long = "é" * 1000
    found = profile_column("category", [pa.array([long + "a", long + "b", long + "a"])])
    assert isinstance(found, CategoryProfile)
    assert sorted(found.counts.values()) == [1, 2]
    assert max(len(level.encode()) for level in found.counts) <= MAX_BYTES


def test_the_time_column_gives_the_span() -> None:
    t = Column(name="t", type="timestamp", role="time", description=".")
    moments = pa.array([10_000, None, 5_000], pa.timestamp("ms"))
    one = profile_table(pa.table({"t": moments, "x": [1.0, 2.0, 3.0]}), [t, X])
    two = profile_table(pa.table({"t": pa.nulls(1, pa.timestamp("s")), "x": [1.0]}), [t, X])
    assert (one.since, one.until, list(one.columns)) == (5.0, 10.0, ["x"])
    assert (two.since, two.until) == (None, None)
    assert merge_profiles([two, one]).until == 10.0


def test_all_null_and_empty_columns_have_a_profile() -> None:
    nothing = pa.table({"x": pa.nulls(3), "c": pa.nulls(3)})
    found = profile_table(nothing, [X, C])
    assert found.columns == {"x": NumberProfile(missing=3), "c": CategoryProfile({}, 3)}
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
        "i": number([1.0, 2.0, None]),
        "d": CategoryProfile({"u": 2, "v": 1}, 0),
        "t": number([0.0, 1.5, None]),
        "day": number([0.0, 86400.0, 86400.0]),
    }


def test_an_absent_column_and_text_in_a_number_column_are_errors() -> None:
    with pytest.raises(KeyError, match="x"):
        profile_table(pa.table({"y": [1]}), [X])
    with pytest.raises(ValueError, match="abc"):
        profile_table(pa.table({"x": ["abc"]}), [X])


def test_profiles_of_different_columns_do_not_merge() -> None:
    one = Profile(1, {"x": number([1.0])})
    with pytest.raises(ValueError, match=r"\['y'\]"):
        merge_profiles([one, Profile(1, {**one.columns, "y": CategoryProfile({"a": 1}, 0)})])
    with pytest.raises(ValueError, match="'x' is a number in only one"):
        merge_profiles([one, Profile(1, {"x": CategoryProfile({"a": 1}, 0)})])
    with pytest.raises(ValueError, match="no profile"):
        merge_profiles([])


def test_a_file_is_profiled_as_its_table_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = pa.table(
        {
            "x": pa.array(rng.normal(0, 1, 9_000), mask=rng.random(9_000) < 0.1),
            "c": pa.array(rng.choice(["a", "b", "é"], 9_000)).dictionary_encode(),
            "t": pa.array(np.arange(9_000), pa.timestamp("s")),
        }
    )
    path = tmp_path / "batch.parquet"
    parquet.write_table(data, path, row_group_size=700)
    columns = [X, C, Column(name="t", type="timestamp", role="time", description=".")]
    kinds, moment = kinds_of(columns), time_of(columns)
    assert profile_parquet(path, kinds, moment) == profile_table(data, columns)
    assert profile_parquet(pa.py_buffer(path.read_bytes()), kinds).rows == 9_000
    with pytest.raises(KeyError, match="missing"):
        profile_parquet(path, {"missing": "number"})
