"""A number or a date is read as its column says that it is written, and otherwise not at all."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from leeway.data.values import parse_column
from leeway.spec import Column

READ: dict[tuple[str, str | None, str | None], dict[str, Any]] = {
    ("number", "1.234,5", None): {
        "1.234,5": 1234.5, "-0,25": -0.25, "12": 12.0, "1 234": 1234.0, "1\u202f234,5": 1234.5,
        "1.5": None, "0.123": None, "1,234.5": None, "12.34,5": None, "1e5": None, "inf": None,
    },
    ("number", "1,234.5", "$"): {
        "$1,234.50": 1234.5, "-$5": -5.0, "$ 7": 7.0, "7 $": 7.0, "8": 8.0, "1'234": 1234.0,
        "€5": None, "1,5": None, "$5$6": None, "0,123": None,
    },
    ("integer", "1.234,5", None): {"1.234": 1234, "7": 7, "7,0": 7, "7,5": None},
    ("number", None, "%"): {"5%": 5.0, "5 %": 5.0, "5.5": 5.5, "5%5": None, "%": None},
    ("date", "31/12/2009", None): {
        "31.12.2009": "2009-12-31", "1/2/2009": "2009-02-01", "1-2-2009": "2009-02-01",
        "2009-12-31": None, "31.12.09": None, "13/13/2009": None, "31.02.2009": None,
    },
    ("date", "12/31/2009", None): {"12/31/2009": "2009-12-31", "1/2/2009": "2009-01-02"},
    ("timestamp", "31/12/2009", None): {
        "31.12.2009 23:05": "2009-12-31 23:05:00+00:00",
        "1.2.2009, 03:04:05": "2009-02-01 03:04:05+00:00",
        "1.2.2009": "2009-02-01 00:00:00+00:00",
    },
    ("date", "2009/12/31", None): {"2009/1/31": "2009-01-31", "2009.12.1": "2009-12-01"},
}  # fmt: skip


def column(type_: str, written: str | None, affix: str | None, **more: Any) -> Column:
    fields = {"name": "x", "type": type_, "role": "monitored", "description": "x"}
    return Column.model_validate(fields | {"written": written, "affix": affix} | more)


@pytest.mark.parametrize("how", READ, ids=str)
def test_a_text_is_read_as_it_is_written_or_not_at_all(
    how: tuple[str, str | None, str | None],
) -> None:
    expected = READ[how]
    parsed = parse_column(pa.array(list(expected)), column(*how))
    found = [None if v is None else v for v in parsed.values.to_pylist()]
    shown = [v if v is None or isinstance(v, int | float) else str(v) for v in found]
    assert dict(zip(expected, shown, strict=True)) == expected
    refused = [text for text, value in expected.items() if value is None]
    assert [value for _, value, _ in parsed.problems] == refused, "as they were written"


def test_what_has_a_type_of_its_own_is_in_no_notation() -> None:
    """Guards: a Parquet file, or synthetic rows, beside files of text."""
    declared = column("number", "1.234,5", "€")
    assert parse_column(pa.array([1234.5, 0.5]), declared).values.to_pylist() == [1234.5, 0.5]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("category", "1.234,5", None), "no way to write a category"),
        (("date", "1.234,5", None), "no way to write a date"),
        (("number", "31/12/2009", None), "no way to write a number"),
        (("date", None, "€"), "affix is for number and integer columns"),
        (("number", None, " €"), "without spaces around it"),
        (("number", None, "-"), "part of a number"),
        (("integer", None, "0"), "part of a number"),
    ],
)
def test_a_notation_suits_its_type(fields: tuple[str, str | None, str | None], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        column(*fields)
