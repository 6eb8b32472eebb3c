"""Parquet and Excel are parsed in a process of their own: a bomb ends that, and is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from resources import parsing
from resources.files import Layout, SourceError, read_data, read_file
from resources.parser_process import Refused, sheet_parts
from tests.parser_bounds import bounded_parser

MB = 2**20
SHEET = "xl/worksheets/sheet1.xml"  # its part within the file
PLAIN: list[list[Any]] = [["id", "x"], [1, "a"], [2, None]]


def book(rows: Sequence[Sequence[Any]], change: Callable[[Any], None] = lambda book: None) -> bytes:
    """A file with the rows in its first sheet; `change` sees the workbook before it is saved."""
    made = Workbook()
    for row in rows:
        made.worksheets[0].append(row)
    change(made)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def table_of(data: bytes, sheet: str | None = None) -> pa.Table:
    """What the program makes of a file, in this process."""
    return pa.Table.from_batches(list(sheet_parts(data, 64 * MB, 100, sheet)))


def patched(data: bytes, member: str, old: bytes, new: bytes) -> bytes:
    """The file with some bytes of one of its parts replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w", 8) as after:
        for name in before.namelist():
            found = before.read(name)
            assert name != member or old in found
            after.writestr(name, found.replace(old, new) if name == member else found)
    return file.getvalue()


