"""Prints the figures of the fault tests at the end; an installation for those in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from resources.postgres import transaction
from resources.settings import Settings
from tests.conftest import installation
from tests.faults.harness import FIGURES
from tests.faults.rows import USE_CASE

FIGURE = "figure of a fault test"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The figures of a test go with its report: the test may have run in another process."""
    report = yield
    report.user_properties += [(FIGURE, text) for text in FIGURES]
    FIGURES.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for found in terminalreporter.stats.values() for each in found]
    properties = [p for each in reports for p in getattr(each, "user_properties", ())]
    texts = [str(text) for name, text in properties if name == FIGURE]
    if texts:
        terminalreporter.section("what the fault tests found")
        for text in texts:
            terminalreporter.write_line(text)


@pytest.fixture(scope="module")
def shared(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation for the tests of a module; to make one and to remove it takes a second."""
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def settings(shared: Settings) -> Settings:
    """The installation of the module, without what a test before left in the ledger."""
    with transaction(shared) as cursor:
        cursor.execute(f"drop schema if exists {USE_CASE} cascade")
        cursor.execute("truncate leeway.attempts, leeway.commits, leeway.current cascade")
    return shared
