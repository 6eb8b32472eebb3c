"""How a file of a person is laid out, guessed from its beginning for `leeway new` alone.

Belongs here: which line has the names, and what separates them. Does not belong here: reading the
table (`resources.files`): a run reads what defs.yaml says, and guesses nothing.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from pathlib import Path
from typing import BinaryIO, cast

from leeway.scaffold.names import is_number
from resources.files import USUAL, Layout, suffix_of

_BYTES = 2**18
_LINES = 60
_DELIMITERS = (",", ";", "\t", "|")
_LAST_TITLE = 20  # line below which nobody writes the names
_SAME_WIDTH = 0.8  # share of the lines below the names that have as many values


def layout_of(path: Path) -> Layout:
    """What is not usual about a file; a file that cannot be read is told by who reads it."""
    suffix = suffix_of(path.name) or ""
    if suffix == ".xlsx":
        return Layout(header=0)
    if not suffix.startswith((".csv", ".tsv")):
        return USUAL
    usual = "," if suffix.startswith(".csv") else "\t"
    try:
        lines = _beginning(path, packed=suffix.endswith(".gz"))
    except (OSError, EOFError, zlib.error):
        return USUAL
    candidates = sorted(_DELIMITERS, key=lambda each: each != usual)
    found = [(line, each) for each in candidates if (line := _names_at(lines, each)) is not None]
    if not found:
        return USUAL
    # What separates the values separates the names, too: 1,5;2,5 has no comma in its header.
    line, delimiter = min(found, key=lambda pair: pair[0])
    return Layout(
        header=None if line == 1 else line, delimiter=None if delimiter == usual else delimiter
    )


def _beginning(path: Path, *, packed: bool) -> list[str]:
    with gzip.open(path) if packed else path.open("rb") as file:
        data = cast(BinaryIO, file).read(_BYTES)
    # What reads the table counts lines so, too: a form feed ends none.
    lines = data.decode("utf-8-sig", errors="replace").split("\n")
    return lines[: -1 if len(data) == _BYTES else None][:_LINES]  # the last may be cut


def _names_at(lines: list[str], delimiter: str) -> int | None:
    """The line of the names, from 1: as wide as nearly all below it.

    Further down than the first, each name is another and none a number: a row of values is none.
    """
    try:
        rows = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
    except csv.Error:
        return None
    for at, names in enumerate(rows[:_LAST_TITLE]):
        below = Counter(len(row) for row in rows[at + 1 :] if row)
        enough = below[len(names)] >= _SAME_WIDTH * below.total() > 0
        title = 2 * names.count("") >= len(names)  # of which a spreadsheet program fills the row
        if len(names) > 1 and enough and (not title if at == 0 else _are_names(names)):
            return at + 1
    return None


def _are_names(names: list[str]) -> bool:
    distinct = {name.strip() for name in names}
    return len(distinct) == len(names) and all(distinct) and not any(map(is_number, distinct))
