"""MLflow's aliases follow the ledger through every move, and catch up after MLflow was away.

The registry is MLflow's own: its tables in PostgreSQL, and a server on such tables.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url

from cli.champion import promote, rollback
from cli.recovery import recover
from resources.instance import prepare
from resources.postgres import dsn, ensure_databases, transaction
from resources.registry import _registry, project_aliases, untold
from resources.releases import NoSuchVersion, Release, Releases
from resources.settings import PROJECT, Settings, get_settings
from resources.tracking import TRAINING_KEY, Tracking
from tests.contract.test_releases import release
from tests.faults.harness import finish, start, stopped, until, waiting

NAME = "penguins"  # `promote` asks the use cases whether there is one of this name
NOBODY = "http://127.0.0.1:9"  # the port of `discard`, where nothing answers


def planted(version: int) -> Release:
    facts = {"uri": f"file:///store/models/{NAME}/{version}.json"}
    return release(NAME, version, facts=facts)


def uri_of(made: Release) -> str:
    return str(made.facts["uri"])


def tags_of(made: Release) -> dict[str, str]:
    return {TRAINING_KEY: made.training_key}


def tracking(settings: Settings, version: int = 0) -> Tracking:
    return Tracking(settings, NAME, f"run {version}", logging.getLogger(__name__))


def aliases(settings: Settings) -> dict[str, str]:
    """Training key by alias."""
    client = tracking(settings).client
    versions = {
        str(version.version): version.tags[TRAINING_KEY]
        for version in client.search_model_versions(f"name = '{NAME}'")
    }
    found = client.get_registered_model(NAME).aliases
    return {alias: versions[str(version)] for alias, version in found.items()}


@pytest.fixture(scope="module")
def three(tracked: Settings) -> Settings:
    """Versions 1, 2 and 3 in the ledger and in MLflow; none is champion, and MLflow was told."""
    prepare(tracked)
    for version in (3, 1, 2):  # MLflow counts by itself, and in another order
        made = planted(version)
        tracking(tracked, version).log_release("planted", tags_of(made), {}, uri_of(made))
        with transaction(tracked) as cursor:
            Releases(tracked).record(cursor, made)
    return tracked


@pytest.fixture(autouse=True)
def _as_told(three: Settings) -> Iterator[None]:
    """Every test leaves MLflow told."""
    yield
    assert untold(three) == []


def without_mlflow(patch: pytest.MonkeyPatch) -> None:
    """From here on, this process looks for MLflow where nobody answers."""
    patch.setenv("LEEWAY_MLFLOW_TRACKING_URI", NOBODY)
    get_settings.cache_clear()


def test_the_aliases_follow_every_move(three: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    promote(NAME, 1, "the first", as_json=True)
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["from"], told["to"], told["why"]) == (None, 1, "the first")
    assert told["mlflow"] == "told"
    assert "champion is version 1" in printed.err
    assert aliases(three) == {"champion": "key 1", "challenger": "key 3"}
    promote(NAME, 3, "the newest", as_json=False)
    assert aliases(three) == {"champion": "key 3"}, "a champion challenges nobody"
    rollback(NAME, "a complaint", as_json=False)
    assert aliases(three) == {"champion": "key 1", "challenger": "key 3"}
    project_aliases(three, NAME)
    assert aliases(three) == {"champion": "key 1", "challenger": "key 3"}
    with pytest.raises(NoSuchVersion):
        rollback(NAME, "one too many", as_json=False)


def test_the_ledger_moves_without_mlflow_which_catches_up(
    three: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(NAME, 1, "before", as_json=False)
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        without_mlflow(patch)
        promote(NAME, 2, "MLflow is away", as_json=True)
        printed = capsys.readouterr()
        assert "MLflow could not be told" in json.loads(printed.out)["mlflow"]
        assert "warning: MLflow could not be told who is champion of penguins" in printed.err
        recover(get_settings())  # the next command, while MLflow is still away
        assert "warning: MLflow could not be told" in capsys.readouterr().err
    get_settings.cache_clear()
    champion = Releases(three).champion(NAME)
    assert champion is not None
    assert champion.version == 2, "what serves has moved"
    assert aliases(three)["champion"] == "key 1", "the control: MLflow does not know"
    assert untold(three) == [NAME]
    recover(three)
    assert aliases(three) == {"champion": "key 2", "challenger": "key 3"}
    assert capsys.readouterr().err == ""


def test_a_release_that_nobody_told_mlflow_of_becomes_the_challenger(three: Settings) -> None:
    """Guards: a run that was killed between the ledger and MLflow left the alias behind."""
    promote(NAME, 3, "before", as_json=False)
    made = planted(4)
    tracking(three, 4).log_release("planted", tags_of(made), {}, uri_of(made))
    with transaction(three) as cursor:
        Releases(three).record(cursor, made)
    assert untold(three) == [NAME]
    recover(three)
    assert aliases(three) == {"champion": "key 3", "challenger": "key 4"}


@pytest.mark.parametrize("tracked", ["tables"], indirect=True)
def test_a_move_needs_no_dagster_and_nothing_heavy_before_the_ledger_has_it(
    three: Settings,
) -> None:
    program = (
        "import sys\n"
        "from cli import champion\n"
        "def told(*_):\n"
        "    print(sorted({'mlflow', 'pandas', 'sklearn'} & set(sys.modules)))\n"
        "    return real(*_)\n"
        "real, champion.tell_registry = champion.tell_registry, told\n"
        "champion.promote('penguins', 2, 'a test', as_json=False)\n"
        "print('mlflow' in sys.modules, 'dagster' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True, text=True, check=True, cwd=PROJECT, env=os.environ,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[]", "True False"]


def projecting(point: str) -> subprocess.Popen[str]:
    """A process that tells MLflow, and stops at the point."""
    return start("project_aliases", NAME, LEEWAY_FAULTS=f"{point}:wait")


@pytest.mark.parametrize("tracked", ["server"], indirect=True)
def test_the_alias_is_the_champion_after_two_processes_told_mlflow_at_once(
    three: Settings,
) -> None:
    """Guards: the first told an older champion after the second, which wrote down its own."""
    promote(NAME, 1, "before", as_json=False)
    first = projecting("registry.before_alias")
    assert until(lambda: stopped(first.pid), 60) is not None
    Releases(three).move(NAME, "promote", "a test", "meanwhile", lambda current, line: 2)
    second = projecting("registry.after_alias")
    assert until(lambda: stopped(second.pid) or waiting(three) > 0, 60) is not None
    assert not stopped(second.pid), "the second told MLflow while the first was at it"
    first.send_signal(signal.SIGCONT)
    assert finish(first)[0] == 0
    assert until(lambda: stopped(second.pid), 60) is not None
    second.send_signal(signal.SIGCONT)
    assert finish(second)[0] == 0
    assert untold(three) == []
    assert aliases(three)["champion"] == "key 2"


def test_a_new_mlflow_is_told_everything_and_the_old_one_stays_told(three: Settings) -> None:
    """Guards: where a version was missing, no alias was set, and that was written down as told."""
    promote(NAME, 2, "before", as_json=False)
    url = make_url(dsn("leeway", three)).set(database=f"t{uuid.uuid4().hex[:12]}")
    other = Settings(environment="test", database_url=url.render_as_string(hide_password=False))
    ensure_databases(other)
    # Its tables are as good here as a server, which is all that settings take.
    new = three.model_copy(update={"mlflow_tracking_uri": dsn("mlflow", other)})
    assert untold(new) == [NAME]
    project_aliases(new, NAME)
    assert aliases(new) == aliases(three) == {"champion": "key 2", "challenger": "key 4"}
    assert untold(new) == []
    assert untold(three) == []


def test_what_mlflow_was_told_is_written_down_without_a_password(three: Settings) -> None:
    address = "https://someone:secret@mlflow.example:5000/base"
    assert _registry(three.model_copy(update={"mlflow_tracking_uri": address})) == (
        "https://mlflow.example:5000/base"
    )
