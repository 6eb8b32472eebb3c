"""Every kind of source keeps one contract: known batches, each read as it is."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from openpyxl import Workbook
from sqlalchemy.pool import NullPool

from leeway.identifiers import check_batch
from leeway.spec import (
    ArchiveSource,
    FileSource,
    HttpSource,
    KafkaSource,
    PackageSource,
    SimulatorSource,
    SqlSource,
    UseCase,
)
from orchestration.use_cases import load_use_cases
from resources.files import SourceError
from resources.postgres import embedded_url
from resources.sources import (
    Archive,
    BatchSource,
    Folder,
    HttpApi,
    Package,
    SingleFile,
    SqlTable,
    Synthetic,
    Topic,
    open_source,
)
from tests.batches import age
from tests.broker import running_broker
from tests.conftest import installation
from tests.contract.file_sources import (
    CSV,
    YEARS,
    Make,
    folder_of_files,
    of_path,
    parquet_file,
    single_file,
    whole_file,
    write,
)
from tests.reference import asking_this_machine, serving


def package(folder: Path) -> BatchSource:
    source = PackageSource(kind="package", package="palmerpenguins", batch_by=YEARS)
    return Package(source)


def sheet_of_excel(folder: Path) -> BatchSource:
    book = Workbook()
    book.create_sheet("rows")
    for line in CSV.decode().splitlines():
        book["rows"].append([int(cell) if cell.isdecimal() else cell for cell in line.split(",")])
    book.save(folder / "t.xlsx")
    age(folder / "t.xlsx")
    source = FileSource(kind="file", path=str(folder / "t.xlsx"), sheet="rows", batch_by=YEARS)
    return SingleFile(folder / "t.xlsx", source)


def folder_of_formats(folder: Path) -> BatchSource:
    write(folder / "2007-2008.tsv.gz", gzip.compress(b"id\tyear\tx\n2\t2007\tb\n3\t2008\tc\n"))
    write(folder / "2009.jsonl", b'{"id": 1, "year": 2009, "x": "a"}\n')
    return Folder(folder)


ELSEWHERE: dict[str, str] = {}  # addresses of the servers of this module, by kind


@pytest.fixture(scope="module", autouse=True)
def _servers(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database with the table, and a server with the file and the rows by batch."""
    ELSEWHERE["sql"] = embedded_url(server_home).replace("/leeway?", "/postgres?")
    _fill(ELSEWHERE["sql"])
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


def _fill(url: str) -> None:
    """Makes the table by_year in a database."""
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("drop table if exists by_year"))
        columns = "id int, year int, x varchar(9), day date"
        connection.execute(sa.text(f"create table by_year ({columns})"))
        for number, year in enumerate((2009, 2007, 2008), 1):
            row = f"({number}, {year}, 'a', '{year}-07-01')"
            connection.execute(sa.text(f"insert into by_year values {row}"))  # noqa: S608  # above


