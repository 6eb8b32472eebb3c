"""Shadows: what the champion answered is answered again by the challenger, for the log alone.

Belongs here: the queue of such requests, which is bounded, and the process that answers them. Does
not belong here: what is done there (`serving.shadow_work`), or canaries (`serving.trials`).

A request gets here when its answer has gone out. Its second answer is computed in a process of its
own, at a lower priority: it takes nothing from predictions but what is free, and if it dies, they
go on. What comes faster than it can be answered is dropped, and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from leeway.served.tried import Request
from serving import metrics
from serving.challengers import Challenger, Challengers
from serving.inference_log import TrialLog
from serving.messages import Job
from serving.pool import Pool
from serving.problems import Refusal
from serving.shadow_work import Shadowed
from serving.shadow_work import Shadows as Done

MOST_QUEUED, MOST_BYTES = 1_000, 16 * 2**20  # requests, and their bodies
MOST_AT_ONCE = 20  # in a job of the process
EVERY_SECONDS = 1.0
SECONDS = 60.0  # of a job; the first loads libraries and the release
log = logging.getLogger("leeway.serving")
_decode = msgspec.msgpack.Decoder(Done).decode


class Asked(NamedTuple):
    """A request that was answered; `ids` are of its predictions."""

    challenger: Challenger
    at: float
    body: bytes
    ids: Sequence[str]
    key_at: int | None


class Shadows:
    """Answers requests again."""

    def __init__(self, challengers: Challengers, trial_log: TrialLog) -> None:
        self.pool = Pool("shadows", workers=1, waiting=0, seconds=SECONDS)
        self._challengers, self._log = challengers, trial_log
        self._queue: deque[Asked] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._proven: set[int] = set()  # trials whose challenger is ready, or never will be

    def offer(self, asked: Asked) -> None:
        """Leaves a request to be answered again, at once; one too many is dropped, and counted."""
        size = self._bytes + len(asked.body)
        if len(self._queue) >= MOST_QUEUED or size > MOST_BYTES:
            _count(asked.challenger, "dropped")
            return
        self._bytes = size
        self._queue.append(asked)
        self._some.set()

    async def keep(self) -> None:
        """Answers what comes, and has challengers proven that nobody asked yet."""
        while True:
            try:
                await self._round()
            except Exception:  # such as a ledger that is away as a trial is to end
                log.exception("a round of shadows failed")
                await asyncio.sleep(EVERY_SECONDS)

    async def _round(self) -> None:
        try:
            async with asyncio.timeout(EVERY_SECONDS):
                await self._some.wait()
        except TimeoutError:
            await self._prove()
            return
        taken = self._taken()
        if taken:
            await self._answer(taken[0].challenger, taken)

    async def _prove(self) -> None:
        for each in self._challengers.state.values():
            if each.loaded is None and each.trial.id not in self._proven:
                await self._answer(each, [])

    def _taken(self) -> list[Asked]:
        """The oldest requests of one trial."""
        found: list[Asked] = []
        while self._queue and len(found) < MOST_AT_ONCE:
            if found and self._queue[0].challenger.trial.id != found[0].challenger.trial.id:
                break
            found.append(self._queue.popleft())
            self._bytes -= len(found[-1].body)
        if not self._queue:
            self._some.clear()
        return found

    async def _answer(self, challenger: Challenger, asked: Sequence[Asked]) -> None:
        job = Job("shadow", challenger.pointer, bodies=[each.body for each in asked])
        try:
            done = _decode(await self.pool.ask(job))
        except (Refusal, RuntimeError) as error:
            told = str(error.why if isinstance(error, Refusal) else error)
            done = Done([Shadowed(0.0, error=told)] * len(asked))
            log.warning("the challenger of %s did not answer: %s", challenger.release, told)
        else:
            await self._told(challenger, done)
        for each, found in zip(asked, done.requests, strict=False):
            self._tell(each, found)
        for each in asked[len(done.requests) :]:  # of one that is not proven, or not there now
            _count(each.challenger, "dropped")

    async def _told(self, challenger: Challenger, done: Done) -> None:
        """Of a challenger that answered, never will, or is not there: that is not its failure."""
        if done.away is not None:
            log.warning("the challenger of %s waits: %s", challenger.release, done.away)
            return
        if done.unproven is not None and challenger.trial.id not in self._proven:
            await self._challengers.unproven(challenger.trial, done.unproven)
        self._proven.add(challenger.trial.id)

    def _tell(self, asked: Asked, found: Shadowed) -> None:
        _count(asked.challenger, "answered" if found.error is None else "failed")
        if found.error is None:
            release = asked.challenger.release
            metrics.TRIED_SECONDS.labels(*release, "shadow").observe(found.seconds)
        self._log.offer(
            Request(
                asked.challenger.trial.id,
                asked.at,
                "shadow",
                found.seconds,
                asked.ids,
                asked.key_at,
                found.answers,
                found.error,
            )
        )


def _count(challenger: Challenger, outcome: str) -> None:
    metrics.TRIED.labels(*challenger.release, "shadow", outcome).inc()
