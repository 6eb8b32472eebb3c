"""dbt connects as everything else does, and keeps the password to itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from resources.dbt import environment
from resources.dbt_tests import found_by
from resources.postgres import dsn
from resources.settings import PROJECT, Settings

CANARY = "hunter2canary"
TLS = "sslmode=verify-full&sslrootcert=/ca%20s.pem&sslcert=/c.pem&sslkey=/k.pem"
SAME = [
    f"postgresql://ana:{CANARY}@db:6543/w?{TLS}",
    f"postgresql://db/w?port=6543&user=ana&password={CANARY}&{TLS}",
    f"postgresql:///w?host=db&port=6543&user=ana&password={CANARY}&{TLS}",
]


def settings_of(url: str, **fields: Any) -> Settings:
    return Settings(environment="test", database_url=SecretStr(url), **fields)


@pytest.mark.parametrize("url", SAME)
def test_dbt_has_every_part_of_the_address_wherever_the_address_has_it(url: str) -> None:
    """Regression: it went to port 5432 without TLS, as postgres, whatever the parameters said."""
    found = environment(settings_of(url))
    assert {key: value for key, value in found.items() if key.startswith(("LEEWAY_DBT", "PG"))} == {
        "LEEWAY_DBT_HOST": "db",
        "LEEWAY_DBT_PORT": "6543",
        "LEEWAY_DBT_USER": "ana",
        "LEEWAY_DBT_DATABASE": "w",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca s.pem",
        "PGSSLCERT": "/c.pem",
        "PGSSLKEY": "/k.pem",
        "PGOPTIONS": found["PGOPTIONS"],
    }
    assert [key for key, value in found.items() if CANARY in value] == [
        "DBT_ENV_SECRET_LEEWAY_PASSWORD"
    ]


def test_dbt_has_the_limits_of_every_connection_and_what_the_address_says_wins() -> None:
    found = environment(settings_of("postgresql://db/w?options=-c%20lock_timeout%3D7s"))
    assert "-c idle_in_transaction_session_timeout=15min" in found["PGOPTIONS"]
    assert found["PGOPTIONS"].endswith("-c lock_timeout=7s")


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("models/penguins/marts/_marts.yml", "unique_penguins_clean_penguin_id.sql"),
        ("tests/penguins/no_giants.sql", "penguins/no_giants.sql"),
    ],
)
def test_what_a_test_has_found_is_read_where_dbt_leaves_its_sql(
    shared: Settings, tmp_path: Path, file: str, path: str
) -> None:
    """Regression: the run ended without its checks when a test with a file of its own failed."""
    node: Any = SimpleNamespace(package_name="leeway", original_file_path=file, path=path)
    # Not above: it takes two seconds, of each process that collects tests.
    from dbt.contracts.graph.nodes import ParsedNode

    compiled = Path(ParsedNode.get_target_write_path(node, str(tmp_path), "compiled"))
    compiled.parent.mkdir(parents=True)
    compiled.write_text("select 1 as penguin_id, null as sex -- no such penguin")
    assert found_by(vars(node), tmp_path, shared) == [{"penguin_id": "1", "sex": None}]


def debug(settings: Settings, home: Path) -> subprocess.CompletedProcess[str]:
    """What `leeway-dbt debug` says, which connects and prints what it connects to."""
    assert settings.database_url is not None
    return subprocess.run(
        [sys.executable, "-c", "from resources.dbt import main; main()", "debug"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=os.environ
        | {
            "LEEWAY_HOME": str(home),
            "LEEWAY_DATABASE_URL": settings.database_url.get_secret_value(),
        },
    )


def test_dbt_connects_and_its_logs_have_no_password(shared: Settings, tmp_path: Path) -> None:
    url = make_url(dsn("leeway", shared)).set(password=CANARY)
    plain = settings_of(url.render_as_string(hide_password=False))
    done = debug(plain, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All checks passed" in done.stdout
    logs = [path.read_text() for path in (tmp_path / "dbt" / "logs").rglob("*") if path.is_file()]
    assert logs
    assert CANARY not in "".join([done.stdout, done.stderr, *logs])


@contextmanager
def server_without_tls() -> Iterator[int]:
    """A port that answers the question for TLS with no, as a PostgreSQL without it does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):  # the test has ended
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(8)
                        connection.sendall(b"N")

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]


def test_dbt_sends_nothing_to_a_server_without_tls_where_the_address_asks_for_it(
    tmp_path: Path,
) -> None:
    """Regression: dbt knew no parameter of the address, and sent its password in the clear."""
    with server_without_tls() as port:
        url = f"postgresql://ana:{CANARY}@127.0.0.1:{port}/w?sslmode=require"
        done = debug(settings_of(url), tmp_path)
    assert done.returncode != 0
    assert "server does not support SSL, but SSL was required" in done.stdout
