"""CSV, TSV and JSON lines as tables of text.

Belongs here: what is checked before a parser sees the bytes, and the bounds of what it makes of
them. Does not belong here: files and gzip (`resources.files`), or what a value means
(`leeway.data.values`).

Encoding, delimiter and quotes are what the use case says, and never guessed from a file.
"""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from leeway.data.records import MOST_COLUMNS
from resources.files import SourceError, check_header, largest_bytes, too_large

if TYPE_CHECKING:
    import pyarrow as pa

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ROW = 2**20  # bytes that a row has at most, which is Arrow's for a row of CSV
_CHUNK = 50_000  # lines of JSON that are objects of Python at one time
_CHUNK_BYTES = 2**24  # of text in them: nested lists take twenty times as much
_NEEDED = "each row needs one value per column, and quotes around a value with {} in it"


def read_csv(data: bytes, place: str, delimiter: str, header: int = 1) -> pa.Table:
    """The rows of CSV or TSV, whose names stand in line `header`.

    Raises:
        SourceError: names the byte, the row or the column that is wrong.
    """
    import pyarrow as pa
    from pyarrow import csv

    _check_text(data, place)
    names = next(islice(io.BytesIO(data.removeprefix(_BOM)), header - 1, header), b"").decode()
    if not names.strip() and header > 1:
        raise SourceError(f"{place}: line {header} has no names; change source.header in defs.yaml")
    if ";" in names and delimiter not in names:
        raise SourceError(
            f"{place}: the header {names[:40].strip()!r} has semicolons between the names; write "
            "delimiter: ';' below source in defs.yaml, and written: 1.234,5 for a column of "
            "numbers with a decimal comma"
        )
    _check_width(data.removeprefix(_BOM), place, delimiter, header)
    rows = pa.py_buffer(data.removeprefix(_BOM))
    parsing = csv.ParseOptions(newlines_in_values=True, delimiter=delimiter)
    # On two cores threads were no faster and took twice the CPU; and they read ahead also what
    # nobody asks for after a refusal (github.com/apache/arrow/issues/43604).
    reading = csv.ReadOptions(skip_rows=header - 1, use_threads=False)
    try:
        columns = csv.open_csv(rows, reading, parsing).schema.names
        check_header(place, columns)
        # Values are read as text: what a value means is decided by the use case's columns alone.
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        )
        table = csv.read_csv(rows, reading, parsing, options)
    except MemoryError:  # it is one of Arrow's, too
        raise
    except (pa.ArrowException, OSError) as error:
        said = str(error)
        if "straddling" in said:
            said = (
                f"a row is longer than {_ROW // 2**20} MB, perhaps by a quote that nothing closes."
            )
        needed = _NEEDED.format("a tab" if delimiter == "\t" else repr(delimiter))
        raise SourceError(f"{place}: {said} Mend the file; {needed}.") from error
    _check_closed(data, table, place)
    return table


def _check_width(data: bytes, place: str, delimiter: str, header: int) -> None:
    """Refuses what has more names than columns are read, before Arrow makes a parser for each."""
    if data.count(delimiter.encode(), 0, _ROW) < MOST_COLUMNS:
        return
    text = io.StringIO(data[:_ROW].decode(errors="ignore"), newline="")
    try:
        lines = csv_module.reader(text, delimiter=delimiter)
        below = islice(lines, header - 1, header + 999)
        names = next((line for line in below if line), [])
    except csv_module.Error as error:
        raise SourceError(f"{place}: the header cannot be read: {error}") from error
    if len(names) > MOST_COLUMNS:
        raise SourceError(
            f"{place}: {len(names)} columns or more, and {MOST_COLUMNS} are read; leave some out"
        )


def _check_closed(data: bytes, table: pa.Table, place: str) -> None:
    """Refuses a quote that nothing closes: all rows after it would be one value."""
    if data.count(b'"') % 2 == 0 or not table.num_rows:
        return
    last = table.slice(table.num_rows - 1).to_pylist()[0]
    for name, value in last.items():
        if value is not None and "\n" in value:
            raise SourceError(
                f"{place}: the last row, column {name!r}, begins with a quote that nothing closes, "
                f"and holds the rest of the file: {value[:40]!r}. Close it, or double the quote"
            )


def read_json_lines(data: bytes, place: str) -> pa.Table:
    """The rows of JSON lines.

    Raises:
        SourceError: names the line, or the row and the field.
    """
    import pyarrow as pa

    from leeway.data.records import NotRecords, table_of_records

    _check_text(data, place)
    tables: list[pa.Table] = []
    try:
        for first, rows in _chunks(data, place):
            tables.append(table_of_records(rows, first))
    except NotRecords as error:
        raise SourceError(f"{place}: {error}") from error
    return pa.concat_tables(tables, promote_options="default")


def _chunks(data: bytes, place: str) -> Iterator[tuple[int, list[object]]]:
    """Some rows at a time, with the number of the first."""
    from leeway.data.records import NotRecords, parse_json

    rows: list[object] = []
    names: set[str] = set()
    first, size = 1, 0
    for line, text in enumerate(io.BytesIO(data.removeprefix(_BOM)), 1):
        if not text.strip():
            continue
        if len(text) > _ROW:
            raise SourceError(f"{place}: line {line}: it is longer than {_ROW // 2**20} MB")
        try:
            rows.append(parse_json(text))
        except NotRecords as error:
            raise SourceError(
                f"{place}: line {line}: {error}. Each line holds one row as a JSON object"
            ) from error
        if isinstance(rows[-1], dict):
            names.update(rows[-1])
            _check_cells(len(names), first + len(rows), place)
        size += len(text)
        if len(rows) == _CHUNK or size > _CHUNK_BYTES:
            yield first, rows
            first, size, rows = first + len(rows), 0, []
    if rows:
        yield first, rows


def _check_cells(columns: int, rows: int, place: str) -> None:
    """Refuses rows whose names differ so much that the table would be nearly empty, and huge."""
    if columns > MOST_COLUMNS:
        raise SourceError(
            f"{place}: the rows have more than {MOST_COLUMNS} names; each is a column"
        )
    if columns * rows * 4 > largest_bytes():  # an empty text takes four bytes
        raise too_large(place)


def _check_text(data: bytes, place: str) -> None:
    """Refuses what is not UTF-8, and what is empty."""
    bom = len(_BOM) if data.startswith(_BOM) else 0
    try:
        text = data[bom:].decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[bom : bom + error.start].count(b"\n") + 1
        raise SourceError(
            f"{place}: byte {bom + error.start} (line {line}) is not UTF-8: "
            f"{data[bom:][error.start : error.end]!r}. "
            "Save the file as UTF-8; Latin-1 and Windows-1252 files must be converted: "
            f"iconv -f {'UTF-16' if data[:2] in _UTF16 else 'WINDOWS-1252'} -t UTF-8 FILE > NEW"
        ) from error
    if not text or text.isspace():
        raise SourceError(f"{place}: the file is empty; a batch needs names and at least one row")
