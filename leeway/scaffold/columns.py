"""One column as the use case declares it, with a sentence for everything that was assumed of it.

Belongs here: from facts, role and name to `leeway.spec.Column`. Does not belong here: how these are
found (`content`, `roles`, `names`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leeway.scaffold.content import Content
from leeway.scaffold.names import phrase, unit_of, unit_of_sign
from leeway.scaffold.ranges import range_of
from leeway.scaffold.roles import Placed
from leeway.spec import NUMERIC_TYPES, Column

LISTED = 20  # categories of which all are listed as the only ones that are allowed


@dataclass(frozen=True)
class Described:
    """A declared column, why it is ignored if it is, and what else was assumed of it."""

    column: Column
    assumptions: tuple[str, ...] = ()
    ignored: str | None = None


def made_key(name: str) -> Described:
    """The key that is made of the position of a row."""
    description = "batch of the row and its position there; the source has no key"
    return Described(
        Column(name=name, type="text", role="key", from_position=True, description=description)
    )


def describe(
    name: str,
    header: str,
    content: Content,
    place: Placed,
    *,
    values: tuple[str, ...] | None = None,
    warning: str | None = None,
) -> Described:
    """The column of the use case, and the sentences.

    Args:
        name: what it is called here.
        header: what the source calls it.
        content: its facts.
        place: its type and role.
        values: classes of a target.
        warning: a sentence about it that comes on top.
    """
    fields: dict[str, Any] = {"name": name, "type": place.type, "role": place.role}
    if header != name:
        fields["source_name"] = header
    fields["description"] = phrase(name)
    said = [] if warning is None else [warning]
    if place.role == "ignored":
        fields["description"] += f"; {place.why}"
        return Described(Column(**fields), ignored=place.why)
    fields["encoding"] = place.encoding
    notation = content.notation.for_type(place.type)
    fields |= {"written": notation.written, "affix": notation.affix}
    if place.type in NUMERIC_TYPES and place.role != "key":
        _number(fields, header, content)
    elif place.type == "category":
        _category(fields, name, content, values, said)
    if content.missing and place.role != "key":
        fields["missing"] = content.missing
    if content.misread:
        said.append(
            f"{name}: {content.misread} values are no {place.type}, such as {content.example!r}; "
            "their rows will be rejected, with the reason"
        )
    return Described(Column(**fields), tuple(said))


def _number(fields: dict[str, Any], header: str, content: Content) -> None:
    sign = fields["affix"]
    fields["unit"] = unit_of_sign(sign) if sign else unit_of(header, fields["name"])
    if fields["role"] != "time" and content.low is not None and content.high is not None:
        fields["range"] = range_of(content.low, content.high, fields["unit"])


def _category(
    fields: dict[str, Any],
    name: str,
    content: Content,
    values: tuple[str, ...] | None,
    said: list[str],
) -> None:
    texts = sorted(text for text, _ in content.levels)
    if values is None and 0 < len(texts) <= LISTED:
        values = tuple(texts)
    fields["values"] = values
    folded: dict[str, str] = {}
    for text in texts:
        other = folded.setdefault(text.casefold(), text)
        if other != text:
            said.append(
                f"{name}: {other!r} and {text!r} are two categories; if they are one, mend the file"
            )
