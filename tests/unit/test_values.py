"""A text or a typed value is what the column's type makes of it, or rejected with the reason."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from leeway.data.values import parse_column
from leeway.spec import Column


def one_column(type_: str, values: pa.Array | list[str | None], **fields: Any) -> list[Any]:
    """What a column of the type makes of values: each value, or the reason against it."""
    raw = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    column = Column.model_validate(
        {"name": "x", "type": type_, "role": "monitored", "description": "d", **fields}
    )
    parsed = parse_column(raw, column)
    found: list[Any] = parsed.values.to_pylist()
    for row, _, reason in parsed.problems:
        found[row] = reason
    return found


def test_nan_of_a_float_column_is_missing_and_infinity_is_rejected() -> None:
    values = pa.array([1.0, math.nan, None, math.inf])
    assert one_column("number", values) == [1.0, None, None, "not a finite number"]


BAD_INTEGER, BAD_BOOLEAN, BAD_DATE = "not an integer", "not a boolean", "not a date"
BAD_TIME, BAD_NUMBER = "not a timestamp", "not a number"
TOO_LARGE = "not a number of at most 1e+38 in size"


@pytest.mark.parametrize(
    ("type_", "text", "found"),
    [
        ("integer", "9223372036854775807", 2**63 - 1),
        ("integer", "-9223372036854775808", -(2**63)),
        ("integer", "9223372036854775808", BAD_INTEGER),
        ("integer", "9" * 30, BAD_INTEGER),
        ("integer", "2007.0", 2007),
        ("integer", "2007.", 2007),
        ("integer", "007", 7),
        ("integer", "+5", 5),
        ("integer", "-0", 0),
        ("integer", "+-5", BAD_INTEGER),
        ("integer", "2007.5", BAD_INTEGER),
        ("integer", "0x1F", BAD_INTEGER),
        ("integer", "1e3", BAD_INTEGER),
        ("integer", "1_000", BAD_INTEGER),
        ("integer", "٣", BAD_INTEGER),
        ("number", "1e38", 1e38),
        ("number", "1.01e38", TOO_LARGE),
        ("number", "-1e308", TOO_LARGE),
        ("number", "-1E-3", -0.001),
        ("number", ".5", 0.5),
        ("number", "5.", 5.0),
        ("number", "+5", 5.0),
        ("number", "1e-400", 0.0),
        ("number", "9007199254740993", 9007199254740992.0),
        ("number", "0x1F", BAD_NUMBER),
        ("number", "1.5.2", BAD_NUMBER),
        ("number", "e5", BAD_NUMBER),
        ("number", "true", BAD_NUMBER),
        ("boolean", "true", True),
        ("boolean", "FALSE", False),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("boolean", "yes", BAD_BOOLEAN),
        ("boolean", "t", BAD_BOOLEAN),
        ("boolean", "2", BAD_BOOLEAN),
        ("date", "2024-02-29", dt.date(2024, 2, 29)),
        ("date", "2023-02-29", BAD_DATE),
        ("date", "2024-04-31", BAD_DATE),
        ("date", "2024-13-01", BAD_DATE),
        ("date", "01.02.2024", BAD_DATE),
        ("date", "2024-1-2", BAD_DATE),
        ("date", "2024-01-02 00:00:00", dt.date(2024, 1, 2)),
        ("date", "2024-01-02 12:00:00", BAD_DATE),
        ("timestamp", "2024-01-02", dt.datetime(2024, 1, 2, tzinfo=dt.UTC)),
        ("timestamp", "2024-01-02 03:04", dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC)),
        ("timestamp", "2024-01-02T03:04:05", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("timestamp", "2024-01-02T03:04:05Z", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ("timestamp", "2024-01-02 03:04:05+02:00", dt.datetime(2024, 1, 2, 1, 4, 5, tzinfo=dt.UTC)),
        ("timestamp", "2024-01-02 03:04:05-0530", dt.datetime(2024, 1, 2, 8, 34, 5, tzinfo=dt.UTC)),
        (
            "timestamp",
            "2024-01-02 03:04:05.123456789",
            dt.datetime(2024, 1, 2, 3, 4, 5, 123456, dt.UTC),
        ),
        ("date", "0001-01-01", dt.date(1, 1, 1)),
        ("date", "0000-12-31", BAD_DATE),
        ("date", "0000-02-29", BAD_DATE),
        ("date", "9999-12-31", dt.date(9999, 12, 31)),
        ("timestamp", "0000-01-01", BAD_TIME),
        ("timestamp", "0001-01-01T00:00Z", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        ("timestamp", "0001-01-01T01:59+02:00", BAD_TIME),
        ("timestamp", "0000-12-31T23:00-01:00", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        ("timestamp", "9999-12-31T23:59:59.999999Z", dt.datetime.max.replace(tzinfo=dt.UTC)),
        ("timestamp", "9999-12-31T23:59-02:00", BAD_TIME),
        ("timestamp", "2024-02-30", BAD_TIME),
        ("timestamp", "2024-01-02 25:00", BAD_TIME),
        ("timestamp", "2024-01-02 03:04:60", BAD_TIME),
        ("timestamp", "tomorrow", BAD_TIME),
        ("timestamp", "1704164645", BAD_TIME),
    ],
)
def test_a_text_is_the_value_that_it_spells_or_rejected(
    type_: str, text: str, found: object
) -> None:
    assert one_column(type_, [text, None]) == [found, None]
    assert one_column(type_, ["junk", text])[1] == found


UTC_NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("type_", "values", "found"),
    [
        ("integer", pa.array([2007.0, None, 12e9]), [2007, None, 12_000_000_000]),
        ("integer", pa.array([2.5]), [BAD_INTEGER]),
        ("integer", pa.array([1e19, math.inf]), [BAD_INTEGER, BAD_INTEGER]),
        ("integer", pa.array([2**63], pa.uint64()), [BAD_INTEGER]),
        ("integer", pa.array([Decimal("5.00"), Decimal("5.50")]), [5, BAD_INTEGER]),
        ("category", pa.array([12e9, 1.5]), ["12000000000", "1.5"]),
        ("category", pa.array(["a", None]).dictionary_encode(), ["a", None]),
        ("number", pa.array([1, None]), [1.0, None]),
        ("number", pa.array([0.1], pa.float32()), [0.1]),
        ("number", pa.array([1e-300, 0.1 + 0.2]), [1e-300, 0.1 + 0.2]),
        ("boolean", pa.array([True, None]), [True, None]),
        ("boolean", pa.array([1.0, 0.0]), [True, False]),
        ("date", pa.array([dt.date(2024, 1, 2)]), [dt.date(2024, 1, 2)]),
        ("date", pa.array([dt.datetime(2024, 1, 2)]), [dt.date(2024, 1, 2)]),  # noqa: DTZ001
        ("timestamp", pa.array([UTC_NOON]), [UTC_NOON]),
        ("timestamp", pa.array([UTC_NOON], pa.timestamp("ns", "Asia/Tokyo")), [UTC_NOON]),
        ("timestamp", pa.array([UTC_NOON], pa.timestamp("ns")), [UTC_NOON]),
        ("timestamp", pa.array([UTC_NOON], pa.timestamp("s")), [UTC_NOON]),
        ("timestamp", pa.array([dt.date(2024, 1, 2)]), [UTC_NOON.replace(hour=0)]),
        ("timestamp", pa.array([2**62], pa.timestamp("us")), [BAD_TIME]),
        ("date", pa.array([-(2**20), 2**22], pa.date32()), [BAD_DATE, BAD_DATE]),
        ("number", pa.array([3e38], pa.float32()), [TOO_LARGE]),
        ("text", pa.array(["x"], pa.large_string()), ["x"]),
        ("text", pa.nulls(1), [None]),
    ],
)
def test_a_typed_column_of_parquet_keeps_its_values(
    type_: str, values: pa.Array, found: list[object]
) -> None:
    assert one_column(type_, values) == found


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1])
def test_a_range_judges_integers_that_no_float_holds(value: int) -> None:
    bound = "below the allowed 10" if value < 0 else "above the allowed 20"
    assert one_column("integer", [str(value), "15"], range=[10, 20]) == [bound, 15]


@pytest.mark.parametrize("text", ["10", "20", "15.5"])
def test_a_range_holds_its_bounds(text: str) -> None:
    assert one_column("number", [text], range=[10, 20]) == [float(text)]


def test_an_open_range_bounds_one_side() -> None:
    assert one_column("number", ["-1e9", "21"], range=[None, 20]) == [-1e9, "above the allowed 20"]


def test_one_bad_value_among_many_is_found_where_it_is() -> None:
    texts: list[str | None] = [f"2024-01-{1 + row % 28:02d}" for row in range(1400)]
    texts[777] = "2023-02-29"
    found = one_column("timestamp", texts)
    assert [row for row, value in enumerate(found) if value == BAD_TIME] == [777]
