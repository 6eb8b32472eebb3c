"""What the keeper of champions says in the log.

Belongs here: rounds without a release. Does not belong here: the copies that it keeps
(tests/unit/test_copies_races.py).
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from resources.store import LocalStore
from serving.champions import Copies
from serving.keeper import Keeper
from serving.loading import Pointer


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
