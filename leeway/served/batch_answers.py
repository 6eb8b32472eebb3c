"""The answers to a batch, a row each, as JSON lines, CSV or Parquet.

Belongs here: the types of rows, and writing them some at a time. Does not belong here: where the
bytes go, or which format somebody wants.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import pyarrow as pa
from pyarrow import csv, parquet

from leeway.served.contract import Classes, Classified, Estimated, Estimates

Send = Callable[[bytes], object]
PART = 2**18  # bytes that are sent at one time, about
# What a spreadsheet takes for a formula; a number is none.
_LIVE = re.compile(r"^(?=[=+\-@\t\r])(?![+-]?[\d.]+(e[+-]?\d+)?$)", re.IGNORECASE)


class ClassifiedRow(Classified, frozen=True):
    """The answer for one row, which are counted from 1, and the version that gave it."""

    row: int
    model_version: int


class EstimatedRow(Estimated, frozen=True):
    """The answer for one row, which are counted from 1, and the version that gave it."""

    row: int
    model_version: int


Row = ClassifiedRow | EstimatedRow


class Writer(Protocol):
    """Sends rows in one format."""

    def write(self, rows: Sequence[Row]) -> None:
        """Sends some rows, now or later."""

    def end(self) -> None:
        """Sends what is left."""


def rows_of(answers: Classes | Estimates, first: int) -> list[Row]:
    """The predictions of an answer as rows, of which the first has the number `first`."""
    kind: Any = ClassifiedRow if isinstance(answers, Classes) else EstimatedRow
    names = kind.__struct_fields__[:-2]
    return [
        kind(*(getattr(each, name) for name in names), number, answers.model_version)
        for number, each in enumerate(answers.predictions, first)
    ]


def writer_of(suffix: str, classes: Sequence[str] | None, send: Send) -> Writer:
    """Sends rows as .jsonl, .csv or .parquet; `classes` are those of a classification, or None."""
    buffered = _Buffer(send)
    if suffix == ".jsonl":
        return _JsonLines(buffered)
    return _Csv(classes, buffered) if suffix == ".csv" else _Parquet(classes, buffered)


class _Buffer(io.RawIOBase):
    """Gathers bytes until a part has enough; it tells its place, which Parquet needs."""

    def __init__(self, send: Send) -> None:
        self._send, self._held, self._at = send, bytearray(), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._held += data
        self._at += len(data)
        if len(self._held) >= PART:
            self.finish()
        return len(data)

    def finish(self) -> None:
        self._send(bytes(self._held))
        self._held.clear()


class _JsonLines:
    def __init__(self, to: _Buffer) -> None:
        self._to, self._encoder = to, msgspec.json.Encoder()

    def write(self, rows: Sequence[Row]) -> None:
        self._to.write(self._encoder.encode_lines(rows))

    def end(self) -> None:
        self._to.finish()


class _Parquet:
    def __init__(self, classes: Sequence[str] | None, to: _Buffer) -> None:
        self._to, self._schema = to, _schema(classes)
        self._file = parquet.ParquetWriter(to, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        columns = _columns(rows)
        self._file.write_table(pa.table(columns, schema=self._schema))

    def end(self) -> None:
        self._file.close()
        self._to.finish()


class _Csv:
    """Lists are JSON in one value; a text that a spreadsheet would run begins with a quote."""

    def __init__(self, classes: Sequence[str] | None, to: _Buffer) -> None:
        nested = [pa.types.is_list(field.type) for field in _schema(classes)]
        self._schema = pa.schema(
            field.with_type(pa.string()) if flat else field
            for field, flat in zip(_schema(classes), nested, strict=True)
        )
        self._to, self._file = to, csv.CSVWriter(to, self._schema)

    def write(self, rows: Sequence[Row]) -> None:
        columns = _columns(rows)
        for name in ("prediction_set", "warnings"):
            if name in columns:
                columns[name] = [_json(each) for each in columns[name]]
        columns["prediction"] = [_inert(each) for each in columns["prediction"]]
        self._file.write_table(pa.table(columns, schema=self._schema))

    def end(self) -> None:
        self._file.close()
        self._to.finish()


def _schema(classes: Sequence[str] | None) -> pa.Schema:
    text, number = pa.string(), pa.float64()
    warned = pa.struct([("input", text), ("code", text), ("message", text)])
    bounds = [("low", number), ("high", number)]
    if classes is not None:
        bounds = [(f"probability_{name}", number) for name in classes]
        bounds.append(("prediction_set", pa.list_(text)))
    return pa.schema(
        [
            ("row", pa.int64()),
            ("prediction_id", text),
            ("prediction", number if classes is None else text),
            *bounds,
            ("warnings", pa.list_(warned)),
            ("model_version", pa.int64()),
        ]
    )


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The rows by the columns of `_schema`."""
    found: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows]
        for name in ("row", "prediction_id", "prediction", "model_version")
    }
    found["warnings"] = [[msgspec.structs.asdict(each) for each in row.warnings] for row in rows]
    classified = [row for row in rows if isinstance(row, ClassifiedRow)]
    estimated = [row.interval or (None, None) for row in rows if isinstance(row, EstimatedRow)]
    if classified:
        for name in classified[0].probabilities:
            found[f"probability_{name}"] = [row.probabilities[name] for row in classified]
        found["prediction_set"] = [row.prediction_set for row in classified]
    else:
        found["low"], found["high"] = ([each[end] for each in estimated] for end in (0, 1))
    return found


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _inert(value: str | float) -> str | float:
    return f"'{value}" if isinstance(value, str) and _LIVE.match(value) else value
