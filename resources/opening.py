"""Opening files that others put there: the file that was judged is the file that is read.

Belongs here: links, what is no file, and the size. Does not belong here: what is in a file
(`resources.files`), or whether it is whole (`resources.quiet`).

A path can come to mean another file between two looks at it. So where a file must be inside a
folder, its path is resolved once and then walked from the folder down, each step relative to the
one before and none of them through a link: one that was put there meanwhile ends the walk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class LinkOutside(OSError):
    """The file is not in the folder that it must be in, or was swapped for a link just now."""


def read_at_most(path: Path, most: int, inside: Path | None = None) -> bytes | None:
    """The bytes of a file; None when there are more than `most`, of which none is then read.

    Args:
        path: of the file; it may be a link.
        most: bytes that are read.
        inside: folder that the file, and all links that lead to it, must be in.

    Raises:
        LinkOutside: when it is elsewhere.
        OSError: when it cannot be read, or is no file but a pipe, a device or a folder.
    """
    with os.fdopen(_open(path, inside), "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            return None
        data = file.read(most + 1)  # it may grow meanwhile
        return None if len(data) > most else data


def read_inside(path: Path, inside: Path) -> bytes:
    """The bytes of a file of ours, however many.

    Raises:
        OSError: as `read_at_most`.
    """
    with os.fdopen(_open(path, inside), "rb") as file:
        return file.read()


def digest_at_most(path: Path, most: int, inside: Path | None = None) -> str:
    """SHA-256 of a file's bytes; of its size and time where there are more than `most`.

    Raises:
        OSError: as `read_at_most`.
    """
    with os.fdopen(_open(path, inside), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_size > most:
            told = f"{found.st_size} bytes, {found.st_mtime_ns}".encode()
            return f"sha256:{hashlib.sha256(told).hexdigest()}"
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _open(path: Path, inside: Path | None) -> int:
    """A descriptor of the regular file, without waiting for the other end of a pipe."""
    if inside is None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    else:
        descriptor = _walk(path, inside)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def within(path: Path, folder: Path) -> Path | None:
    """Where in a folder a path leads to, through its links; None if out of it, or to itself."""
    try:
        found = os.path.realpath(path, strict=True)
    except FileNotFoundError:  # who opens it says so
        found = os.path.realpath(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    top = folder.resolve()
    return Path(found).relative_to(top) if Path(found).is_relative_to(top) else None


def _walk(path: Path, inside: Path) -> int:
    found = within(path, inside)
    if found is None:
        raise LinkOutside(errno.EXDEV, f"a link that leads out of {inside} or to itself", str(path))
    *folders, name = found.parts
    descriptor = os.open(inside.resolve(), _FLAGS | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        return os.open(name, _FLAGS | os.O_NONBLOCK, dir_fd=descriptor)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            swapped = "it was swapped for a link while it was read"
            raise LinkOutside(error.errno, swapped, str(path)) from error
        raise
    finally:
        os.close(descriptor)
