"""A service that starts while all that it needs is away.

Belongs here: cold starts without the database and the objects, with what this machine served last
and without. Does not belong here: what goes away later (test_service_dependencies.py).

Reliability matrix, S2.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resources.postgres import database_url
from resources.settings import PROJECT, Settings
from tests.faults.harness import LONG, figure, in_proof, times, until
from tests.faults.released import BODIES, Made, make, make_champion, served
from tests.installed import Installed
from tests.project_copy import NAME
from tests.proxy import How, Proxy, proxy
from tests.service.service import PREDICT, Client, serving

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def made(fresh: Settings) -> Made:
    """The champion of an installation."""
    found = make(fresh, 1)
    make_champion(fresh, 1)
    return found


@contextmanager
def starting(settings: Settings, how: How) -> Iterator[tuple[Client, float, Path, Proxy]]:
    """A service without database and objects, when it began, and where both can be had again."""
    folder = str(database_url("leeway", settings).query["host"])
    away = settings.store_root.with_name("away")
    settings.store_root.rename(away)
    with proxy(f"{folder}/.s.PGSQL.5432") as database:
        database.how = how
        url = database_url("leeway", settings).set(host="127.0.0.1", port=database.port, query={})
        variables = {"LEEWAY_DATABASE_URL": url.render_as_string(hide_password=False)}
        began = time.monotonic()
        with serving(Installed(PROJECT, settings.home), **variables) as client:
            yield client, began, away, database


@pytest.mark.parametrize("how", ["refuses", in_proof("is silent")])
def test_it_serves_what_this_machine_served_last(fresh: Settings, made: Made, how: How) -> None:
    with served(fresh) as client:
        assert client.ready()
    taken = []
    for _ in range(min(times(1), 20)):
        with starting(fresh, how) as (client, began, away, _):
            assert until(client.ready, 60) is not None
            taken.append(time.monotonic() - began)
            _, told = client.get("/ready")
            assert (told["known_from"], told["served"]) == ("last", {NAME: 1})
            assert told["ledger"] != "answers"
            answer = client.ask("POST", PREDICT, BODIES[7])
            assert made.answers(answer.data.decode(), 7)
            away.rename(fresh.store_root)
    figure(
        f"cold start: the database {how} and there are no objects: {len(taken)} of {len(taken)} "
        f"starts serve what was served last, ready after {max(taken):.1f} s at most"
    )


def test_without_anything_it_is_alive_says_why_and_serves_once_it_can(
    fresh: Settings, made: Made
) -> None:
    with starting(fresh, "refuses") as (client, began, away, database):
        alive = time.monotonic() - began
        assert until(lambda: client.get("/ready")[1]["ledger"] != "answers", 20) is not None
        status, told = client.get("/ready")
        assert status == 503
        assert (told["served"], told["waiting"], told["known_from"]) == ({}, {}, "last")
        assert told["reason"]
        assert client.get("/health") == (200, {"status": "alive"})
        status, problem = client.post(PREDICT, BODIES[0])
        assert status == 503, problem
        assert problem["detail"]
        away.rename(fresh.store_root)
        database.how = "passes"
        if not LONG:  # else it looks by itself, a minute after five failures
            assert client.post(f"/api/v1/{NAME}/reload")[0] == 200
        assert until(client.ready, 90) is not None
        assert made.answers(client.ask("POST", PREDICT, BODIES[7]).data.decode(), 7)
    figure(
        f"cold start: without anything it is alive after {alive:.1f} s, says that it waits, and "
        "serves once the database is back"
    )
