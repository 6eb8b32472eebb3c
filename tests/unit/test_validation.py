"""A batch is refused as a whole, or each of its rows is accepted or has a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.data.validation import Reject, SchemaMismatch, Validated, validate
from leeway.spec import UseCase
from resources.files import read_file

COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "integer", "role": "key"},
    {"name": "kind", "type": "category", "role": "target", "values": ["a", "b"], "required": True},
    {"name": "mass_g", "type": "number", "range": [0, 1234567]},
    {"name": "length_mm", "type": "number", "missing": ["-999", "n/a"]},
    {"name": "note", "type": "text", "role": "monitored"},
]
HEADER = "id,kind,mass_g,length_mm,note"


def use_case(columns: Sequence[dict[str, Any]] = COLUMNS, **attributes: Any) -> UseCase:
    described = [{"description": "d", **column} for column in columns]
    return UseCase.model_validate(
        {
            "title": "t",
            "task": "classification",
            "source": {"kind": "file", "path": "t.csv"},
            "columns": described,
            **attributes,
        }
    )


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def judge(folder: Path, *rows: str, header: str = HEADER, **attributes: Any) -> Validated:
    text = "\n".join([header, *rows]) + "\n"
    return validate(read_file(csv(folder, text)), use_case(**attributes))


# The columns


def test_a_good_batch_is_accepted_with_types_and_row_numbers(tmp_path: Path) -> None:
    judged = judge(tmp_path, "1,a,10,2.5,x", "2,b,20,,")
    assert judged.rejects == ()
    assert judged.accepted.to_pylist() == [
        {"id": 1, "kind": "a", "mass_g": 10.0, "length_mm": 2.5, "note": "x", "row_number": 1},
        {"id": 2, "kind": "b", "mass_g": 20.0, "length_mm": None, "note": None, "row_number": 2},
    ]


def test_one_row_is_a_batch(tmp_path: Path) -> None:
    assert judge(tmp_path, "1,a,10,2.5,x").accepted.num_rows == 1


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="a header but no rows; nothing was stored"):
        judge(tmp_path)


def test_a_missing_column_is_refused_and_those_that_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="missing column 'note'; the batch has id, kind") as e:
        judge(tmp_path, "1,a,10,2.5", header="id,kind,mass_g,length_mm")
    assert "renamed" not in str(e.value)


@pytest.mark.parametrize("name", ["masss_g", "mass_kg", "Mass_g", "mass"])
def test_a_renamed_column_is_refused_with_the_new_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SchemaMismatch, match=rf"missing column 'mass_g' \(renamed to '{name}'\?\)"):
        judge(tmp_path, "1,a,10,2.5,x", header=f"id,kind,{name},length_mm,note")


def test_an_added_column_is_left_out_and_named(tmp_path: Path) -> None:
    judged = judge(tmp_path, "1,a,10,2.5,x,7", header=HEADER + ",extra")
    assert judged.ignored_columns == ("extra",)
    assert "extra" not in judged.accepted.column_names


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    reordered = judge(tmp_path, "x,2.5,10,a,1", header="note,length_mm,mass_g,kind,id").accepted
    assert reordered.equals(judge(tmp_path, "1,a,10,2.5,x").accepted)


def test_an_ignored_column_may_be_absent_and_is_not_stored(tmp_path: Path) -> None:
    ignored = {"name": "link", "type": "text", "role": "ignored"}
    judged = judge(tmp_path, "1,a,10,2.5,x", columns=[*COLUMNS, ignored])
    assert "link" not in judged.accepted.column_names


@pytest.mark.parametrize(
    "masses", [("heavy", "light", "heavy"), ("heavy", "", "light"), ("1 kg", "2 kg", "3 kg")]
)
def test_a_retyped_column_refuses_the_batch(tmp_path: Path, masses: tuple[str, ...]) -> None:
    rows = [f"{row},a,{mass},1,x" for row, mass in enumerate(masses)]
    with pytest.raises(SchemaMismatch, match="'mass_g': every value is not a number, the first is"):
        judge(tmp_path, *rows)


def test_a_bad_value_that_is_the_only_one_of_its_column_rejects_its_row_alone(
    tmp_path: Path,
) -> None:
    judged = judge(tmp_path, "1,a,,1,x", "2,a,,1,x", "3,a,heavy,1,x")
    assert judged.rejects == (Reject(3, "mass_g", "heavy", "not a number"),)
    assert judge(tmp_path, "1,a,heavy,1,x").rejects[0].reason == "not a number"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1.0], [2.0]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([b"\xff", b"\xfe"]),
    ],
)
def test_a_column_of_a_type_that_has_no_text_refuses_the_batch(values: pa.Array) -> None:
    table = pa.table(
        {"id": [1, 2], "kind": ["a", "b"], "mass_g": values, "length_mm": [1, 2], "note": ["", ""]}
    )
    with pytest.raises(SchemaMismatch, match=r"'mass_g': .* cannot be read as number"):
        validate(table, use_case())


# The rows


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        ("1,a,2,2,x", "id", "1", "the key repeats one of an earlier row"),
        ("01.0,a,2,2,x", "id", "1", "the key repeats one of an earlier row"),
        (",a,2,2,x", "id", None, "missing"),
        ("x,a,2,2,x", "id", "x", "not an integer"),
        ("9,,2,2,x", "kind", None, "missing"),
        ("9,c,2,2,x", "kind", "c", "not one of a, b"),
        ("9,A,2,2,x", "kind", "A", "not one of a, b"),
        ("9,=1+1,2,2,x", "kind", "=1+1", "not one of a, b"),
        ("9,a,-1,2,x", "mass_g", "-1", "below the allowed 0"),
        ("9,a,1234568,2,x", "mass_g", "1234568", "above the allowed 1234567"),
        ("9,a,heavy,2,x", "mass_g", "heavy", "not a number"),
        ('9,a,"1,5",2,x', "mass_g", "1,5", "not a number"),
        ("9,a,2,inf,x", "length_mm", "inf", "not a finite number"),
        ("9,a,2,-Infinity,x", "length_mm", "-Infinity", "not a finite number"),
        ("9,a,2,nan,x", "length_mm", "nan", "not a finite number"),
        ("9,a,2,1e309,x", "length_mm", "1e309", "not a finite number"),
        ("9,a,2,1e200,x", "length_mm", "1e200", "not a number of at most 1e+38 in size"),
        ("9,a,2,-1.1e38,x", "length_mm", "-1.1e38", "not a number of at most 1e+38 in size"),
        ("9,a,2,-99,x\0y", "note", r"x\0y", "holds a NUL character, which PostgreSQL cannot store"),
        ("9,a,1\0,2,x", "mass_g", r"1\0", "not a number"),
    ],
)
def test_a_bad_row_is_rejected_with_its_place_and_reason_and_the_others_are_not(
    tmp_path: Path, row: str, column: str, value: str | None, reason: str
) -> None:
    judged = judge(tmp_path, "1,a,2,2,x", row, "3,b,2,2,x")
    assert judged.rejects == (Reject(2, column, value, reason),)
    assert judged.accepted["row_number"].to_pylist() == [1, 3]
    assert (judged.rows, judged.rejected_rows) == (3, 1)


def test_a_row_with_two_reasons_is_one_rejected_row(tmp_path: Path) -> None:
    judged = judge(tmp_path, "1,a,2,2,x", "2,c,-5,2,x")
    assert [reject.column for reject in judged.rejects] == ["kind", "mass_g"]
    assert judged.rejected_rows == 1


def test_the_first_row_of_a_repeated_key_stays(tmp_path: Path) -> None:
    rows = ["5,a,1,1,first", "6,a,1,1,x", "5,b,2,2,second", "5,b,2,2,third"]
    judged = judge(tmp_path, *rows)
    assert judged.accepted["note"].to_pylist() == ["first", "x"]
    assert [reject.row_number for reject in judged.rejects] == [3, 4]


def test_the_correction_of_a_rejected_row_is_no_repeat(tmp_path: Path) -> None:
    """Regression: a row was rejected for repeating the key of a row that was not accepted."""
    rows = ["1,a,bad,1,first", "2,a,1,1,x", "1,a,5,1,corrected", "1,a,6,1,again"]
    judged = judge(tmp_path, *rows)
    assert judged.accepted["note"].to_pylist() == ["x", "corrected"]
    assert judged.rejects == (
        Reject(1, "mass_g", "bad", "not a number"),
        Reject(4, "id", "1", "the key repeats one of an earlier row"),
    )


@pytest.mark.parametrize("text", ["", "  ", "-999", "n/a", " n/a "])
def test_a_missing_code_is_a_missing_value_and_no_reason(tmp_path: Path, text: str) -> None:
    judged = judge(tmp_path, f"1,a,2,{text},x")
    assert judged.rejects == ()
    assert judged.accepted["length_mm"].to_pylist() == [None]


def test_a_missing_code_of_one_column_is_a_value_of_another(tmp_path: Path) -> None:
    judged = judge(tmp_path, "1,a,2,2,-999")
    assert judged.accepted["note"].to_pylist() == ["-999"]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-1", '=cmd|"/c calc"!A0'])
def test_a_formula_in_a_cell_stays_the_text_it_is(tmp_path: Path, text: str) -> None:
    quoted = text.replace('"', '""')
    judged = judge(tmp_path, f'1,a,2,2,"{quoted}"')
    assert judged.accepted["note"].to_pylist() == [text]


def test_a_line_break_within_quotes_stays_in_its_row(tmp_path: Path) -> None:
    judged = judge(tmp_path, '1,a,2,2,"one\ntwo"', "2,a,2,2,x")
    assert judged.accepted["note"].to_pylist() == ["one\ntwo", "x"]
    assert judged.accepted["row_number"].to_pylist() == [1, 2]


def test_a_row_needs_a_value_in_one_of_required_any(tmp_path: Path) -> None:
    judged = judge(
        tmp_path,
        "1,a,2,,x",
        "2,a,,,x",
        "3,a,,2,x",
        "4,a,,-999,x",
        required_any=["mass_g", "length_mm"],
    )
    reason = "no value in any of mass_g, length_mm"
    assert judged.rejects == (Reject(2, "mass_g", None, reason), Reject(4, "mass_g", None, reason))


# Nothing is lost

cells = st.one_of(
    st.sampled_from(
        ["", "1", "2", "3", "-5", "1e9", "nan", "inf", "a", "b", "c", "x\0", "=1", " "]
    ),
    st.none(),
    st.text(max_size=3),
)
# Most rows would have nothing but reasons: half of the values are good ones, and some are missing.
good = [["1", "2", "3", "4", "5", "6"], ["a", "b"], ["", "7", "80"], ["", "2.5", "n/a"], ["", "x"]]
tables = st.lists(
    st.tuples(*[st.one_of(st.sampled_from(values), cells) for values in good]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(tables)
def test_every_row_is_either_accepted_or_has_a_reason(rows: list[tuple[str | None, ...]]) -> None:
    names = [column["name"] for column in COLUMNS]
    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
    given_rows = pa.table(columns, names=names)
    try:
        judged = validate(given_rows, use_case(required_any=["mass_g", "length_mm"]))
    except SchemaMismatch as error:
        assert "every value is" in str(error)  # noqa: PT017  # the other outcome is below
        return
    accepted = judged.accepted["row_number"].to_pylist()
    rejected = {reject.row_number for reject in judged.rejects}
    assert sorted([*accepted, *rejected]) == list(range(1, len(rows) + 1))
    assert judged.rejected_rows == len(rejected)
    keys = judged.accepted["id"].to_pylist()
    assert len(set(keys)) == len(keys)
    assert None not in keys
    for name, text in (("kind", {"a", "b"}),):
        assert set(judged.accepted[name].to_pylist()) <= text
    # An accepted text is what the source has, and a missing value is one that the source lacks.
    notes = given_rows["note"].take(pa.array([row - 1 for row in accepted], pa.int64())).to_pylist()
    for stored, source in zip(judged.accepted["note"].to_pylist(), notes, strict=True):
        assert (stored or "") == (source or "").strip()


def test_a_column_is_read_under_the_name_that_its_source_gives_it() -> None:
    columns = use_case().model_dump(mode="json")["columns"]
    renamed = [{**c, "source_name": f"The {c['name']}"} for c in columns]
    row = {"id": "7", "kind": "a", "mass_g": "1", "length_mm": "2", "note": "x"}
    table = pa.table({f"The {name}": [value] for name, value in row.items()})
    judged = validate(table, use_case(columns=renamed))
    assert judged.accepted.to_pylist() == [
        {"id": 7, "kind": "a", "mass_g": 1.0, "length_mm": 2.0, "note": "x", "row_number": 1}
    ]
    assert judged.ignored_columns == ()
    with pytest.raises(SchemaMismatch, match="missing column 'The id'"):
        validate(table.drop_columns(["The id"]), use_case(columns=renamed))


def test_a_key_that_the_source_does_not_have_is_made_of_batch_and_position() -> None:
    columns = use_case().model_dump(mode="json")["columns"]
    columns[0] |= {"name": "row_id", "type": "text", "from_position": True}
    rest = {"mass_g": [1, 2], "length_mm": [1, 2], "note": ["x", "y"], "row_id": ["x", "x"]}
    table = pa.table({"kind": ["a", "b"], **rest})
    judged = validate(table, use_case(columns=columns), batch="2009")
    assert judged.accepted["row_id"].to_pylist() == ["2009-1", "2009-2"]
    assert judged.ignored_columns == ("row_id",)
