"""One at a time on this machine: a lock on a file, where there is no database to ask for one.

Belongs here: taking one. Does not belong here: what is done meanwhile, or one at a time across
machines (`resources.locks`).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Waits until no other process and no other thread is inside a block of this file.

    The file is made where it is missing, and stays. A process that is killed inside lets the next
    one in. By flock(2): a record lock of fcntl(2) is the whole process's, of which several threads
    would be inside, and the first to leave would end it for all.

    Raises:
        OSError: when the file cannot be made or opened.
    """
    with path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(held, fcntl.LOCK_UN)  # a child that was forked inside has the file, too
