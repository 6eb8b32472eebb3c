"""Faults that are planted: the marked rows are exactly those that changed, and always the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from leeway.data.validation import validate
from leeway.rehearsal.catalogue import FAULTS, Case, cases
from leeway.rehearsal.columns import NotHere, Planted, put, values_of
from leeway.rehearsal.keys import with_new_keys
from leeway.rehearsal.labels import other_concept
from leeway.rehearsal.values import BYTE_ORDER_MARK, damaged_text, gaps, other_unit, shifted
from leeway.spec import FileSource, UseCase
from tests.batches import penguins
from tests.unit.measured_penguins import PENGUINS

IMPORTANCE = ["bill_length_mm", "flipper_length_mm", "bill_depth_mm", "island"]
TABLE = pa.Table.from_pandas(penguins(year=[2009]), preserve_index=False)
OF_ROWS = ("duplicate_rows", "duplicate_keys", "truncated")
EVERY = cases(PENGUINS, IMPORTANCE, TABLE, 2)


def name_of(case: Case) -> str:
    return " ".join([case.fault, *case.columns])


def records(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries; NaN is missing, as Leeway reads it."""
    return [{name: None if value != value else value for name, value in row.items()}
            for row in table.to_pylist()]  # fmt: skip


def small(key: str = "integer", **columns: Any) -> tuple[pa.Table, UseCase]:
    """A table with a key, a target and one feature, and its use case."""
    ((name, (type_, values)),) = columns.items()
    rows = len(values)
    declared = [
        {"name": "id", "type": key, "role": "key", "description": "."},
        {"name": "y", "type": "number", "role": "target", "description": "."},
        {"name": name, "type": type_, "description": "."},
    ]
    use_case = UseCase.model_validate(
        {
            "title": "t",
            "task": "regression",
            "source": FileSource(kind="file", path="x"),
            "columns": declared,
        }
    )
    keys: list[Any] = [str(row) if key == "text" else row for row in range(rows)]
    return pa.table({"id": keys, "y": [float(row) for row in range(rows)], name: values}), use_case


@pytest.mark.parametrize("case", EVERY, ids=name_of)
def test_the_marked_rows_are_exactly_those_that_changed(case: Case) -> None:
    before = records(TABLE)
    planted = case.plant(TABLE)
    after = records(planted.table)
    assert len(planted.rows) == len(after)
    if case.fault in OF_ROWS:  # what was there stays, and what was added is marked
        kept = len(before) - planted.missing
        assert after[:kept] == before[:kept]
        assert planted.rows.tolist() == [False] * kept + [True] * (len(after) - kept)
        assert planted.missing or planted.rows.any()
    else:
        changed = [old != new for old, new in zip(before, after, strict=True)]
        assert planted.rows.tolist() == changed
        assert any(changed)
    assert planted.what


@pytest.mark.parametrize("case", EVERY, ids=name_of)
def test_a_fault_is_the_same_each_time(case: Case) -> None:
    first, second = case.plant(TABLE), case.plant(TABLE)
    assert first.table.equals(second.table)
    assert first.rows.tolist() == second.rows.tolist()


def test_every_fault_has_a_case_and_none_more_columns_than_asked_for() -> None:
    assert list(dict.fromkeys(case.fault for case in EVERY)) == list(FAULTS)
    for fault in FAULTS:
        assert len([case for case in EVERY if case.fault == fault]) <= 2


def test_columns_are_chosen_by_their_importance() -> None:
    first = {case.fault: case.columns for case in cases(PENGUINS, IMPORTANCE[1:], TABLE, 1)}
    assert first["unit_1000"] == first["shift"] == ("flipper_length_mm",)
    assert first["new_level"] == ("island",)
    second = {case.fault: case.columns for case in cases(PENGUINS, IMPORTANCE, TABLE, 1)}
    assert second["unit_1000"] == ("bill_length_mm",)


def test_the_columns_that_are_swapped_are_those_that_a_range_can_hardly_tell_apart() -> None:
    (case,) = cases(PENGUINS, ["bill_length_mm", "body_mass_g"], TABLE, 1, ["swapped_columns"])
    assert case.columns == ("bill_length_mm", "bill_depth_mm")


