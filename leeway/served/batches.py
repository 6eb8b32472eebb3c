"""The rows of a batch as instances: read as a batch of training is, and judged before any answer.

Belongs here: columns and values of the table that a body holds. Does not belong here: the formats
of bodies (`resources.files`) and of answers (`leeway.served.batch_answers`), or predicting.

Missing markers, notations and types are those of the rows that the model was trained on. Values are
typed some rows at a time, and again when they are predicted: typed, a large table takes more memory
than its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from leeway.data.values import as_text, is_text, parse_column
from leeway.served.contract import LONGEST_TEXT, BadRequest, Problem, allowed_told, spelling
from leeway.served.inputs import Input, Instance
from leeway.spec.table import NUMERIC_TYPES, Column

ROWS = 5000  # at one time


@dataclass(frozen=True)
class Batch:
    """The rows of a body, whose columns are known and whose values are not judged yet.

    `names` are what the body calls each input. `ignored` are columns that are no input.
    """

    table: pa.Table
    inputs: tuple[Input, ...]
    names: Mapping[str, str]
    ignored: tuple[str, ...]


def batch_of(table: pa.Table, inputs: Sequence[Input]) -> Batch:
    """The table as a batch; an input has the name of its column, or that of its source.

    Raises:
        BadRequest: when there is no row, or an input has no column.
    """
    known = table.column_names
    names = {
        each.name: each.name if each.source_name not in known else str(each.source_name)
        for each in inputs
    }
    extra = tuple(name for name in known if name not in names.values())
    lacking = [name for name in names.values() if name not in known]
    if lacking:
        raise BadRequest(
            Problem("columns", f"missing {_hinted(lacking, extra)}", None, _all(names))
        )
    if table.num_rows == 0:
        raise BadRequest(Problem("rows", "there are none", None, "at least one row"))
    return Batch(table, tuple(inputs), names, extra)


def judge(batch: Batch) -> None:
    """Reads each value, as far as the first that is wrong and some rows after it.

    Raises:
        BadRequest: names row, column and value of the first that cannot be predicted with, and in
            how many of the rows that were read there are such.
    """
    for start in range(0, batch.table.num_rows, ROWS):
        found = [
            (start + row + 1, position, value, why)
            for position, each in enumerate(batch.inputs)
            for row, value, why in _parsed(batch, each, start)[1]
        ]
        if found:
            row, position, value, why = min(found, key=lambda problem: problem[:2])
            each, read = batch.inputs[position], min(start + ROWS, batch.table.num_rows)
            wrong = len({number for number, *_ in found})
            told = f"{why}; wrong rows of the first {read}: {wrong}; none was predicted"
            where = f"row {row}, column {batch.names[each.name]}"
            raise BadRequest(Problem(where, told, value, allowed_told(each)))


def instances(batch: Batch) -> Iterator[list[Instance]]:
    """The rows of a batch that was judged, `ROWS` at a time."""
    for start in range(0, batch.table.num_rows, ROWS):
        values = {each.name: _parsed(batch, each, start)[0] for each in batch.inputs}
        yield pa.table(values).to_pylist()


def _parsed(
    batch: Batch, each: Input, start: int
) -> tuple[pa.Array, tuple[tuple[int, str | None, str], ...]]:
    """Values of one input from row `start` on, and what is wrong with them."""
    name = batch.names[each.name]
    raw = batch.table[name].slice(start, ROWS).combine_chunks()
    try:
        if each.type == "category":
            raw = _spelt(as_text(raw, "category", each.missing), each)
        parsed = parse_column(raw, _column(each))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        told = f"{raw.type} cannot be read as {each.type}"
        raise BadRequest(Problem(f"column {name}", told, None, allowed_told(each))) from error
    problems = parsed.problems
    if is_text(parsed.values.type):
        long = pc.indices_nonzero(pc.greater(pc.utf8_length(parsed.values), LONGEST_TEXT))
        why = f"longer than {LONGEST_TEXT} characters"
        problems += tuple((row, None, why) for row in long.to_pylist())
    return parsed.values, problems


def _spelt(texts: pa.Array, each: Input) -> pa.Array:
    """Categories as they are spelt in the allowed ones, as in a request; others as they are."""
    coded = texts.dictionary_encode()
    known = [spelling(each, text) or text for text in coded.dictionary.to_pylist()]
    return pa.array(known, pa.string()).take(coded.indices)


def _column(each: Input) -> Column:
    """The column of a use case that the input was made of, as far as reading needs it."""
    bounded = each.type in NUMERIC_TYPES and (each.low, each.high) != (None, None)
    return Column(
        name=each.name,
        type=each.type,
        description=each.description,
        range=(each.low, each.high) if bounded else None,
        values=each.values,
        missing=each.missing,
        written=each.written,
        affix=each.affix,
        required=each.required,
    )


def _hinted(lacking: Sequence[str], extra: Sequence[str]) -> str:
    hints = []
    for name in lacking:
        close = get_close_matches(name, extra, n=1, cutoff=0.5)
        hints.append(f"{name!r}" + (f" (called {close[0]!r}?)" if close else ""))
    return ", ".join(hints)


def _all(names: Mapping[str, Any]) -> str:
    return f"a column for each of {', '.join(names.values())}; a value may be missing"
