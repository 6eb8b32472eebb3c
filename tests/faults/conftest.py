"""An installation for the fault tests that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.conftest import installation
from tests.faults.rows import USE_CASE


@pytest.fixture(scope="module")
def shared(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation for the tests of a module; to make one and to remove it takes a second."""
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def fresh(server_home: Path, tmp_path: Path) -> Iterator[Settings]:
    """An installation for one test alone."""
    with installation(server_home, tmp_path / "home") as found:
        yield found


@pytest.fixture
def settings(shared: Settings) -> Settings:
    """The installation of the module, without what a test before left in the ledger."""
    with transaction(shared) as cursor:
        cursor.execute(f"drop schema if exists {USE_CASE} cascade")
        cursor.execute("truncate leeway.attempts, leeway.commits, leeway.current cascade")
    return shared
