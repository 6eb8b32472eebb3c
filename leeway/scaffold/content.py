"""What one column holds: its type, its missing codes, its levels and its extremes, over all rows.

Belongs here: facts that every value of a column was asked for. Does not belong here: what they mean
for the use case (`leeway.scaffold.roles`).

Every distinct value is looked at once, with the number of rows that have it, so that the memory is
that of one column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.notations import PLAIN, Notation
from leeway.data.values import is_text
from leeway.scaffold.codes import MISSING_WORDS, number_codes
from leeway.scaffold.levels import Levels, levels_of, numbers_of, readable
from leeway.scaffold.notations import notation_of
from leeway.spec import LARGEST_NUMBER, NUMERIC_TYPES, ColumnType, Written

MOST_LEVELS = 100  # distinct values that are kept as categories
TOLERATED = 0.01  # share of values that may be of another type
_PROBED = 1000  # distinct values that a type is tried on before all are
_FEWEST_DISTINCT = 10  # readable ones, for words between them to be codes
_MOST_WORDS = 3
_INTEGER = r"^[+-]?\d+$"
_LEADING_ZERO = r"^0\d+$"
_SIGNED = r"^[+-]?[$€£]\s?\d[\d.,]*$|^[+-]?\d[\d.,]*\s?[$€£%]$"
_OTHER_DATE = r"^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|^\d{4}/\d{1,2}/\d{1,2}\b"


@dataclass(frozen=True)
class Content:
    """Facts about one column.

    `given` rows have a value, `missing` are the codes that mean none, and `misread` rows have a
    value that is not of the type, such as `example`. `low` and `high` bound numbers. `levels` are
    the distinct values with their rows, most frequent first, or none when there are too many.
    `unusable` says why nothing can be made of the values as they are written, which is otherwise in
    `notation`.
    """

    type: ColumnType
    rows: int
    given: int
    distinct: int
    unique: bool
    missing: tuple[str, ...] = ()
    misread: int = 0
    example: str | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[tuple[str, int], ...] = ()
    mean_length: float = 0.0
    unusable: str | None = None
    notation: Notation = PLAIN


def content_of(column: pa.ChunkedArray, usual: Written | None = None) -> Content:
    """The facts about a column of the table as its source gives it.

    Args:
        column: the values.
        usual: how numbers are written elsewhere in the table, for those that could be either.
    """
    rows = len(column)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return Content("text", rows, 0, 0, False, unusable=f"holds values of type {kind}")
    try:
        levels = levels_of(column, "number")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a type with no text: the note says so
        return Content("text", rows, 0, 0, False, unusable=f"holds values of type {kind}")
    words = levels.among(MISSING_WORDS).texts.to_pylist()
    levels = levels.without(words)
    notation, doubt = notation_of(levels, usual if is_text(kind) else None)
    type_, levels, codes = _typed(levels, notation)
    if pa.types.is_floating(kind) and type_ == "integer":
        type_ = "number"  # the next batch may have halves
    found = _facts(type_, levels, rows, tuple(sorted({*words, *codes})), notation.for_type(type_))
    return replace(found, unusable=doubt) if doubt is not None and type_ == "text" else found


def spellings(column: pa.ChunkedArray, missing: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The values of a column as categories, with their rows, most frequent first."""
    return levels_of(column, "category").without(missing).sorted()


def _typed(levels: Levels, notation: Notation) -> tuple[ColumnType, Levels, list[str]]:
    """The type, the levels that are no code, and the codes among them."""
    # 00501 is a code, not 501; one of thousands is a slip.
    if levels.like(_LEADING_ZERO).rows > TOLERATED * levels.rows or not len(levels.texts):
        return "text", levels, []
    probe = Levels(levels.texts[:_PROBED], levels.counts[:_PROBED])
    types: tuple[ColumnType, ...] = ("boolean", "number", "date", "timestamp")
    for type_ in types:
        known = readable(probe, type_, notation)
        if known.sum() * 2 < len(known):
            continue
        if len(levels.texts) > len(known):
            known = readable(levels, type_, notation)
        words = levels.keep(~known)
        if not len(words.texts):
            return _narrowed(type_, levels, notation), levels, []
        if type_ == "boolean":
            continue
        few = len(words.texts) <= _MOST_WORDS and known.sum() >= _FEWEST_DISTINCT
        # 1,574 among numbers is a number; 0000-00-00 among dates is none.
        if few and not (type_ == "number" and words.like(r"\d").rows):
            rest = levels.keep(known)
            return _narrowed(type_, rest, notation), rest, words.texts.to_pylist()
        if words.rows <= TOLERATED * levels.rows:
            return _narrowed(type_, levels.keep(known), notation), levels, []
    return "text", levels, []


def _narrowed(type_: ColumnType, levels: Levels, notation: Notation) -> ColumnType:
    """The type integer for numbers that are written without a point and fit into 64 bits."""
    if type_ != "number":
        return type_
    plain = Levels(notation.for_type(type_).plain(levels.texts), levels.counts)
    if plain.like(_INTEGER).rows < levels.rows:
        return type_
    return "integer" if readable(levels, "integer", notation).all() else type_


def _facts(
    type_: ColumnType, levels: Levels, rows: int, codes: tuple[str, ...], notation: Notation
) -> Content:
    low = high = None
    known = readable(levels, type_, notation)
    if type_ in NUMERIC_TYPES:
        numbers = numbers_of(levels, notation)
        coded = np.isinf(numbers) | np.isin(numbers, list(number_codes(numbers, levels.counts)))
        codes += tuple(sorted(levels.keep(coded).texts.to_pylist()))
        levels, numbers, known = levels.keep(~coded), numbers[~coded], known[~coded]
        known &= np.abs(numbers) <= LARGEST_NUMBER
        if known.any():
            low, high = float(numbers[known].min()), float(numbers[known].max())
    bad = levels.keep(~known)
    distinct = len(levels.texts)
    return Content(
        type_,
        rows,
        given=levels.rows,
        distinct=distinct,
        unique=distinct == rows > 0,
        missing=codes,
        misread=bad.rows,
        example=bad.texts[0].as_py() if bad.rows else None,
        low=low,
        high=high,
        levels=levels.sorted() if distinct <= MOST_LEVELS else (),
        mean_length=_mean_length(levels),
        unusable=_unusable(levels) if type_ == "text" else None,
        notation=notation,
    )


def _mean_length(levels: Levels) -> float:
    if not len(levels.texts):
        return 0.0
    return float(np.average(pc.utf8_length(levels.texts).to_numpy(), weights=levels.counts))


def _unusable(levels: Levels) -> str | None:
    """Why texts that look like something else are not read as it."""
    for pattern, what in (
        (_OTHER_DATE, "dates that are not written like 2009-12-31"),
        (_SIGNED, "numbers with a sign of currency or percent"),
    ):
        if levels.rows and levels.like(pattern).rows * 2 > levels.rows:
            example = next(t for t in levels.texts.to_pylist() if re.search(pattern, t))
            return f"holds {what}, such as {example!r}"
    return None
