"""What the contract tests share: installations, servers, and processes that start together."""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from resources.postgres import dsn, embedded_url
from resources.settings import Settings, get_settings
from tests.conftest import installation
from tests.contract.sql_tables import VARIABLE
from tests.mariadb import running_mariadb
from tests.mlflow_server import running_mlflow
from tests.reference import Reference, asking_this_machine, serving


@pytest.fixture(scope="module")
def shared(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation for the tests of a module, which take a use case each."""
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def reference_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    with serving(tmp_path_factory.mktemp("reference")) as found:
        yield found


@pytest.fixture
def reference(reference_server: Reference, tmp_path: Path) -> Iterator[Reference]:
    """The reference server, which a source may ask, without what other tests asked of it."""
    reference_server.next()
    with asking_this_machine(tmp_path / "home"):
        yield reference_server


@pytest.fixture
def one_mb(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is larger than that is read."""
    monkeypatch.setenv("LEEWAY_MAX_FILE_MB", "1")
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MariaDB."""
    with running_mariadb(tmp_path_factory.mktemp("mariadb")) as address:
        yield address


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.debian)])
def database(
    request: pytest.FixtureRequest, server_home: Path, monkeypatch: pytest.MonkeyPatch
) -> sa.Engine:
    """An empty database, whose address is in the variable; its sessions are not in UTC."""
    name = f"s{uuid.uuid4().hex[:12]}"
    if request.param == "postgres":
        server, driver = embedded_url(server_home), "postgresql+psycopg2"
    else:
        server, driver = request.getfixturevalue("mariadb"), "mysql+pymysql"
    own = sa.make_url(server).set(drivername=driver)
    if request.param == "postgres":
        own = own.set(database="postgres")
    first = sa.create_engine(own, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with first.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
        if driver.startswith("postgresql"):
            connection.execute(sa.text(f"alter database {name} set timezone to 'Asia/Kolkata'"))
    url = sa.make_url(server).set(database=name)
    monkeypatch.setenv(VARIABLE, url.render_as_string(hide_password=False))
    return sa.create_engine(url.set(drivername=driver))


@pytest.fixture(scope="session")
def mlflow_server(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow server whose tables are in PostgreSQL."""
    folder = tmp_path_factory.mktemp("mlflow")
    with installation(server_home, folder) as found:
        database = dsn("mlflow", found)
    with running_mlflow(database, folder) as address:
        yield address


@pytest.fixture(scope="module", params=["tables", "server"])
def tracked(
    request: pytest.FixtureRequest, server_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """An installation for each way to have MLflow: its tables in PostgreSQL, and a server."""
    with (
        installation(server_home, tmp_path_factory.mktemp("home")) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        if request.param == "server":
            address = request.getfixturevalue("mlflow_server")
            patch.setenv("LEEWAY_MLFLOW_TRACKING_URI", address)
            get_settings.cache_clear()
            found = get_settings()
        yield found


@pytest.fixture
def use_case(request: pytest.FixtureRequest) -> str:
    """A name that no other test of the module uses."""
    return str(request.node.name)


PROCESSES = 4
_meeting: list[Barrier] = []  # of a process of the pool, set when it starts


@pytest.fixture(scope="session")
def together() -> Iterator[Callable[..., list[Any]]]:
    """Calls a function in up to four processes at once, with a tuple of arguments each.

    The processes share nothing with this one, and none begins a call before all are there. They
    come from one that has done nothing but import what each of them would import.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow.tracking", "resources.releases", "resources.tracking"])
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, _join, (barrier,)) as pool:

        def call(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            calls = [(function, each) for each in arguments]
            idle: list[tuple[Any, tuple[Any, ...]]] = [(int, ())] * (PROCESSES - len(calls))
            return pool.starmap(_call, calls + idle, chunksize=1)[: len(calls)]

        yield call
        pool.close()  # the processes end by themselves; leaving the block would kill them
        pool.join()


def _join(barrier: Barrier) -> None:
    _meeting.append(barrier)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    # Neither the installation of the test that came first, nor what another one has set.
    for name in [name for name in os.environ if name.startswith("LEEWAY_")]:
        del os.environ[name]
    _meeting[0].wait(timeout=60)
    return function(*arguments)
