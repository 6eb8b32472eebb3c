"""One file of rows, read as it is written: CSV, TSV, JSON lines, Parquet and Excel.

Belongs here: which formats there are, gzip, and the largest size. Does not belong here: the formats
(`resources.text_formats`, `resources.parsing`), whether a file is whole (`resources.quiet`), which
files are batches (`resources.sources`), or what a value means (`leeway.data.values`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from leeway.data.records import MOST_COLUMNS
from resources.opening import LinkOutside, digest_at_most, read_at_most

if TYPE_CHECKING:
    import pyarrow as pa

    from leeway.spec import FileSource

_TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
SUFFIXES = (*_TEXT, *(f"{suffix}.gz" for suffix in _TEXT), ".parquet", ".xlsx")


@dataclass(frozen=True)
class Layout:
    """Where the table is in a file, as `leeway.spec.FileSource` declares it."""

    sheet: str | None = None
    header: int | None = None
    delimiter: str | None = None

    @classmethod
    def of(cls, source: FileSource) -> Self:
        """What a use case says of its file, or of each file of its folder."""
        return cls(source.sheet, source.header, source.delimiter)


USUAL = Layout()


class SourceError(ValueError):
    """The source cannot be read; the message names the file, the place and the remedy."""


class Unavailable(SourceError):
    """Nothing came of the source: it is not there, or was not reached. What came is not judged."""


class TooLarge(SourceError):
    """It is larger than LEEWAY_MAX_FILE_MB, packed or unpacked."""


def suffix_of(name: str) -> str | None:
    """The ending of SUFFIXES that a file's name has, such as `.csv.gz`; None when it has none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def stem_of(name: str) -> str:
    """The name of a file without its ending of SUFFIXES."""
    return name[: -len(suffix_of(name) or "")] or name


def largest_bytes() -> int:
    """The largest file that is read, packed or unpacked: LEEWAY_MAX_FILE_MB."""
    from resources.settings import get_settings  # a quarter of the time that `leeway drift` has

    return get_settings().max_file_mb * 2**20


def read_file(path: Path, layout: Layout = USUAL, inside: Path | None = None) -> pa.Table:
    """The table in a file; every value of a text format or of Excel as text, in UTF-8.

    Args:
        path: of the file, whose ending says what it is.
        layout: where the table is in it.
        inside: folder that the file must be in, wherever links lead.

    Raises:
        SourceError: when the file is missing, too large, empty, not UTF-8, ragged or damaged.
    """
    check_suffix(path.name, str(path))
    try:
        data = read_at_most(path, largest_bytes(), inside)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; check source.path in defs.yaml") from None
    except LinkOutside as error:
        raise SourceError(f"{path}: {error.strerror}; copy the file") from error
    except OSError as error:
        raise SourceError(
            f"{path}: it cannot be read: {error.strerror}; check source.path in defs.yaml"
        ) from error
    if data is None:
        raise too_large(str(path), path.stat().st_size)
    return read_data(path.name, data, str(path), layout)


def fingerprint_of(path: Path, inside: Path | None = None) -> str:
    """Digest that changes when a file's bytes do; one that is too large to be read is not read.

    Raises:
        SourceError: when it cannot be read.
    """
    try:
        return digest_at_most(path, largest_bytes(), inside)
    except OSError as error:
        raise SourceError(f"{path}: it cannot be read: {error.strerror}") from error


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
    if found in (".xls", ".xlsm", ".xlsb", ".ods"):
        remedy = "save it as .xlsx or CSV"
    raise SourceError(f"{place}: cannot read {found or 'this kind of'} files; {remedy}")


def too_large(place: str, size: int | None = None) -> SourceError:
    """The refusal of what is larger than LEEWAY_MAX_FILE_MB; `size` in bytes where it is known."""
    limit = f"{largest_bytes() // 2**20} MB"
    found = f"more than {limit}" if size is None else f"{size / 2**20:.0f} MB of {limit} at most"
    return TooLarge(
        f"{place}: it is too large: {found}. Cut it into several batches, or raise "
        "LEEWAY_MAX_FILE_MB where the memory allows it"
    )


def read_data(name: str, data: bytes, place: str, layout: Layout = USUAL) -> pa.Table:
    """The table in the bytes of a file called `name`; `place` begins each message.

    Raises:
        SourceError: as `read_file`.
    """
    suffix = check_suffix(name, place)
    _check_layout(suffix, layout, place)
    try:
        if suffix.endswith(".gz"):
            data, suffix = gunzip(io.BytesIO(data), place), suffix.removesuffix(".gz")
        table = _table(suffix, data, place, layout)
    except MemoryError:
        raise SourceError(
            f"{place}: there is not enough memory to read it. Cut it into several batches"
        ) from None
    check_header(place, table.column_names)
    return table


def _check_layout(suffix: str, layout: Layout, place: str) -> None:
    csv, excel = suffix.startswith((".csv", ".tsv")), suffix == ".xlsx"
    for name, fits, what in (
        ("sheet", excel, ".xlsx"),
        ("header", csv or excel, "CSV, TSV and .xlsx"),
        ("delimiter", csv, "CSV"),
    ):
        if getattr(layout, name) is not None and not fits:
            raise SourceError(
                f"{place}: source.{name} is for {what} files; remove it from defs.yaml"
            )


def _table(suffix: str, data: bytes, place: str, layout: Layout) -> pa.Table:
    from resources.parsing import parse
    from resources.text_formats import read_csv, read_json_lines

    if suffix in (".parquet", ".xlsx"):
        return parse(suffix, data, place, layout)
    if suffix in (".csv", ".tsv"):
        usual = "," if suffix == ".csv" else "\t"
        return read_csv(data, place, layout.delimiter or usual, layout.header or 1)
    return read_json_lines(data, place)


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


def check_header(place: str, columns: list[str]) -> None:
    """Refuses two columns of one name, and more columns than any table needs."""
    if len(columns) > MOST_COLUMNS:
        raise SourceError(
            f"{place}: {len(columns)} columns are more than {MOST_COLUMNS}; leave some out"
        )
    twice = [name for name, times in Counter(columns).items() if times > 1]
    if twice:
        raise SourceError(
            f"{place}: the header names {min(twice)!r} more than once; give each its own"
        )
