"""Starts one service, which starts a process of its own, and waits to be killed.

Arguments: file for the service's output, `kept` or `unkept`. `unkept` is the same code whose keeper
is told nothing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from resources.processes import Keeper, Service

log, how = Path(sys.argv[1]), sys.argv[2]
PROGRAM = (
    "import subprocess, time\n"
    "child = subprocess.Popen(['sleep', '600'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)"
)
keeper = Keeper()
if how == "unkept":
    keeper.keep = lambda group: None  # type: ignore[method-assign]  # the mutation
command = [sys.executable, "-c", PROGRAM]
service = Service("sleeper", command, log, keeper, environment=os.environ, folder=Path.cwd())
print("service", service.process.pid, flush=True)  # noqa: T201
time.sleep(600)
