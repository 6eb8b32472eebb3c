"""Rows of a log that are on disk because the database could not take them.

Belongs here: files, each a chunk of rows that is written as a whole or not at all, oldest first.
Does not belong here: when one is written or read again (`serving.inference_log`), or which log it
is of: that of answers and that of trials have a folder each.

Processes share a folder: any file may be gone between two looks at it, and is then written.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from resources.atomic import write_whole
from resources.settings import Settings

MOST_BYTES = 1_000_000_000
MEASURED_EVERY = 20  # chunks: a look at each of tens of thousands of files takes tenths of a second
_NAME = re.compile(r"\d{20}-(\d+)-[0-9a-f]{32}\.rows")
log = logging.getLogger("leeway.serving")


class Chunk(NamedTuple):
    """Rows as COPY reads them, and how many."""

    rows: int
    data: bytes


def spool_of(settings: Settings) -> Spool:
    """That of the inference log."""
    return Spool(settings.home / "serving" / "inference_log")


class Spool:
    """Chunks in a folder; several processes and threads may share it."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._used, self._unmeasured = 0, MEASURED_EVERY
        self._next: deque[Path] = deque()  # as they were listed last, oldest first
        self._left: set[Path] = set()  # that cannot be read or removed

    def put(self, chunk: Chunk) -> bool:
        """Keeps a chunk; False when the spool is full.

        Raises:
            OSError: when the disk refuses it.
        """
        if not self._has_room(len(chunk.data)):
            return False
        name = f"{time.time_ns():020d}-{chunk.rows}-{uuid.uuid4().hex}.rows"
        write_whole(self.folder / name, chunk.data)
        return True

    def oldest(self) -> tuple[Path, Chunk] | None:
        """The oldest chunk, and its file; None when there is none that can be read."""
        with self._lock:
            found = self._first()
            if found is None:
                self._next = deque(sorted(each for each in self._files() if each not in self._left))
                found = self._first()
            return found

    def remove(self, file: Path) -> bool:
        """Removes a chunk that was written; False when another process did."""
        try:
            file.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._leave(file, error)
        return True

    def refuse(self, file: Path) -> Path | None:
        """Puts a chunk aside that is never taken, for a person to look at.

        Returns:
            Where it is; None when another process did that.
        """
        try:
            return file.replace(file.with_suffix(".refused"))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave(file, error)
            return file

    def _files(self) -> list[Path]:
        return [each for each in self.folder.glob("*.rows") if _NAME.fullmatch(each.name)]

    def _first(self) -> tuple[Path, Chunk] | None:
        while self._next:
            file, named = self._next[0], _NAME.fullmatch(self._next[0].name)
            try:
                if named is not None and file not in self._left:
                    return file, Chunk(int(named[1]), file.read_bytes())
            except FileNotFoundError:
                pass  # another process wrote it meanwhile
            except OSError as error:
                self._leave(file, error)
            self._next.popleft()
        return None

    def _leave(self, file: Path, error: OSError) -> None:
        self._left.add(file)
        log.error("%s is left where it is until the next start: %s", file, error)

    def _has_room(self, size: int) -> bool:
        """Whether so many bytes more may be kept; they are then counted."""
        with self._lock:
            self._unmeasured += 1
            if self._unmeasured > MEASURED_EVERY or self._used + size > self.most_bytes:
                self._used, self._unmeasured = self._measured(), 0
            if self._used + size > self.most_bytes:
                return False
            self._used += size
            return True

    def _measured(self) -> int:
        used = 0
        for each in self._files():
            with suppress(FileNotFoundError):
                used += each.stat().st_size
        return used
