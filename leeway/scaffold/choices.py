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
from leeway.spec import NUMERIC_TYPES

MADE_KEY = "row_id"
_ID = re.compile(r"(^|_)(id|key|uuid|guid|code|no|nr)$|^udi$|^column_1$")
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
    if len(names) == 1 and re.search(r"[\t|]", next(iter(names))):
        raise CannotInfer(
            f"the header is one column, {next(iter(names))!r}: the values are separated by "
            "something else than a comma; save the file as CSV with commas"
        )
    close = get_close_matches(wanted, names, n=1)
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


def infer_time(contents: Mapping[str, Content]) -> str | None:
    """The only column of dates or timestamps; none when there are several."""
    found = [name for name, each in contents.items() if each.type in ("date", "timestamp")]
    return found[0] if len(found) == 1 else None
