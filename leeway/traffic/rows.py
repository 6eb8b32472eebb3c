"""Logged answers of a service as a table, whatever release gave them.

Belongs here: the columns of a window, and what of it each reader takes. Does not belong here:
reading the log (`resources.traffic`), or writing it (`leeway.served.logged`).

What was asked and what was answered are structs, so that an input may have any name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.values import ARROW_TYPES

if TYPE_CHECKING:
    from leeway.spec import UseCase
    from leeway.spec.table import ColumnType

_decode = msgspec.json.decode


class Logged(NamedTuple):
    """An answer as the log has it; `inputs` and `answer` are JSON."""

    prediction_id: str
    row_key: str | None
    at: datetime
    version: int
    inputs: str
    answer: str


class _Answer(msgspec.Struct):
    """What is read of an answer; the rest is for the client."""

    prediction: str | float
    probabilities: dict[str, float] = {}
    warnings: list[dict[str, str]] = []


_decode_answer = msgspec.json.Decoder(_Answer).decode


def traffic_table(parts: Iterable[Sequence[Logged]], use_case: UseCase) -> tuple[pa.Table, int]:
    """One row per answer, in their order, and how many values of inputs were not of their type.

    These are missing: the column has another type since. Columns: `prediction_id`, `row_key`, `at`,
    `version`, `inputs` (a struct of the features of the use case), `prediction` (a text, or a
    number), `probabilities` (a map by class) and `warnings` (a struct of input and code, each).
    """
    schema = _schema(use_case)
    odd = 0
    batches = []
    for part in parts:
        answers = [_decode_answer(each.answer) for each in part]
        given: list[Mapping[str, Any]] = [_decode(each.inputs) for each in part]
        inputs = []
        for column in use_case.feature_columns:
            values, others = _values([row.get(column.name) for row in given], column.type)
            inputs.append(values)
            odd += others
        names = [column.name for column in use_case.feature_columns]
        columns = [
            pa.array([each.prediction_id for each in part], pa.string()),
            pa.array([each.row_key for each in part], pa.string()),
            pa.array([each.at for each in part], schema.field("at").type),
            pa.array([each.version for each in part], pa.int64()),
            pa.StructArray.from_arrays(inputs, names),
            _predicted([each.prediction for each in answers], schema.field("prediction").type),
            pa.array([sorted(each.probabilities.items()) for each in answers], _PROBABILITIES),
            pa.array([each.warnings for each in answers], _WARNINGS),
        ]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    return pa.Table.from_batches(batches, schema), odd


_PROBABILITIES = pa.map_(pa.string(), pa.float64())
_WARNINGS = pa.list_(pa.struct([("input", pa.string()), ("code", pa.string())]))


def _schema(use_case: UseCase) -> pa.Schema:
    features = [(each.name, ARROW_TYPES[each.type]) for each in use_case.feature_columns]
    number = use_case.task == "regression"
    return pa.schema(
        [
            ("prediction_id", pa.string()),
            ("row_key", pa.string()),
            ("at", pa.timestamp("us", tz="UTC")),
            ("version", pa.int64()),
            ("inputs", pa.struct(features)),
            ("prediction", pa.float64() if number else pa.string()),
            ("probabilities", _PROBABILITIES),
            ("warnings", _WARNINGS),
        ]
    )


def _values(values: list[Any], kind: ColumnType) -> tuple[pa.Array, int]:
    if kind == "number":  # which JSON writes without a point where it is large
        values = [_as_float(each) for each in values]
    try:
        return pa.array(values, ARROW_TYPES[kind]), 0
    except _UNFIT:
        fitting = [value if _fits(value, kind) else None for value in values]
        lost = sum(a is not None and b is None for a, b in zip(values, fitting, strict=True))
        return pa.array(fitting, ARROW_TYPES[kind]), lost


def _as_float(value: Any) -> Any:
    try:
        return float(value) if type(value) is int else value
    except OverflowError:
        return value


_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)  # the last of an integer of 65 bits


def _fits(value: Any, kind: ColumnType) -> bool:
    try:
        pa.scalar(value, ARROW_TYPES[kind])
    except _UNFIT:
        return False
    return True


def _predicted(values: list[str | float], kind: pa.DataType) -> pa.Array:
    """What the use case predicts; an answer of when it predicted something else has none."""
    wanted = str if pa.types.is_string(kind) else float | int
    return pa.array([value if isinstance(value, wanted) else None for value in values], kind)


def inputs_of(table: pa.Table) -> pa.Table:
    """What was asked, a column for each feature."""
    return pa.table(_children(table["inputs"]))


def _children(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    whole = column.combine_chunks()
    names = [field.name for field in whole.type]
    return dict(zip(names, whole.flatten(), strict=True))


def answered_by(table: pa.Table, version: int) -> pa.Table:
    """The rows that one release answered, as far as the use case still predicts the like."""
    own = pc.equal(table["version"], version)
    return table.filter(pc.and_(own, pc.is_valid(table["prediction"])))


def predictions_of(table: pa.Table, classes: Sequence[str] | None) -> pa.Table:
    """What one release answered, as `leeway.prediction.prediction_table` has it.

    A class that an answer does not name has the probability 0 there.

    Args:
        table: rows that it answered.
        classes: of the release; None for a regression.
    """
    columns = {"row_key": table["row_key"], "prediction": table["prediction"]}
    shares = [dict(each) for each in table["probabilities"].to_pylist()]
    for name in classes or ():
        found = pa.array([each.get(name, 0.0) for each in shares], pa.float64())
        columns[f"probability_{name}"] = pa.chunked_array([found])
    return pa.table(columns)


def warned(table: pa.Table) -> tuple[int, dict[str, int]]:
    """How many answers had a warning, and how many warnings there are by input and code."""
    lengths = pc.list_value_length(table["warnings"])
    rows = pc.sum(pc.greater(lengths, 0)).as_py() or 0
    each = pc.list_flatten(table["warnings"])
    told = pc.binary_join_element_wise(
        pc.struct_field(each, "input"), pc.struct_field(each, "code"), ": "
    )
    counts = pc.value_counts(told).to_pylist()
    return rows, {found["values"]: found["counts"] for found in counts}
