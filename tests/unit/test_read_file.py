"""A file is read as it is written, or refused with its name, the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from resources.files import SourceError, read_file


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b" \r\n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"id,kind\n1,2\n3\n", "Expected 2 columns, got 1"),
        (b"id,kind,id\n1,2,3\n", "the header names 'id' more than once"),
        ("id,kind\n1,größe\n".encode("latin-1"), r"byte 12 (line 2) is not UTF-8: b'\xf6'"),
        (b"\xef\xbb\xbfid,kind\n1,gr\xf6\n", r"byte 15 (line 2) is not UTF-8: b'\xf6'"),
        ("id\n1\n".encode("utf-16"), "byte 0 (line 1) is not UTF-8"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_refused_with_the_place(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = csv(tmp_path, data)
    with pytest.raises(SourceError) as refused:
        read_file(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file; check source\.path"):
        read_file(tmp_path / "t.csv")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(SourceError, match=r"cannot read \.xlsx files; use CSV or Parquet"):
        read_file(path)


@pytest.mark.parametrize("damage", ["text", "truncated", "flipped"])
def test_a_damaged_parquet_file_is_refused_with_its_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"id": list(range(1000))}), path)
    data = path.read_bytes()
    half = len(data) // 2
    flipped = data[:100] + bytes(255 - byte for byte in data[100:half]) + data[half:]
    path.write_bytes({"text": b"hello", "truncated": data[:half], "flipped": flipped}[damage])
    with pytest.raises(SourceError) as refused:
        read_file(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table([[1], [2]], names=["id", "id"]), path)
    with pytest.raises(SourceError, match="names 'id' more than once"):
        read_file(path)


@pytest.mark.parametrize("suffix", [".csv", ".CSV"])
def test_values_of_a_csv_file_are_read_as_the_text_they_are(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b'\xef\xbb\xbfid,x\n007,"two\nlines, ""quoted"""\n8,=1+1\n9,\n')
    assert read_file(path).to_pydict() == {
        "id": ["007", "8", "9"],
        "x": ['two\nlines, "quoted"', "=1+1", None],
    }


def test_a_line_break_within_the_quoted_name_of_a_column_belongs_to_it(tmp_path: Path) -> None:
    assert read_file(csv(tmp_path, '"a\nb",c\n1,2\n')).column_names == ["a\nb", "c"]


def test_empty_lines_before_the_header_are_no_header(tmp_path: Path) -> None:
    assert read_file(csv(tmp_path, "\n\na,b\n1,2\n")).to_pydict() == {"a": ["1"], "b": ["2"]}
