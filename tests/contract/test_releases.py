"""The champion moves by recorded moves alone, and none is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from assets.released import Champion
from leeway.controller.facts import Cause
from resources.platform import Platform
from resources.postgres import dsn, transaction
from resources.releases import (
    ChampionMoved,
    NoSuchVersion,
    Release,
    Releases,
    VersionTaken,
    insert_incident,
    promote_in,
)
from resources.settings import Settings
from resources.store import CorruptObject

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)

Together = Callable[..., list[Any]]


@pytest.fixture
def releases(shared: Settings) -> Releases:
    return Releases(shared)


def release(use_case: str, version: int, **changes: Any) -> Release:
    fields: dict[str, Any] = {
        "use_case": use_case,
        "version": version,
        "digest": f"sha256:{version}",
        "training_key": f"key {version}",
        "algorithm": "ridge",
        "verdict": "promote",
        "reason": "better",
        "facts": {"metrics": {"mae": 1.5}},
        "incident": None,
        "run_id": f"run {version}",
        "released_at": AT,
    }
    return Release(**fields | changes)


def record(releases: Releases, *recorded: Release) -> None:
    with transaction(releases.settings) as cursor:
        for each in recorded:
            releases.record(cursor, each)


@pytest.fixture
def three(releases: Releases, use_case: str) -> Releases:
    """Versions 1, 2 and 3, none of which is champion."""
    record(releases, *(release(use_case, version) for version in (1, 2, 3)))
    return releases


def test_the_newest_release_waits_for_a_person_until_it_was_champion(
    releases: Releases, use_case: str
) -> None:
    held = {"verdict": "hold", "facts": {"awaits_person": True}}
    record(releases, release(use_case, 1), release(use_case, 2, **held))
    waiting = releases.waiting(use_case)
    assert waiting is not None
    assert waiting.version == 2
    promote(releases, use_case, 1)
    assert releases.waiting(use_case) == waiting
    promote(releases, use_case, 2)
    assert releases.waiting(use_case) is None
    rollback(releases, use_case)
    assert releases.waiting(use_case) is None, "a person took it back"
    record(releases, release(use_case, 3, **held), release(use_case, 4, verdict="hold"))
    assert releases.waiting(use_case) is None, "a newer one was judged since"


def promote(releases: Releases, use_case: str, version: int) -> tuple[int | None, int]:
    return releases.move(use_case, "promote", "ana", "asked", lambda current, line: version)


def rollback(releases: Releases, use_case: str) -> tuple[int | None, int]:
    def before(current: int | None, line: Sequence[int]) -> int:
        if not line:
            raise NoSuchVersion("nothing before")
        return line[0]

    return releases.move(use_case, "rollback", "ben", "worse", before)


def champion(releases: Releases, use_case: str) -> int | None:
    found = releases.champion(use_case)
    return None if found is None else found.version


def test_a_release_is_not_champion_until_it_is_promoted(three: Releases, use_case: str) -> None:
    assert three.champion(use_case) is None
    assert promote(three, use_case, 2) == (None, 2)
    assert three.champion(use_case) == release(use_case, 2)
    assert three.every(use_case) == [release(use_case, version) for version in (1, 2, 3)]


def test_use_cases_have_champions_of_their_own(three: Releases, use_case: str) -> None:
    other = f"{use_case}_2"
    record(three, release(other, 1))
    promote(three, other, 1)
    assert three.champion(use_case) is None
    assert champion(three, other) == 1


# Each letter is a promotion of that version, "-" a rollback.
@pytest.mark.parametrize(
    ("history", "champions"),
    [
        ("1", [1]),
        ("12-", [1, 2, 1]),
        ("123--", [1, 2, 3, 2, 1]),
        ("12-3-", [1, 2, 1, 3, 1]),
        ("12-2-", [1, 2, 1, 2, 1]),
        ("123-1-", [1, 2, 3, 2, 1, 2]),
        ("1213--", [1, 2, 1, 3, 1, 2]),
        ("122-", [1, 2, 2, 1]),
        ("1223--", [1, 2, 2, 3, 2, 1]),
    ],
)
def test_a_rollback_returns_to_the_champion_before(
    three: Releases, use_case: str, history: str, champions: list[int]
) -> None:
    found = []
    for step in history:
        if step == "-":
            rollback(three, use_case)
        else:
            promote(three, use_case, int(step))
        found.append(champion(three, use_case))
    assert found == champions


@pytest.mark.parametrize("history", ["", "1", "11", "12-", "123--"])
def test_a_rollback_without_a_champion_before_is_refused_and_moves_nothing(
    three: Releases, use_case: str, history: str
) -> None:
    for step in history:
        _ = rollback(three, use_case) if step == "-" else promote(three, use_case, int(step))
    before = three.moves(use_case)
    with pytest.raises(NoSuchVersion):
        rollback(three, use_case)
    assert three.moves(use_case) == before


def test_each_move_says_who_what_and_why(three: Releases, use_case: str) -> None:
    promote(three, use_case, 1)
    promote(three, use_case, 3)
    rollback(three, use_case)
    told = [
        (move["action"], move["previous_version"], move["version"], move["who"], move["why"])
        for move in three.moves(use_case)
    ]
    assert told == [
        ("rollback", 3, 1, "ben", "worse"),
        ("promote", 1, 3, "ana", "asked"),
        ("promote", None, 1, "ana", "asked"),
    ]
    assert all(move["moved_at"].tzinfo is not None for move in three.moves(use_case))


def test_a_promotion_of_the_champion_moves_nothing(three: Releases, use_case: str) -> None:
    """Guards: a move from a version to itself was written down."""
    promote(three, use_case, 1)
    before = three.moves(use_case)
    assert promote(three, use_case, 1) == (1, 1)
    assert three.moves(use_case) == before


def test_a_version_that_was_never_released_cannot_become_champion(
    three: Releases, use_case: str
) -> None:
    promote(three, use_case, 1)
    with pytest.raises(NoSuchVersion, match="has no version 9"):
        promote(three, use_case, 9)
    assert champion(three, use_case) == 1


def automatic(releases: Releases, use_case: str, version: int, judged: int | None) -> None:
    """Records and promotes as a run does: in one transaction."""
    with transaction(releases.settings) as cursor:
        releases.record(cursor, release(use_case, version))
        promote_in(cursor, use_case, version, judged, "better")


def test_a_challenger_is_promoted_over_the_champion_that_it_was_compared_with(
    releases: Releases, use_case: str
) -> None:
    automatic(releases, use_case, 1, None)
    automatic(releases, use_case, 2, 1)
    assert champion(releases, use_case) == 2
    assert releases.moves(use_case)[0]["who"] == "leeway"


@pytest.mark.parametrize("judged", [None, 2])
def test_a_challenger_of_another_champion_is_refused_and_not_recorded(
    releases: Releases, use_case: str, judged: int | None
) -> None:
    automatic(releases, use_case, 1, None)
    with pytest.raises(ChampionMoved, match=f"compared with champion {judged}, but .* is 1 now"):
        automatic(releases, use_case, 3, judged)
    assert champion(releases, use_case) == 1
    assert [each.version for each in releases.every(use_case)] == [1]


def test_promoting_the_champion_again_changes_nothing(releases: Releases, use_case: str) -> None:
    automatic(releases, use_case, 1, None)
    automatic(releases, use_case, 1, None)
    assert len(releases.moves(use_case)) == 1


def test_one_training_key_is_one_version_with_its_newest_verdict(
    releases: Releases, use_case: str
) -> None:
    first = release(use_case, 1, training_key="a", verdict="hold")
    assert releases.next_version(use_case, "a") == 1
    record(releases, first)
    assert releases.next_version(use_case, "a") == 1
    assert releases.next_version(use_case, "b") == 2
    changes: dict[str, Any] = {"digest": "sha256:x", "reason": "again", "facts": {}, "run_id": "r"}
    record(releases, release(use_case, 1, training_key="a", **changes))
    assert releases.every(use_case) == [release(use_case, 1, training_key="a", **changes)]
    assert releases.next_version(f"{use_case}_2", "a") == 1


def test_two_trainings_never_share_a_version(releases: Releases, use_case: str) -> None:
    record(releases, release(use_case, 1, training_key="a"))
    with pytest.raises(VersionTaken, match="version 1 was taken by another training"):
        record(releases, release(use_case, 1, training_key="b"))
    assert [each.training_key for each in releases.every(use_case)] == ["a"]


def test_an_incident_is_recorded_once(releases: Releases, use_case: str) -> None:
    for run in ("run-1", "run-2"):
        with transaction(releases.settings) as cursor:
            insert_incident(cursor, use_case, "sha256:i", "2009", ["x", "y"], "sha256:r", run)
            insert_incident(cursor, use_case, "sha256:j", "2010", [], "sha256:r", run)
    first, second = releases.incidents(use_case, "sha256:r", 9)
    assert (first.digest, first.batch, first.columns) == ("sha256:i", "2009", ("x", "y"))
    assert (first.cause, first.origin) == ("drift", "unknown")
    assert second.digest == "sha256:j"
    assert releases.incidents(f"{use_case}_2", "sha256:r", 9) == []


def test_incidents_come_in_the_order_of_their_record_and_not_of_a_clock(
    releases: Releases, use_case: str
) -> None:
    for number, cause in enumerate(get_args(Cause)):
        with transaction(releases.settings) as cursor:
            insert_incident(cursor, use_case, f"sha256:{number}", "1", [], "sha256:r", "", cause,
                            "pipeline")  # fmt: skip
            insert_incident(cursor, use_case, f"sha256:o{number}", "1", [], "sha256:other", "")
            cursor.execute(
                "update leeway.incidents set found_at = now() - interval '1 day' * %s "
                "where use_case = %s and digest = %s",
                (number, use_case, f"sha256:{number}"),
            )
    found = releases.incidents(use_case, "sha256:r", 3)
    assert [each.digest for each in found] == ["sha256:1", "sha256:2", "sha256:3"]
    assert [each.cause for each in found] == list(get_args(Cause))[1:]
    assert {each.origin for each in found} == {"pipeline"}


def move_often(url: str, use_case: str, worker: int) -> list[tuple[int | None, int]]:
    releases = Releases(Settings(environment="test", database_url=url))
    action: Literal["promote"] = "promote"
    return [
        releases.move(
            use_case,
            action,
            f"worker {worker}",
            str(n),
            lambda current, line: (current or 0) % 3 + 1,
        )
        for n in range(15)
    ]


def test_moves_of_several_processes_follow_one_another_and_none_is_lost(
    three: Releases, use_case: str, together: Together
) -> None:
    url = dsn("leeway", three.settings)
    told = together(move_often, [(url, use_case, worker) for worker in range(4)])
    moves = three.moves(use_case)[::-1]
    assert len(moves) == 60
    assert [move["version"] for move in moves] == [i % 3 + 1 for i in range(60)]
    assert [move["previous_version"] for move in moves] == [None] + [
        move["version"] for move in moves[:-1]
    ]
    for worker, returned in enumerate(told):
        own = [
            (move["previous_version"], move["version"])
            for move in moves
            if move["who"] == f"worker {worker}"
        ]
        assert own == returned


def challenge(url: str, use_case: str, version: int) -> str:
    releases = Releases(Settings(environment="test", database_url=url))
    try:
        automatic(releases, use_case, version, 1)
    except ChampionMoved:
        return "moved"
    return "promoted"


def promote_once(url: str, use_case: str) -> tuple[int | None, int]:
    return promote(Releases(Settings(environment="test", database_url=url)), use_case, 2)


def test_of_promotions_of_one_version_at_once_a_single_one_moves(
    three: Releases, use_case: str, together: Together
) -> None:
    promote(three, use_case, 1)
    url = dsn("leeway", three.settings)
    told = together(promote_once, [(url, use_case)] * 4)
    assert sorted(told) == [(1, 2), (2, 2), (2, 2), (2, 2)]
    assert len(three.moves(use_case)) == 2


def test_of_challengers_that_were_compared_at_once_only_one_is_promoted(
    releases: Releases, use_case: str, together: Together
) -> None:
    automatic(releases, use_case, 1, None)
    url = dsn("leeway", releases.settings)
    told = together(challenge, [(url, use_case, version) for version in (2, 3, 4, 5)])
    assert sorted(told) == ["moved", "moved", "moved", "promoted"]
    assert champion(releases, use_case) == 2 + told.index("promoted")
    assert len(releases.every(use_case)) == 2


def test_a_champion_whose_model_is_gone_or_changed_predicts_nothing(shared: Settings) -> None:
    """Trap 201: a service without its model said that it was well, and failed when asked."""
    platform = Platform()
    stored = platform.store.put("models", "penguins", "skops", b"a model")
    manifest = {"files": {"model": {"uri": stored.uri, "digest": stored.digest}}}
    champion = Champion(release("penguins", 1), manifest, platform)
    path = Path(stored.uri.removeprefix("file://"))
    assert path.is_relative_to(shared.store_root)
    path.write_bytes(b"another")
    with pytest.raises(CorruptObject, match="the file was changed or damaged"):
        _ = champion.pipeline
    path.unlink()
    with pytest.raises(FileNotFoundError):
        _ = champion.pipeline
