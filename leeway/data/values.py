"""Reads the values of one column as its declared type.

Belongs here: what counts as missing, as a number, as an allowed value. Does not belong here: rules
about rows or tables (`leeway.data.validation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.notations import Notation
from leeway.spec import LARGEST_NUMBER, Column, ColumnType

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
_DATE = (
    r"\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d))"
)
_TIME = r"(?:[01]\d|2[0-3])(?::[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?"
# What a text must look like to be read. What matches and still cannot be read, such as 29 February
# of most years, is found by halving: that must stay rare.
_SPELLINGS: dict[ColumnType, str] = {
    "number": r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)$",
    "integer": r"^-?(?:\d{1,18}|[0-8]\d{18}|9[01]\d{17}|92[01]\d{16}|922[0-3]\d{15})$",
    "boolean": r"(?i)^(?:true|false|1|0)$",
    "date": rf"^{_DATE}$",
    "timestamp": rf"^{_DATE}[ T]{_TIME}(?:Z|[+-]\d\d(?::?\d\d)?)$",
}
# Other spellings of the same value, as (pattern, replacement): a table with missing integers
# arrives as floats, so 2007.0 is the integer 2007; a date often arrives as its midnight; pandas
# writes nanoseconds; a timestamp without a zone is UTC.
_NORMAL: dict[ColumnType, tuple[tuple[str, str], ...]] = {
    "integer": ((r"^(?:\+|(-))?0*(\d+)(?:\.0*)?$", r"\1\2"),),
    "date": ((rf"^({_DATE})[ T]00:00(?::00(?:\.0+)?)?Z?$", r"\1"),),
    "timestamp": (
        (rf"^({_DATE})$", r"\1T00Z"),
        (r"(\.\d{6})\d{1,3}", r"\1"),
        (rf"^({_DATE}[ T][\d:.]+)$", r"\1Z"),
    ),
}
# PostgreSQL has no year 0, and Python none after 9999, wherever the shift to UTC leads.
_MOMENTS: dict[ColumnType, tuple[date, date]] = {
    "date": (date.min, date.max),
    "timestamp": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}


@dataclass(frozen=True)
class Parsed:
    """Typed values, and the problems as (row from 0, value as text, reason).

    `given` values are not missing, and `unreadable` of them cannot be read as the declared type.
    """

    values: pa.Array
    problems: tuple[tuple[int, str | None, str], ...]
    given: int
    unreadable: int


def parse_column(raw: pa.Array, column: Column) -> Parsed:
    """Reads `raw` as the declared type; a value that cannot be read becomes missing and a problem.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: when values of this Arrow type have
            no text.
    """
    texts = as_text(raw, column.type, column.missing)
    plain = Notation.of(column).plain(texts) if is_text(raw.type) else texts
    values = _cast(plain, column.type)
    unreadable = pc.and_(pc.is_valid(texts), pc.is_null(values))
    problems = _problems(unreadable, texts, _ARTICLES.get(column.type, "not readable"))
    problems += _out_of_range(values, texts, column)
    if pa.types.is_string(values.type):
        nul = pc.match_substring(values, "\0")
        problems += _problems(nul, texts, "holds a NUL character, which PostgreSQL cannot store")
    if column.values is not None:
        known = pc.is_in(values, value_set=pa.array(column.values))
        unknown = pc.and_(pc.is_valid(values), pc.invert(known))
        problems += _problems(unknown, texts, f"not one of {', '.join(column.values)}")
    if column.required or column.role == "key":
        problems += _problems(pc.and_(pc.is_null(values), pc.invert(unreadable)), texts, "missing")
    given = len(texts) - texts.null_count
    return Parsed(values, tuple(problems), given, values.null_count - texts.null_count)


def is_text(type_: pa.DataType) -> bool:
    """Whether values of an Arrow type are in a notation; others have a type of their own."""
    held = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held))


def _out_of_range(values: pa.Array, texts: pa.Array, column: Column) -> list[Any]:
    """Problems of numbers that are not finite, too large for any role, or outside the range."""
    problems = []
    if column.type == "number":
        finite = pc.is_finite(values)
        problems += _problems(pc.invert(finite), texts, "not a finite number")
        large = pc.and_(finite, pc.greater(pc.abs(values), LARGEST_NUMBER))
        reason = f"not a number of at most {LARGEST_NUMBER:g} in size"
        problems += _problems(large, texts, reason)
    if column.range is None:
        return problems
    low, high = column.range
    # Beyond 2^53 an integer is rounded, which no bound that is a float can tell.
    numbers = pc.cast(values, pa.float64(), safe=False)
    if low is not None:
        problems += _problems(pc.less(numbers, low), texts, f"below the allowed {low:.15g}")
    if high is not None:
        problems += _problems(pc.greater(numbers, high), texts, f"above the allowed {high:.15g}")
    return problems


def as_text(raw: pa.Array, type_: ColumnType, missing: Sequence[str] = ()) -> pa.Array:
    """Values as the text that is read as `type_`; NaN, the empty text and `missing` are missing.

    Spaces around a value are not read, and a category is in Unicode's composed form, NFC.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: when values of this Arrow type have
            no text.
    """
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_floating(raw.type):
        raw = pc.if_else(pc.fill_null(pc.is_nan(raw), True), pa.scalar(None, raw.type), raw)
    texts = pc.cast(raw, pa.string())
    if pa.types.is_floating(raw.type) and type_ != "number":
        # Arrow writes the float 12000000000.0 as 1.2e+10; as a key or a code it is 12000000000.
        whole = pc.and_(pc.equal(raw, pc.floor(raw)), pc.less(pc.abs(raw), 2.0**63))
        integers = pc.cast(pc.if_else(whole, raw, None), pa.int64(), safe=False)
        texts = pc.coalesce(pc.cast(integers, pa.string()), texts)
    texts = pc.utf8_trim_whitespace(texts)
    if type_ == "category":
        texts = _composed(texts)
    codes = pa.array(["", *missing])
    return pc.if_else(pc.is_in(texts, value_set=codes), pa.scalar(None, pa.string()), texts)


def _composed(texts: pa.Array) -> pa.Array:
    """The texts in NFC: é is one letter, or an e and an accent, and not two categories.

    Not by Arrow 25, whose utf8_normalize takes letters apart in each of its forms.
    """
    if pc.all(pc.string_is_ascii(texts)).as_py() is not False:
        return texts
    coded = texts.dictionary_encode()
    values = [normalize("NFC", value) for value in coded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(coded.indices)


def _cast(texts: pa.Array, type_: ColumnType) -> pa.Array:
    """The texts as values; missing where a text cannot be read."""
    for pattern, replacement in _NORMAL.get(type_, ()):
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
    if type_ in _SPELLINGS:
        readable = pc.match_substring_regex(texts, _SPELLINGS[type_])
        texts = pc.if_else(readable, texts, pa.scalar(None, pa.string()))
    values = pa.concat_arrays(_halves(texts, ARROW_TYPES[type_]))
    if type_ not in _MOMENTS:
        return values
    first, last = (pa.scalar(moment, values.type) for moment in _MOMENTS[type_])
    held = pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    return pc.if_else(held, values, pa.scalar(None, values.type))


def _halves(texts: pa.Array, target: pa.DataType) -> list[pa.Array]:
    """Casts at once where every value can be read, else each half by itself."""
    try:
        return [pc.cast(texts, target)]
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return [pa.nulls(1, target)]
    middle = len(texts) // 2
    return _halves(texts[:middle], target) + _halves(texts[middle:], target)


def _problems(mask: pa.Array, texts: pa.Array, reason: str) -> list[tuple[int, str | None, str]]:
    rows = pc.indices_nonzero(pc.fill_null(mask, False))
    # The value goes to a table of PostgreSQL, which has no NUL character.
    shown = pc.replace_substring(texts.take(rows), pattern="\0", replacement="\\0")
    return [
        (row, value, reason) for row, value in zip(rows.to_pylist(), shown.to_pylist(), strict=True)
    ]
