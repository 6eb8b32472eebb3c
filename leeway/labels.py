"""Labels as a source gives them, judged one by one.

Belongs here: which rows are labels of the use case, and what is wrong with the others. Does not
belong here: sources, or the table that they are kept in (`resources.labels`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from leeway.data.shared_keys import as_text
from leeway.data.validation import SchemaMismatch
from leeway.data.values import Parsed, parse_column
from leeway.spec import Column, Labels, UseCase

COLUMNS = ("row_number", "row_key", "label", "event_at", "arrived_at", "problem")


@dataclass(frozen=True)
class GivenLabels:
    """The rows of a batch of labels, with the columns `COLUMNS`.

    `row_key` and `label` are texts, as PostgreSQL writes the values of the columns that they are
    of. Where `problem` says what is wrong, the row is no label.
    """

    table: pa.Table

    @property
    def problems(self) -> list[str]:
        """What is wrong with the rows that are none, in their order."""
        return [each for each in self.table["problem"].to_pylist() if each is not None]


def read_labels(table: pa.Table, use_case: UseCase, labels: Labels) -> GivenLabels:
    """Judges the rows of a batch of labels.

    Args:
        table: as the source gave it.
        use_case: whose key and target the labels are of.
        labels: names the columns.

    Raises:
        leeway.data.validation.SchemaMismatch: when a column is missing, or cannot be read at all.
    """
    wanted = {
        "row_key": _as(use_case.key, labels.key),
        "label": _as(use_case.target, labels.label),
        "event_at": _time(labels.event_time),
        "arrived_at": _time(labels.arrival_time),
    }
    columns: dict[str, pa.Array] = {}
    problems: list[str | None] = [None] * table.num_rows
    for name, column in wanted.items():
        if column is None:
            columns[name] = pa.nulls(table.num_rows, pa.timestamp("us", tz="UTC"))
            continue
        parsed = _parsed(table, column)
        for row, value, reason in parsed.problems:
            problems[row] = problems[row] or f"{column.in_source} {value!r}: {reason}"
        columns[name] = parsed.values
    texts = {name: as_text(columns[name]) for name in ("row_key", "label")}
    numbers = pa.array(range(1, table.num_rows + 1), pa.int64())
    found = {**columns, **texts, "row_number": numbers, "problem": pa.array(problems, pa.string())}
    return GivenLabels(pa.table({name: found[name] for name in COLUMNS}))


def _as(column: Column, name: str) -> Column:
    """The column as the source of labels has it, where each row must have a value."""
    update = {"source_name": name, "required": True, "from_position": False, "computed": False}
    return column.model_copy(update=update)


def _time(name: str | None) -> Column | None:
    if name is None:
        return None
    return Column(name="at", type="timestamp", role="monitored", description=".", source_name=name)


def _parsed(table: pa.Table, column: Column) -> Parsed:
    name = column.in_source
    if name not in table.column_names:
        raise SchemaMismatch(
            f"labels: missing column {name!r}; the source has {', '.join(table.column_names)}. "
            "Mend the source, or change labels in defs.yaml"
        )
    try:
        return parse_column(table[name].combine_chunks(), column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"labels: column {name!r} cannot be read as {column.type} ({error}). "
            "Mend the source, or change labels in defs.yaml"
        ) from error
