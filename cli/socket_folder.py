"""The folder in which the services of one `leeway dev` find each other.

Belongs here: making it, and removing what a killed `leeway dev` left. Does not belong here: what is
in it (`cli.dev`).

It is no folder below LEEWAY_HOME, whose path may be too long for a socket; its name tells whose it
is. A lock on it, which ends with its process however that ends, tells whether it is in use.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leeway.digests import digest_of
from resources.file_lock import alone_with


@contextmanager
def folder_for_socket(home: Path) -> Iterator[Path]:
    """A folder of this user alone, whose name is short enough for a socket."""
    prefix = f"leeway-dev-{digest_of(str(home)).removeprefix('sha256:')[:8]}-"
    # A new folder is not locked yet; nobody else may look at it meanwhile.
    with alone_with(home / "dev.lock"):
        _remove_unlocked(prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_unlocked(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            probe = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # it has just ended, or is of another user
            continue
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # it is in use
            pass
        finally:
            os.close(probe)
