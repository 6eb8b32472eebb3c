"""The columns of a use case's table.

Belongs here: types, roles, units and allowed values. Does not belong here: judging rows by them
(`leeway.data.validation`).
"""

from __future__ import annotations

from typing import Literal, Self
from unicodedata import normalize

from pydantic import Field, field_validator, model_validator

from leeway.spec.base import Identifier, Strict

ColumnType = Literal["number", "integer", "category", "boolean", "text", "date", "timestamp"]
Encoding = Literal["one_hot", "target_mean"]
Written = Literal["1,234.5", "1.234,5", "31/12/2009", "12/31/2009", "2009/12/31"]
Role = Literal["key", "time", "target", "feature", "monitored", "ignored"]

NUMERIC_TYPES: frozenset[ColumnType] = frozenset({"number", "integer"})
# Trees read 32-bit floats, which end at 3.4e38: a larger number stops a batch or ruins a model.
LARGEST_NUMBER = 1e38
TIME_TYPES: frozenset[ColumnType] = frozenset({"date", "timestamp", "number", "integer"})
DATES: tuple[Written, ...] = ("31/12/2009", "12/31/2009", "2009/12/31")
# A key is compared as text, also with what clients and sources of labels write: of a number or a
# moment there are many texts (1, 1.0, 1e0).
KEY_TYPES: frozenset[ColumnType] = frozenset({"integer", "text", "category", "date"})
FEATURE_TYPES: frozenset[ColumnType] = frozenset({"number", "integer", "category", "boolean"})


class Column(Strict):
    """One column of the source table."""

    name: Identifier
    type: ColumnType
    role: Role = "feature"
    description: str = Field(min_length=1)
    unit: str | None = Field(default=None, description="unit of the values, such as mm or g")
    range: tuple[float | None, float | None] | None = Field(
        default=None, description="closed interval of allowed values; null is unbounded"
    )
    values: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="allowed categories"
    )
    missing: tuple[str, ...] = Field(
        default=(), description="texts that mean a missing value, besides the empty one"
    )
    written: Written | None = Field(
        default=None,
        description="how numbers or dates are written, by an example; null: 1234.5 and 2009-12-31",
    )
    affix: str | None = Field(
        default=None,
        min_length=1,
        max_length=12,
        description="text before or after each number that is not read, such as % or EUR",
    )
    required: bool = Field(default=False, description="a row without a value is rejected")
    source_name: str | None = Field(
        default=None, description="what the source calls the column, where that is not its name"
    )
    from_position: bool = Field(
        default=False,
        description="a key that the source does not have: the batch and the row's position in it, "
        "from 1, such as 2009-17",
    )
    computed: bool = Field(
        default=False, description="the dbt models compute it; the source does not have it"
    )
    encoding: Encoding = Field(
        default="one_hot",
        description="how a category becomes numbers; target_mean is for those with many values",
    )

    @field_validator("values", "missing")
    @classmethod
    def _composed(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """In the form in which values are read, whatever the keyboard of the author writes."""
        return None if texts is None else tuple(normalize("NFC", text) for text in texts)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.range is not None:
            if self.type not in NUMERIC_TYPES:
                raise ValueError(
                    f"range is for number and integer columns; {self.name} is {self.type}"
                )
            low, high = self.range
            if low is not None and high is not None and low > high:
                raise ValueError(f"range [{low}, {high}] is empty: give the lower bound first")
        self._check_notation()
        if self.values is not None and self.type != "category":
            raise ValueError(f"values is for category columns; {self.name} is {self.type}")
        if self.encoding != "one_hot" and (self.type, self.role) != ("category", "feature"):
            raise ValueError(
                f"encoding is for category columns with role feature; {self.name} is a "
                f"{self.type} column with role {self.role}: remove it"
            )
        self._check_role()
        if self.from_position and (
            self.role != "key" or self.type != "text" or self.source_name is not None
        ):
            raise ValueError(
                "from_position is for a key of type text that the source does not have; "
                f"{self.name} is {self.type}, its role is {self.role}"
            )
        if self.computed and (
            self.role in ("key", "ignored") or self.required or self.source_name is not None
        ):
            raise ValueError(
                "computed is for a column that the source does not have, and that a row may lack: "
                f"{self.name} cannot be the key, ignored or required, or have a source_name"
            )
        self._check_texts()
        return self

    def _check_role(self) -> None:
        if self.role == "key" and self.type not in KEY_TYPES:
            raise ValueError(
                f"a {self.type} column cannot be the key, which is compared as text; give it type "
                "text, or integer where each value is one"
            )
        if self.role == "feature" and self.type not in FEATURE_TYPES:
            raise ValueError(
                f"a {self.type} column cannot be a feature; use role monitored, time or ignored"
            )
        if self.role == "time" and self.type not in TIME_TYPES:
            raise ValueError(
                f"a {self.type} column cannot have role time; give it type date, timestamp, "
                "number or integer, or role monitored or ignored"
            )

    def _check_notation(self) -> None:
        numeric = self.type in NUMERIC_TYPES
        if self.affix is not None and (not numeric or self.affix != self.affix.strip()):
            raise ValueError(
                f"affix is for number and integer columns, without spaces around it; {self.name} "
                f"is {self.type}, its affix {self.affix!r}"
            )
        if self.affix is not None and not self.affix.strip("0123456789+-"):
            raise ValueError(f"affix: {self.affix!r} is part of a number; remove it")
        if self.written is None:
            return
        if not (self.type in ("date", "timestamp") if self.written in DATES else numeric):
            raise ValueError(
                f"written: {self.written!r} is no way to write a {self.type}; {self.name} needs "
                "another type, or none of it"
            )

    @property
    def in_source(self) -> str:
        """What the source calls the column."""
        return self.name if self.source_name is None else self.source_name

    def _check_texts(self) -> None:
        """Checks that values and missing codes can match: values are read without outer spaces."""
        for field, texts in (("values", self.values or ()), ("missing", self.missing)):
            for text in texts:
                if text != text.strip():
                    raise ValueError(
                        f"{field}: {text!r} never matches, because spaces around a value are not "
                        f"read; write {text.strip()!r}"
                    )
        if "" in (self.values or ()):
            raise ValueError(
                "values: '' never matches: an empty text is a missing value; leave out"
            )
        both = sorted(set(self.values or ()) & set(self.missing))
        if both:
            raise ValueError(
                f"values: {both[0]!r} never matches, because missing has it, too; keep it in one"
            )
