"""Numbers and dates as people write them: 1.234,50 €, 12 %, 31.12.2009.

Belongs here: from a text in one notation to the text that `leeway.data.values` reads. Does not
belong here: guessing the notation (`leeway.scaffold.notations`); a use case declares it.

A text that is not in the notation of its column has no value: 1.5 where 1,5 is written is refused,
and never taken for 15.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from leeway.spec import DATES, NUMERIC_TYPES, Column, ColumnType, Written

_SPACES = " '\u2019\u00a0\u202f"  # between thousands, in several countries
_NUMBERS = {
    "1,234.5": (rf"^[+-]?(?:[1-9]\d?\d?(?:[,{_SPACES}]\d{{3}})+|\d+)(?:\.\d*)?$", rf"[,{_SPACES}]"),
    "1.234,5": (rf"^[+-]?(?:[1-9]\d?\d?(?:[.{_SPACES}]\d{{3}})+|\d+)(?:,\d*)?$", rf"[.{_SPACES}]"),
}
_REST = r",?((?:[ T].*)?)$"  # a time of the day
_DATES = {
    "31/12/2009": (rf"^(\d{{1,2}})[./-](\d{{1,2}})[./-](\d{{4}}){_REST}", r"\3-\2-\1\4"),
    "12/31/2009": (rf"^(\d{{1,2}})[./-](\d{{1,2}})[./-](\d{{4}}){_REST}", r"\3-\1-\2\4"),
    "2009/12/31": (rf"^(\d{{4}})[./-](\d{{1,2}})[./-](\d{{1,2}}){_REST}", r"\1-\2-\3\4"),
}
_ONE_DIGIT = ((r"^(\d{4})-(\d)-", r"\1-0\2-"), (r"^(\d{4}-\d\d)-(\d)(\D|$)", r"\1-0\2\3"))


@dataclass(frozen=True)
class Notation:
    """How the values of a column are written, where that is not as Leeway reads them.

    `affix` is a text before or after each number, such as % or EUR.
    """

    written: Written | None = None
    affix: str | None = None

    @classmethod
    def of(cls, column: Column) -> Self:
        """What a use case says of a column."""
        return cls(column.written, column.affix)

    def for_type(self, type_: ColumnType) -> Self | Notation:
        """The notation, where values of the type can be in it."""
        dated = self.written in DATES
        return self if type_ in (("date", "timestamp") if dated else NUMERIC_TYPES) else PLAIN

    def plain(self, texts: pa.Array) -> pa.Array:
        """The texts as they are read; missing where one is not in the notation."""
        if self.affix is not None:
            sign = re.escape(self.affix)
            texts = pc.replace_substring_regex(
                texts, pattern=rf"^([+-]?)\s*{sign}\s*", replacement=r"\1"
            )
            texts = pc.replace_substring_regex(texts, pattern=rf"\s*{sign}$", replacement="")
        if self.written in _NUMBERS:
            pattern, between = _NUMBERS[self.written]
            texts = _where(texts, pattern)
            texts = pc.replace_substring_regex(texts, pattern=between, replacement="")
            return pc.replace_substring(texts, pattern=",", replacement=".")
        if self.written in _DATES:
            pattern, order = _DATES[self.written]
            texts = _where(texts, pattern)
            texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=order)
            for one, two in _ONE_DIGIT:
                texts = pc.replace_substring_regex(texts, pattern=one, replacement=two)
        return texts


def _where(texts: pa.Array, pattern: str) -> pa.Array:
    found = pc.match_substring_regex(texts, pattern)
    return pc.if_else(found, texts, pa.scalar(None, pa.string()))


PLAIN = Notation()
