"""Writes chunks of a log to the database, and leaves on the disk what it does not take now.

Belongs here: the thread that does it, when it tries again, and the counts of what became of rows.
Does not belong here: making chunks (`serving.inference_log`), or the files (`serving.spool`).
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from prometheus_client import Counter

from resources.inference_log import Unwritable
from serving import metrics
from serving.spool import Chunk, Spool

MOST_HANDED = 4  # chunks
EVERY_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 30.0
END_SECONDS = 5.0
log = logging.getLogger("leeway.serving")


@dataclass
class Counts:
    """Rows since the start: `spooled` ones are written later, `refused` ones were put aside."""

    written: int = 0
    spooled: int = 0
    dropped: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        """Two threads count."""
        self._lock = threading.Lock()
        self.told: Counter = metrics.LOGGED

    def add(self, outcome: Literal["written", "spooled", "dropped", "refused"], rows: int) -> None:
        """Counts rows, for Prometheus, too."""
        with self._lock:
            setattr(self, outcome, getattr(self, outcome) + rows)
        self.told.labels(outcome).inc(rows)


class Writer:
    """Takes chunks, and writes them in the background."""

    def __init__(self, write: Callable[[bytes], None], spool: Spool, counts: Counts) -> None:
        self.problem: str | None = None  # why the database takes nothing now
        self._write, self._spool, self._counts = write, spool, counts
        self._handed: queue.Queue[Chunk] = queue.Queue(MOST_HANDED)
        self._in_hand: Chunk | None = None
        self._wait, self._again_at = 0.0, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="log writer", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def end(self) -> None:
        """Leaves on the disk what cannot be written at once."""
        self._ended.set()
        self._thread.join(END_SECONDS)
        left = [self._in_hand] if self._in_hand is not None else []
        while not self._handed.empty():
            left.append(self._handed.get_nowait())
        for chunk in left:
            self._keep(chunk)

    def take(self, chunk: Chunk) -> None:
        """Leaves a chunk to be written; on the disk where others wait for that already."""
        try:
            self._handed.put_nowait(chunk)
        except queue.Full:
            self._keep(chunk)

    def _keep_writing(self) -> None:
        while not (self._ended.is_set() and self._handed.empty()):
            try:
                self._write_next()
            except Exception:  # a thread that ends would lose all that comes
                log.exception("a round of writing the log failed")
                self._ended.wait(EVERY_SECONDS)

    def _write_next(self) -> None:
        """Writes a chunk that is handed over, and of the disk what can be written until one is."""
        with suppress(queue.Empty):
            self._write_handed(self._handed.get(timeout=EVERY_SECONDS))
        while self._handed.empty() and not self._ended.is_set() and self._replay():
            pass

    def _write_handed(self, chunk: Chunk) -> None:
        self._in_hand = chunk
        try:
            written = self._written(chunk)
        except Unwritable:
            written = False  # the disk has it, and from there it is put aside
        if written:
            self._counts.add("written", chunk.rows)
        else:
            self._keep(chunk)
        self._in_hand = None

    def _replay(self) -> bool:
        """Writes the oldest chunk that is on the disk; whether there was one that was written."""
        found = self._spool.oldest() if time.monotonic() >= self._again_at else None
        if found is None:
            return False
        file, chunk = found
        try:
            if not self._written(chunk):
                return False
        except Unwritable as error:
            aside = self._spool.refuse(file)
            if aside is not None:
                self._counts.add("refused", chunk.rows)
                log.error("%d rows are not in the log: %s; %s", chunk.rows, error, aside)
            return True
        if self._spool.remove(file):  # of processes that wrote it at once, one counts it
            self._counts.add("written", chunk.rows)
        return True

    def _written(self, chunk: Chunk) -> bool:
        """Whether the database took it; a while after it did not, it is not asked.

        Raises:
            Unwritable: when it never will.
        """
        if time.monotonic() < self._again_at:
            return False
        try:
            self._write(chunk.data)
        except Unwritable:
            raise
        except Exception as error:  # of any kind: the answers are not to be lost by it
            self._failed(f"{type(error).__name__}: {error}".strip())
            return False
        self.problem, self._wait = None, 0.0
        return True

    def _failed(self, problem: str) -> None:
        self._wait = min(max(2 * self._wait, 1.0), LONGEST_WAIT_SECONDS)
        self._again_at = time.monotonic() + self._wait
        if self.problem is None:
            log.warning("the log of answers goes to the disk: %s", problem)
        self.problem = problem

    def _keep(self, chunk: Chunk) -> None:
        try:
            kept = self._spool.put(chunk)
        except OSError as error:
            log.error("the spool cannot be written: %s", error)
            kept = False
        self._counts.add("spooled" if kept else "dropped", chunk.rows)
