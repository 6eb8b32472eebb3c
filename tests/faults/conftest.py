"""Prints the figures of the fault tests at the end; one installation for whole runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import stop_embedded
from tests.faults.harness import FIGURES
from tests.faults.runs import Installed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("what the fault tests found")
        for text in FIGURES:
            terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def installed() -> Iterator[Installed]:
    """An installation that is complete before each test, and after it."""
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    found = Installed.below(folder)
    yield found
    stop_embedded(found.home, "immediate")
    shutil.rmtree(folder, ignore_errors=True)
