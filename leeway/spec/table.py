"""The columns of a use case's table.

Belongs here: types, roles, units and allowed values. Does not belong here: judging rows by them
(`leeway.data.validation`).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leeway.spec.base import Identifier, Strict

ColumnType = Literal["number", "integer", "category", "boolean", "text", "date", "timestamp"]
Role = Literal["key", "time", "target", "feature", "monitored", "ignored"]

NUMERIC_TYPES: frozenset[ColumnType] = frozenset({"number", "integer"})
# Trees read 32-bit floats, which end at 3.4e38: a larger number stops a batch or ruins a model.
LARGEST_NUMBER = 1e38
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
    required: bool = Field(default=False, description="a row without a value is rejected")

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
        if self.values is not None and self.type != "category":
            raise ValueError(f"values is for category columns; {self.name} is {self.type}")
        if self.role == "feature" and self.type not in FEATURE_TYPES:
            raise ValueError(
                f"a {self.type} column cannot be a feature; use role monitored, time or ignored"
            )
        return self
