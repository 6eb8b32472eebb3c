"""What holds for every test."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL, make_url

from resources.ledger import Ledger
from resources.postgres import embedded_url
from resources.settings import Settings, get_settings
from tests.databases import copy_databases, drop_databases, trust_the_machine
from tests.embedded import remove, stop_embedded
from tests.faults import results
from tests.faults.harness import FIGURES, LONG
from tests.faults.results import FIGURE, figures_of
from tests.installed import Complete
from tests.scheduling import ByFile, longest_first

# Of one name, since dbt parses the project again for a database of another.
USED, TEMPLATE = "used", "template"


def pytest_configure() -> None:
    """A command in the background of a shell ignores SIGINT, and so does all that it starts.

    Dagster, which runs in this process, would then have SIGTERM ignored too, and the processes that
    tests start and ask to end would not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of `make test`."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In any order a process would at the end be alone with what takes longest."""
    longest_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a test that is skipped for want of a Debian package fails: CI installs them.

    The figures of a fault test go with its report: it may have run in another process.
    """
    report = yield
    report.user_properties += [(FIGURE, text) for text in FIGURES]
    FIGURES.clear()
    if report.skipped and item.get_closest_marker("debian") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", type=Path, help="file for what the fault tests found")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    reports = [each for found in terminalreporter.stats.values() for each in found]
    texts = [t for each in reports if isinstance(each, pytest.TestReport) for t in figures_of(each)]
    if texts:
        terminalreporter.section("what the fault tests found")
        for text in texts:
            terminalreporter.write_line(text)
    if file := config.getoption("--figures"):
        results.write(file, terminalreporter.stats, LONG)


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the embedded PostgreSQL that the tests share; stopped when they end."""
    # A socket's path may have 107 bytes at most, and pytest's own folders can be longer.
    home = Path(tempfile.mkdtemp(prefix="leeway-"))
    trust_the_machine(make_url(embedded_url(home)))
    yield home
    stop_embedded(home, "immediate")  # its folder is removed: nothing needs to be written
    remove(home)


@contextmanager
def installation(server_home: Path, home: Path) -> Iterator[Settings]:
    """An installation of its own: databases, objects, and the variables other processes read."""
    url = make_url(embedded_url(server_home)).set(database=f"t{uuid.uuid4().hex[:12]}")
    with _environment(home, url) as found:
        Ledger(found).prepare()
        yield found


@contextmanager
def used_installation(
    server_home: Path, home: Path, databases: str = TEMPLATE
) -> Iterator[Settings]:
    """An installation that begins as one that somebody works with. One at a time.

    The tables of Dagster and MLflow are there, and dbt has parsed the project, which together take
    a dozen seconds. `databases` are those that it begins with.
    """
    _prepare_template(server_home)
    server = make_url(embedded_url(server_home))
    if not (home / "dbt").exists():
        (home / "dbt").symlink_to(server_home / "dbt")
    copy_databases(server, databases, USED)
    try:
        with _environment(home, server.set(database=USED)) as found:
            yield found
    finally:
        drop_databases(server, USED)


def keep_databases(server_home: Path, name: str) -> None:
    """Keeps the databases of the used installation under a name, for those that begin so."""
    copy_databases(make_url(embedded_url(server_home)), USED, name)


@contextmanager
def _environment(home: Path, url: URL) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEEWAY_ENVIRONMENT", "test")
        patch.setenv("LEEWAY_HOME", str(home))
        patch.setenv("LEEWAY_DATABASE_URL", url.render_as_string(hide_password=False))
        patch.delenv("DAGSTER_HOME", raising=False)
        get_settings.cache_clear()
        yield get_settings()
    get_settings.cache_clear()


@cache
def _prepare_template(server_home: Path) -> None:
    """Makes databases with every table and no rows, as Leeway itself makes them."""
    from resources.instance import open_instance
    from resources.tracking import Tracking

    (server_home / "dbt").mkdir()
    url = make_url(embedded_url(server_home)).set(database=TEMPLATE)
    with _environment(server_home / "template", url) as found:
        Ledger(found).prepare()
        open_instance(found).dispose()
        Tracking(found, "none", "", logging.getLogger(__name__)).client.search_experiments()


@pytest.fixture
def settings(server_home: Path, tmp_path: Path) -> Iterator[Settings]:
    """An installation of its own for one test."""
    with installation(server_home, tmp_path / "home") as found:
        yield found


@pytest.fixture(scope="session")
def after_demo() -> Iterator[Complete]:
    """An installation on which the demo ran; for the fixture `installed` alone."""
    folder = Path(tempfile.mkdtemp(prefix="leeway-"))  # short, for the socket of PostgreSQL
    found = Complete.below(folder)
    yield found
    found.stop("immediate")
    remove(folder)


@pytest.fixture(scope="module")
def installed(after_demo: Complete) -> Complete:
    """An installation on which the demo ran, and nothing since, when a module begins."""
    after_demo.put_back()
    return after_demo
