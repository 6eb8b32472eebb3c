"""`leeway serve`: the prediction service, on 127.0.0.1.

Belongs here: the server's process. Does not belong here: what it serves (`serving`).
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from functools import partial

import uvicorn

from cli.output import say
from resources.inference_log import write
from resources.settings import get_settings
from resources.store import LocalStore
from serving.app import create_app
from serving.champions import Copies, champions
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.spool import Spool

HOST = "127.0.0.1"
KEEP_ALIVE_SECONDS = 5
DRAIN_SECONDS = 10


def serve(port: int) -> int:
    """Serves until Ctrl-C or SIGTERM, and answers what it has taken; returns the exit code."""
    settings = get_settings()
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, port))
        except OSError as error:
            say(f"error: port {port} of {HOST}: {error.strerror}; try `leeway serve --port N`")
            return 1
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        copies = Copies(settings.home / "serving", LocalStore(settings.store_root))
        keeper = Keeper(copies, partial(champions, settings))
        spool = Spool(settings.home / "serving" / "inference_log")
        inferences = InferenceLog(partial(write, settings), spool)
        app = create_app(keeper, inferences, settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        for each in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal again once it has drained: the end that was asked for.
            signal.signal(each, lambda *_: sys.exit(0))
        say(f"Serving http://{HOST}:{port}, documented at /docs. Ctrl-C ends it.")
        uvicorn.Server(config).run(sockets=[found])
    return 0
