"""The workers' queue, time, memory and deaths, with real workers and a real release.

Belongs here: the pool as the service uses it, where HTTP would only be in the way. Does not belong
here: what a client sees (test_explain.py, test_batch_predict.py).
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

import serving.pool
from resources.store import LocalStore
from serving.champions import Copies
from serving.loading import Pointer
from serving.messages import Job
from serving.pool import Pool
from serving.problems import Refusal
from tests.faults.harness import alive, until
from tests.installed import Complete
from tests.project_copy import NAME, environment_of
from tests.service.service import Client

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pointer(client: Client, installed: Complete, monkeypatch: pytest.MonkeyPatch) -> Pointer:
    """The champion that the service of the installation serves, whose workers are ours now."""
    for name, value in environment_of(installed.project, installed.home).items():
        monkeypatch.setenv(name, value)
    copies = Copies(installed.home / "serving", LocalStore(installed.home / "store"))
    assert until(lambda: NAME in copies.last(), 10) is not None
    return copies.last()[NAME]


def pool(seconds: float = 90) -> Pool:
    return Pool("maps", workers=1, waiting=1, seconds=seconds)


def run(does: Callable[[Pool], Awaitable[None]], of: Pool) -> None:
    async def whole() -> None:
        async with of.alive(None):
            await does(of)

    asyncio.run(whole())


def workers() -> list[psutil.Process]:
    children = [e for e in psutil.Process().children() if e.status() != psutil.STATUS_ZOMBIE]
    return [each for each in children if "serving.worker" in each.cmdline()]


def test_a_job_has_so_much_time_and_its_worker_ends_with_it(pointer: Pointer) -> None:
    async def does(found: Pool) -> None:
        assert json.loads(await found.ask(Job("map", pointer)))["use_case"] == NAME
        (worker,) = workers()
        worker.send_signal(signal.SIGSTOP)
        found.seconds = 1
        with pytest.raises(Refusal) as caught:
            await found.ask(Job("map", pointer))
        assert caught.value.status == 503
        assert "maps took longer than 1 s" in str(caught.value.why)
        found.seconds = 90
        assert json.loads(await found.ask(Job("map", pointer)))["use_case"] == NAME
        assert not alive(worker.pid)
        (second,) = workers()
        assert second.pid != worker.pid

    run(does, pool())
    assert workers() == []


def test_who_waits_too_long_takes_no_worker_with_him(pointer: Pointer) -> None:
    async def does(found: Pool) -> None:
        await found.ask(Job("map", pointer))
        (worker,) = workers()
        worker.send_signal(signal.SIGSTOP)
        first = asyncio.create_task(found.ask(Job("map", pointer)))
        await asyncio.sleep(0)  # it takes the worker
        found.seconds = 0.5
        with pytest.raises(Refusal):
            await found.ask(Job("map", pointer))
        worker.send_signal(signal.SIGCONT)
        assert json.loads(await first)["use_case"] == NAME
        assert [each.pid for each in workers()] == [worker.pid]

    run(does, pool())


def test_a_job_that_ends_two_workers_is_not_tried_a_third_time(pointer: Pointer) -> None:
    async def does(found: Pool) -> None:
        asked = asyncio.create_task(found.ask(Job("map", pointer)))
        for _ in range(2):
            while not (running := workers()):  # what it waits for is a process
                await asyncio.sleep(0.01)
            running[0].kill()
            while alive(running[0].pid):  # as above
                await asyncio.sleep(0.01)
        with pytest.raises(Refusal) as caught:
            await asked
        assert caught.value.status == 503
        assert "two processes for maps ended" in str(caught.value.why)

    run(does, pool())


def test_a_worker_that_holds_too_much_is_replaced(
    pointer: Pointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.pool, "MOST_BYTES", 50 * 2**20)  # less than its libraries have

    async def does(found: Pool) -> None:
        await found.ask(Job("map", pointer))
        assert [each for each in workers() if alive(each.pid)] == []
        await found.ask(Job("map", pointer))

    run(does, pool())


def test_a_release_that_is_not_there_is_said_to_be_missing_and_the_worker_goes_on(
    pointer: Pointer,
) -> None:
    gone = Pointer(NAME, 99, f"sha256:{'0' * 64}", pointer.uri)

    async def does(found: Pool) -> None:
        with pytest.raises(Refusal) as caught:
            await found.ask(Job("map", gone))
        assert caught.value.status == 503
        await found.ask(Job("map", pointer))
        assert len(workers()) == 1

    run(does, pool())


def test_the_answer_of_a_second_worker_has_nothing_of_the_first(pointer: Pointer) -> None:
    """A batch whose worker was killed after it had sent a part."""
    names = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex\n"
    rows = 30_000
    body = io.BytesIO((names + "Biscoe,45.1,14.5,207,5050,female\n" * rows).encode())
    job = Job("batch", pointer, given=".csv", wanted=".jsonl", size=len(body.getvalue()))
    answer = io.BytesIO()

    async def does(found: Pool) -> None:
        asked = asyncio.create_task(found.ask(job, body, answer))
        while not answer.getvalue():  # a file says nothing of itself
            await asyncio.sleep(0.01)
        os.kill(workers()[0].pid, signal.SIGKILL)
        assert json.loads(await asked)["rows"] == rows

    run(does, pool(200))
    lines: list[dict[str, Any]] = [json.loads(each) for each in answer.getvalue().splitlines()]
    assert [each["row"] for each in lines] == list(range(1, rows + 1))
