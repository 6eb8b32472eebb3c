"""The embedded server starts wherever its folder is, whatever a crash left there, for its owner."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy.engine import make_url

from resources.ledger import Ledger
from resources.postgres import PostgresUnavailable, dsn, embedded_url, transaction
from resources.settings import Settings
from tests.embedded import stop_embedded


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder for the home of a server that the test starts, whose names the test chooses."""
    found = Path(tempfile.mkdtemp(prefix="leeway-"))
    found.chmod(0o755)
    yield found
    for file in [*found.glob("postgres/postmaster.pid"), *found.glob("**/home/postgres/*.pid")]:
        stop_embedded(file.parent.parent, "immediate")
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def stopped_home() -> Iterator[Path]:
    """A home whose server was ended as by a crash; each test leaves it like that."""
    home = Path(tempfile.mkdtemp(prefix="leeway-"))
    embedded_url(home)
    stop_embedded(home, "immediate")
    yield home
    shutil.rmtree(home)


def copy(stopped_home: Path, home: Path) -> None:
    """A data folder that is whole, in much less time than it takes to make one."""
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", stopped_home / "postgres", home], check=True)


def sockets_of(url: str) -> Path:
    return Path(str(make_url(url).query["host"]))


def connect(url: str) -> None:
    psycopg2.connect(url.replace("/leeway?", "/postgres?")).close()


ODD = ["my dir $(touch pwned)", "größe, 'q' \"d\" `id`", "x" * 120]


@pytest.mark.parametrize("name", ODD, ids=["shell", "quotes", "long"])
def test_the_server_starts_whatever_its_folder_is_called_and_only_its_owner_may_connect(
    parent: Path, stopped_home: Path, name: str
) -> None:
    """Regression: a long path had its socket in a folder of /tmp with mode 0777; a blank had none.

    Whoever may connect is a superuser: the server asks for no password.
    """
    home = parent / name / "home"
    if name != ODD[0]:  # that one is made in its place, too
        copy(stopped_home, home)
    url = embedded_url(home)
    connect(url)
    folder = sockets_of(url)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert folder.stat().st_uid == (home / "postgres").stat().st_uid
    assert not list(parent.rglob("pwned"))
    stop_embedded(home, "immediate")
    folder.rmdir()


def test_a_server_in_its_own_folder_is_private_too(parent: Path, stopped_home: Path) -> None:
    copy(stopped_home, parent)
    url = embedded_url(parent)
    socket = sockets_of(url) / ".s.PGSQL.5432"
    assert socket.parent == parent / "postgres"
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700


def test_an_address_of_a_folder_with_a_blank_is_one_that_libpq_reads(parent: Path) -> None:
    url = f"postgresql://ana@/leeway?host={parent}/a%20folder&options=-c%20geqo%3Doff"
    found = dsn("leeway", Settings(environment="test", database_url=url))
    assert "+" not in found
    parsed = psycopg2.extensions.parse_dsn(found)
    assert parsed["host"] == f"{parent}/a folder"
    assert "-c geqo=off" in parsed["options"]


@pytest.mark.parametrize("left", ["", "123", "\n\n", "no number\n", "1\n/data\n17"])
def test_a_process_file_that_a_crash_cut_off_is_not_in_the_way(
    stopped_home: Path, left: str
) -> None:
    """Regression: an empty one was an assertion that failed at every start."""
    (stopped_home / "postgres" / "postmaster.pid").write_text(left)
    connect(embedded_url(stopped_home))
    stop_embedded(stopped_home, "immediate")


def test_a_process_number_that_was_given_to_another_program_is_not_in_the_way(
    stopped_home: Path,
) -> None:
    """Regression: after a restart of the machine the other program was taken for the server."""
    other = subprocess.Popen(["sleep", "600"], cwd=stopped_home)
    try:
        data = stopped_home / "postgres"
        lines = [other.pid, data, 1_700_000_000, 5432, data, "", "    123   456", "ready   "]
        (data / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
        connect(embedded_url(stopped_home))
        assert other.poll() is None, "the other program goes on"
        stop_embedded(stopped_home, "immediate")
    finally:
        other.kill()
        other.wait()


def test_a_server_whose_folder_was_removed_is_ended_before_another_one_starts(
    parent: Path, stopped_home: Path
) -> None:
    """Guards: it ended by itself within a minute, and took the socket of the new one along."""
    copy(stopped_home, parent / "home")
    embedded_url(parent / "home")
    old = process_of(parent / "home")
    shutil.rmtree(parent / "home" / "postgres")
    copy(stopped_home, parent / "home")
    url = embedded_url(parent / "home")
    # In a container without an init, one that has ended stays in the list of processes.
    assert not psutil.pid_exists(old) or psutil.Process(old).status() == psutil.STATUS_ZOMBIE
    assert process_of(parent / "home") != old
    connect(url)


def test_a_server_without_its_socket_says_how_to_begin_again(
    parent: Path, stopped_home: Path
) -> None:
    copy(stopped_home, parent / "home")
    url = embedded_url(parent / "home")
    server = psutil.Process(process_of(parent / "home"))
    (sockets_of(url) / ".s.PGSQL.5432").unlink()
    with pytest.raises(PostgresUnavailable, match=f"kill -INT {server.pid}"):
        embedded_url(parent / "home")
    server.send_signal(signal.SIGINT)
    server.wait(timeout=10)
    connect(embedded_url(parent / "home"))


def process_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def test_what_is_no_data_folder_is_left_alone_and_named(parent: Path) -> None:
    (parent / "postgres").mkdir()
    (parent / "postgres" / "mine.txt").write_text("kept")
    with pytest.raises(PostgresUnavailable, match="neither empty nor whole; move it away"):
        embedded_url(parent)
    assert (parent / "postgres" / "mine.txt").read_text() == "kept"


def test_a_server_that_cannot_start_says_what_it_said_and_nothing_about_a_server_of_your_own(
    parent: Path, stopped_home: Path
) -> None:
    copy(stopped_home, parent)
    with (parent / "postgres" / "postgresql.conf").open("a") as file:
        file.write("\nno_such_setting = 1\n")
    with pytest.raises(PostgresUnavailable, match="no_such_setting") as refused:
        embedded_url(parent)
    assert "unset" not in str(refused.value)


def test_an_embedded_server_that_refuses_a_connection_is_not_blamed_on_the_address(
    parent: Path, stopped_home: Path
) -> None:
    copy(stopped_home, parent)
    (parent / "postgres" / "pg_hba.conf").write_text("local all all reject\n")
    settings = Settings(environment="test", home=parent, database_url=None)
    with pytest.raises(PostgresUnavailable, match="rejects connection") as refused:
        Ledger(settings)
    assert "unset" not in str(refused.value)
    with pytest.raises(PostgresUnavailable), transaction(settings):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_opens_a_private_folder_above_the_server_no_further_than_needed_and_says_so(
    parent: Path, stopped_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: every folder above became one that anybody could list, without a word."""
    private = parent / "private"
    private.mkdir(mode=0o700)
    copy(stopped_home, private / "home")
    with caplog.at_level(logging.WARNING):
        embedded_url(private / "home")
    assert stat.S_IMODE(private.stat().st_mode) == 0o701
    assert f"chmod o+x {private}" in caplog.text
