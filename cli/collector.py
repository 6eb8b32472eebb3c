"""Python's garbage collector, kept away from imports and from the end of a process.

Belongs here: only that. A verb imports for seconds, and nothing that an import makes is garbage:
looking for some takes a fifth of the time, and once more when the process ends
(`benchmarks/README.md`).
"""

from __future__ import annotations

import atexit
import gc


def rest_while_importing() -> None:
    """Stops the collector, and lets the process end without looking through all it holds."""
    gc.disable()
    atexit.register(gc.freeze)


def collect_from_here() -> None:
    """Starts the collector for what is made from now on; for verbs that work for long."""
    gc.freeze()
    gc.enable()