@pytest.fixture
def _in_mariadb(mariadb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same table in a real MariaDB, where its source then looks for it."""
    url = sa.make_url(mariadb).set(drivername="mysql+pymysql")
    with sa.create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(sa.text("create database if not exists contract"))
    url = url.set(database="contract")
    _fill(url.render_as_string(hide_password=False))
    address = url.set(drivername="mysql").render_as_string(hide_password=False)
    monkeypatch.setenv("BY_YEAR", address)


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


def sql_table_of_mariadb(folder: Path) -> BatchSource:
    return sql_table(folder)


def sql_table_by_time(folder: Path) -> BatchSource:
    return cut_table(batch_by_time={"column": "day", "period": "year"})


def sql_table_by_key(folder: Path) -> BatchSource:
    return cut_table(batch_by_key={"column": "id", "size": 1})


def cut_table(**way: object) -> BatchSource:
    fields = {"kind": "sql", "url_env": "BY_YEAR", "table": "by_year", **way}
    return SqlTable(SqlSource.model_validate(fields), "id")


def simulator(folder: Path) -> BatchSource:
    rows = SimulatorSource(kind="simulator", rows=20, batches=2)
    return Synthetic(of_path("t.csv"), rows, "simulator of synthetic rows")


def topic(folder: Path) -> BatchSource:
    source = KafkaSource(
        kind="kafka", servers_env="SERVERS", topic="by_year", group="g", tls=False,
        rows=2, wait="0s",
    )  # fmt: skip
    return Topic(source, ["id", "year", "x"])


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


IN_MARIADB = pytest.param(sql_table_of_mariadb, marks=pytest.mark.debian)
OTHERWISE: list[Make] = [
    whole_file,
    whole_sql_table,
    sql_table_by_time,
    sql_table_by_key,
    topic,
    simulator,
]


def _made(request: pytest.FixtureRequest, folder: Path) -> BatchSource:
    if request.param is sql_table_of_mariadb:
        request.getfixturevalue("_in_mariadb")
    made: BatchSource = request.param(folder)
    return made


@pytest.fixture(params=[*BY_YEAR, *OTHERWISE, IN_MARIADB], ids=lambda make: make.__name__)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> BatchSource:
    return _made(request, tmp_path)


@pytest.fixture(params=[*BY_YEAR, IN_MARIADB], ids=lambda make: make.__name__)
def by_year(request: pytest.FixtureRequest, tmp_path: Path) -> BatchSource:
    return _made(request, tmp_path)


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
        "Python", "file", "folder", "archive", "HTTP", "table", "topic",
        "simulator",
    )  # fmt: skip


def test_batches_are_in_order_and_hold_their_own_rows(by_year: BatchSource) -> None:
    assert by_year.batches() == ["2007-2008", "2009"]
    years = {b: {int(y) for y in by_year.read(b)["year"].to_pylist()} for b in by_year.batches()}
    assert years == {"2007-2008": {2007, 2008}, "2009": {2009}}


def test_a_source_says_whether_its_rows_are_real(source: BatchSource) -> None:
    assert source.origin == ("synthetic" if isinstance(source, Synthetic) else "real")


def test_a_batch_has_a_digest_of_its_own_that_stays_and_an_unknown_one_has_none(
    source: BatchSource, tmp_path: Path
) -> None:
    digests = [source.fingerprint(batch) for batch in source.batches()]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", str(digest)) for digest in digests)
    assert len(set(digests)) == len(digests)
    assert [source.fingerprint(batch) for batch in source.batches()] == digests
    assert source.fingerprint("2031") is None


def test_the_penguins_are_the_published_ones_with_their_position_as_key() -> None:
    source = open_source(load_use_cases()["penguins"])
    keys = [key for b in source.batches() for key in source.read(b)["penguin_id"].to_pylist()]
    assert sorted(keys) == list(range(1, 345))
    rows = [row for b in source.batches() for row in source.read(b).to_pylist()]
    # K. B. Gorman, T. D. Williams, W. R. Fraser, PLOS ONE 9(3): e90081, 2014.
    assert Counter(row["species"] for row in rows) == {
        "Adelie": 152, "Gentoo": 124, "Chinstrap": 68,
    }  # fmt: skip
    bills = [row["bill_length_mm"] for row in rows if row["bill_length_mm"] is not None]
    assert len(bills) == 342
    assert sum(bills) / len(bills) == pytest.approx(43.92, abs=0.005)


def test_each_kind_of_a_use_case_opens_its_source_and_asks_nothing(tmp_path: Path) -> None:
    content = of_path("t.csv").model_dump()
    for made, kind in {
        archive: Archive,
        http_api: HttpApi,
        whole_sql_table: SqlTable,
        package: Package,
        topic: Topic,
        simulator: Synthetic,
    }.items():
        source = made(tmp_path)
        assert isinstance(source, Archive | HttpApi | SqlTable | Package | Topic | Synthetic)
        declared = source.rows if isinstance(source, Synthetic) else source.source
        fields = declared.model_dump()
        if kind is Package or kind is Archive:
            fields["batch_by"] = {"column": "x", "batches": {"1": [1]}}
        assert type(open_source(UseCase.model_validate(content | {"source": fields}))) is kind
