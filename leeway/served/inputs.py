"""The inputs of a release: what a request must hold, and what the model has seen of each.

Belongs here: the one schema that validation, documentation and forms are made from, and the rows of
a request as a table. Does not belong here: judging a request, or the features that come of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.values import ARROW_TYPES

if TYPE_CHECKING:
    from leeway.spec import Column, UseCase
    from leeway.spec.table import ColumnType, Written

Instance = Mapping[str, Any]
_LISTED = ("values", "seen", "missing")


@dataclass(frozen=True)
class Input:
    """One feature as a request gives it.

    The rows of a batch may have it under its `source_name`, and spell it as its source does:
    `missing`, `written` and `affix` are as of `leeway.spec.Column`.

    `low` and `high` bound what is allowed, `values` are the allowed categories; None allows all.
    `seen_low` and `seen_high` are the smallest and the largest number of the training part,
    `seen` its categories; None where the type has none, or no row had a value. `example` is from a
    row of the training part.
    """

    name: str
    type: ColumnType
    description: str
    unit: str | None
    required: bool
    low: float | None
    high: float | None
    values: tuple[str, ...] | None
    seen_low: float | None
    seen_high: float | None
    seen: tuple[str, ...] | None
    example: Any
    source_name: str | None
    missing: tuple[str, ...]
    written: Written | None
    affix: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The input whose `as_dict` is `data`.

        Raises:
            TypeError: when a field is unknown or absent.
        """
        listed = {name: data[name] if data[name] is None else tuple(data[name]) for name in _LISTED}
        return cls(**{**data, **listed})


def inputs_of(rows: pa.Table, use_case: UseCase) -> tuple[Input, ...]:
    """The inputs of a model, in the order of its features.

    Args:
        rows: of the training part, at least one.
        use_case: declares the columns.
    """
    columns = use_case.feature_columns
    example = rows.select([column.name for column in columns]).slice(_fullest(rows, columns), 1)
    values = example.to_pylist()[0]
    return tuple(_input(column, rows[column.name], values[column.name]) for column in columns)


def table_of(instances: Sequence[Instance], inputs: Sequence[Input]) -> pa.Table:
    """The rows of a request as the table that batches are: a field that is absent is missing.

    Raises:
        pyarrow.ArrowInvalid: when a value does not have the type of its input.
        pyarrow.ArrowTypeError: likewise.
    """
    return pa.table(
        {
            each.name: pa.array([row.get(each.name) for row in instances], ARROW_TYPES[each.type])
            for each in inputs
        }
    )


def _fullest(rows: pa.Table, columns: Sequence[Column]) -> int:
    """The first of the rows that lack the fewest features."""
    lacking = np.zeros(rows.num_rows)
    for column in columns:
        lacking += pc.is_null(rows[column.name], nan_is_null=True).to_numpy()
    return int(np.argmin(lacking))


def _input(column: Column, found: pa.ChunkedArray, example: Any) -> Input:
    low, high = column.range or (None, None)
    numeric = column.type in ("number", "integer")
    ends = pc.min_max(found).as_py() if numeric else {"min": None, "max": None}
    categories = sorted(pc.unique(found.drop_null()).to_pylist())
    return Input(
        column.name,
        column.type,
        column.description,
        column.unit,
        column.required,
        low,
        high,
        column.values,
        ends["min"],
        ends["max"],
        tuple(categories) if column.type == "category" else None,
        example,
        column.source_name,
        column.missing,
        column.written,
        column.affix,
    )