def test_swapped_columns_have_each_others_values() -> None:
    (case,) = cases(PENGUINS, IMPORTANCE, TABLE, 1, ["swapped_columns"])
    one, other = case.columns
    table = case.plant(TABLE).table
    for name, from_ in ((one, other), (other, one)):
        assert values_of(table, PENGUINS, name).equals(values_of(TABLE, PENGUINS, from_))


@pytest.mark.parametrize(
    ("fault", "share"), [("nulls", 0.5), ("new_level", 0.1), ("duplicate_rows", 0.1)]
)
def test_as_many_rows_carry_a_fault_as_it_says(fault: str, share: float) -> None:
    (case,) = cases(PENGUINS, ["body_mass_g"], TABLE.slice(10, 100), 1, [fault])
    assert abs(case.plant(TABLE.slice(10, 100)).rows.sum() - 100 * share) <= 3


@pytest.mark.parametrize(
    ("values", "type_", "fault", "said"),
    [
        ([2.0] * 9, "number", "shift", "x does not vary"),
        ([0.0] * 9, "number", "unit_1000", "x would stay as it is"),
        ([None] * 9, "number", "nulls", "x would stay as it is"),
        ([7.0] * 9, "number", "constant", "x would stay as it is"),
        ([1.0, 2.0, 3.0], "number", "new_level", "no feature is a category"),
        (["a", "b", "c"], "category", "unit_2_54", "no feature is a number"),
        (["a", "b", "c"], "category", "swapped_columns", "no two features of one type"),
        ([1.0, 2.0, 3.0], "number", "late_batch", "no column has the role time"),
        ([1.0], "number", "truncated", "one row"),
        ([1.0], "number", "duplicate_keys", "one row"),
        ([17 * 10**17, 2], "integer", "unit_1000", "x would have values that do not fit its type"),
        ([2**63 - 1, -(2**63)], "integer", "shift", "x would have values that do not fit its type"),
    ],
)
def test_where_a_fault_does_not_apply_is_said(
    values: list[Any], type_: str, fault: str, said: str
) -> None:
    table, use_case = small(x=(type_, values))
    with pytest.raises(NotHere, match=said):
        cases(use_case, ["x"], table, 1, [fault])[0].plant(table)


