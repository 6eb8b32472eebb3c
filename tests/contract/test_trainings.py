"""One run trains for an attempt, and what it came to is kept, once."""

from __future__ import annotations

from typing import Any

import pytest

from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.recorded import Recorded
from resources.releases import Releases, insert_incident
from resources.settings import Settings
from resources.trainings import Asked, Trainings, end_in
from tests.contract.test_releases import Together, record, release

ASKED = Asked("sha256:i", 1)


@pytest.fixture
def trainings(shared: Settings) -> Trainings:
    return Trainings(shared)


def came_to(settings: Settings, use_case: str) -> list[tuple[Any, ...]]:
    found = Recorded(settings).results(use_case, 0, [])
    return [(each.incident, each.attempt, each.run_id, each.outcome) for each in found]


def end(trainings: Trainings, use_case: str, asked: Asked, version: int) -> None:
    with transaction(trainings.settings) as cursor:
        end_in(cursor, use_case, asked, version)


def claim_often(url: str, use_case: str, run_id: str) -> list[str]:
    trainings = Trainings(Settings(environment="test", database_url=url))
    return [trainings.claim(use_case, Asked("sha256:i", n), run_id) for n in range(30)]


def test_of_processes_that_claim_the_same_attempts_at_once_one_gets_each(
    trainings: Trainings, use_case: str, together: Together
) -> None:
    url = dsn("leeway", trainings.settings)
    found = together(claim_often, [(url, use_case, f"run {n}") for n in range(4)])
    assert all(owners == found[0] for owners in found)


def test_what_a_training_came_to_is_recorded_once(trainings: Trainings, use_case: str) -> None:
    releases = Releases(trainings.settings)
    trainings.claim(use_case, ASKED, "run 1")
    assert came_to(trainings.settings, use_case) == [], "it runs, or it failed: Dagster knows"
    with transaction(trainings.settings) as cursor:
        insert_incident(cursor, use_case, "sha256:i", "2009", ["x"], "sha256:1", "")
        insert_incident(cursor, use_case, "sha256:j", "2010", ["x"], "sha256:2", "")
    record(releases, release(use_case, 1, incident="sha256:0", verdict="hold"))
    end(trainings, use_case, ASKED, 2)
    record(releases, release(use_case, 2, incident="sha256:i", verdict="hold"))
    held = ("sha256:i", 1, "run 1", "held")
    assert came_to(trainings.settings, use_case) == [held]
    end(trainings, use_case, ASKED, 1)  # made again after a crash
    trainings.refuse(use_case, ASKED, "off")
    assert came_to(trainings.settings, use_case) == [held]
    later = Asked("sha256:j", 2)
    trainings.claim(use_case, later, "run 2")
    trainings.refuse(use_case, later, "off")
    assert came_to(trainings.settings, use_case) == [held, ("sha256:j", 2, "run 2", "refused")]
    end(trainings, use_case, later, 2)  # switched on again, it came to what the incident is about
    record(releases, release(use_case, 2, incident="sha256:j", verdict="hold"))
    assert came_to(trainings.settings, use_case) == [held, ("sha256:j", 2, "run 2", "unchanged")]
    assert releases.every(use_case)[1].incident == "sha256:i", "what it was made for at first"


def test_an_installation_from_before_them_knows_its_trainings_by_their_releases(
    settings: Settings,
) -> None:
    ledger, releases = Ledger(settings), Releases(settings)
    with transaction(settings) as cursor:
        insert_incident(cursor, "old", "sha256:i", "2009", ["x"], "sha256:1", "")
        insert_incident(cursor, "old", "sha256:j", "2010", ["x"], "sha256:2", "")
    record(
        releases,
        release("old", 1, verdict="hold"),
        release("old", 2, verdict="hold", incident="sha256:j"),
        release("old", 3, verdict="reject", incident="sha256:i"),
    )
    with transaction(settings) as cursor:
        cursor.execute("drop table leeway.trainings")
        cursor.execute(
            "insert into leeway.decisions (use_case, after, at, state, action, incident, attempt, "
            "reason, diagnosis, policy) values ('old', 0, now(), 's', 'retrain', 'sha256:i', 2, "
            "'r', 'd', 'p')"
        )
    for _ in range(2):
        ledger.prepare()
    assert came_to(settings, "old") == [
        (None, 0, "run 1", "held"),
        ("sha256:j", 1, "run 2", "unchanged"),
        ("sha256:i", 2, "run 3", "rejected"),
    ]
    assert Trainings(settings).claim("old", Asked("sha256:i", 2), "another") == "run 3"