def test_a_sheet_is_the_table_that_its_csv_file_would_be(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(book(PLAIN))
    table = read_file(path)
    assert table.to_pydict() == {"id": ["1", "2"], "x": ["a", None]}


def test_a_typed_cell_is_the_text_of_its_value() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    cells: list[Any] = [
        "007",
        7,
        7.0,
        0.125,
        -1,
        True,
        date(2024, 1, 2),
        moment,
        "=1+1 ",
        "#N/A",
        1e300,
    ]
    header: list[Any] = [f"c{i}" for i in range(len(cells))]

    def as_text(made: Any) -> None:
        made.worksheets[0]["I2"].data_type = "s"  # a text that looks like a formula

    row = table_of(book([header, cells], as_text)).to_pylist()[0]
    assert list(row.values()) == [
        "007", "7", "7", "0.125", "-1", "true", "2024-01-02", "2024-01-02 03:04:05",
        "=1+1 ", "#N/A", "1e+300",
    ]  # fmt: skip


def test_the_first_sheet_is_read_or_the_one_that_is_named_and_the_others_are_told() -> None:
    def second(made: Any) -> None:
        made.create_sheet("prices").append(["y"])
        made["prices"].append([5])

    data = book(PLAIN, second)
    first = table_of(data)
    assert first.column_names == ["id", "x"]
    assert first.schema.metadata == {b"sheet": b"Sheet", b"other_sheets": b'["prices"]'}
    assert table_of(data, "prices").to_pydict() == {"y": ["5"]}
    with pytest.raises(Refused, match="there is no sheet 'cost'; there are Sheet, prices"):
        table_of(data, "cost")


def test_a_sheet_is_named_for_excel_alone() -> None:
    with pytest.raises(SourceError, match=r"source\.sheet is for \.xlsx files"):
        read_data("t.csv", b"id\n1\n", "p", Layout(sheet="prices"))
    with pytest.raises(SourceError, match=r"source\.delimiter is for CSV files"):
        read_data("t.jsonl", b"{}", "p", Layout(delimiter=";"))
    with pytest.raises(SourceError, match=r"source\.header is for CSV, TSV and \.xlsx files"):
        read_data("t.parquet", b"", "p", Layout(header=2))


def test_names_below_a_title_that_is_merged() -> None:
    rows = [["Report of 2024"], [], ["id", "x"], ["1", "2"], ["3", "4"]]
    made = book(rows, lambda each: each.worksheets[0].merge_cells("A1:B1"))
    declared = read_data("t.xlsx", made, "p", Layout(header=3))
    assert declared.to_pylist() == [{"id": "1", "x": "2"}, {"id": "3", "x": "4"}]
    assert read_data("t.xlsx", made, "p", Layout(header=0)).schema.metadata[b"header"] == b"3"
    with pytest.raises(SourceError, match="cells A1:B1 are merged"):
        read_data("t.xlsx", made, "p")


def test_rows_and_columns_without_a_value_are_none() -> None:
    rows: list[list[Any]] = [[], ["id", "x", None], [1, "a", None], [], [None, "", None], [2, "b"]]
    assert table_of(book(rows)).to_pydict() == {"id": ["1", "2"], "x": ["a", "b"]}


def test_a_formula_is_the_value_that_was_stored() -> None:
    data = book([["id", "x"], [1, "=1+1"]])
    stored = patched(data, SHEET, b"<v />", b"<v>2</v>")
    assert table_of(stored).to_pydict() == {"id": ["1"], "x": ["2"]}


@pytest.mark.parametrize("end", [b"<v></v>", b"<v/>", b"<v />", b""])
def test_a_formula_that_was_never_computed_is_refused_and_not_missing(end: bytes) -> None:
    rows: list[list[Any]] = [["id", "x"], *([i, "a"] for i in range(3000)), [1, "=1+1"]]
    data = book(rows)
    data = patched(data, SHEET, b"<v />", end)
    with pytest.raises(Refused, match="cell B3002 holds a formula whose value was never computed"):
        table_of(data)


REFUSED: list[tuple[list[list[Any]], Callable[[Any], None], str]] = [
    ([], lambda made: None, "the sheet is empty"),
    (PLAIN, lambda made: made.worksheets[0].merge_cells("B2:B3"), "cells B2:B3 are merged"),
    ([["id", None, "x"], [1, 2, 3]], lambda made: None, "row 1 has the names .* column B has none"),
    ([["id"], [1, 2]], lambda made: None, "row 2 has '2' in column B, which has no name"),
    ([["c"] * 101, []], lambda made: None, "101 columns are more than 100"),
]


@pytest.mark.parametrize(("rows", "change", "says"), REFUSED, ids=[each[2] for each in REFUSED])
def test_a_sheet_that_is_no_table_says_why(
    rows: list[list[Any]], change: Callable[[Any], None], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        table_of(book(rows, change))


def test_what_a_sheet_declares_of_its_size_is_not_believed() -> None:
    data = patched(book(PLAIN), SHEET, b'ref="A1:B3"', b'ref="A1:XFD1048576"')
    assert table_of(data).num_rows == 2


def dictionary_bomb() -> bytes:
    """Ten terabytes in a megabyte: one text of a MB, a million times; the file says 1 MB."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), pa.array(["x" * MB]))
    file = io.BytesIO()
    parquet.write_table(pa.table({"a": text}), file, compression="zstd", store_schema=False)
    return file.getvalue()


def far_cell() -> bytes:
    """A sheet whose only row is said to be the last of ten billion."""
    data = book([["id"], [1]])
    return patched(data, SHEET, b'<row r="2"', b'<row r="9999999999"')


def zip_bomb() -> bytes:
    file = io.BytesIO(book(PLAIN))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/large.bin", bytes(5 * MB))
    return file.getvalue()


def entities() -> bytes:
    """Billion laughs."""
    levels = "".join(
        f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' if i else '<!ENTITY e0 "laugh">' for i in range(10)
    )
    begin = f"<!DOCTYPE t [{levels}]><worksheet".encode()
    data = patched(book(PLAIN), SHEET, b"<worksheet", begin)
    return patched(data, SHEET, b"<t>id</t>", b"<t>&e9;</t>")


BOMBS = {
    "dictionary": (".parquet", dictionary_bomb, "it is too large"),
    "zip": (".xlsx", zip_bomb, "it is too large: 5 MB of 2 MB at most"),
    "far cell": (".xlsx", far_cell, "more than 20,000,000 cells or 1,048,576 rows"),
    "entities": (".xlsx", entities, "amplification|entity|too large|undefined"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_its_limits(name: str) -> None:
    suffix, make, says = BOMBS[name]
    data = make()
    assert len(data) < MB
    with bounded_parser(2), pytest.raises(SourceError, match=says) as refused:
        read_data(f"t{suffix}", data, "the/place")
    assert str(refused.value).startswith("the/place: ")


def test_rows_beyond_those_of_a_sheet_are_not_counted_to_their_end() -> None:
    with pytest.raises(Refused, match="20,000,000 cells or 1,048,576 rows"):
        table_of(far_cell())


LIMITED = f"""\
import sys
sys.path.append({str(parsing.PROGRAM.parent)!r})
from parser_process import limit
limit(int(sys.argv[2]), int(sys.argv[4]))
"""


@pytest.mark.parametrize(
    ("bound", "seconds", "does", "says"),
    [
        ("CPU_SECONDS", 1, "while True: pass", "1 s of work"),
        ("WALL_SECONDS", 0.2, "import time; time.sleep(60)", "0.2 s"),
    ],
    ids=["works", "waits"],
)
def test_a_parser_that_does_not_end_is_ended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    seconds: float,
    does: str,
    says: str,
) -> None:
    program = tmp_path / "p.py"
    program.write_text(LIMITED + does)
    monkeypatch.setattr(parsing, "PROGRAM", program)
    monkeypatch.setattr(parsing, bound, seconds)
    with pytest.raises(SourceError, match=f"the/place: it was not read after {says};"):
        read_data("t.parquet", b"", "the/place")


def test_a_parser_that_dies_is_a_refusal_and_sees_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "p.py"
    program.write_text(
        "import os, signal, sys\n"
        "print('LEEWAY_DATABASE_URL' in os.environ, file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.setattr(parsing, "PROGRAM", program)
    monkeypatch.setenv("LEEWAY_DATABASE_URL", "postgresql://ana:hunter2canary@h/d")
    with pytest.raises(SourceError) as refused:
        read_data("t.parquet", b"", "the/place")
    assert "it ended the program that reads it (exit code -11)" in str(refused.value)
    assert str(refused.value).endswith(": False")
