"""Which rows take part in training, and which are held out for good."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from leeway.data.tables import to_parquet
from leeway.data.training_set import (
    PART,
    TEST,
    TRAIN,
    NotEnoughRows,
    build_training_set,
    part_of,
)
from leeway.spec import UseCase

Row = tuple[int, str | None, float | None]


def use_case(**attributes: Any) -> UseCase:
    return UseCase.model_validate(
        {
            "title": "t",
            "task": "classification",
            "source": {"kind": "file", "path": "t.csv"},
            "columns": [
                {"name": "id", "type": "integer", "role": "key", "description": "d"},
                {"name": "kind", "type": "category", "role": "target", "description": "d"},
                {"name": "x", "type": "number", "description": "d"},
                {"name": "day", "type": "number", "role": "time", "description": "d"},
                {"name": "link", "type": "text", "role": "ignored", "description": "d"},
            ],
            **attributes,
        }
    )


def batch(name: str, rows: list[Row]) -> pa.Table:
    """What `clean` holds of a batch; the feature is the key, and so tells rows apart."""
    return pa.table(
        {
            "id": pa.array([row[0] for row in rows], pa.int64()),
            "kind": pa.array([row[1] for row in rows], pa.string()),
            "x": pa.array([float(row[0]) for row in rows]),
            "day": pa.array([row[2] for row in rows], pa.float64()),
            "row_number": pa.array(range(len(rows)), pa.int64()),
            "batch_id": pa.array([name] * len(rows)),
        }
    )


def rows(start: int, stop: int) -> list[Row]:
    return [(key, "ab"[key % 2], float(key)) for key in range(start, stop)]


def keys(table: pa.Table, part: str) -> set[int]:
    return set(part_of(table, part)["id"].to_pylist())


FIRST, SECOND = batch("1", rows(0, 200)), batch("2", rows(200, 300))


def test_each_labelled_row_is_in_one_part_with_the_columns_that_a_model_may_see() -> None:
    table = build_training_set({"1": FIRST}, use_case()).table
    assert table.column_names == ["id", "kind", "x", "day", "batch_id", PART]
    assert keys(table, TRAIN) | keys(table, TEST) == set(range(200))
    assert keys(table, TRAIN) & keys(table, TEST) == set()
    assert PART not in part_of(table, TRAIN).column_names


def test_a_held_out_row_stays_held_out_when_batches_are_added() -> None:
    before = build_training_set({"1": FIRST}, use_case()).table
    after = build_training_set({"1": FIRST, "2": SECOND}, use_case()).table
    assert keys(before, TEST) == {key for key in keys(after, TEST) if key < 200}
    assert any(key >= 200 for key in keys(after, TEST))


def test_a_row_that_comes_again_in_another_batch_is_in_the_same_part() -> None:
    again = batch("2", rows(0, 200))
    table = build_training_set({"1": FIRST, "2": again}, use_case()).table
    assert keys(table, TRAIN) & keys(table, TEST) == set()


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_the_share_of_held_out_rows_is_about_what_was_asked_for(share: float) -> None:
    table = build_training_set({"1": batch("1", rows(0, 4000))}, use_case(split={"test": share}))
    # Five standard deviations of a fair draw.
    tolerance = 5 * (share * (1 - share) / 4000) ** 0.5
    assert abs(part_of(table.table, TEST).num_rows / 4000 - share) < tolerance


def test_another_seed_holds_out_other_rows() -> None:
    one = build_training_set({"1": FIRST}, use_case(split={"seed": 1})).table
    two = build_training_set({"1": FIRST}, use_case(split={"seed": 2})).table
    assert keys(one, TEST) != keys(two, TEST)


@pytest.mark.parametrize("by", ["random", "time"])
def test_the_same_rows_give_the_same_bytes_in_whatever_order_they_come(by: str) -> None:
    spec = use_case(split={"by": by})
    expected = to_parquet(build_training_set({"1": FIRST, "2": SECOND}, spec).table)
    shuffled = FIRST.take(pa.array([(7 * i) % 200 for i in range(200)]))
    assert to_parquet(build_training_set({"2": SECOND, "1": shuffled}, spec).table) == expected


def test_rows_without_a_label_are_counted_and_left_out() -> None:
    unlabelled = batch("2", [(900, None, 1.0), (901, None, 2.0)])
    found = build_training_set({"1": FIRST, "2": unlabelled}, use_case())
    assert found.unlabelled == 2
    assert set(found.table["id"].to_pylist()) == set(range(200))


def test_a_class_that_is_in_the_test_part_only_is_refused_with_its_name() -> None:
    held_out = next(iter(keys(build_training_set({"1": FIRST}, use_case()).table, TEST)))
    rare = [(k, "rare" if k == held_out else kind, day) for k, kind, day in rows(0, 200)]
    with pytest.raises(NotEnoughRows, match="class 'rare' of kind is in the test part only"):
        build_training_set({"1": batch("1", rare)}, use_case())


def test_a_class_that_is_in_the_training_part_only_is_accepted() -> None:
    trained = next(iter(keys(build_training_set({"1": FIRST}, use_case()).table, TRAIN)))
    rare = [(k, "rare" if k == trained else kind, day) for k, kind, day in rows(0, 200)]
    table = build_training_set({"1": batch("1", rare)}, use_case()).table
    assert "rare" in part_of(table, TRAIN)["kind"].to_pylist()


@pytest.mark.parametrize(
    "content", [[], [(1, "a", 1.0)], [(1, None, 1.0), (2, None, 1.0)]], ids=["0", "1", "unlabelled"]
)
def test_too_few_rows_for_two_parts_are_refused(content: list[Row]) -> None:
    with pytest.raises(NotEnoughRows, match=r"the (train|test) part is empty: \d labelled rows"):
        build_training_set({"1": batch("1", content)}, use_case())


def test_a_use_case_without_a_batch_is_refused() -> None:
    with pytest.raises(NotEnoughRows, match="no batch"):
        build_training_set({}, use_case())


def test_a_time_split_holds_out_the_newest_rows_of_all_batches() -> None:
    spec = use_case(split={"by": "time", "test": 0.25})
    table = build_training_set({"2": SECOND, "1": FIRST}, spec).table
    assert keys(table, TEST) == set(range(225, 300))


def test_a_time_split_of_equal_times_goes_by_the_key() -> None:
    same = batch("1", [(key, "ab"[key % 2], 1.0) for key in reversed(range(100))])
    table = build_training_set({"1": same}, use_case(split={"by": "time"})).table
    assert keys(table, TEST) == set(range(20))


def test_a_row_without_a_time_is_not_held_out_as_the_newest() -> None:
    """Regression: rows without a time were ranked after all others."""
    timeless = batch("2", [(key, "ab"[key % 2], None) for key in range(900, 920)])
    spec = use_case(split={"by": "time", "test": 0.1})
    table = build_training_set({"1": FIRST, "2": timeless}, spec).table
    assert keys(table, TEST) == set(range(178, 200))
