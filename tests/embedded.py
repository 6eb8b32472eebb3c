"""Stopping the embedded PostgreSQL of a test, copying and removing what it holds.

Belongs here: only that; Leeway itself never stops it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from resources.embedded import run_program


def stop_embedded(home: Path, mode: str) -> None:
    """Stops the embedded server under `home`; `immediate` is a crash, without a checkpoint."""
    run_program("pg_ctl", "stop", "--wait", "--pgdata=.", f"--mode={mode}", at=home / "postgres")


def remove(folder: Path) -> None:
    """Removes a folder while the tests go on: one of a server has tens of thousands of files."""
    os.spawnlp(os.P_NOWAIT, "rm", "rm", "-rf", "--", str(folder))  # noqa: S606  # no user input


def copy(folder: Path, to: Path) -> None:
    """Copies a folder with the owners of its files: a server's belong to the one who runs it."""
    subprocess.run(["cp", "-a", "--", str(folder), str(to)], check=True)
