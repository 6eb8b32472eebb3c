"""Every kind of source keeps one contract: known batches, each read as it is."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import re
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from openpyxl import Workbook
from pyarrow import parquet
from sqlalchemy.pool import NullPool

from leeway.identifiers import check_batch
from leeway.spec import (
    ArchiveSource,
    BatchBy,
    FileSource,
    HttpSource,
    KafkaSource,
    PackageSource,
    SqlSource,
    UseCase,
)
from orchestration.use_cases import load_use_cases
from resources import quiet
from resources.files import SourceError, read_file
from resources.opening import LinkOutside, read_inside
from resources.postgres import embedded_url
from resources.quiet import QUIET_SECONDS
from resources.settings import get_settings
from resources.sources import (
    Archive,
    BatchSource,
    Folder,
    HttpApi,
    Package,
    SingleFile,
    SqlTable,
    Topic,
    open_source,
)
from tests.broker import running_broker
from tests.conftest import age, installation
from tests.faults.harness import figure
from tests.reference import asking_this_machine, serving

YEARS = BatchBy(column="year", batches={"2007-2008": (2007, 2008), "2009": ("2009",)})
CSV = b"id,year,x\n1,2009,a\n2,2007,b\n3,2008,c\n"


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    age(path)


def package(folder: Path) -> BatchSource:
    source = PackageSource(kind="package", package="palmerpenguins", batch_by=YEARS)
    return Package(source)


def single_file(folder: Path) -> BatchSource:
    write(folder / "t.csv", CSV)
    source = FileSource(kind="file", path=str(folder / "t.csv"), batch_by=YEARS)
    return SingleFile(folder / "t.csv", source)


def whole_file(folder: Path) -> BatchSource:
    write(folder / "t-1.csv", CSV)
    source = FileSource(kind="file", path=str(folder / "t-1.csv"))
    return SingleFile(folder / "t-1.csv", source)


def parquet_file(folder: Path) -> BatchSource:
    table = pa.table({"id": [1, 2, 3], "year": [2009.0, 2007.0, 2008.0], "x": ["a", "b", None]})
    parquet.write_table(table, folder / "t.parquet")
    age(folder / "t.parquet")
    source = FileSource(kind="file", path=str(folder / "t.parquet"), batch_by=YEARS)
    return SingleFile(folder / "t.parquet", source)


def sheet_of_excel(folder: Path) -> BatchSource:
    book = Workbook()
    book.create_sheet("rows")
    for line in CSV.decode().splitlines():
        book["rows"].append([int(cell) if cell.isdecimal() else cell for cell in line.split(",")])
    book.save(folder / "t.xlsx")
    age(folder / "t.xlsx")
    source = FileSource(kind="file", path=str(folder / "t.xlsx"), sheet="rows", batch_by=YEARS)
    return SingleFile(folder / "t.xlsx", source)


def folder_of_files(folder: Path) -> BatchSource:
    write(folder / "2009.csv", b"id,year,x\n1,2009,a\n")
    write(folder / "2007-2008.CSV", b"id,year,x\n2,2007,b\n3,2008,c\n")
    (folder / "notes.txt").write_bytes(b"not a batch")
    (folder / ".hidden.csv").write_bytes(b"not a batch")
    return Folder(folder)


def folder_of_formats(folder: Path) -> BatchSource:
    write(folder / "2007-2008.tsv.gz", gzip.compress(b"id\tyear\tx\n2\t2007\tb\n3\t2008\tc\n"))
    write(folder / "2009.jsonl", b'{"id": 1, "year": 2009, "x": "a"}\n')
    return Folder(folder)


ELSEWHERE: dict[str, str] = {}  # addresses of the servers of this module, by kind


@pytest.fixture(scope="module", autouse=True)
def _servers(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database with the table, and a server with the file and the rows by batch."""
    ELSEWHERE["sql"] = embedded_url(server_home).replace("/leeway?", "/postgres?")
    engine = sa.create_engine(ELSEWHERE["sql"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table if exists by_year"))
        connection.execute(sa.text("create table by_year (id int, year int, x text)"))
        rows = "(1, 2009, 'a'), (2, 2007, 'b'), (3, 2008, 'c')"
        connection.execute(sa.text(f"insert into by_year values {rows}"))  # noqa: S608  # above
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        assert found.database_url is not None
        ELSEWHERE["ledger"] = found.database_url.get_secret_value()
    with serving(tmp_path_factory.mktemp("server")) as server, running_broker() as broker:
        server.serve("t.csv", CSV)
        first = [{"id": 2, "year": 2007, "x": "b"}, {"id": 3, "year": 2008, "x": "c"}]
        server.hold({"2007-2008": first, "2009": [{"id": 1, "year": 2009, "x": "a"}]})
        ELSEWHERE["http"] = server.url
        years = enumerate((2007, 2008, 2009))
        broker.send("by_year", [{"id": n, "year": year, "x": "a"} for n, year in years])
        ELSEWHERE["kafka"] = broker.servers
        yield


@pytest.fixture(autouse=True)
def _reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BY_YEAR", ELSEWHERE["sql"])
    monkeypatch.setenv("SERVERS", ELSEWHERE["kafka"])
    with asking_this_machine(tmp_path / "home", DATABASE_URL=ELSEWHERE["ledger"]):
        yield


def archive(folder: Path) -> BatchSource:
    digest = f"sha256:{hashlib.sha256(CSV).hexdigest()}"
    url = f"{ELSEWHERE['http']}/files/t.csv"
    return Archive(ArchiveSource(kind="archive", url=url, digest=digest, batch_by=YEARS))


def http_api(folder: Path) -> BatchSource:
    source = HttpSource(
        kind="http", url=ELSEWHERE["http"], batches="months", rows="listings",
        batch_parameter="month", page_size=1, requests_per_second=1000,
    )  # fmt: skip
    return HttpApi(source)


def sql_table(folder: Path) -> BatchSource:
    source = SqlSource(kind="sql", url_env="BY_YEAR", table="by_year", batch_by=YEARS)
    return SqlTable(source, "id")


def whole_sql_table(folder: Path) -> BatchSource:
    return SqlTable(SqlSource(kind="sql", url_env="BY_YEAR", table="by_year"), "id")


def topic(folder: Path) -> BatchSource:
    source = KafkaSource(
        kind="kafka", servers_env="SERVERS", topic="by_year", group="g", tls=False,
        rows=2, wait="0s",
    )  # fmt: skip
    return Topic(source, ["id", "year", "x"])


Make = Callable[[Path], BatchSource]
BY_YEAR: list[Make] = [
    package,
    single_file,
    parquet_file,
    sheet_of_excel,
    folder_of_files,
    folder_of_formats,
    archive,
    http_api,
    sql_table,
]


@pytest.fixture(
    params=[*BY_YEAR, whole_file, whole_sql_table, topic], ids=lambda make: make.__name__
)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> BatchSource:
    made: BatchSource = request.param(tmp_path)
    return made


@pytest.fixture(params=BY_YEAR, ids=lambda make: make.__name__)
def by_year(request: pytest.FixtureRequest, tmp_path: Path) -> BatchSource:
    made: BatchSource = request.param(tmp_path)
    return made


def test_there_is_a_batch_and_each_id_is_safe_and_known_once(source: BatchSource) -> None:
    found = source.batches()
    assert found
    assert [check_batch(batch) for batch in found] == list(dict.fromkeys(found))


def test_batches_are_the_same_when_asked_again(source: BatchSource) -> None:
    assert source.batches() == source.batches()


def test_each_batch_has_rows_and_reads_the_same_again(source: BatchSource) -> None:
    for batch in source.batches():
        table = source.read(batch)
        assert table.num_rows > 0
        assert table.equals(source.read(batch))


def test_every_batch_has_the_same_columns(source: BatchSource) -> None:
    assert len({tuple(source.read(batch).column_names) for batch in source.batches()}) == 1


@pytest.mark.parametrize("batch", ["2031", "", "../2009", "2009.csv", "notes"])
def test_an_unknown_batch_is_refused_with_those_that_there_are(
    source: BatchSource, batch: str
) -> None:
    """Regression: a file without batch_by gave its rows for any batch that was asked for."""
    with pytest.raises(SourceError) as refused:
        source.read(batch)
    assert f"unknown batch {batch!r}; there are {', '.join(source.batches())}" in str(refused.value)


def test_a_source_says_what_it_is(source: BatchSource) -> None:
    assert source.description.split()[0] in (
        "Python", "file", "folder", "archive", "HTTP", "table", "topic"
    )  # fmt: skip


def test_batches_are_in_order_and_hold_their_own_rows(by_year: BatchSource) -> None:
    assert by_year.batches() == ["2007-2008", "2009"]
    years = {b: {int(y) for y in by_year.read(b)["year"].to_pylist()} for b in by_year.batches()}
    assert years == {"2007-2008": {2007, 2008}, "2009": {2009}}


def test_a_source_says_whether_its_rows_are_real(source: BatchSource) -> None:
    assert source.origin == "real"


def test_a_batch_has_a_digest_of_its_own_that_stays_and_an_unknown_one_has_none(
    source: BatchSource, tmp_path: Path
) -> None:
    digests = [source.fingerprint(batch) for batch in source.batches()]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", str(digest)) for digest in digests)
    assert len(set(digests)) == len(digests)
    assert [source.fingerprint(batch) for batch in source.batches()] == digests
    assert source.fingerprint("2031") is None


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


def test_the_penguins_are_the_published_ones_with_their_position_as_key() -> None:
    source = open_source(load_use_cases()["penguins"])
    keys = [key for b in source.batches() for key in source.read(b)["penguin_id"].to_pylist()]
    assert sorted(keys) == list(range(1, 345))


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


@pytest.mark.parametrize("how", ["file", "folder", "relative"])
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, how: str) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    write(outside / "2009.csv", CSV)
    if how == "folder":
        (inside / "there").symlink_to(outside)
    target = {"file": outside, "folder": inside / "there", "relative": Path("../out")}[how]
    (inside / "2009.csv").symlink_to(target / "2009.csv")
    with pytest.raises(SourceError, match=r"in/2009\.csv: a link that leads out of the folder"):
        Folder(inside).batches()
    (inside / "2009.csv").unlink()
    write(inside / "first.bin", CSV)
    (inside / "2009.csv").symlink_to("first.bin")
    assert Folder(inside).batches() == ["2009"], "a link within the folder is a batch"


def test_a_link_that_leads_out_of_the_data_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "secret.csv", CSV)
    (tmp_path / "data" / "t.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(tmp_path / "data"))
    get_settings.cache_clear()
    source = of_path("t.csv").source.model_copy(update={"below": "data_dir"})
    with pytest.raises(SourceError, match="leads out of LEEWAY_DATA_DIR"):
        open_source(of_path("t.csv").model_copy(update={"source": source}))


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_what_is_swapped_for_a_link_after_it_was_looked_at_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """The swap comes between the resolving of the path and the first opening, where it hurts."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "month", outside):
        folder.mkdir(parents=True)
        write(folder / "t.csv", CSV)
    before, path = os.open, inside / "month" / "t.csv"

    def opened(*arguments: Any, **named: Any) -> int:
        monkeypatch.setattr(os, "open", before)
        if swapped == "file":
            path.unlink()
            path.symlink_to(outside / "t.csv")
        else:
            (inside / "month").rename(inside / "old")
            (inside / "month").symlink_to(outside)
        return before(*arguments, **named)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(SourceError, match="swapped for a link while it was read; copy the file"):
        read_file(path, inside=inside)
    assert read_file(path).num_rows > 0, "the control: without a folder it must be in, it is read"


def test_a_link_that_changes_all_the_time_never_leads_out(tmp_path: Path) -> None:
    """Beside a reader without the guard, which it does lead out."""
    inside, secret = tmp_path / "in", tmp_path / "secret.csv"
    inside.mkdir()
    (inside / "own.bin").write_bytes(b"own")
    secret.write_bytes(b"secret")
    path, done = inside / "t.csv", threading.Event()
    path.symlink_to("own.bin")

    def swap() -> None:
        for number in itertools.count():
            (inside / "next").symlink_to(("own.bin", str(secret))[number % 2])
            (inside / "next").rename(path)
            if done.is_set():
                return

    swapper = threading.Thread(target=swap)
    swapper.start()
    read: Counter[bytes] = Counter()
    unguarded: Counter[bytes] = Counter()
    try:
        while read.total() < 2000 or not unguarded[b"secret"]:
            with suppress(LinkOutside):
                read[read_inside(path, inside)] += 1
            if path.resolve().is_relative_to(inside.resolve()):
                unguarded[path.read_bytes()] += 1
    finally:
        done.set()
        swapper.join()
    assert set(read) == {b"own"}
    figure(f"{sum(read.values())} readings of a link that changes all the time: 0 lead out; "
           f"{unguarded[b'secret']} of {unguarded.total()} without the guard")  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_ten_gigabytes_of_nothing_are_refused_by_their_size_and_never_read(
    tmp_path: Path, kind: str
) -> None:
    """Regression: the fingerprint of a file, which is asked for first, read all of it."""
    path = tmp_path / "t-1.csv"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on the disk
    age(path)
    source = Folder(tmp_path) if kind == "folder" else open_source(of_path(str(path)))
    tracemalloc.start()
    try:
        assert source.batches() == ["t-1"]
        before = source.fingerprint("t-1")
        with pytest.raises(SourceError, match=r"too large: 10240 MB of .* MB at most"):
            source.read("t-1")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    with path.open("ab") as file:
        file.write(b"1")
    age(path)
    assert source.fingerprint("t-1") != before, "that it changed is noticed"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    age(tmp_path / "t.csv")
    source = Folder(tmp_path)
    for asked in (source.read, source.fingerprint):
        with pytest.raises(SourceError, match=r"t\.csv: it cannot be read: it is no regular file"):
            asked("t")


def test_a_folder_without_files_has_no_batch(tmp_path: Path) -> None:
    assert Folder(tmp_path).batches() == []
    with pytest.raises(SourceError, match="there are none"):
        Folder(tmp_path).read("2009")


def test_a_file_that_is_gone_is_refused_with_its_path(tmp_path: Path) -> None:
    source = whole_file(tmp_path)
    (tmp_path / "t-1.csv").unlink()
    with pytest.raises(SourceError, match=r"t-1\.csv: no such file"):
        source.read("t-1")


def test_each_kind_of_a_use_case_opens_its_source_and_asks_nothing(tmp_path: Path) -> None:
    content = of_path("t.csv").model_dump()
    for made, kind in {
        archive: Archive,
        http_api: HttpApi,
        whole_sql_table: SqlTable,
        package: Package,
        topic: Topic,
    }.items():
        source = made(tmp_path)
        assert isinstance(source, Archive | HttpApi | SqlTable | Package | Topic)
        fields = source.source.model_dump()
        if kind is Package or kind is Archive:
            fields["batch_by"] = {"column": "x", "batches": {"1": [1]}}
        assert type(open_source(UseCase.model_validate(content | {"source": fields}))) is kind


def of_path(path: str) -> UseCase:
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": "integer", "role": "key", "description": "d"},
        {"name": "x", "type": "category", "description": "d"},
        {"name": "y", "type": "number", "role": "target", "description": "d"},
    ]
    source = {"kind": "file", "path": path}
    return UseCase.model_validate(
        {"title": "t", "task": "regression", "source": source, "columns": columns}
    )


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
