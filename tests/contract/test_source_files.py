"""A file or a folder of files: which batches it has, when one is whole, and what changes it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from leeway.spec import BatchBy
from resources import quiet
from resources.files import SourceError, read_file
from resources.quiet import QUIET_SECONDS
from resources.sources import Folder, SingleFile, open_source
from tests.batches import age
from tests.contract.file_sources import (
    CSV,
    Make,
    folder_of_files,
    of_path,
    parquet_file,
    single_file,
    whole_file,
    write,
)


@pytest.mark.parametrize("make", [single_file, folder_of_files, whole_file])
def test_a_batch_that_is_corrected_has_another_digest_and_one_that_is_gone_has_none(
    tmp_path: Path, make: Make
) -> None:
    source = make(tmp_path)
    batch = source.batches()[-1]
    file = Path(source.place(batch))
    before, content = source.fingerprint(batch), file.read_bytes()
    for changed in (content.replace(b"1,2009,a", b"1,2009,b"), content + b"4,2009,d\n", b"{", b"["):
        write(file, changed)
        assert source.fingerprint(batch) not in (None, before)
        before = source.fingerprint(batch)
    write(file, content)
    file.unlink()
    assert source.fingerprint(batch) is None


@pytest.mark.parametrize("make", [single_file, parquet_file])
def test_rows_that_are_added_to_a_file_change_the_digest_of_their_own_batch_alone(
    tmp_path: Path, make: Make
) -> None:
    source = make(tmp_path)
    before = [source.fingerprint(batch) for batch in source.batches()]
    if make is single_file:
        write(tmp_path / "t.csv", CSV + b"4,2009,d\n")
    else:
        table = pa.table({"id": [1, 2, 3, 4], "year": [2009.0, 2007.0, 2008.0, 2009.0],
                          "x": ["a", "b", None, "d"]})  # fmt: skip
        parquet.write_table(table, tmp_path / "t.parquet")
        age(tmp_path / "t.parquet")
    after = [source.fingerprint(batch) for batch in source.batches()]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


STRAY = {
    b"4,,d\n": "1 of 4 rows are in no batch, their value is none;",
    b"4,2010,d\n5,2010,e\n": "2 of 5 rows are in no batch, their value is '2010';",
    b"".join(b"%d,%d,d\n" % (year, year) for year in range(2010, 2018)): (
        "8 of 11 rows are in no batch, their value is "
        "'2010', '2011', '2012', '2013', '2014', …; add each value under source.batch_by.batches"
    ),
}


@pytest.mark.parametrize(("rows", "says"), STRAY.items(), ids=["none", "one", "many"])
def test_rows_that_no_batch_holds_are_refused_and_not_left_out(
    tmp_path: Path, rows: bytes, says: str
) -> None:
    """Regression: they were in no batch, and nobody was told."""
    source = single_file(tmp_path)
    write(tmp_path / "t.csv", CSV + rows)
    for batch in source.batches():
        with pytest.raises(SourceError) as refused:
            source.read(batch)
        assert f"column 'year': {says}" in str(refused.value)


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """A copy that goes on: a row every tenth of a second."""
    ended = threading.Event()

    def copy() -> None:
        while not ended.wait(0.1):
            with path.open("ab") as file:
                file.write(b"4,2009,d\n")

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_file_that_is_still_being_copied_is_no_batch_and_one_that_was_copied_just_now_is(
    tmp_path: Path,
) -> None:
    """Regression: the first half of a file was committed as the batch, its last value cut."""
    source = folder_of_files(tmp_path)
    copied = tmp_path / "2010.csv"
    copied.write_bytes(b"id,year,x\n")
    with growing(copied):
        assert source.batches() == ["2007-2008", "2009"]
        with pytest.raises(SourceError, match=r"2010\.csv: the file is still being written; run"):
            source.read("2010")
    assert source.batches() == ["2007-2008", "2009", "2010"], "a person need not wait"
    assert source.read("2010").num_rows == copied.read_bytes().count(b"4,2009,d")


def test_one_file_that_is_still_being_copied_is_refused(tmp_path: Path) -> None:
    source = single_file(tmp_path)
    with growing(tmp_path / "t.csv"), pytest.raises(SourceError, match="still being written"):  # noqa: PT012
        time.sleep(0.2)
        source.batches()


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that paused for longer than one waits is noticed when it goes on meanwhile."""
    source = folder_of_files(tmp_path)
    really = read_file

    def slowly(path: Path, *arguments: Any) -> pa.Table:
        found = really(path, *arguments)
        with path.open("ab") as file:
            file.write(b"4,2009,d\n")
        return found

    monkeypatch.setattr(quiet, "read_file", slowly)
    with pytest.raises(SourceError, match="still being written"):
        source.read("2009")


def test_the_clock_of_another_machine_keeps_no_file_from_being_read(tmp_path: Path) -> None:
    source = folder_of_files(tmp_path)
    later = time.time() + 3600
    os.utime(tmp_path / "2009.csv", (later, later))
    started = time.monotonic()
    assert source.batches() == ["2007-2008", "2009"]
    assert time.monotonic() - started < QUIET_SECONDS


@pytest.mark.parametrize("make", [single_file, parquet_file])
def test_a_column_to_cut_by_that_is_not_there_is_named(tmp_path: Path, make: Make) -> None:
    source = make(tmp_path)
    assert isinstance(source, SingleFile)
    other = source.source.model_copy(
        update={"batch_by": BatchBy(column="age", batches={"1": (1,)})}
    )
    with pytest.raises(SourceError, match=r"no column 'age' \(it has id, year, x\)"):
        SingleFile(source.path, other).read("1")


def test_a_new_file_in_a_folder_is_a_new_batch_in_order_of_its_name(tmp_path: Path) -> None:
    source = folder_of_files(tmp_path)
    write(tmp_path / "2008b.csv", b"id,year,x\n9,2008,z\n")
    assert source.batches() == ["2007-2008", "2008b", "2009"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Regression: the one that came last hid the other."""
    source = folder_of_files(tmp_path)
    parquet.write_table(pa.table({"id": [1]}), tmp_path / "2009.parquet")
    with pytest.raises(SourceError, match=r"2009\.parquet: 2009\.csv is batch '2009' too"):
        source.batches()


@pytest.mark.parametrize("name", ["my batch.csv", "a;b.csv", "_x.csv", "é.csv"])
def test_a_file_whose_name_is_no_batch_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CSV)
    with pytest.raises(SourceError, match="its name becomes the batch id, but"):
        Folder(tmp_path).batches()


def test_a_folder_without_files_has_no_batch(tmp_path: Path) -> None:
    assert Folder(tmp_path).batches() == []
    with pytest.raises(SourceError, match="there are none"):
        Folder(tmp_path).read("2009")


def test_a_file_that_is_gone_is_refused_with_its_path(tmp_path: Path) -> None:
    source = whole_file(tmp_path)
    (tmp_path / "t-1.csv").unlink()
    with pytest.raises(SourceError, match=r"t-1\.csv: no such file"):
        source.read("t-1")


def test_a_path_is_a_folder_of_batches_or_one_table(tmp_path: Path) -> None:
    folder_of_files(tmp_path)
    assert isinstance(open_source(of_path(str(tmp_path))), Folder)
    assert isinstance(open_source(of_path(str(tmp_path / "2009.csv"))), SingleFile)


def test_a_relative_path_starts_at_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = open_source(of_path("data/t.csv"))
    assert isinstance(source, SingleFile)
    assert source.path == Path(__file__).resolve().parents[2] / "data/t.csv"
