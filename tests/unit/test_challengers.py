"""A challenger is tried once it is proven, waits for what is away, and never comes unproven."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leeway.digests import canonical_json
from leeway.spec import Trial
from resources.trials import Tried
from serving.challengers import Challengers
from serving.champions import Copies
from serving.loading import Loaded, Pointer
from tests.unit.test_loading import NAME, Released


class Ledger:
    """What a ledger would say of trials, and what it was told."""

    def __init__(self) -> None:
        self.trials: dict[str, Tried] = {}
        self.away = False
        self.failed: list[str] = []

    def running(self) -> dict[str, Tried]:
        if self.away:
            raise OSError("the database is away")
        return dict(self.trials)

    def fail(self, use_case: str, trial: int, reason: str) -> None:
        del self.trials[use_case]
        self.failed.append(reason)


class Served:
    """A champion, and the release that challenges it, of which the trial runs."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.released = Released(folder)
        self.champion, _ = self.released.load()
        self.ledger = Ledger()
        self.copies = Copies(folder / "copies", self.released.store)
        self.challengers = Challengers(self.copies, self.ledger.running, self.ledger.fail)
        self.mode = mode

    def begin(self) -> None:
        manifest = canonical_json(self.released.manifest)
        stored = self.released.store.put("models", NAME, "json", manifest)
        policy = Trial.model_validate({"mode": self.mode})
        self.ledger.trials[NAME] = Tried(
            7, NAME, 2, stored.digest, stored.uri, 1, policy, datetime.now(UTC),
            None, None, None, None, None,
        )  # fmt: skip

    def seen(self, champion: Loaded | None = None) -> int | None:
        """The version that challenges, after a round."""
        asyncio.run(self.challengers.refresh())
        found = self.challengers.of(champion or self.champion)
        return None if found is None else found.pointer.version


@pytest.fixture
def canary(tmp_path: Path) -> Served:
    return Served(tmp_path, "canary")


def test_a_trial_is_seen_while_it_runs_beside_the_champion_that_is_served(canary: Served) -> None:
    assert canary.seen() is None
    canary.begin()
    assert canary.seen() == 2
    pointer: Pointer = replace(canary.champion.pointer, version=3)
    assert canary.seen(replace(canary.champion, pointer=pointer)) is None
    canary.ledger.trials.clear()
    assert canary.seen() is None


def test_without_the_ledger_a_trial_goes_on(canary: Served) -> None:
    canary.begin()
    assert canary.seen() == 2
    canary.ledger.away = True
    with pytest.raises(OSError, match="away"):
        canary.seen()
    assert canary.challengers.of(canary.champion) is not None


def test_what_cannot_be_proven_ends_the_trial_and_what_is_not_there_is_waited_for(
    canary: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.challengers.AGAIN_SECONDS", 0.0)
    canary.begin()
    store = canary.released.store.root
    store.rename(store.with_name("away"))
    assert canary.seen() is None
    assert canary.ledger.failed == []
    store.with_name("away").rename(store)
    assert canary.seen() == 2
    canary.ledger.trials.clear()
    assert canary.seen() is None

    canary.released.put("golden", b"no golden rows")
    canary.begin()
    assert canary.seen() is None
    assert len(canary.ledger.failed) == 1
    assert canary.seen() is None


def test_a_shadow_is_not_loaded_here(tmp_path: Path) -> None:
    shadow = Served(tmp_path, "shadow")
    shadow.begin()
    assert shadow.seen() == 2
    found = shadow.challengers.of(shadow.champion)
    assert found is not None
    assert found.loaded is None
