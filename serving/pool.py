"""Processes that do what would make predictions wait, with a queue and a time that are bounded.

Belongs here: starting workers, handing them jobs, and ending those that take too long, hold too
much or died. Does not belong here: what a job is (`serving.worker`), or HTTP routes.

A worker is started by the first job that needs one. It ends with this process, and the processes
that it started with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import BinaryIO

from serving.messages import END, HEADER, Done, Job, done_of, job_frame
from serving.problems import Refusal

MOST_BYTES = 2 * 2**30  # of memory that a worker may have when it has answered
_PIECE = 2**20
# Its jobs are one at a time, on one core: threads would take the others from predictions.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
log = logging.getLogger("leeway.serving")


class Ended(Exception):
    """The worker ended before it answered."""


class Worker:
    """One process of `serving.worker`, which does one job after the other."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @classmethod
    async def start(cls) -> Worker:
        """Starts a process; it has imported what it needs when it answers its first job."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "serving.worker", str(os.getpid())),
                stdin=PIPE,
                stdout=PIPE,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # so that it can be killed with what it started
            )
        )

    async def ask(self, job: Job, body: BinaryIO | None, answer: BinaryIO | None) -> Done:
        """Does one job, whose body is read from a file, and whose parts are written to another.

        Raises:
            Ended: when the process ends before it is done.
        """
        sending, receiving = self.process.stdin, self.process.stdout
        assert sending is not None and receiving is not None  # noqa: S101, PT018  # both are pipes
        try:
            sending.write(job_frame(job))
            while body is not None and (piece := await asyncio.to_thread(body.read, _PIECE)):
                sending.write(piece)
                await sending.drain()
            while True:
                kind, size = HEADER.unpack(await receiving.readexactly(HEADER.size))
                content = await receiving.readexactly(size)
                if kind == END:
                    return done_of(content)
                assert answer is not None  # noqa: S101  # of a job that has parts
                await asyncio.to_thread(answer.write, content)
        except (asyncio.IncompleteReadError, ConnectionError, RuntimeError) as error:
            raise Ended from error  # a pipe that was closed meanwhile is uvloop's RuntimeError

    async def end(self) -> None:
        """Ends the process at once, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.communicate()  # what it said last is for nobody


class Pool:
    """Workers, and a queue before them."""

    def __init__(self, does: str, *, workers: int, waiting: int, seconds: float) -> None:
        """A pool without a process.

        Args:
            does: what its jobs are called.
            workers: how many there are at most.
            waiting: jobs that wait for one at most.
            seconds: that a job may take, its wait with it.
        """
        self.does, self.seconds = does, seconds
        self._most, self._admitted = workers + waiting, 0
        self._free = asyncio.Semaphore(workers)
        self._idle: list[Worker] = []

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place in the queue, for as long as the block lasts.

        Raises:
            Refusal: 429, when there is none.
        """
        if self._admitted == self._most:
            told = f"{self._most} requests for {self.does} are under way, which is all that may be"
            raise Refusal(429, told, headers={"Retry-After": "1"})
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def ask(
        self, job: Job, body: BinaryIO | None = None, answer: BinaryIO | None = None
    ) -> bytes:
        """The content of the answer; its parts are written to `answer`.

        Raises:
            Refusal: when the job cannot be done, takes too long, or ends two workers.
        """
        try:
            async with asyncio.timeout(self.seconds), self._free:
                done = await self._done(job, body, answer)
        except TimeoutError:
            told = f"{self.does} took longer than {self.seconds:g} s, which is all that it has"
            raise Refusal(503, f"{told}; ask for less at once") from None
        if done.refused is not None:
            raise Refusal(done.refused.status, done.refused.why)
        if done.failed:
            raise RuntimeError(f"{self.does} failed in a worker, which has logged why")
        return done.content

    async def _done(self, job: Job, body: BinaryIO | None, answer: BinaryIO | None) -> Done:
        """By one worker or, where that one dies, by a second: somebody may have killed it."""
        for _ in range(2):
            for file in (body, answer):
                if file is not None:
                    file.seek(0)
            if answer is not None:
                answer.truncate()
            worker = await self._worker()
            try:
                done = await worker.ask(job, body, answer)
            except Ended:
                log.error("a worker for %s ended before it answered", self.does)
                await worker.end()
            except BaseException:  # it is in the middle of something that nobody waits for any more
                await worker.end()
                raise
            else:
                await self._keep(worker, done)
                return done
        told = f"two processes for {self.does} ended before they answered; the log may say why"
        raise Refusal(503, told, headers={"Retry-After": "10"})

    async def _worker(self) -> Worker:
        return self._idle.pop() if self._idle else await Worker.start()

    async def _keep(self, worker: Worker, done: Done) -> None:
        if done.used_bytes > MOST_BYTES:
            log.info("a worker for %s has %d bytes and is replaced", self.does, done.used_bytes)
            await worker.end()
        else:
            self._idle.append(worker)

    @asynccontextmanager
    async def alive(self, _: object) -> AsyncIterator[None]:
        """For as long as the service lives, which has answered all requests when this ends."""
        yield
        while self._idle:
            await self._idle.pop().end()
