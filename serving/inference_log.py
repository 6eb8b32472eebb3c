"""The inference log, and that of trials: on their way to the database, which no request waits for.

Belongs here: the queue, what is done when it or the database cannot take more, and the counts of
that. Does not belong here: the rows (`leeway.served.logged`, `leeway.served.tried`), the tables
(`resources.inference_log`, `resources.tried`) or the files (`serving.spool`).

A request leaves its answer in a queue. One thread makes chunks of rows from it and hands them to
another, which writes them. Where that one is behind, because the database is slow or away, chunks
go to the disk and are written from there when it is back. A chunk that may have arrived is written
again: the table takes each once. What neither takes is dropped, and counted.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from prometheus_client import Counter

from leeway.served import tried
from leeway.served.logged import Answered, as_copied
from resources.inference_log import Unwritable
from serving import metrics
from serving.spool import Chunk, Spool

MOST_QUEUED = 10_000  # requests
MOST_IN_CHUNK = 1_000  # requests
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


class Loggable(Protocol):
    """What a log takes: it becomes so many rows."""

    @property
    def rows(self) -> int:
        """Of the table."""


T = TypeVar("T", bound=Loggable)


class Log(Generic[T]):
    """Takes what becomes rows of a table, and writes them in the background."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        spool: Spool,
        copied: Callable[[Sequence[T]], bytes],
    ) -> None:
        self.counts = Counts()
        self.problem: str | None = None  # why the database takes nothing now
        self._write, self._spool, self._copied = write, spool, copied
        self._queue: deque[T] = deque()
        self._handed: queue.Queue[Chunk] = queue.Queue(MOST_HANDED)
        self._in_hand: Chunk | None = None
        self._wait, self._again_at = 0.0, 0.0
        self._ended = threading.Event()
        self._collector = threading.Thread(target=self._collect, name="log collector", daemon=True)
        self._writer = threading.Thread(target=self._keep_writing, name="log writer", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._collector.start()
        self._writer.start()

    def end(self) -> None:
        """Writes what is left, or leaves it on the disk for the next start."""
        self._ended.set()
        self._collector.join()
        self._writer.join(END_SECONDS)
        left = [self._in_hand] if self._in_hand is not None else []
        while not self._handed.empty():
            left.append(self._handed.get_nowait())
        for chunk in left:
            self._keep(chunk)

    def offer(self, found: T) -> None:
        """Leaves something to be written, at once; one too many is dropped, and counted."""
        if len(self._queue) >= MOST_QUEUED:
            self.counts.add("dropped", found.rows)
            return
        self._queue.append(found)

    def _collect(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        while self._queue:
            count = min(len(self._queue), MOST_IN_CHUNK)
            taken = [self._queue.popleft() for _ in range(count)]
            chunk = Chunk(sum(each.rows for each in taken), self._copied(taken))
            try:
                self._handed.put_nowait(chunk)
            except queue.Full:
                self._keep(chunk)

    def _keep_writing(self) -> None:
        while not (self._ended.is_set() and self._handed.empty()):
            try:
                self._in_hand = self._handed.get(timeout=EVERY_SECONDS)
            except queue.Empty:
                while self._replay() and self._handed.empty() and not self._ended.is_set():
                    pass
                continue
            try:
                written = self._written(self._in_hand)
            except Unwritable:
                written = False  # the disk has it, and from there it is put aside
            if not written:
                self._keep(self._in_hand)
            self._in_hand = None

    def _replay(self) -> bool:
        """Writes the oldest chunk that is on the disk; whether there was one that was written."""
        try:
            found = self._spool.oldest()
            if found is None:
                return False
            file, chunk = found
            if self._written(chunk):
                file.unlink(missing_ok=True)
                return True
        except Unwritable as error:
            self.counts.add("refused", chunk.rows)
            aside = self._spool.refuse(file)
            log.error("%d rows are not in the log: %s; %s", chunk.rows, error, aside)
        except OSError as error:
            self._failed(f"the spool cannot be read: {error}")
        return False

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
        self.counts.add("written", chunk.rows)
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
        self.counts.add("spooled" if kept else "dropped", chunk.rows)


class InferenceLog(Log[Answered]):
    """Of answers."""

    def __init__(self, write: Callable[[bytes], None], spool: Spool) -> None:
        super().__init__(write, spool, as_copied)


class TrialLog(Log[tried.Request]):
    """Of what challengers did."""

    def __init__(self, write: Callable[[bytes], None], spool: Spool) -> None:
        super().__init__(write, spool, tried.as_copied)
        self.counts.told = metrics.TRIAL_LOGGED
