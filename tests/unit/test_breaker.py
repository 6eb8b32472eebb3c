"""Who failed five times in a row is left alone for a minute, and then tried once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from resources.store import LocalStore
from serving.breaker import FAILURES, OPEN_SECONDS, Breaker
from serving.champions import Copies
from serving.keeper import Keeper
from serving.loading import Pointer


def test_it_opens_after_five_failures_in_a_row_and_lets_one_try_through_after_a_minute() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed(10.0)
    assert breaker.allows(10.0)
    breaker.failed(10.0)
    assert not breaker.allows(10.0 + OPEN_SECONDS - 0.1)
    assert breaker.allows(10.0 + OPEN_SECONDS)
    breaker.failed(80.0)
    assert not breaker.allows(80.0 + OPEN_SECONDS - 0.1)
    breaker.succeeded()
    assert breaker.allows(80.0)


def test_a_ledger_that_goes_on_failing_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = "away"

    def champions() -> dict[str, Pointer]:
        raise ConnectionError(said)

    keeper = Keeper(Copies(tmp_path, LocalStore(tmp_path / "store")), champions)
    with caplog.at_level(logging.WARNING, "leeway.serving"):
        keeper.refresh()
        keeper.refresh()
        assert [each.getMessage().rpartition(" ")[2] for each in caplog.records] == ["away"]
        said = "elsewhere"
        keeper.refresh()
    assert [each.getMessage().rpartition(" ")[2] for each in caplog.records] == ["away", said]
