"""Arrow tables as the frames and arrays that estimators read.

Belongs here: choosing the feature and target columns of a use case and giving them one dtype each.
Does not belong here: filling missing values (`leeway.training.preprocessing`), or judging rows
(`leeway.data.validation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from leeway.spec import UseCase
    from leeway.spec.table import ColumnType


class Typed(Protocol):
    """A column by its name and type."""

    @property
    def name(self) -> str:
        """As in the table."""

    @property
    def type(self) -> ColumnType:
        """Category columns become texts, all others numbers."""


def feature_frame(table: pa.Table, use_case: UseCase) -> pd.DataFrame:
    """The feature columns, in the order of the use case; the rest is as of `frame_of`."""
    return frame_of(table, use_case.feature_columns)


def frame_of(table: pa.Table, columns: Iterable[Typed]) -> pd.DataFrame:
    """The columns, in their order and in the units of the source.

    Returns:
        One row per row of `table`, with a new index from 0. number, integer and boolean columns are
        float64 with NaN for a missing value; category columns are object with None for it.

    Raises:
        KeyError: when the table lacks a column.
        pyarrow.ArrowInvalid: when a number column holds text that is no number.
    """
    import pandas as pd

    data = {column.name: _values(table, column) for column in columns}
    return pd.DataFrame(data, columns=list(data), copy=False)  # the arrays are nobody else's


def target_array(table: pa.Table, use_case: UseCase) -> NDArray[Any]:
    """The target: `str` objects for classification, float64 in the target's unit for regression.

    Returns:
        Shape (rows,).

    Raises:
        KeyError: when the table lacks the target column.
        ValueError: when a row has no target.
    """
    column = use_case.target
    missing = pc.sum(pc.is_null(_column(table, column.name), nan_is_null=True)).as_py() or 0
    if missing:
        raise ValueError(
            f"target {column.name!r} is missing in {missing} of {table.num_rows} rows: "
            "leave out the rows without a target before training"
        )
    if use_case.task == "classification":
        return _texts(table, column.name)
    return _numbers(table, column.name)


def _values(table: pa.Table, column: Typed) -> NDArray[Any]:
    if column.type == "category":
        return _texts(table, column.name)
    return _numbers(table, column.name)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise KeyError(f"the table has no column {name!r}; it has {', '.join(table.column_names)}")
    return table.column(name)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    # Beyond 2^53 an integer is rounded: a key would suffer, a feature does not.
    values = _column(table, name).cast(pa.float64(), safe=False).to_numpy()
    return np.array(values, dtype=np.float64)


def _texts(table: pa.Table, name: str) -> NDArray[np.object_]:
    values = _column(table, name)
    if pa.types.is_floating(values.type):
        # Arrow would write NaN as the text "nan", which is a category and not a missing value.
        values = pc.if_else(pc.is_nan(values), None, values)
    coded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    # One object for each distinct text: one for each of a million rows takes 60 MB a column.
    known = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    texts: NDArray[np.object_] = known[pc.fill_null(coded.indices, -1).to_numpy()]
    return texts
