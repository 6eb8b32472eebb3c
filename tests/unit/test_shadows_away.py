"""A challenger whose files are not there now has not failed.

Belongs here: the shadow and its process. Does not belong here: canaries
(tests/unit/test_challengers.py), or HTTP (tests/service/test_trial.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leeway.digests import canonical_json
from leeway.spec import Trial
from resources.settings import get_settings
from resources.trials import Tried
from serving.challengers import Challenger, Challengers
from serving.champions import copies_of
from serving.inference_log import TrialLog
from serving.loading import Pointer
from serving.shadows import Asked, Shadows
from serving.spool import Spool
from tests.unit.test_loading import INPUTS, NAME, Released

BODY = canonical_json({"instances": [dict.fromkeys(each.name for each in INPUTS)]})


class Kept(TrialLog):
    """The log of trials, and what it was to write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(lambda rows: None, Spool(folder))
        self.errors: list[str | None] = []

    def offer(self, found: object) -> None:
        self.errors.append(found.error)  # type: ignore[attr-defined]


async def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return condition()


def test_requests_are_dropped_while_the_store_is_away_and_answered_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LEEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("LEEWAY_ENVIRONMENT", "test")
    get_settings.cache_clear()
    settings = get_settings()
    released = Released(settings.store_root)
    manifest = released.store.put("models", NAME, "json", canonical_json(released.manifest))
    pointer = Pointer(NAME, 2, manifest.digest, manifest.uri)
    trial = Tried(
        7, NAME, 2, pointer.digest, pointer.uri, 1, Trial(), datetime.now(UTC),
        None, None, None, None, None,
    )  # fmt: skip
    away = settings.store_root.rename(tmp_path / "away")
    ended: list[str] = []

    async def does() -> None:
        log = Kept(tmp_path / "spool")
        fail = lambda name, number, why: ended.append(why)  # noqa: E731
        shadows = Shadows(Challengers(copies_of(settings), dict, fail), log)
        asked = Asked(Challenger(trial, pointer), time.time(), BODY, ["0" * 32], None)
        async with shadows.pool.alive(None):
            keeping = asyncio.create_task(shadows.keep())
            shadows.offer(asked)
            assert await until(lambda: any("waits" in each for each in caplog.messages))
            assert log.errors == []
            away.rename(settings.store_root)
            shadows.offer(asked)
            assert await until(lambda: log.errors == [None])
            keeping.cancel()

    try:
        asyncio.run(does())
    finally:
        get_settings.cache_clear()
    assert ended == []
