"""Whether a file is whole: it is read only when nobody writes to it any more.

Belongs here: waiting for a file that changed just now, and noticing one that changes while it is
read. Does not belong here: what is in the file (`resources.files`).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from resources.files import USUAL, Layout, SourceError, read_file

if TYPE_CHECKING:
    import pyarrow as pa

QUIET_SECONDS = 2.0  # a file that changed more recently may still be being copied
State = tuple[int, int]  # size in bytes, time of the last change in nanoseconds


def state_of(path: Path) -> State | None:
    """What changes when a file does; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def is_quiet(path: Path) -> bool:
    """Whether a file is no longer written to; waits for one that changed just now."""
    before = state_of(path)
    if before is not None:
        age = time.time() - before[1] / 1e9
        # A time to come is that of another clock, as of a network file system.
        time.sleep(max(0.0, QUIET_SECONDS - abs(age)))
    return state_of(path) == before


def read_quietly(path: Path, layout: Layout = USUAL, inside: Path | None = None) -> pa.Table:
    """The table in a file that does not change before it was read to its end."""
    if not is_quiet(path):
        raise still_written(path)
    before = state_of(path)
    try:
        table = read_file(path, layout, inside)
    except SourceError as error:
        if state_of(path) != before:
            raise still_written(path) from error
        raise
    if state_of(path) != before:
        raise still_written(path)
    return table


def still_written(path: Path) -> SourceError:
    """The refusal of a file that somebody writes to."""
    return SourceError(
        f"{path}: the file is still being written; run the command again when it is whole. "
        "A copy under another name in the same folder, that is then renamed, is never seen half"
    )
