"""One table out of an archive, in memory: nothing is written where a member says.

Belongs here: finding the member, and the limits of what it may become. Does not belong here: where
the archive comes from, or the format of the table (`resources.files`).
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from typing import TypeVar

from resources.files import SourceError, gunzip, largest_bytes, too_large

Member = TypeVar("Member")
_SHOWN = 10  # names that a message lists
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def member_of(data: bytes, name: str, member: str, place: str) -> bytes:
    """The bytes of one member of the archive called `name`.

    Raises:
        SourceError: when it is damaged, the member is not there, there more than once, no file,
            locked by a password, or larger than may be read, whatever size it declares.
    """
    try:
        if name.lower().endswith(".zip"):
            return _of_zip(data, member, place)
        if not name.lower().endswith(".tar"):
            data = gunzip(io.BytesIO(data), place)
        return _of_tar(data, member, place)
    except SourceError:
        raise
    except (*_DAMAGED, NotImplementedError) as error:
        raise SourceError(f"{place}: {name} cannot be unpacked: {error}") from error


def _of_tar(data: bytes, member: str, place: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        members = archive.getmembers()
        found = _only(
            [each for each in members if each.name.removeprefix("./") == member],
            member,
            (each.name for each in members if each.isfile()),
            place,
        )
        if not found.isfile():
            raise SourceError(f"{place}: {member!r} is a link or a folder, and no file")
        if found.size > largest_bytes():
            raise too_large(f"{place}: {member}", found.size)
        opened = archive.extractfile(found)
        return b"" if opened is None else opened.read(largest_bytes() + 1)


def _of_zip(data: bytes, member: str, place: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        found = _only(
            [each for each in members if each.filename.removeprefix("./") == member],
            member,
            (each.filename for each in members if not each.is_dir()),
            place,
        )
        if found.is_dir() or stat.S_ISLNK(found.external_attr >> 16):
            raise SourceError(f"{place}: {member!r} is a link or a folder, and no file")
        if found.flag_bits & 1:
            raise SourceError(f"{place}: {member!r} is locked by a password")
        if found.file_size > largest_bytes():
            raise too_large(f"{place}: {member}", found.file_size)
        # No more is unpacked than is declared, and what was declared wrongly has another checksum.
        with archive.open(found) as opened:
            return opened.read()


def _only(found: list[Member], member: str, names: Iterable[str], place: str) -> Member:
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(
            f"{place}: the archive has {len(found)} members {member!r}; one is needed"
        )
    there = sorted(names)
    shown = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    raise SourceError(f"{place}: the archive has no {member!r}; it has {shown or 'no file'}")
