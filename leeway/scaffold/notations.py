"""The notation of numbers and dates in a column, where its values leave no doubt.

Belongs here: telling 1.234,5 from 1,234.5, the day from the month, and a sign that all values
share. Does not belong here: reading values in a notation (`leeway.data.notations`).

What can be read in two ways is not guessed: 1,234 alone may be either, and so may 01/02/2009.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pyarrow.compute as pc

from leeway.data.notations import Notation
from leeway.scaffold.levels import Levels
from leeway.scaffold.names import unit_of_sign
from leeway.spec import Written

_PROBED = 1000  # distinct values
_PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_YEARS = range(1800, 2200)  # 12-05-5678 is a code
_MOST = 0.5  # share of the values that must be in the notation
_CORE = re.compile(
    r"[+-]?\s*(?P<before>[^\d\s.,+-]{1,4})?\s*[+-]?\d[\d.,'\u2019\u00a0\u202f ]*?\s*"
    r"(?P<after>[^\d\s.,'\u2019][^\d\s.,]{0,7})?"
)
_DAY = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})\b")
# What only one of the two can be.
_COMMA_DECIMAL = re.compile(
    r"[+-]?(?:0,\d+|\d+,(?:\d|\d\d|\d{4,})|\d{4,},\d+"
    r"|[1-9]\d?\d?(?:[. \u00a0\u202f]\d{3})+(?:,\d*)?)"
)
_COMMA_THOUSANDS = re.compile(r"[+-]?[1-9]\d?\d?(?:(?:,\d{3})+\.\d*|(?:,\d{3}){2,})")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_POINT_DECIMAL = re.compile(r"[+-]?\d+\.(?:\d|\d\d|\d{4,})")
NUMBERS: tuple[Written, Written] = ("1.234,5", "1,234.5")


def notation_of(levels: Levels, usual: Written | None = None) -> tuple[Notation, str | None]:
    """The notation of a column, and why there is none although it looks like one.

    Args:
        levels: its distinct values.
        usual: how numbers are written elsewhere in the table, for those that could be either.
    """
    if levels.like(_PLAIN).rows == levels.rows:
        return Notation(_of_points(levels, usual)), None
    texts = levels.texts[:_PROBED].to_pylist()
    dated = _of_dates(texts)
    if dated is not None:
        return dated
    affix = _affix(texts)
    bare = Levels(Notation(affix=affix).plain(levels.texts), levels.counts)
    written, doubt = _of_points(bare, usual), None
    if written is None and affix is not None and usual is None:
        doubt = _doubt_of_points(bare, affix)
    if written is None and doubt is None:
        written, doubt = _of_numbers(bare.texts[:_PROBED].to_pylist(), usual)
    found = Notation(written, affix)
    if found == Notation() or doubt is not None:
        return Notation(), doubt
    read = pc.is_valid(found.plain(levels.texts)).to_numpy(zero_copy_only=False)
    enough = levels.keep(read).rows > _MOST * levels.rows
    return (found if enough else replace(found, written=None, affix=None)), None


def _of_points(levels: Levels, usual: Written | None) -> Written | None:
    """1.234 is a number with a point, but not in a table whose decimals have a comma."""
    return usual if usual == NUMBERS[0] and _grouped(levels) else None


def _grouped(levels: Levels) -> list[str]:
    """The numbers with a point, if each of them has three digits behind it and no 0 before."""
    pointed = levels.like(_PLAIN).like(r"\.")
    grouped = pointed.like(r"^[+-]?[1-9]\d{0,2}\.\d{3}$")
    return grouped.texts.to_pylist() if pointed.rows == grouped.rows else []


def _doubt_of_points(levels: Levels, affix: str) -> str | None:
    """Programs write 1.234 for one and a bit; people, who write a unit beside it, not always."""
    grouped = _grouped(levels)
    if not grouped:
        return None
    return (
        f"holds numbers beside {affix} with a point that may stand before decimals or between "
        f"thousands, such as {grouped[0]!r}; write affix: {affix!r} for the column, with its type "
        "and role, and written: 1.234,5 if it is thousands"
    )


def _affix(texts: list[str]) -> str | None:
    """The one sign or unit that most numbers have, if no number has another."""
    found: Counter[str] = Counter()
    for text in texts:
        match = _CORE.fullmatch(text)
        if match is not None and (match["before"] or match["after"]):
            found[match["before"] or match["after"]] += 1
    if len(found) != 1:
        return None
    ((affix, count),) = found.items()
    return affix if unit_of_sign(affix) and count > _MOST * len(texts) else None


def _of_numbers(texts: list[str], usual: Written | None) -> tuple[Written | None, str | None]:
    matched = [
        [text for text in texts if pattern.fullmatch(text)]
        for pattern in (_COMMA_DECIMAL, _COMMA_THOUSANDS, _EITHER, _POINT_DECIMAL)
    ]
    _, thousands, either, points = matched
    # 1.234 alone is a number with a point; 1.234.567 or 1 234 is none.
    decimal = [text for text in matched[0] if re.search(r"[, \u00a0\u202f]|\..*\.", text)]
    if decimal and (thousands or points):
        return None, (
            f"holds numbers that are written in two ways, such as {decimal[0]!r} and "
            f"{(thousands or points)[0]!r}: mend the file"
        )
    if decimal:
        return "1.234,5", None
    if thousands or (either and points):
        return "1,234.5", None
    whole = [text for text in texts if re.fullmatch(r"[+-]?\d+", text)]
    if not either or len(either) + len(whole) <= _MOST * len(texts):
        return None, None
    if usual is not None:
        return usual, None
    return None, (
        f"holds numbers with a comma that may stand before decimals or between thousands, such as "
        f"{either[0]!r}; write written: 1.234,5 or written: 1,234.5 for the column, with its type "
        "and role"
    )


def _of_dates(texts: list[str]) -> tuple[Notation, str | None] | None:
    """The order of day, month and year, if the values are dates at all."""
    parts = [match.groups() for text in texts if (match := _DAY.match(text))]
    if not parts or len(parts) <= _MOST * len(texts):
        return None
    if all(len(first) == 4 for first, _, _ in parts):
        iso = all(re.match(r"\d{4}-\d\d-\d\d", text) for text in texts if _DAY.match(text))
        return Notation(None if iso else "2009/12/31"), None
    if any(int(last) not in _YEARS for _, _, last in parts):
        return Notation(), None
    day_first = any(int(first) > 12 for first, _, _ in parts)
    month_first = any(int(second) > 12 for _, second, _ in parts)
    pointed = sum("." in text for text in texts) > _MOST * len(texts)  # 31.12.2009: nobody's month
    if day_first != month_first or pointed:
        return Notation("12/31/2009" if month_first and not day_first else "31/12/2009"), None
    if day_first:
        return Notation(), None
    return Notation(), (
        f"holds dates of which day and month cannot be told apart, such as {texts[0]!r}; write "
        "written: 31/12/2009 or written: 12/31/2009 for the column, with type date and its role"
    )
