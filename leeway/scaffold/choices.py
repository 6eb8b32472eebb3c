"""Choices between columns: which one the user means, which is the key, which is the time.

Belongs here: looking a column up by what the user typed, and telling keys and times by name and
content. Does not belong here: a column by itself (`leeway.scaffold.roles`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from leeway.scaffold.content import Content
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.names import is_number
from leeway.spec import NUMERIC_TYPES

MADE_KEY = "row_id"
_ID = re.compile(r"(^|_)(id|key|uuid|guid|code|no|nr)$|^udi$")
_TIME = re.compile(r"(^|_)(ts|time|timestamp|epoch|unixtime|date|day|at|on|year|month|yyyymmdd)$")
_SECONDS = (631_152_000, 4_102_444_800)  # 1990 to 2100, since 1970
_TOLERATED = 0.01  # share of rows whose key may be missing or repeat another


def is_id(name: str) -> bool:
    """Whether a name says that the column identifies something."""
    return _ID.search(name) is not None


def find(option: str, wanted: str, names: Mapping[str, str]) -> str:
    """The header that the user means: as in the file, or as it is called here.

    Raises:
        CannotInfer: when there is none, with the closest and all that there are.
    """
    if wanted in names:
        return wanted
    for header, name in names.items():
        if name == wanted:
            return header
    if len(names) == 1 and re.search(r"[\s|]", next(iter(names))):
        raise CannotInfer(
            f"the header is one column, {next(iter(names))!r}: the values are separated by "
            "something else than a comma; save the file as CSV with commas"
        )
    if sum(map(is_number, names)) * 2 >= len(names):
        raise CannotInfer(
            f"{option} {wanted!r}: no such column: the first row, {', '.join(names)}, looks like "
            "values and not like names; write a row with the names of the columns above it"
        )
    folded = {header.casefold(): header for header in names}
    close = [folded[each] for each in get_close_matches(wanted.casefold(), folded, n=1)]
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise CannotInfer(f"{option} {wanted!r}: no such column{hint} (there are {', '.join(names)})")


def check_key(name: str, content: Content) -> str | None:
    """What to say of a key that the user names and that is not quite one.

    Raises:
        CannotInfer: when it identifies no row.
    """
    if content.type not in ("integer", "text", "category") or content.unusable is not None:
        kind = content.unusable or f"is of type {content.type}"
        raise CannotInfer(f"--key: {name} {kind}; a key is an integer or a text")
    wrong = content.rows - content.distinct + content.misread
    if wrong > _TOLERATED * content.rows:
        raise CannotInfer(
            f"--key: {name} has {content.distinct} different values in {content.rows} rows, and a "
            "key has another one in every row; name another column, or leave out --key to number "
            "the rows"
        )
    if not wrong:
        return None
    return f"{name}: {wrong} rows have no key or repeat one; they will be rejected, with the reason"


def infer_key(contents: Mapping[str, Content]) -> str | None:
    """The first column whose name says that it identifies a row, and which does in every row."""
    found = [
        name
        for name, content in contents.items()
        if is_id(name) and content.unique and content.type in ("integer", "text")
    ]
    return "id" if "id" in found else next(iter(found), None)


def check_time(name: str, content: Content) -> None:
    """Checks a time that the user names.

    Raises:
        CannotInfer: when it is neither date, timestamp nor number.
    """
    if content.unusable is not None or content.type not in ("date", "timestamp", *NUMERIC_TYPES):
        kind = content.unusable or f"is of type {content.type}"
        raise CannotInfer(
            f"--time: {name} {kind}; a time is written like 2009-12-31 or 2009-12-31T23:59:00Z, "
            "or is a number such as a year"
        )


def times_of(contents: Mapping[str, Content]) -> list[str]:
    """The columns of dates or timestamps; if there is none, those that count seconds or days."""
    found = [name for name, each in contents.items() if each.type in ("date", "timestamp")]
    return found or [name for name, each in contents.items() if counted_time(name, each)]


def counted_time(name: str, content: Content) -> str | None:
    """What integers count that say a time, by their name and size; None when they do not."""
    low, high = content.low, content.high
    if content.type != "integer" or not _TIME.search(name) or low is None or high is None:
        return None
    for unit, per_second in (("seconds", 1), ("milliseconds", 1000)):
        if per_second * _SECONDS[0] <= low and high <= per_second * _SECONDS[1]:
            return f"{unit} since 1970"
    written = content.levels or ()
    days = [text for text, _ in written if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])[0-3]\d", text)]
    return "days such as 20240131" if days and len(days) == len(written) else None
