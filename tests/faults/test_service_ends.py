"""A service whose processes end under load: what was taken is answered.

Belongs here: a worker that is killed, and SIGTERM to the whole. Does not belong here: the workers
that explain and predict batches (tests/service/test_pool.py), or that metrics add up
(tests/service/test_metrics.py).

Reliability matrix, S10. Requests that found no connection are counted apart: a client, or the proxy
before the service, may send them again. What was predicted is known from the inference log.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psutil
import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.faults.harness import figure, in_proof, seeded, times, until, zero
from tests.faults.load import load
from tests.faults.released import BODIES, make, make_champion, served
from tests.service.service import Client
from tests.service.test_metrics import spawned

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
PER_SECOND = 200
REFUSED, LOST = -1, -2


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


def whole(client: Client, workers: list[psutil.Process]) -> bool:
    """Whether both workers are there, none of them one of these, and ready."""
    now = spawned(client)
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
        for _ in range(min(times(2), 100)):
            before = spawned(client)
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
    ends, before = min(times(1), 30), logged(installed)
    for _ in range(ends):
        with (
            served(installed, "--workers", str(workers)) as client,
            load(client.port, BODIES, PER_SECOND, tmp_path, connections) as found,
        ):
            time.sleep(1)
            client.process.send_signal(signal.SIGTERM)
            client.process.wait(timeout=30)
            time.sleep(0.2)
        statuses.update(each.status for each in found.asked)
    figure(
        f"SIGTERM to {workers} worker(s), {ends} times under {PER_SECOND} requests a second, "
        f"{'on 8 connections' if connections else 'each on its own connection'}: "
        f"{zero(statuses[200], 'requests that were taken were lost')}; {statuses[REFUSED]} found "
        f"no connection afterwards, {statuses[LOST]} waited for one when the socket was closed"
    )
    assert set(statuses) <= {200, REFUSED, LOST}
    assert logged(installed) - before == statuses[200], "what was predicted was answered"
