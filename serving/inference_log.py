"""The inference log, and that of trials: on their way to the database, which no request waits for.

Belongs here: the queue that requests fill, and making chunks of rows from it. Does not belong here:
what becomes of a chunk (`serving.log_writer`), the rows (`leeway.served.logged`,
`leeway.served.tried`) or the tables (`resources.inference_log`, `resources.tried`).

A request leaves its answer in a queue. One thread makes chunks of rows from it and hands them to
another, which writes them. Where that one is behind, because the database is slow or away, chunks
go to the disk and are written from there when it is back. A chunk that may have arrived is written
again: the table takes each once.

Dropped, and counted, is what the disk does not take (it refuses, or `serving.spool` is full), and
what comes while the queue is full, since a request waits for nothing. The queue is emptied every
tenth of a second, and at once when a quarter of it is used: it is full only where rows are answered
faster than they are made into chunks, or while the disk hangs. A process that is killed loses what
is in its memory: of the last tenth of a second, or while the database is away of `AWAY_SECONDS`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from leeway.served import tried
from leeway.served.logged import Answered, as_copied
from serving import metrics
from serving.log_writer import EVERY_SECONDS, Counts, Writer
from serving.spool import Chunk, Spool

MOST_QUEUED = 10_000  # requests
MOST_ROWS = 50_000  # of them; about a kilobyte each
MOST_IN_CHUNK = 5_000  # rows, or one request that has more
AWAY_SECONDS = 2.0  # between chunks while the database takes none: each is a file
log = logging.getLogger("leeway.serving")


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
        self._writer = Writer(write, spool, self.counts)
        self._copied = copied
        self._queue: deque[T] = deque()
        self._offered = self._taken = 0  # rows; each is counted by one thread alone
        self._ended, self._many = threading.Event(), threading.Event()
        self._collector = threading.Thread(target=self._collect, name="log collector", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why the database takes nothing now."""
        return self._writer.problem

    def start(self) -> None:
        """Begins to write."""
        self._collector.start()
        self._writer.start()

    def end(self) -> None:
        """Writes what is left, or leaves it on the disk for the next start."""
        self._ended.set()
        self._many.set()
        self._collector.join()
        self._writer.end()

    def offer(self, found: T) -> None:
        """Leaves something to be written, at once; one too many is dropped, and counted.

        One thread offers: that of the requests.
        """
        rows, waiting = found.rows, self._offered - self._taken
        if len(self._queue) >= MOST_QUEUED or waiting + rows > MOST_ROWS:
            self.counts.add("dropped", rows)
            return
        self._offered += rows
        self._queue.append(found)
        if len(self._queue) > MOST_QUEUED / 4 or waiting > MOST_ROWS / 4:
            self._many.set()

    def _collect(self) -> None:
        while not self._ended.is_set():
            self._many.wait(EVERY_SECONDS if self.problem is None else AWAY_SECONDS)
            self._many.clear()
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        while self._queue:
            taken: list[T] = []
            rows = 0
            while self._queue and (not taken or rows + self._queue[0].rows <= MOST_IN_CHUNK):
                taken.append(self._queue.popleft())
                rows += taken[-1].rows
            self._taken += rows
            try:
                chunk = Chunk(rows, self._copied(taken))
            except Exception:  # whatever cannot be a row: those that come are not to be lost by it
                log.exception("%d rows are not in the log", rows)
                self.counts.add("dropped", rows)
                continue
            self._writer.take(chunk)


class InferenceLog(Log[Answered]):
    """Of answers."""

    def __init__(self, write: Callable[[bytes], None], spool: Spool) -> None:
        super().__init__(write, spool, as_copied)


class TrialLog(Log[tried.Request]):
    """Of what challengers did."""

    def __init__(self, write: Callable[[bytes], None], spool: Spool) -> None:
        super().__init__(write, spool, tried.as_copied)
        self.counts.told = metrics.TRIAL_LOGGED
