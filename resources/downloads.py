"""Public files that never change: found by their digest in a folder, or downloaded once.

Belongs here: where the bytes of a digest come from. Does not belong here: what is in them.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from resources.addresses import place_of
from resources.atomic import write_whole
from resources.files import SourceError, gunzip, largest_bytes
from resources.web import Answer, Web


def pinned(url: str, name: str, digest: str, web: Web) -> bytes:
    """The file at `url`, called `name`, whose SHA-256 is `digest` (`sha256:` and 64 digits).

    The first of these that has the digest: a file below LEEWAY_DATA_DIR with the same name, with
    `.gz` after it, or called after the digest; what was downloaded before; the address.

    Raises:
        SourceError: when none has it.
    """
    others: list[str] = []
    kept = web.settings.home / "downloads" / digest.removeprefix("sha256:")
    for path in (*_candidates(name, digest, web.settings.data_dir), kept):
        found = _unpacked(path, name)
        if found is not None and _digest(found) == digest:
            return found
        if found is not None:
            others.append(str(path))
    try:
        data = web.get(url, _whole)
    except SourceError as error:
        raise type(error)(f"{error}. {_instead(name, others)}") from error
    if _digest(data) != digest:
        raise SourceError(
            f"{place_of(url)}: the file has the digest {_digest(data)}, and source.digest is "
            f"{digest}. It was changed, or cut short on its way; nothing was kept. Check where the "
            "digest comes from before you change it"
        )
    write_whole(kept, data)
    return data


def _whole(answer: Answer) -> bytes:
    return answer.body


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _candidates(name: str, digest: str, folder: Path | None) -> Iterator[Path]:
    """Files below the folder that may be the one, in order of their paths."""
    if folder is None:
        return
    if not folder.is_dir():
        raise SourceError(f"LEEWAY_DATA_DIR: {folder} is no folder")
    plain = digest.removeprefix("sha256:")
    for at, folders, files in os.walk(folder):
        folders.sort()
        for found in sorted(files):
            if found in (name, f"{name}.gz") or found.partition(".")[0] == plain:
                yield Path(at) / found


def _unpacked(path: Path, name: str) -> bytes | None:
    """The file as it is at its address; None when there is none, or it is too large or damaged."""
    if not path.is_file() or path.stat().st_size > largest_bytes():
        return None
    if path.name != f"{name}.gz":
        return path.read_bytes()
    try:
        return gunzip(io.BytesIO(path.read_bytes()), str(path))
    except SourceError:
        return None


def _instead(name: str, others: list[str]) -> str:
    found = f" ({', '.join(others)} has another digest)" if others else ""
    return f"Without the network, put {name} below the folder LEEWAY_DATA_DIR{found}"
