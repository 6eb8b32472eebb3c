"""One file of a source: read as it is written, and only when nobody writes to it any more.

Belongs here: CSV and Parquet as tables, and whether a file is whole. Does not belong here: which
files are batches (`resources.sources`), or what a value means (`leeway.data.values`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")
QUIET_SECONDS = 2.0  # a file that changed more recently may still be being copied
_NEEDED = {
    ".csv": "each row needs one value per column, and quotes around a value with a comma",
    ".parquet": "it is not whole, or not Parquet",
}


class SourceError(ValueError):
    """The source cannot be read; the message names the file, the place and the remedy."""


State = tuple[int, int]  # size in bytes, time of the last change in nanoseconds


def state_of(path: Path) -> State | None:
    """What changes when a file does; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def is_quiet(path: Path) -> bool:
    """Whether a file is no longer written to; waits for one that changed just now."""
    before = state_of(path)
    if before is not None:
        age = time.time() - before[1] / 1e9
        # A time to come is that of another clock, as of a network file system.
        time.sleep(max(0.0, QUIET_SECONDS - abs(age)))
    return state_of(path) == before


def read_quietly(path: Path) -> pa.Table:
    """The table in a file that does not change before it was read to its end."""
    if not is_quiet(path):
        raise still_written(path)
    before = state_of(path)
    try:
        table = read_file(path)
    except SourceError as error:
        if state_of(path) != before:
            raise still_written(path) from error
        raise
    if state_of(path) != before:
        raise still_written(path)
    return table


def still_written(path: Path) -> SourceError:
    """The refusal of a file that somebody writes to."""
    return SourceError(
        f"{path}: the file is still being written; run the command again when it is whole. "
        "A copy under another name in the same folder, that is then renamed, is never seen half"
    )


def read_file(path: Path) -> pa.Table:
    """The table in a CSV file (every value as text, in UTF-8) or a Parquet file.

    Raises:
        SourceError: when the file is missing, empty, not UTF-8, ragged or damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if not path.exists():
        raise SourceError(f"{path}: no such file; check source.path in defs.yaml")
    if path.suffix.lower() not in SUFFIXES:
        raise SourceError(
            f"{path}: cannot read {path.suffix or 'this kind of'} files; use CSV or Parquet"
        )
    try:
        if path.suffix.lower() == ".csv":
            return _read_csv(path)
        # One file and nothing else: a folder called year=2024 adds no column.
        table = parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{path}: {error} Mend the file; {_NEEDED[path.suffix.lower()]}."
        ) from error
    _check_header(path, table.column_names)
    return table


def _read_csv(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = path.stat().st_size - len(data) + error.start
        raise SourceError(
            f"{path}: byte {byte} (line {line}) is not UTF-8: "
            f"{data[error.start : error.end]!r}. "
            "Save the file as UTF-8; Latin-1 and Windows-1252 files must be converted."
        ) from error
    if not text.strip():
        raise SourceError(f"{path}: the file is empty; a batch needs a header and at least one row")
    parsing = csv.ParseOptions(newlines_in_values=True)
    columns = csv.open_csv(pa.py_buffer(text.encode()), parse_options=parsing).schema.names
    _check_header(path, columns)
    # Values are read as text: what a value means is decided by the use case's columns alone.
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    return csv.read_csv(
        pa.py_buffer(text.encode()),
        parse_options=parsing,
        convert_options=options,
    )


def _check_header(path: Path, columns: list[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SourceError(f"{path}: the header names {twice[0]!r} more than once")
