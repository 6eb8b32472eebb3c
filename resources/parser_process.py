"""The program that parses one file of others, Parquet or Excel, in a process of its own.

Belongs here: limits of the process, and both formats as an Arrow stream. Does not belong here:
anything of Leeway: it imports nothing of it, so that it starts quickly and has no secret to lose
(`resources.parsing` starts it and says what it refused).

    python parser_process.py SUFFIX MOST_BYTES MOST_COLUMNS SECONDS HEADER [SHEET] < FILE > STREAM
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import chain, islice
from typing import Any

REFUSED, TOO_LARGE = 3, 4  # exit codes; standard error says why, or how many bytes
_BASE_BYTES = 512 * 2**20  # of address space: Python, Arrow and one page of a column
_MOST_ROWS = 2**20  # of a sheet of Excel
_MOST_CELLS = 20_000_000
_LOOKED_AT = 20  # rows for the one with the names
_PART = 65_536  # rows that are in memory at one time
# What openpyxl does not tell when it reads row by row. Its end is kept for the next piece.
_UNSEEN = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="(?P<cell>[A-Z]+[0-9]+)"[^>]*>'
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?</(?:\w+:)?c>"
    rb'|<(?:\w+:)?mergeCell\b[^>]*?\bref="(?P<merged>[A-Z0-9:]+)"'
)
_PIECE, _OVERLAP = 2**20, 2**14


class Refused(Exception):
    """The file cannot be a table; the message says what to mend."""


class TooLarge(Exception):
    """The file would be larger in memory than is allowed."""


def limit(most_bytes: int, seconds: int) -> None:
    """Bounds this process: memory, time, what it writes, and no core dump of foreign data."""
    # The file, one decoded part of it, and the buffers between them.
    memory = _BASE_BYTES + 3 * most_bytes
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 2 * most_bytes + 2**20),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]  # of a container, perhaps; it cannot be raised
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def parquet_parts(data: bytes, most_bytes: int, most_columns: int) -> Iterator[Any]:
    """A Parquet file in record batches."""
    import pyarrow as pa
    from pyarrow import parquet

    # One file and nothing else: a folder called year=2024 adds no column.
    file = parquet.ParquetFile(pa.BufferReader(data))
    about = file.metadata
    if about.num_columns > most_columns:
        raise Refused(f"{about.num_columns} columns are more than {most_columns}; leave some out")
    sizes = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
    # A million equal values take no room in the file, and eight bytes each in memory.
    size = max(sum(sizes), about.num_rows * about.num_columns * 8)
    if size > most_bytes:
        raise TooLarge(str(size))
    yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
    for part in file.iter_batches(_PART, use_threads=False):
        part.validate(full=True)  # what a damaged file decodes to may be no text, or no list
        yield part


def sheet_parts(
    data: bytes,
    most_bytes: int,
    most_columns: int,
    wanted: str | None = None,
    header: int | None = None,
) -> Iterator[Any]:
    """A sheet of Excel in record batches of text; formulas are the values that were stored.

    Args:
        data: the file.
        most_bytes: that it may unpack to.
        most_columns: that the table may have.
        wanted: name of the sheet; None: the first.
        header: row of the names; None: the first with a value; 0: the one that looks like it.
    """
    from openpyxl import load_workbook

    _check_archive(data, most_bytes)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    names = [each.title for each in book.worksheets]
    if not names or (wanted is not None and wanted not in names):
        raise Refused(
            f"there is no sheet {wanted or 'with cells'!r}; there are {', '.join(names) or 'none'}"
        )
    sheet = book.worksheets[0 if wanted is None else names.index(wanted)]
    with sheet._get_source() as source:  # its XML; openpyxl has no public way to it
        merged = _check_unseen(source)
    sheet.reset_dimensions()  # what the file declares of them may be a lie of 16 billion cells
    others = [name for name in names if name != sheet.title]
    about = {"sheet": sheet.title, "other_sheets": json.dumps(others)}
    rows = _rows(sheet)
    number, names_row, rows = _begin(rows, header)
    for cells in merged:
        if int(re.sub(r".*[A-Z]", "", cells)) >= number:  # those of a title stand above
            raise Refused(
                f"cells {cells} are merged, and a row needs a value of its own; undo the merge"
            )
    if header == 0:
        about["header"] = str(number)
    return _batches(number, names_row, rows, most_columns, about)


def _check_archive(data: bytes, most_bytes: int) -> None:
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise Refused("it is locked by a password, or an old .xls file; save it as .xlsx without")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(each.file_size for each in archive.infolist())
    if size > most_bytes:
        raise TooLarge(str(size))


def _check_unseen(source: Any) -> list[str]:
    """The cells that are merged; refuses what would be missing values that nobody was told of."""
    held, merged = b"", dict[str, None]()
    while piece := source.read(_PIECE):
        held = held[-_OVERLAP:] + piece
        for found in _UNSEEN.finditer(held):
            if found["cell"]:
                raise Refused(
                    f"cell {found['cell'].decode()} holds a formula whose value was never "
                    "computed; open the file in a spreadsheet program and save it"
                )
            merged[found["merged"].decode()] = None
    return list(merged)


def _rows(sheet: Any) -> Iterator[tuple[int, list[str | None]]]:
    """Rows that have a value, each with its number in the sheet."""
    cells = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells += len(row)
        if cells > _MOST_CELLS or number > _MOST_ROWS:
            raise Refused(
                f"it has more than {_MOST_CELLS:,} cells or {_MOST_ROWS:,} rows; save it as CSV"
            )
        texts = [_text(value) for value in row]
        if any(text is not None for text in texts):
            yield number, texts


def _text(value: Any) -> str | None:
    """A cell as the text that a CSV file would have."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time() else value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _begin(
    rows: Iterator[tuple[int, list[str | None]]], header: int | None
) -> tuple[int, list[str | None], Iterator[tuple[int, list[str | None]]]]:
    """The number of the row with the names, that row, and the rows below it."""
    if header is None:
        number, names = next(rows, (0, []))
    elif header:
        number, names = next((each for each in rows if each[0] >= header), (header, []))
    else:
        first = list(islice(rows, _LOOKED_AT))
        widest = max((_filled(row) for _, row in first), default=0)
        # A title has fewer values than the names; a name may be missing, and is then told.
        at = next((i for i, (_, row) in enumerate(first) if _filled(row) == widest), 0)
        if first and any(_is_number(value) for value in first[at][1]):
            at = 0  # a row of values: the names are incomplete, which is told
        rows = chain(first[at + 1 :], rows)
        number, names = first[at] if first else (0, [])
    return number, names, rows