@pytest.mark.parametrize(
    ("type_", "first", "last"),
    [
        ("date", date(1, 1, 2), date(2009, 1, 1)),
        ("date", date(1, 1, 1), date(9999, 12, 31)),
        ("timestamp", datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
        ("integer", -(2**63) + 1, 2**63 - 1),
    ],
)
def test_a_time_that_nothing_is_before_does_not_apply(type_: str, first: Any, last: Any) -> None:
    """Regression: an OverflowError ended the rehearsal, and every finding was lost."""
    table, use_case = small(x=("number", [first, last]))
    time = use_case.column("x").model_copy(update={"role": "time", "type": type_})
    use_case = use_case.model_copy(update={"columns": (*use_case.columns[:2], time)})
    with pytest.raises(NotHere, match="x would have values that do not fit its type"):
        cases(use_case, [], table, 1, ["late_batch"])[0].plant(table)


@pytest.mark.parametrize(
    ("type_", "highest"),
    [
        ("integer", 2**63 - 2),
        ("date", date(9999, 12, 30)),
        ("timestamp", datetime(9999, 12, 30, tzinfo=UTC)),
    ],
)
def test_keys_that_no_higher_ones_follow_are_refused(type_: str, highest: Any) -> None:
    table, use_case = small(x=("number", [1.0, 2.0]))
    table = table.set_column(0, "id", pa.array([highest, highest]))
    key = use_case.key.model_copy(update={"type": type_})
    use_case = use_case.model_copy(update={"columns": (key, *use_case.columns[1:])})
    with pytest.raises(NotHere, match="id would have values that do not fit its type"):
        with_new_keys(table, use_case, [table], 0)


def test_a_key_that_is_made_from_positions_never_repeats() -> None:
    table, use_case = small(key="text", x=("number", [1.0, 2.0]))
    key = use_case.key.model_copy(update={"from_position": True})
    use_case = use_case.model_copy(update={"columns": (key, *use_case.columns[1:])})
    (case,) = cases(use_case, [], table, 1, ["duplicate_keys"])
    with pytest.raises(NotHere, match="never repeats"):
        case.plant(table)


def test_integers_stay_integers() -> None:
    table, use_case = small(x=("integer", [1, 2, None]))
    planted = other_unit(table, use_case, "x", 2.54)
    assert values_of(planted.table, use_case, "x").to_pylist() == [3, 5, None]
    assert planted.rows.tolist() == [True, True, False]


def test_a_value_that_cannot_be_read_stays_as_it_came() -> None:
    """It is rejected without the fault, and must not become an accepted gap with it."""
    table, use_case = small(x=("number", ["1", "two", "3", ""]))
    planted = other_unit(table, use_case, "x", 1000)
    assert planted.table["x"].to_pylist()[1] == "two"
    assert planted.rows.tolist() == [True, False, True, False]
    assert [each.row_number for each in validate(planted.table, use_case).rejects] == [2]
    column = use_case.column("x").model_copy(update={"written": "1.234,5"})
    use_case = use_case.model_copy(update={"columns": (*use_case.columns[:2], column)})
    with pytest.raises(NotHere, match="cannot be read"):
        other_unit(table, use_case, "x", 1000)


def test_a_source_that_calls_a_column_otherwise_gets_the_fault_in_its_own_column() -> None:
    table, use_case = small(x=("number", [1.0, 2.0]))
    column = use_case.column("x").model_copy(update={"source_name": "The X"})
    use_case = use_case.model_copy(update={"columns": (*use_case.columns[:2], column)})
    planted = shifted(table.rename_columns(["id", "y", "The X"]), use_case, "x", 1.0)
    assert planted.table["The X"].to_pylist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Zürich", "Bern", None], ["ZÃ¼rich", "Bern", None]),
        (["Bern"] * 10, None),
    ],
)
def test_text_is_damaged_as_a_wrong_encoding_does(
    texts: list[str | None], expected: list[str | None] | None
) -> None:
    table, use_case = small(x=("category", texts))
    found = damaged_text(table, use_case, "x", 1).table["x"].to_pylist()
    if expected is None:
        assert [text for text in found if text != "Bern"] == [f"{BYTE_ORDER_MARK}Bern"]
    else:
        assert found == expected


def test_no_row_keeps_its_class_and_numbers_are_dealt_out() -> None:
    flipped = other_concept(TABLE, PENGUINS, 1)
    known = flipped.table["species"].to_pylist()
    assert all(old != new for old, new in zip(TABLE["species"].to_pylist(), known, strict=True))
    table, use_case = small(x=("number", [1.0] * 50))
    dealt = other_concept(table, use_case, 1)
    assert sorted(dealt.table["y"].to_pylist()) == table["y"].to_pylist()
    assert dealt.rows.sum() > 40


@pytest.mark.parametrize("key", ["integer", "text"])
def test_new_keys_are_of_no_other_batch_and_in_the_order_of_the_rows(key: str) -> None:
    table, use_case = small(key=key, x=("number", [1.0] * 12))
    first, second = (with_new_keys(table, use_case, [table], series) for series in (0, 1))
    found = [each["id"].to_pylist() for each in (table, first, second)]
    assert len({*found[0], *found[1], *found[2]}) == 36
    assert all(keys == sorted(keys) for keys in found[1:])
    assert validate(first, use_case).rejects == ()


PLANTS: list[Callable[[pa.Table, UseCase], Planted]] = [
    lambda table, use_case: gaps(table, use_case, "bill_length_mm", 1),
    lambda table, use_case: gaps(table, use_case, "bill_length_mm", 2),
]


def test_another_seed_hits_other_rows() -> None:
    one, other = (plant(TABLE, PENGUINS) for plant in PLANTS)
    assert one.rows.tolist() != other.rows.tolist()
    assert abs(int(one.rows.sum()) - int(other.rows.sum())) <= 1


def test_put_marks_what_is_another_value_and_not_another_spelling() -> None:
    table, use_case = small(x=("number", ["1.0", "2", "3"]))
    planted = put(table, use_case, "x", pa.array([1.0, 2.5, None]), "by hand")
    assert planted.rows.tolist() == [False, True, True]
    assert np.asarray(planted.rows).dtype == bool
