"""The champion moves again and again under load: no failed request, and no answer of two releases.

Belongs here: promotions and rollbacks while a second process asks at a constant rate, and what the
ledger says of each answer. Does not belong here: which moves are allowed
(tests/contract/test_releases.py).

Reliability matrix, S4. There are more releases than a service keeps loaded, so that some moves are
a swap and others load a release first.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from resources.moves import rollback
from resources.releases import Releases
from resources.settings import Settings
from serving.keeper import KEPT
from tests.faults.harness import LONG, figure, seeded, times, until, zero
from tests.faults.load import Asked, load, quantile
from tests.faults.released import BODIES, Made, make, make_champion, served
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
PER_SECOND = 100
VERSIONS = range(1, KEPT + 3)


class Moved(NamedTuple):
    """A move of the champion, and the seconds from its command until it was served."""

    action: str
    version: int
    seconds: float


@pytest.fixture(scope="module")
def made(shared: Settings) -> dict[int, Made]:
    found = {version: make(shared, version) for version in VERSIONS}
    make_champion(shared, 1)
    return found


@pytest.fixture(scope="module")
def client(shared: Settings, made: dict[int, Made]) -> Iterator[Client]:
    with served(shared) as found:
        yield found


def moves(settings: Settings, client: Client, count: int) -> Iterator[Moved]:
    """Promotes another version, or rolls back, as often; each is served before the next."""
    draw, releases = seeded("promotions"), Releases(settings)
    for _ in range(count):
        current = releases.champion(NAME)
        assert current is not None
        began = time.monotonic()
        if draw.random() < 0.5 and _can_go_back(releases):
            action, version = "rollback", rollback(releases, NAME, "tests", "for a test").version
        else:
            version = draw.choice([each for each in VERSIONS if each != current.version])
            action = "promote"
            make_champion(settings, version)
        assert until(partial(is_served, client, version), 20) is not None
        yield Moved(action, version, time.monotonic() - began)
        time.sleep(draw.uniform(0, 0.2))


def is_served(client: Client, version: int) -> bool:
    return bool(client.get("/ready")[1]["served"] == {NAME: version})


def _can_go_back(releases: Releases) -> bool:
    actions = [each["action"] for each in releases.moves(NAME)]
    return actions.count("promote") > actions.count("rollback") + 1


class Ledger:
    """Who was champion when, as the moves say."""

    def __init__(self, settings: Settings) -> None:
        found = Releases(settings).moves(NAME)[::-1]
        self.starts = [each["moved_at"].timestamp() for each in found]
        self.versions = [each["version"] for each in found]

    def lag(self, asked: Asked, version: int) -> float:
        """Seconds for which the version had not been champion any more when it answered.

        It counts from when the request was sent: infinite where it never was until the answer.
        """
        newest = bisect_right(self.starts, asked.answered) - 1
        ends: list[float] = [*self.starts[1:], float("inf")]
        for position in range(newest, -1, -1):
            if self.versions[position] == version:
                return max(0.0, asked.due + asked.sent - ends[position])
        return float("inf")


def test_each_answer_is_of_the_champion_of_its_moment_and_none_fails(
    shared: Settings, client: Client, made: dict[int, Made], tmp_path: Path
) -> None:
    with load(client.port, BODIES, PER_SECOND, tmp_path) as found:
        first = list(moves(shared, client, 10))
        before = client.memory()
        moved = [*first, *moves(shared, client, times(20) - 10)]
        grown = client.memory() - before
    assert [(each.due, each.status) for each in found.failed()] == []
    said = [
        [version for version, each in made.items() if each.answers(asked.text, asked.row)]
        for asked in found.asked
    ]
    assert [each for each in said if len(each) != 1] == [], "an answer of no release, or of two"
    assert {version for (version,) in said} == set(VERSIONS)
    ledger = Ledger(shared)
    lags = [ledger.lag(asked, v) for asked, (v,) in zip(found.asked, said, strict=True)]
    back = sorted(each.seconds for each in moved if each.action == "rollback")
    figure(
        f"promotions: {len(moved)} moves of the champion, {len(back)} of them rollbacks, "
        f"{zero(len(found.asked), 'answers failed or were of two releases')}; p99 "
        f"{quantile(found.asked, 0.99) * 1e3:.1f} ms; each release was champion in the ledger "
        f"{max(lags):.2f} s before its answer at the latest; a rollback was served after "
        f"{back[len(back) // 2]:.2f} s, {back[-1]:.2f} s at most, a move of any kind within "
        f"{max(each.seconds for each in moved):.2f} s; memory {grown / 1e6:+.1f} MB"
    )
    most = 1 if LONG else 5  # beside other work
    assert back[-1] < most
    assert max(lags) < most
    assert grown < 20_000_000


def test_the_checker_finds_an_answer_that_is_mixed_and_one_that_is_late(
    shared: Settings, client: Client, made: dict[int, Made]
) -> None:
    if not is_served(client, 1):
        make_champion(shared, 1)
    assert until(partial(is_served, client, 1), 20) is not None
    text = client.ask("POST", PREDICT, BODIES[0]).data.decode()
    assert made[1].answers(text, 0)
    assert not made[1].answers(text, 1), "of another row"
    assert not made[2].answers(text.replace(made[1].digest, made[2].digest), 0)
    mixed = text.replace('"model_version":1', '"model_version":2').replace(
        made[1].digest, made[2].digest
    )
    assert not any(each.answers(mixed, 0) for each in made.values())
    time.sleep(0.5)  # version 1 is champion for longer than the answer below takes
    make_champion(shared, 2)
    ledger = Ledger(shared)
    start, end = ledger.starts[-2:]
    assert ledger.lag(Asked(start, 0.1, 0.2, 200, 0, ""), 1) == 0
    assert ledger.lag(Asked(end + 3, 0.1, 0.2, 200, 0, ""), 1) == pytest.approx(3.1)
    assert ledger.lag(Asked(end + 3, 0.1, 0.2, 200, 0, ""), VERSIONS[-1] + 1) == float("inf")
