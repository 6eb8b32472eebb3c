"""Stopping the embedded PostgreSQL of a test.

Belongs here: only that; Leeway itself never stops it.
"""

from __future__ import annotations

from pathlib import Path

from resources.embedded import run_program


def stop_embedded(home: Path, mode: str) -> None:
    """Stops the embedded server under `home`; `immediate` is a crash, without a checkpoint."""
    run_program("pg_ctl", "stop", "--wait", "--pgdata=.", f"--mode={mode}", at=home / "postgres")
