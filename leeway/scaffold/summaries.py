"""What was assumed of the columns, as sentences: one for what several columns share.

Belongs here: grouping and wording. Does not belong here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leeway.scaffold.columns import Described
from leeway.scaffold.leaks import SAMPLED

_SHOWN = 8


def summaries(described: Sequence[Described], rows: int) -> list[str]:
    """The sentences, in the order of interest."""
    columns = [each.column for each in described]
    said = left_out(described)
    said += [sentence for each in described for sentence in each.assumptions]
    renamed = [f"{c.source_name!r} is {c.name}" for c in columns if c.source_name is not None]
    if renamed:
        said.append(f"names that are no identifiers are mapped by source_name: {_some(renamed)}")
    codes: dict[str, list[str]] = {}
    for column in columns:
        for code in column.missing:
            codes.setdefault(repr(code), []).append(column.name)
    said += [f"{code} means that there is no value: {_some(c)}" for code, c in codes.items()]
    units: dict[str, list[str]] = {}
    for column in columns:
        if column.unit is not None:
            units.setdefault(column.unit, []).append(column.name)
    if units:
        found = [f"{unit} ({_some(names)})" for unit, names in units.items()]
        said.append(f"units are guessed from names: {', '.join(found)}")
    if any(column.range is not None for column in columns):
        said.append(
            "a number may lie outside of what was seen by as much as that is wide (range); a row "
            "beyond is rejected"
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
    return [*said, f"{len(features)} columns are features: {_some(features)}"]


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
