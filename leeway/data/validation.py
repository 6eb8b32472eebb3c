"""Judges the rows of a batch: which are accepted as typed values, which are rejected and why.

Belongs here: the schema of a batch against the columns of a use case, and the rules for one row.
Does not belong here: reading a source, storing rows, or rules over whole tables (dbt's tests).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.messages import MESSAGE, MESSAGE_COLUMNS, PROBLEM, places_of
from leeway.data.shared_keys import as_text
from leeway.data.values import ARROW_TYPES, Parsed, parse_column
from leeway.spec import Column, UseCase


class SchemaMismatch(ValueError):
    """The batch does not have the columns that the use case declares; nothing of it is stored."""


@dataclass(frozen=True)
class Reject:
    """Why one row was not accepted."""

    row_number: int
    column: str
    value: str | None
    reason: str
    place: str | None = None  # where the source holds the row, if a row number does not say it


@dataclass(frozen=True)
class Validated:
    """A judged batch: `accepted` has the declared columns and `row_number`, from 1."""

    accepted: pa.Table
    rejects: tuple[Reject, ...]
    ignored_columns: tuple[str, ...]
    rows: int

    @property
    def rejected_rows(self) -> int:
        """Number of rows with at least one reason."""
        return self.rows - int(self.accepted.num_rows)


def validate(
    table: pa.Table, use_case: UseCase, taken: pa.Table | None = None, *, batch: str = ""
) -> Validated:
    """Judges a batch.

    Args:
        table: the batch as its source gave it.
        use_case: what it must be.
        taken: columns `key` and `batch_id`: the keys that belong to other batches
            (`leeway.data.shared_keys`).
        batch: its id, which is part of a key that is made from positions.

    Raises:
        SchemaMismatch: when there are no rows, or a declared column is missing or was retyped.
    """
    columns = list(use_case.given_columns)
    ignored = _check_schema(table, columns)
    rejects = _no_rows(table)
    none = {reject.row_number for reject in rejects}  # their columns have nothing to be judged
    parsed: dict[str, pa.Array] = {}
    for column in columns:
        result = _parse(table, column, batch)
        parsed[column.name] = result.values
        rejects += [each for each in _rejects_of(column, result) if each.row_number not in none]
    rejects += [each for each in _empty_rows(parsed, use_case) if each.row_number not in none]
    bad = {reject.row_number for reject in rejects}
    if taken is not None:
        rejects += _taken_keys(parsed[use_case.key.name], use_case.key.name, taken, bad)
        bad = {reject.row_number for reject in rejects}
    rejects += _repeated_keys(parsed[use_case.key.name], use_case.key.name, bad)
    schema = pa.schema([(c.name, ARROW_TYPES[c.type]) for c in columns])
    numbered = pa.table(parsed, schema=schema).append_column(
        "row_number", pa.array(np.arange(1, table.num_rows + 1))
    )
    rejected = pa.array(sorted({reject.row_number for reject in rejects}), pa.int64())
    accepted = numbered
    if rejects:
        good = pc.invert(pc.is_in(numbered["row_number"], value_set=rejected))
        accepted = numbered.filter(good)
    ordered = tuple(sorted(rejects, key=lambda r: (r.row_number, r.column)))
    return Validated(accepted, _placed(ordered, table), ignored, table.num_rows)


def _no_rows(table: pa.Table) -> list[Reject]:
    """The messages of a stream that are no row."""
    if PROBLEM not in table.column_names:
        return []
    found = zip(table[MESSAGE].to_pylist(), table[PROBLEM].to_pylist(), strict=True)
    return [
        Reject(number, MESSAGE, value, problem)
        for number, (value, problem) in enumerate(found, 1)
        if problem is not None
    ]


def _placed(rejects: tuple[Reject, ...], table: pa.Table) -> tuple[Reject, ...]:
    """With the place of each row in its stream, where the table is of one."""
    places = places_of(table) if rejects else None
    if places is None:
        return rejects
    return tuple(replace(reject, place=places[reject.row_number - 1]) for reject in rejects)


def _check_schema(table: pa.Table, columns: list[Column]) -> tuple[str, ...]:
    """Names of columns that the use case does not declare; raises when one is missing."""
    declared = [column.in_source for column in columns if not column.from_position]
    known = {*declared, *(MESSAGE_COLUMNS if PROBLEM in table.column_names else ())}
    extra = tuple(name for name in table.column_names if name not in known)
    missing = [name for name in declared if name not in table.column_names]
    if missing:
        hints = []
        for name in missing:
            close = get_close_matches(name, extra, n=1, cutoff=0.5)
            hints.append(f"{name!r}" + (f" (renamed to {close[0]!r}?)" if close else ""))
        raise SchemaMismatch(
            f"missing column {', '.join(hints)}; the batch has {', '.join(table.column_names)}. "
            "Mend the source, or change columns in defs.yaml."
        )
    if table.num_rows == 0:
        raise SchemaMismatch(
            "the batch has a header but no rows; nothing was stored. "
            "Remove the file, or give it at least one row."
        )
    return extra


def _rejects_of(column: Column, parsed: Parsed) -> list[Reject]:
    return [Reject(row + 1, column.name, value, reason) for row, value, reason in parsed.problems]


def _parse(table: pa.Table, column: Column, batch: str) -> Parsed:
    """The values of one column; raises when the column changed, and not its rows."""
    if column.from_position:
        raw = pa.array([f"{batch}-{number}" for number in range(1, table.num_rows + 1)])
    else:
        raw = table[column.in_source].combine_chunks()
    try:
        parsed = parse_column(raw, column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(
            f"column {column.name!r}: {raw.type} cannot be read as {column.type} ({error}). "
            "Mend the source, or give the column role ignored in defs.yaml."
        ) from error
    # A column whose few values are bad is a matter of its rows; a stream goes on in any case.
    if PROBLEM in table.column_names:
        return parsed
    if parsed.unreadable == parsed.given and table.num_rows // 2 < parsed.given > 1:
        _, value, reason = parsed.problems[0]
        raise SchemaMismatch(
            f"column {column.name!r}: every value is {reason}, the first is {value!r}. "
            "The column was retyped: mend the source, or change its type in defs.yaml."
        )
    return parsed


def _repeated_keys(keys: pa.Array, name: str, bad: set[int]) -> list[Reject]:
    """Of the rows of one key the first stays; `bad` rows have another reason and do not count."""
    codes = pc.fill_null(keys.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
    # A missing key is a reject of its own, and the correction of a rejected row is no repeat.
    rows = np.setdiff1d(np.arange(len(codes)), [number - 1 for number in bad])
    first = np.unique(codes[rows], return_index=True)[1]
    return [
        Reject(int(row) + 1, name, str(keys[int(row)]), "the key repeats one of an earlier row")
        for row in np.delete(rows, first)
    ]


def _taken_keys(keys: pa.Array, name: str, taken: pa.Table, bad: set[int]) -> list[Reject]:
    """The rows whose key belongs to another batch; `bad` rows have another reason as it is.

    What is said of a bad row is so the same whatever other batches have.
    """
    texts = as_text(keys)
    positions = pc.index_in(texts, value_set=as_text(taken["key"]))
    rows = pc.indices_nonzero(pc.is_valid(positions))
    batches = taken["batch_id"].take(positions.take(rows)).to_pylist()
    return [
        Reject(row + 1, name, texts[row].as_py(), f"the key came before, in batch {batch}")
        for row, batch in zip(rows.to_pylist(), batches, strict=True)
        if row + 1 not in bad
    ]


def _empty_rows(parsed: dict[str, pa.Array], use_case: UseCase) -> list[Reject]:
    if not use_case.required_any:
        return []
    filled = pa.array(np.zeros(len(parsed[use_case.key.name]), bool))
    for name in use_case.required_any:
        filled = pc.or_(filled, pc.is_valid(parsed[name]))
    names = ", ".join(use_case.required_any)
    return [
        Reject(row + 1, use_case.required_any[0], None, f"no value in any of {names}")
        for row in pc.indices_nonzero(pc.invert(filled)).to_pylist()
    ]
