"""The key of a row, by which a label that comes later finds the answer to it.

Belongs here: the key as a field of an instance, and as the text that is logged. Does not belong
here: labels (`leeway.labels`), or where it is logged (`leeway.served.logged`).

An instance may have it under the name of the key column, which no input has. It is text as that of
a label is: written as PostgreSQL writes the value of the column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any
from unicodedata import normalize

from msgspec import UNSET, Meta, UnsetType

LONGEST_KEY = 256
_INT64 = (-(2**63), 2**63 - 1)


class RowKey:
    """The key column of a release."""

    def __init__(self, column: Mapping[str, Any]) -> None:
        """The column as the manifest has it."""
        self.name, self.type = str(column["name"]), str(column["type"])
        self._of = attrgetter(self.name)

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.type == "integer":
            return "integer, or null"
        return f"text of at most {LONGEST_KEY} characters without NUL, or null"

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"name": self.name, "type": self.type}

    def field(self) -> tuple[str, Any, Any]:
        """As `msgspec.defstruct` takes it; it is left out of JSON where there is none."""
        kind: Any = Annotated[str, Meta(max_length=LONGEST_KEY, pattern=r"^[^\x00]*$")]
        example: Any = "1"
        if self.type == "integer":
            kind, example = Annotated[int, Meta(ge=_INT64[0], le=_INT64[1])], 1
        told = "the key of the row, which no model reads: a label with it is of this answer"
        about = Meta(description=told, examples=[example])
        return (self.name, Annotated[kind | UnsetType | None, about], UNSET)

    def taken(self, rows: Sequence[Any]) -> list[str | None] | None:
        """Takes the keys out of rows, which are then of inputs alone; None where none has one."""
        given = list(map(self._of, rows))
        if given.count(UNSET) == len(given):
            return None
        for row in rows:
            setattr(row, self.name, UNSET)
        return [self._text(each) for each in given]

    def _text(self, value: str | int | UnsetType | None) -> str | None:
        if isinstance(value, str):
            text = normalize("NFC", value) if self.type == "category" else value
            return text.strip() or None
        return str(value) if isinstance(value, int) else None
