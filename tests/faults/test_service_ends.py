"""A service whose processes end under load: what was taken is answered.

Belongs here: a worker that is killed, and SIGTERM to the whole. Does not belong here: the workers
that explain and predict batches (tests/service/test_pool.py), or that metrics add up
(tests/service/test_metrics.py).

Reliability matrix, S10. Requests that found no connection are counted apart: a client, or the proxy
before the service, may send them again. What was predicted is known from the inference log.
"""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.faults.harness import figure, in_proof, seeded, times, until, zero
from tests.faults.load import load
from tests.faults.released import BODIES, make, make_champion, served
from tests.service.service import PREDICT, Client, received

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
PER_SECOND = 200
REFUSED, LOST = -1, -2
MOMENT = 0.5  # seconds that a machine with other work may keep a connection waiting
HALVES = 10  # requests that are under way when a service is asked to end
HEAD = (
    f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODIES[0])}\r\n\r\n"
).encode()


@pytest.fixture(scope="module")
def installed(shared: Settings) -> Settings:
    """An installation with a champion."""
    make(shared, 1)
    make_champion(shared, 1)
    return shared


def logged(settings: Settings) -> int:
    """Answers in the inference log."""
    with transaction(settings) as cursor:
        cursor.execute("select count(*) from monitoring.inference_log")
        ((found,),) = cursor.fetchall()
    return int(found)


def accepted(client: Client, connections: list[socket.socket]) -> bool:
    """Whether the service has all of them."""
    pids = [client.process.pid, *(each.pid for each in client.spawned())]
    found = {each.raddr for pid in pids for each in psutil.Process(pid).net_connections()}
    return {each.getsockname() for each in connections} <= found


def whole(client: Client, workers: list[psutil.Process]) -> bool:
    """Whether both workers are there, none of them one of these, and ready."""
    now = client.spawned()
    fresh = [each for each in now if each not in workers]
    return len(now) == 2 and bool(fresh) and client.ready()


def test_a_worker_that_is_killed_takes_none_of_the_others_requests_with_it(
    installed: Settings, tmp_path: Path
) -> None:
    draw, killed = seeded("workers"), 0
    with (
        served(installed, "--workers", "2") as client,
        load(client.port, BODIES, PER_SECOND, tmp_path, connections=0) as found,
    ):
        time.sleep(1)
        for _ in range(min(times(1), 100)):
            before = client.spawned()
            draw.choice(before).kill()
            killed += 1
            assert until(partial(whole, client, before), 60) is not None
            time.sleep(draw.uniform(0.2, 1))
    statuses = Counter(each.status for each in found.asked)
    figure(
        f"workers: {killed} kill -9 of one of two, {PER_SECOND} requests a second, each on its own "
        f"connection: {statuses[200]} answered, {statuses[LOST]} lost with the killed worker, "
        f"{zero(len(found.asked), 'found no connection')}"
    )
    assert set(statuses) <= {200, LOST}
    assert statuses[LOST] <= 3 * killed, "what the worker had in its hands"


@pytest.mark.parametrize(
    ("workers", "connections"), [(1, 8), (2, 0), in_proof(1, 0), in_proof(2, 8)]
)
def test_a_service_that_is_asked_to_end_answers_what_it_has_taken(
    installed: Settings, tmp_path: Path, workers: int, connections: int
) -> None:
    statuses: Counter[int] = Counter()
    ends, before, slow = min(times(1), 30), logged(installed), 0
    for _ in range(ends):
        with (
            served(installed, "--workers", str(workers)) as client,
            load(client.port, BODIES, PER_SECOND, tmp_path, connections) as found,
        ):
            time.sleep(1.5)
            with ExitStack() as stack:
                halves = [stack.enter_context(client.raw()) for _ in range(HALVES)]
                for each in halves:
                    each.sendall(HEAD + BODIES[0][:1])
                assert until(partial(accepted, client, halves), 10) is not None
                signalled = time.time()
                client.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                for each in halves:
                    each.sendall(BODIES[0][1:])
                slow += sum(received(each).startswith(b"HTTP/1.1 200 ") for each in halves)
            client.process.wait(timeout=30)
            time.sleep(0.2)
        statuses.update(each.status for each in found.asked)
        last = signalled - MOMENT  # what came later may be in the queue of the kernel still
        sent = [each for each in found.asked if each.sent and each.due + each.sent < last]
        assert sent
        assert {each.status for each in sent} == {200}, "what was there before is answered"
    figure(
        f"SIGTERM to {workers} worker(s), {ends} times under {PER_SECOND} requests a second, "
        f"{'on 8 connections' if connections else 'each on its own connection'}: "
        f"{zero(statuses[200], 'requests that were taken were lost')}, nor one of {slow} of which "
        f"half a body had come; {statuses[REFUSED]} found no connection afterwards, "
        f"{statuses[LOST]} waited for one when the socket was closed"
    )
    assert slow == HALVES * ends
    assert set(statuses) <= {200, REFUSED, LOST}
    assert statuses[LOST] <= PER_SECOND * ends * MOMENT, "of the moment of its end"
    assert logged(installed) - before == statuses[200] + slow, "what was predicted was answered"
