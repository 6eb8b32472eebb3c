"""Rows of the inference log that are on disk because the database could not take them.

Belongs here: files, each a chunk of rows that is written as a whole or not at all, oldest first.
Does not belong here: when one is written or read again (`serving.inference_log`).
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import NamedTuple

from resources.atomic import write_whole
from resources.settings import Settings

MOST_BYTES = 1_000_000_000


class Chunk(NamedTuple):
    """Rows as COPY reads them, and how many."""

    rows: int
    data: bytes


def spool_of(settings: Settings) -> Spool:
    """That of the inference log."""
    return Spool(settings.home / "serving" / "inference_log")


class Spool:
    """Chunks in a folder; several processes may share it."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = folder, most_bytes

    def put(self, chunk: Chunk) -> bool:
        """Keeps a chunk; False when the spool is full.

        Raises:
            OSError: when the disk refuses it.
        """
        used = sum(each.stat().st_size for each in self.folder.glob("*.csv"))
        if used + len(chunk.data) > self.most_bytes:
            return False
        name = f"{time.time_ns():020d}-{chunk.rows}-{uuid.uuid4().hex}.csv"
        write_whole(self.folder / name, chunk.data)
        return True

    def oldest(self) -> tuple[Path, Chunk] | None:
        """The oldest chunk, and its file; None when there is none.

        Raises:
            OSError: when the disk does not give it.
        """
        for file in sorted(self.folder.glob("*.csv")):
            try:
                return file, Chunk(int(file.name.split("-")[1]), file.read_bytes())
            except FileNotFoundError:
                continue  # another process wrote it meanwhile
        return None

    def refuse(self, file: Path) -> Path:
        """Puts a chunk aside that is never taken; returns where it is for a person to look at."""
        return file.replace(file.with_suffix(".refused"))
