"""Keeps a run's own chatter away from the terminal.

Belongs here: sending what libraries and dbt print to a file, while our lines still reach the
person. Does not belong here: what those lines say.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.output import console


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Sends file descriptors 1 and 2 to `path`; `cli.output.console` keeps the terminal.

    Dagster captures a step's output at the level of descriptors, and dbt is a process of its own,
    so that replacing `sys.stdout` would not be enough.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    terminal = os.fdopen(os.dup(saved[1]), "w", encoding="utf-8")
    with path.open("ab") as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        console.file = terminal
        try:
            yield
        finally:
            console.file = None  # type: ignore[assignment]  # for Rich, what sys.stderr is by then
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            terminal.close()
            for descriptor in saved:
                os.close(descriptor)
