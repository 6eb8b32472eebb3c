"""Serves MLflow's UI on what it has in PostgreSQL: runs, trials and registered models.

Belongs here: the small process that `leeway dev` starts. Does not belong here: what is in MLflow
(`resources.tracking`).

MLflow's server asks nobody who they are, and every user of the machine can reach it. So this one
only shows: it cannot move the alias of a champion, which the ledger decides, nor make an experiment
of a folder whose files it would then hand out. Of MLflow's two applications it is the one without
the assistant, which runs commands for whoever asks.
"""

from __future__ import annotations

import os
import re
import sys

from resources.postgres import dsn
from resources.settings import get_settings
from resources.tracking import client_of

# The only ones that MLflow's pages ask for by POST although they change nothing.
_QUESTION = re.compile(r".*/(search[a-z-]*|graphql|get-latest-versions|metrics|batchGetInfos)")


def only_shows() -> tuple[dict[str, str], int] | None:
    """Refuses a request that may change something, before MLflow sees it."""
    from flask import request

    asked = request.method in ("GET", "HEAD", "OPTIONS") or (
        request.method == "POST" and _QUESTION.fullmatch(request.path)
    )
    message = "this server only shows: `leeway promote` and `leeway rollback` move a champion"
    return None if asked else ({"error_code": "PERMISSION_DENIED", "message": message}, 403)


def main() -> None:
    """Argument: port."""
    (port,) = sys.argv[1:]
    settings = get_settings()
    client_of(settings)  # makes the tables where there are none
    for name in [each for each in os.environ if each.startswith(("MLFLOW_", "_MLFLOW_"))]:
        del os.environ[name]  # what other servers and clients of this user are told
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # Read while the application is imported, which without it takes every host and origin.
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = dsn("mlflow", settings, read_only=True)
    from mlflow.server import app
    from werkzeug.serving import make_server

    app.before_request(only_shows)
    make_server("127.0.0.1", int(port), app, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
