"""Becomes Dagster's code server. Arguments: its socket, and a module or file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from resources.instance import prepare

socket, code = sys.argv[1:]
prepare()
program = str(Path(sys.executable).with_name("dagster"))
where = "-f" if code.endswith(".py") else "-m"
os.execv(  # noqa: S606  # no user input
    program, [program, "api", "grpc", "--socket", socket, where, code, "--location-name", "leeway"]
)
