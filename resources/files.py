"""One file of rows, read as it is written: CSV, TSV, JSON lines and Parquet, also within gzip.

Belongs here: formats as tables, and the largest size. Does not belong here: whether a file is whole
(`resources.quiet`), which files are batches (`resources.sources`), or what a value means
(`leeway.data.values`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from resources.settings import get_settings

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
SUFFIXES = (*_TEXT, *(f"{suffix}.gz" for suffix in _TEXT), ".parquet")
_BOM = b"\xef\xbb\xbf"
_CHUNK = 50_000  # lines of JSON that are objects of Python at one time
_NEEDED = {
    ".csv": "each row needs one value per column, and quotes around a value with a comma",
    ".tsv": "each row needs one value per column, and quotes around a value with a tab",
    ".parquet": "it is not whole, or not Parquet",
}


class SourceError(ValueError):
    """The source cannot be read; the message names the file, the place and the remedy."""


class Unavailable(SourceError):
    """Nothing came of the source: it is not there, or was not reached. What came is not judged."""


def suffix_of(name: str) -> str | None:
    """The ending of SUFFIXES that a file's name has, such as `.csv.gz`; None when it has none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def stem_of(name: str) -> str:
    """The name of a file without its ending of SUFFIXES."""
    return name[: -len(suffix_of(name) or "")] or name


def largest_bytes() -> int:
    """The largest file that is read, packed or unpacked: LEEWAY_MAX_FILE_MB."""
    return get_settings().max_file_mb * 2**20


def read_file(path: Path) -> pa.Table:
    """The table in a file; every value of a text format as text, in UTF-8.

    Raises:
        SourceError: when the file is missing, too large, empty, not UTF-8, ragged or damaged.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; check source.path in defs.yaml") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check source.path in defs.yaml") from error
    check_suffix(path.name, str(path))
    if size > largest_bytes():
        raise too_large(str(path), size)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: it cannot be read: {error.strerror}") from error
    return read_data(path.name, data, str(path))


def check_suffix(name: str, place: str) -> str:
    """The ending of a file's name.

    Raises:
        SourceError: when files of this kind cannot be read, with those that can.
    """
    suffix = suffix_of(name)
    if suffix is not None:
        return suffix
    found = Path(name).suffix.lower()
    remedy = f"there are {', '.join(SUFFIXES)}"
    if found in (".xlsx", ".xls", ".ods"):
        remedy = "save the sheet as CSV"
    raise SourceError(f"{place}: cannot read {found or 'this kind of'} files; {remedy}")


def too_large(place: str, size: int | None = None) -> SourceError:
    """The refusal of what is larger than LEEWAY_MAX_FILE_MB; `size` in bytes where it is known."""
    limit = f"{largest_bytes() // 2**20} MB"
    found = f"more than {limit}" if size is None else f"{size / 2**20:.0f} MB of {limit} at most"
    return SourceError(
        f"{place}: it is too large: {found}. Cut it into several batches, or raise "
        "LEEWAY_MAX_FILE_MB where the memory allows it"
    )


def read_data(name: str, data: bytes, place: str) -> pa.Table:
    """The table in the bytes of a file called `name`; `place` begins each message.

    Raises:
        SourceError: as `read_file`.
    """
    import pyarrow as pa

    suffix = check_suffix(name, place)
    if suffix.endswith(".gz"):
        data, suffix = gunzip(io.BytesIO(data), place), suffix.removesuffix(".gz")
    try:
        if suffix == ".parquet":
            table = _read_parquet(data, place)
        elif suffix in (".csv", ".tsv"):
            table = _read_csv(data, place, "," if suffix == ".csv" else "\t")
        else:
            table = _read_json_lines(data, place)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{place}: {error} Mend the file; {_NEEDED[suffix]}.") from error
    _check_header(place, table.column_names)
    return table


def gunzip(file: BinaryIO, place: str) -> bytes:
    """What gzip packed, LEEWAY_MAX_FILE_MB at most.

    Raises:
        SourceError: when it is no gzip, damaged, cut short, or larger than may be read.
    """
    try:
        with gzip.open(file) as packed:
            data = packed.read(largest_bytes() + 1)
    except EOFError as error:
        raise SourceError(f"{place}: the file is cut short; copy it again") from error
    except (OSError, zlib.error) as error:
        raise SourceError(f"{place}: no gzip, or damaged: {error}; copy it again") from error
    if len(data) > largest_bytes():
        raise too_large(place)
    return data


def _read_parquet(data: bytes, place: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    # One file and nothing else: a folder called year=2024 adds no column.
    file = parquet.ParquetFile(pa.BufferReader(data))
    about = file.metadata
    sizes = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
    # A million equal values take no room in the file, and eight bytes each in memory.
    size = max(sum(sizes), about.num_rows * about.num_columns * 8)
    if size > largest_bytes():
        raise too_large(place, size)
    return file.read()


def _read_csv(data: bytes, place: str, delimiter: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    _check_text(data, place)
    header = data.removeprefix(_BOM).partition(b"\n")[0].decode()
    if ";" in header and delimiter not in header:
        raise SourceError(
            f"{place}: the header {header[:40]!r} has semicolons between the names; write commas, "
            "and a point before decimals: pandas.read_csv(FILE, sep=';', decimal=',')"
            ".to_csv(FILE, index=False)"
        )
    rows = pa.py_buffer(data.removeprefix(_BOM))
    parsing = csv.ParseOptions(newlines_in_values=True, delimiter=delimiter)
    columns = csv.open_csv(rows, parse_options=parsing).schema.names
    _check_header(place, columns)
    # Values are read as text: what a value means is decided by the use case's columns alone.
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    return csv.read_csv(rows, parse_options=parsing, convert_options=options)


def _read_json_lines(data: bytes, place: str) -> pa.Table:
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
    first = 1
    for line, text in enumerate(io.BytesIO(data.removeprefix(_BOM)), 1):
        if not text.strip():
            continue
        try:
            rows.append(parse_json(text))
        except NotRecords as error:
            raise SourceError(
                f"{place}: line {line}: {error}. Each line holds one row as a JSON object"
            ) from error
        if len(rows) == _CHUNK:
            yield first, rows
            first, rows = first + len(rows), []
    if rows:
        yield first, rows


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
            "Save the file as UTF-8; Latin-1 and Windows-1252 files must be converted."
        ) from error
    if not text or text.isspace():
        raise SourceError(f"{place}: the file is empty; a batch needs names and at least one row")


def _check_header(place: str, columns: list[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SourceError(f"{place}: the header names {twice[0]!r} more than once")
