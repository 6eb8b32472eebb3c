"""Serves MLflow's UI on what it has in PostgreSQL: runs, trials and registered models.

Belongs here: the small process that `leeway dev` starts. Does not belong here: what is in MLflow
(`resources.tracking`).
"""

from __future__ import annotations

import logging
import os
import sys

from resources.settings import get_settings
from resources.tracking import Tracking


def main() -> None:
    """Argument: port."""
    (port,) = sys.argv[1:]
    settings = get_settings()
    tracking = Tracking(settings, "", "", logging.getLogger(__name__))
    _ = tracking.client  # makes the tables that are missing, one process at a time
    # Not as an option, which every user of the machine could read: it may hold a password.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking.uri
    # Its jobs would be seven processes more, which nothing asks for.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    from mlflow.cli import cli

    root = (settings.store_root / "mlflow").as_uri()
    options = ["--workers", "1", "--no-serve-artifacts", "--default-artifact-root", root]
    cli(["server", "--host", "127.0.0.1", "--port", port, *options])


if __name__ == "__main__":
    main()
