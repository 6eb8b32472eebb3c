"""A file is read as it is written, or refused with its name, the place and the remedy."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from resources.files import SourceError, read_file, stem_of
from resources.settings import get_settings


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
    for name, says in {
        "t.xls": r"cannot read \.xls files; save it as \.xlsx or CSV",
        "t.orc": r"cannot read \.orc files; there are \.csv, \.tsv, ",
        "t": "cannot read this kind of files",
    }.items():
        path = tmp_path / name
        path.write_bytes(b"PK")
        with pytest.raises(SourceError, match=says):
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
    assert str(refused.value).endswith(". Mend the file, or write it anew as CSV")


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


TABLE = {"id": ["007", "8"], "x": ["a b", None]}
TEXTS = {
    "t.csv": b"id,x\n007,a b\n8,\n",
    "t.tsv": b"id\tx\n007\ta b\n8\t\n",
    "t.jsonl": b'{"id": "007", "x": "a b"}\n\n{"id": 8}\n',
    "t.NDJSON": b'\xef\xbb\xbf{"id": "007", "x": "a b"}\r\n{"x": null, "id": 8}',
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", TEXTS)
def test_each_text_format_gives_the_same_table(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(TEXTS[name]) if packed else TEXTS[name])
    assert read_file(path).to_pydict() == TABLE
    assert stem_of(path.name) == "t"


def test_the_parts_of_a_gzip_file_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,x\n007,a b\n") + gzip.compress(b"8,\n"))
    assert read_file(path).to_pydict() == TABLE


def test_json_lines_of_more_than_one_part_are_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.text_formats._CHUNK", 2)
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"id": {i}, "c{i}": true}}\n' for i in range(5)))
    table = read_file(path)
    assert table.column_names == ["id", "c0", "c1", "c2", "c3", "c4"]
    assert table["id"].to_pylist() == ["0", "1", "2", "3", "4"]
    assert table["c3"].to_pylist() == [None, None, None, "true", None]
    path.write_text(path.read_text() + '{"id": [1]}\n')
    with pytest.raises(SourceError, match=r"t\.jsonl: row 6: 'id' holds a list"):
        read_file(path)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.jsonl", b"", "the file is empty"),
        ("t.jsonl", b'{"a": 1}\n{"a": 2\n', "line 2: not JSON: "),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "row 2: "),
        ("t.jsonl", b'{"a": "\xff"}\n', "byte 7 (line 1) is not UTF-8"),
        ("t.tsv", b"a\tb\n1\n", "CSV parse error: Expected 2 columns, got 1"),
        ("t.csv.gz", b"a,b\n1,2\n", "no gzip, or damaged"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-5], "the file is cut short"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
    ],
)
def test_a_text_file_that_cannot_be_read_is_refused_with_the_place(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError) as refused:
        read_file(path)
    # Arrow names the row, too, where it reads with one thread, as on a machine with one core.
    assert str(refused.value).replace("Row #2: ", "").startswith(f"{path}: {says}")


@pytest.fixture
def one_mb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One MB is the largest that is read."""
    monkeypatch.setenv("LEEWAY_MAX_FILE_MB", "1")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("one_mb")
def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on the disk; would take ten gigabytes in memory
    with pytest.raises(
        SourceError, match=r"too large: 10240 MB of 1 MB at most\..*LEEWAY_MAX_FILE"
    ):
        read_file(path)


@pytest.mark.usefixtures("one_mb")
def test_what_grows_beyond_the_limit_when_it_is_unpacked_is_refused(tmp_path: Path) -> None:
    packed, columns = tmp_path / "t.csv.gz", tmp_path / "t.parquet"
    packed.write_bytes(gzip.compress(b"a\n" + b"1\n" * 2**20))
    parquet.write_table(pa.table({"a": pa.repeat(1, 2**20)}), columns)
    assert max(packed.stat().st_size, columns.stat().st_size) < 2**14
    for path, says in ((packed, "more than 1 MB"), (columns, "8 MB of 1 MB at most")):
        with pytest.raises(SourceError, match=f"too large: {says}"):
            read_file(path)


@pytest.mark.usefixtures("one_mb")
def test_rows_that_share_no_name_are_refused_before_they_are_a_table(tmp_path: Path) -> None:
    """Each further row is a further column: a thousand such lines are a million cells."""
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"c{i}": 1}}\n' for i in range(600)))
    with pytest.raises(SourceError, match="it is too large: more than 1 MB"):
        read_file(path)
