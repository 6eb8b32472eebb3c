"""The service over a database that is empty, frozen, slow, or asked for what no name can be.

Belongs here: what routes over the ledger say then. Does not belong here: predictions meanwhile
(tests/faults/test_service_dependencies.py).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from resources.ledger import Ledger
from resources.postgres import PostgresUnavailable, cut_off_after, transaction
from resources.settings import Settings
from serving.asking import AT_ONCE, asked
from serving.problems import Refusal
from tests.faults.harness import standing_still, until
from tests.service.service import Client, Here, serving

WHERE = "/api/v1/u"
ROUTES = [f"{WHERE}/{name}" for name in ("releases", "batches", "traffic", "decisions")]


@pytest.fixture(scope="module")
def client(shared: Settings) -> Iterator[Client]:
    """Of an installation that did nothing."""
    with serving(Here()) as found:
        yield found


@contextmanager
def frozen(server_home: Path) -> Iterator[None]:
    """Each process of the database's server is stopped where it is."""
    pid = int((server_home / "postgres" / "postmaster.pid").read_text().split()[0])
    with standing_still(psutil.Process(pid)):
        yield


def test_without_its_tables_the_service_says_what_makes_them(
    client: Client, shared: Settings
) -> None:
    with transaction(shared) as cursor:
        cursor.execute("drop schema leeway, monitoring cascade")
    for path in ["/api/v1", *ROUTES, f"{WHERE}/experiment"]:
        status, told = client.get(path)
        assert (status, "`leeway status`" in told["detail"]) == (503, True), path
    Ledger(shared).prepare()
    assert client.get("/api/v1") == (200, {"use_cases": {}})
    assert client.get(f"{WHERE}/decisions")[0] == 200
    for name in ("releases", "batches", "experiment"):
        status, told = client.get(f"{WHERE}/{name}")
        assert status == 404
        assert "`leeway run NAME` makes it; recorded are: none" in told["detail"]


def test_what_can_be_no_name_or_text_is_refused(client: Client) -> None:
    names = ("releases", "batches", "traffic", "decisions", "experiment", "why", "why/batches/b")
    for odd in ("%00", "a%00b", "A", "select", "a" * 60):
        for name in names:
            assert client.get(f"/api/v1/{odd}/{name}")[0] == 404, (odd, name)
        moved, _ = client.post(f"/api/v1/{odd}/rollback", {"why": "a test"})
        assert moved == 404
    assert client.post(f"{WHERE}/promote", {"version": 1, "why": "a\0b"})[0] == 422
    assert client.post(f"{WHERE}/promote", {"version": 10**12, "why": "a"})[0] == 409
    assert client.post(f"{WHERE}/rollback", {"why": "\0"})[0] == 422
    assert client.get(f"{WHERE}/why/batches/%00")[0] == 404
    assert client.get(f"{WHERE}/why/batches/b?key=%00")[0] == 422
    assert client.get(f"{WHERE}/why/predictions/x")[0] == 422


def test_a_frozen_database_holds_up_nothing_that_needs_none(
    client: Client, server_home: Path
) -> None:
    said: Counter[int] = Counter()

    def ask(path: str) -> None:
        said[client.ask("GET", path).status] += 1

    paths = [f"{WHERE}/decisions"] * 40 + [f"{WHERE}/why"] * 10
    asking = [threading.Thread(target=ask, args=(path,)) for path in paths]
    with frozen(server_home):
        for each in asking:
            each.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert client.ask("GET", "/metrics").status == 200
        assert time.monotonic() - began < 2
    for each in asking:
        each.join(30)
    assert said.total() == len(paths)
    assert until(lambda: client.get(f"{WHERE}/decisions")[0] == 200, 20) is not None


def test_a_frozen_database_is_given_up_in_time(settings: Settings, server_home: Path) -> None:
    def connects() -> None:
        with cut_off_after(2.0), frozen(server_home), transaction(settings):
            pass

    def asks() -> None:
        with cut_off_after(1.0), transaction(settings) as cursor, frozen(server_home):
            cursor.execute("select 1")

    for does in (connects, asks):
        began = time.monotonic()
        with pytest.raises(PostgresUnavailable):
            does()
        assert time.monotonic() - began < 8


def test_who_waits_for_a_thread_too_long_is_refused_and_others_go_on() -> None:
    go_on = threading.Event()

    async def does() -> None:
        hanging = [
            asyncio.create_task(asked(lambda: go_on.wait(9), seconds=9)) for _ in range(AT_ONCE)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(Refusal) as caught:
            await asked(lambda: True, seconds=0.2)
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
        go_on.set()
        assert await asyncio.gather(*hanging) == [True] * AT_ONCE
        assert await asked(lambda: True)

    asyncio.run(does())


def test_a_query_that_takes_too_long_is_a_503(settings: Settings) -> None:
    def query() -> None:
        with transaction(settings) as cursor:
            cursor.execute("set local statement_timeout = 100")
            cursor.execute("select pg_sleep(5)")

    with pytest.raises(Refusal) as caught:
        asyncio.run(asked(query))
    assert (caught.value.status, "ask for less" in str(caught.value.why)) == (503, True)
