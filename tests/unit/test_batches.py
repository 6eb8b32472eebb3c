"""The rows of a batch are read as those of training are, and judged before any is predicted."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from leeway.data.validation import validate
from leeway.served.batch_answers import Row, rows_of, writer_of
from leeway.served.batches import ROWS, batch_of, instances, judge
from leeway.served.contract import BadRequest, Classes, Classified, Estimated, Estimates, Warned
from leeway.served.inputs import inputs_of
from leeway.spec import UseCase
from tests.unit.measured_penguins import ATTRIBUTES, TABLE
from tests.unit.test_contract import INPUTS

NAMES = [each.name for each in INPUTS]
GOOD: dict[str, Any] = {each.name: each.example for each in INPUTS}


def table(*changes: dict[str, Any]) -> pa.Table:
    """Rows of text, as those of CSV, that are like the example but for some values."""
    rows = [{k: None if v is None else str(v) for k, v in (GOOD | c).items()} for c in changes]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in rows[0]]))


def read(given: pa.Table, inputs: Any = INPUTS) -> list[Any]:
    batch = batch_of(given, inputs)
    judge(batch)
    return [row for part in instances(batch) for row in part]


def refused(given: pa.Table, inputs: Any = INPUTS) -> Any:
    with pytest.raises(BadRequest) as caught:
        read(given, inputs)
    return caught.value.problem


def test_texts_become_the_values_of_an_instance() -> None:
    assert read(table({}, {"bill_length_mm": None})) == [GOOD, GOOD | {"bill_length_mm": None}]


def test_a_batch_of_training_is_read_as_training_read_it() -> None:
    """Missing markers, a decimal comma, a sign of money and another name in the source."""
    changed: dict[str, dict[str, Any]] = {
        "bill_length_mm": {"missing": ["NA", "-"], "written": "1.234,5", "affix": "mm"},
        "body_mass_g": {"source_name": "Body Mass (g)", "missing": ["unknown"]},
    }
    columns = [{**each, **changed.get(each["name"], {})} for each in ATTRIBUTES["columns"]]
    use_case = UseCase.model_validate(ATTRIBUTES | {"columns": columns})
    inputs = inputs_of(TABLE, use_case)
    rows = [
        {"bill_length_mm": "39,5 mm", "Body Mass (g)": "4000"},
        {"bill_length_mm": "-", "Body Mass (g)": "unknown"},
    ]
    whole = {name: TABLE[name][:2] for name in TABLE.column_names}
    given = {k: pa.array([row[k] for row in rows]) for k in rows[0]}
    as_given = pa.table({k: v for k, v in whole.items() if k != "body_mass_g"} | given)
    accepted = validate(as_given, use_case).accepted
    assert accepted.num_rows == 2
    features = [each.name for each in inputs]
    assert read(as_given, inputs) == accepted.select(features).to_pylist()
    assert [each["bill_length_mm"] for each in read(as_given, inputs)] == [39.5, None]


def test_an_input_that_was_renamed_for_training_may_have_its_own_name() -> None:
    inputs = [replace(each, source_name=f"the {each.name}") for each in INPUTS]
    assert read(table({}), inputs) == [GOOD]
    assert read(table({}).rename_columns([f"the {name}" for name in NAMES]), inputs) == [GOOD]


def test_a_category_is_spelt_as_it_is_allowed_as_in_a_request() -> None:
    (found,) = read(table({"island": " dream "}))
    assert found["island"] == "Dream"


@pytest.mark.parametrize(
    ("change", "value", "told"),
    [
        ({"bill_length_mm": "heavy"}, "heavy", "not a number"),
        ({"bill_length_mm": "81"}, "81", "above the allowed 80"),
        ({"bill_length_mm": "inf"}, "inf", "not a finite number"),
        ({"bill_length_mm": "1e39"}, "1e39", "at most 1e+38"),
        ({"island": "Atlantis"}, "Atlantis", "not one of Biscoe"),
        ({"year": None}, None, "missing"),
        ({"year": "2008.5"}, "2008.5", "not an integer"),
        ({"sex": "x" * 10_001}, None, "longer than 10000 characters"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_what_is_allowed(
    change: dict[str, Any], value: str | None, told: str
) -> None:
    (name,) = change
    found = refused(table({}, {}, change))
    assert found.where == f"row 3, column {name}"
    assert found.value == value
    assert told in found.message
    assert "wrong rows of the first 3: 1;" in found.message
    assert found.allowed


def test_the_first_row_is_named_though_another_column_is_read_before() -> None:
    rows: list[dict[str, Any]] = [{}] * (2 * ROWS)
    rows[ROWS + 3] = {"year": "x"}
    rows[ROWS + 9] = {NAMES[0]: "Atlantis"}
    found = refused(table(*rows))
    assert found.where == f"row {ROWS + 4}, column year"
    assert f"wrong rows of the first {2 * ROWS}: 2;" in found.message


def test_a_column_that_is_missing_is_named_with_one_that_may_be_it() -> None:
    given = table({}).rename_columns([n.replace("bill_length", "bill_lenght") for n in NAMES])
    assert "(called 'bill_lenght_mm'?)" in refused(given).message
    assert refused(table({})[:0]).where == "rows"
    lists = table({}).set_column(NAMES.index("year"), "year", pa.array([[2008]]))
    assert refused(lists).where == "column year"


def test_typed_columns_are_read_as_texts_are() -> None:
    typed = pa.Table.from_pylist([GOOD])
    assert read(typed) == [GOOD]
    coded = typed.set_column(0, NAMES[0], typed[NAMES[0]].dictionary_encode())
    assert read(coded) == [GOOD]


WARNED = Warned("sex", "unseen_category", '=cmd|" /C calc"!A0')
ABOUT = ("penguins", "species", None, 0.9, 3, "sha256:0")
CLASSES = ["=1+1", "-1"]
ANSWER = Classes(
    *ABOUT,
    [
        Classified("a", "=1+1", {"=1+1": 0.75, "-1": 0.25}, ["=1+1"], [WARNED]),
        Classified("b", "-1", {"=1+1": 0.1 + 0.2, "-1": 0.7}, None, []),
    ],
)
NUMBERS = Estimates(
    *ABOUT, [Estimated("a", -1.5, (-2.0, 1e-300), []), Estimated("b", 0.1 + 0.2, None, [])]
)


def written(rows: list[Row], classes: list[str] | None, suffix: str) -> bytes:
    parts: list[bytes] = []
    writer = writer_of(suffix, classes, parts.append)
    for row in rows:
        writer.write([row])
    writer.end()
    return b"".join(parts)


def test_rows_are_counted_and_written_the_same_in_each_format() -> None:
    rows = rows_of(ANSWER, 6)
    lines = [json.loads(line) for line in written(rows, CLASSES, ".jsonl").splitlines()]
    assert [(each["row"], each["prediction"]) for each in lines] == [(6, "=1+1"), (7, "-1")]
    assert lines[1]["probabilities"] == ANSWER.predictions[1].probabilities
    found = parquet.read_table(io.BytesIO(written(rows, CLASSES, ".parquet"))).to_pylist()
    assert [each["probability_=1+1"] for each in found] == [0.75, 0.1 + 0.2]
    assert [each["prediction_set"] for each in found] == [["=1+1"], None]
    assert found[0]["warnings"] == lines[0]["warnings"]
    assert {each["model_version"] for each in found} == {3}


def test_numbers_have_their_interval_or_none() -> None:
    rows = rows_of(NUMBERS, 1)
    found = parquet.read_table(io.BytesIO(written(rows, None, ".parquet"))).to_pylist()
    assert [(each["low"], each["high"]) for each in found] == [(-2.0, 1e-300), (None, None)]
    again = csv.read_csv(io.BytesIO(written(rows, None, ".csv"))).to_pylist()
    assert [(each["prediction"], each["high"]) for each in again] == [
        (-1.5, 1e-300),
        (0.30000000000000004, None),
    ]


def test_a_spreadsheet_runs_nothing_of_a_csv_and_numbers_stay_as_they_are() -> None:
    found = csv.read_csv(io.BytesIO(written(rows_of(ANSWER, 1), CLASSES, ".csv"))).to_pylist()
    assert [each["prediction"] for each in found] == ["'=1+1", "-1"]
    texts = [str(value) for each in found for value in each.values()]
    assert not [text for text in texts if text.startswith(("=", "+", "@"))]
    assert json.loads(found[0]["warnings"])[0]["message"] == WARNED.message
