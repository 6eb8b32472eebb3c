"""A real MariaDB of its own, from Debian's package, for the tests that read from one.

Belongs here: starting it and waiting for it. Does not belong here: what is in it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool


@contextmanager
def running_mariadb(folder: Path) -> Iterator[str]:
    """Its address while it runs; the test is skipped where the program is not there."""
    program = shutil.which("mariadbd")
    if program is None:
        pytest.skip("mariadbd is not there; on Debian: apt install mariadb-server-core")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--no-defaults", "--user=root", "--skip-grant-tables", f"--port={port}",
               "--bind-address=127.0.0.1", f"--datadir={folder}", f"--socket={folder}/s",
               f"--lc-messages-dir={Path(program).parents[1]}/share/mysql",
               "--default-time-zone=+05:00"]  # fmt: skip
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        address = f"mysql://root@127.0.0.1:{port}/"
        try:
            _wait(address.replace("mysql:", "mysql+pymysql:"), server, folder / "log")
            yield address
        finally:
            server.kill()


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            sa.create_engine(address, poolclass=NullPool).connect().close()
        except sa.exc.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())
