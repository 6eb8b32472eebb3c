"""Reads the values of one column as its declared type.

Belongs here: what counts as missing, as a number, as an allowed value. Does not belong here: rules
about rows or tables (`leeway.validation`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from leeway.spec import Column, ColumnType

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "category": pa.string(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
POSTGRES_TYPES: dict[ColumnType, str] = {
    "number": "double precision",
    "integer": "bigint",
    "category": "text",
    "boolean": "boolean",
    "text": "text",
    "date": "date",
    "timestamp": "timestamptz",
}
_ARTICLES = {
    "number": "not a number",
    "integer": "not an integer",
    "boolean": "not a boolean",
    "date": "not a date",
    "timestamp": "not a timestamp",
}


@dataclass(frozen=True)
class Parsed:
    """Typed values, and the problems as (row from 0, value as text, reason)."""

    values: pa.Array
    problems: tuple[tuple[int, str | None, str], ...]


def parse_column(raw: pa.Array, column: Column) -> Parsed:
    """Reads `raw` as the declared type; a value that cannot be read becomes missing and a problem."""
    texts = _as_text(raw, column)
    values = _cast(texts, column.type)
    unreadable = pc.and_(pc.is_valid(texts), pc.is_null(values))
    problems = _problems(unreadable, texts, _ARTICLES.get(column.type, "not readable"))
    if column.type == "number":
        finite = pc.fill_null(pc.is_finite(values), True)
        problems += _problems(pc.invert(finite), texts, "not a finite number")
    if column.range is not None:
        low, high = column.range
        if low is not None:
            problems += _problems(pc.less(values, low), texts, f"below the allowed {low:g}")
        if high is not None:
            problems += _problems(pc.greater(values, high), texts, f"above the allowed {high:g}")
    if column.values is not None:
        known = pc.is_in(values, value_set=pa.array(column.values))
        unknown = pc.and_(pc.is_valid(values), pc.invert(known))
        problems += _problems(unknown, texts, f"not one of {', '.join(column.values)}")
    if column.required or column.role == "key":
        problems += _problems(pc.and_(pc.is_null(values), pc.invert(unreadable)), texts, "missing")
    return Parsed(values, tuple(problems))


def _as_text(raw: pa.Array, column: Column) -> pa.Array:
    """Values as text; NaN, the empty text and the declared codes are missing."""
    if pa.types.is_floating(raw.type):
        raw = pc.if_else(pc.fill_null(pc.is_nan(raw), True), pa.scalar(None, raw.type), raw)
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    texts = pc.utf8_trim_whitespace(pc.cast(raw, pa.string()))
    codes = pa.array(["", *column.missing])
    return pc.if_else(pc.is_in(texts, value_set=codes), pa.scalar(None, pa.string()), texts)


def _cast(texts: pa.Array, type_: ColumnType) -> pa.Array:
    """Casts at once where every value can be read, else value by value."""
    target = ARROW_TYPES[type_]
    try:
        return _cast_strictly(texts, type_)
    except pa.ArrowInvalid:
        values = []
        for text in texts:
            try:
                values.append(_cast_strictly(pa.array([text.as_py()], pa.string()), type_)[0].as_py())
            except pa.ArrowInvalid:
                values.append(None)
        return pa.array(values, target)


def _cast_strictly(texts: pa.Array, type_: ColumnType) -> pa.Array:
    target = ARROW_TYPES[type_]
    if type_ == "integer":
        # A table with missing integers arrives as floats: 2007.0 is the integer 2007.
        texts = pc.replace_substring_regex(texts, pattern=r"^([+-]?\d+)\.0+$", replacement=r"\1")
    if type_ == "timestamp":
        return pc.cast(pc.cast(texts, pa.timestamp("us")), target)
    return pc.cast(texts, target)


def _problems(mask: pa.Array, texts: pa.Array, reason: str) -> list[tuple[int, str | None, str]]:
    rows = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return [(row, texts[row].as_py(), reason) for row in rows]
