"""What was assumed of the columns, as sentences: one for what several columns share.

Belongs here: grouping and wording. Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leeway.scaffold.columns import Described
from leeway.scaffold.leaks import SAMPLED
from leeway.spec import DATES, Column

_SHOWN = 8


def summaries(described: Sequence[Described], rows: int) -> list[str]:
    """The sentences, in the order of interest."""
    columns = [each.column for each in described]
    said = left_out(described)
    said += [sentence for each in described for sentence in each.assumptions]
    renamed = [
        f"{c.source_name!r} is {c.name}"
        for c in columns
        if c.source_name is not None and c.source_name.casefold() != c.name
    ]
    if renamed:
        said.append(f"names that are no identifiers are mapped by source_name: {_some(renamed)}")
    codes: dict[str, list[str]] = {}
    for column in columns:
        for code in column.missing:
            codes.setdefault(repr(code), []).append(column.name)
    said += [f"{code} means that there is no value: {_some(c)}" for code, c in codes.items()]
    said += notations(columns)
    units: dict[str, list[str]] = {}
    for column in columns:
        if column.unit is not None:
            units.setdefault(column.unit, []).append(column.name)
    if units:
        found = [f"{unit} ({_some(names)})" for unit, names in units.items()]
        said.append(f"units are guessed from names and signs: {', '.join(found)}")
    if any(column.range is not None for column in columns):
        said.append(
            "a number may lie as far beyond those that were seen as these are apart (range); a row "
            "with one further out is rejected"
        )
    listed = [c.name for c in columns if c.values is not None and c.role == "feature"]
    if listed:
        said.append(
            f"a category has the values that were seen and no others ({_some(listed)}); a row with "
            "another is rejected until values has it"
        )
    if rows > SAMPLED:
        said.append(
            f"types, codes, ranges and keys are from all {rows} rows; leaks were looked for in "
            f"{SAMPLED} of them, spread evenly"
        )
    features = [column.name for column in columns if column.role == "feature"]
    return [*said, f"features ({len(features)}): {_some(features)}"]


def notations(columns: Iterable[Column]) -> list[str]:
    """How values are written where Leeway would write them otherwise."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if column.written is not None:
            kind = "dates" if column.written in DATES else "numbers"
            found.setdefault(f"{kind} are written like {column.written}", []).append(column.name)
        if column.affix is not None:
            found.setdefault(f"{column.affix} stands beside numbers", []).append(column.name)
        if column.encoding == "target_mean":
            how = "a category of many values becomes the mean target of each (encoding)"
            found.setdefault(how, []).append(column.name)
    return [f"{how}: {_some(names)}" for how, names in found.items()]


def left_out(described: Iterable[Described]) -> list[str]:
    """Which columns are ignored and why, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for each in described:
        if each.ignored is not None:
            reasons.setdefault(each.ignored, []).append(each.column.name)
    return [
        f"{names[0]} is ignored: it {why}"
        if len(names) == 1
        else f"{_some(names)} are ignored: each {why}"
        for why, names in reasons.items()
    ]


def _some(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:_SHOWN])
    return shown + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")
