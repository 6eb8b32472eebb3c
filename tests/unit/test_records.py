"""JSON rows become a table of the texts that stand there, or an error that names row and field."""

from __future__ import annotations

import pytest

from leeway.data.records import NotRecords, parse_json, table_of_records
from resources.text_formats import read_json_lines


def test_values_are_the_text_that_stands_there() -> None:
    rows = parse_json('[{"a": 7.10, "b": 1e400}, {"a": true, "c": "x"}, {"b": null, "a": false}]')
    assert table_of_records(rows).to_pydict() == {
        "a": ["7.10", "true", "false"],
        "b": ["1e400", None, None],
        "c": [None, "x", None],
    }
    digits = "9" * 5000  # Python alone refuses to read an integer of so many
    assert parse_json(f"[{digits}, NaN, -Infinity]") == [digits, "NaN", "-Infinity"]


def test_a_row_without_any_name_is_a_row_also_in_a_piece_of_its_own() -> None:
    """Regression: a piece of the file with nothing but such rows had none, and nobody was told."""
    assert table_of_records([{}, {}]).num_rows == 2
    assert read_json_lines(b'{"a": 1}\n' * 50_000 + b"{}\n", "t.jsonl").num_rows == 50_001


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON: "),
        ("<html></html>", "not JSON: Expecting value: line 1 column 1"),
        (b"\xff\xff", "not JSON: "),
        ('{"a": 1, "b": 2, "a": 3}', "an object names 'a' more than once"),
        ("[" * 100_000, "the JSON is nested too deep; rows are flat objects"),
    ],
)
def test_what_is_no_json_is_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(NotRecords) as refused:
        parse_json(text)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("[1]", r"row 5: \"\['1'\]\" is no object with names and values"),
        ("null", "row 5: 'None' is no object"),
        ('{"a": {"b": 1}}', "row 5: 'a' holds an object; a column holds texts, numbers"),
        ('{"a": []}', "row 5: 'a' holds a list"),
        (r'{"a": "\ud800"}', "row 5: 'a' holds half a character"),
    ],
)
def test_what_is_no_row_is_refused_with_its_number_and_field(row: str, says: str) -> None:
    with pytest.raises(NotRecords, match=says):
        table_of_records([{"a": "1"}, parse_json(row)], first=4)