def _filled(row: Sequence[str | None]) -> int:
    return sum(value is not None for value in row)


def _is_number(value: str | None) -> bool:
    return value is not None and value.replace(".", "", 1).lstrip("-").isdecimal()


def _batches(
    number: int,
    header: list[str | None],
    rows: Iterator[tuple[int, list[str | None]]],
    most_columns: int,
    about: dict[str, str],
) -> Iterator[Any]:
    """The rows below the one with the names."""
    import pyarrow as pa

    while header and header[-1] is None:
        header.pop()
    _check_header(header, number, most_columns)
    schema = pa.schema([(name, pa.string()) for name in header], metadata=about)
    yield pa.RecordBatch.from_pylist([], schema=schema)
    part: list[Sequence[str | None]] = []
    for number, row in rows:
        beyond = next((i for i, v in enumerate(row) if v is not None and i >= len(header)), None)
        if beyond is not None:
            raise Refused(
                f"row {number} has {row[beyond]!r} in column {_letters(beyond)}, "
                "which has no name in the header"
            )
        part.append((row + [None] * len(header))[: len(header)])
        if len(part) == _PART:
            yield _batch(part, schema)
            part = []
    if part:
        yield _batch(part, schema)


def _batch(rows: Iterable[Sequence[str | None]], schema: Any) -> Any:
    import pyarrow as pa

    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _check_header(header: Sequence[str | None], number: int, most_columns: int) -> None:
    if not header:
        raise Refused("the sheet is empty; a batch needs names and at least one row")
    if len(header) > most_columns:
        raise Refused(f"{len(header)} columns are more than {most_columns}; leave some out")
    if None in header:
        raise Refused(
            f"row {number} has the names of the columns, and column {_letters(header.index(None))} "
            "has none; name every column, or say by source.header which row has the names"
        )


def _letters(index: int) -> str:
    """A, B, …, Z, AA, …: what a spreadsheet calls the column."""
    letters = ""
    while index >= 0:
        letters = chr(ord("A") + index % 26) + letters
        index = index // 26 - 1
    return letters


def write(parts: Iterator[Any]) -> None:
    """Writes the parts to standard output as one Arrow stream."""
    import pyarrow as pa

    first = next(parts)
    with pa.ipc.new_stream(sys.stdout.buffer, first.schema) as stream:
        for part in parts:
            stream.write_batch(part)


def main(
    suffix: str,
    most_bytes: int,
    most_columns: int,
    seconds: int,
    header: int | None,
    sheet: str | None = None,
) -> int:
    """Parses standard input; the exit code."""
    limit(most_bytes, seconds)
    # Both libraries do without, and numpy alone takes as long to import as all else.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import pyarrow as pa

    # It reserves no address space ahead, as the others do.
    pa.set_memory_pool(pa.system_memory_pool())
    data = sys.stdin.buffer.read()
    try:
        if suffix == ".parquet":
            write(parquet_parts(data, most_bytes, most_columns))
        else:
            warnings.simplefilter("ignore")  # of openpyxl, of what it does not keep
            write(sheet_parts(data, most_bytes, most_columns, sheet, header))
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201  # read by the parent
        return REFUSED
    except (TooLarge, MemoryError) as error:
        print(error if isinstance(error, TooLarge) else "", file=sys.stderr)  # noqa: T201  # as above
        return TOO_LARGE
    except Exception as error:
        too_large = isinstance(error, OSError) and "too large" in str(error)
        print("" if too_large else f"{error}", file=sys.stderr)  # noqa: T201  # as above
        return TOO_LARGE if too_large else REFUSED
    return 0


if __name__ == "__main__":
    asked, most, widest, longest, row, *named = sys.argv[1:]
    at = int(row) if row else None
    sys.exit(main(asked, int(most), int(widest), int(longest), at, *named))
