"""What a verb says when it cannot do its work: one message, JSON for a script, and no traceback."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psycopg2.errors
import pytest
import sqlalchemy.exc
from click.testing import CliRunner, Result
from dagster import DagsterEvent, DagsterExecutionInterruptedError
from dagster._core.events import RunFailureReason  # noqa: TID251  # of an event that Dagster makes
from dagster_postgres.utils import DagsterPostgresException
from dagster_shared.error import SerializableErrorInfo

from cli.output import Verbs, emit
from orchestration.use_cases import InvalidUseCase
from resources.dbt import InvalidDbtProject
from resources.files import SourceError
from resources.settings import get_settings


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A home that exists, and settings that are read anew."""
    monkeypatch.setenv("LEEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("LEEWAY_ENVIRONMENT", "test")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def raises(error: BaseException, *arguments: str) -> Result:
    """What a verb prints that ends with this error."""

    @click.group(cls=Verbs)
    def verbs() -> None:
        pass

    @verbs.command()
    @click.option("--json", "as_json", is_flag=True)
    def verb(as_json: bool) -> None:
        raise error

    return CliRunner().invoke(verbs, ["verb", *arguments])


def caused_by(cause: Exception, error: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("error", [SourceError("no file x"), InvalidUseCase("no use case x")])
def test_a_refusal_is_one_line_for_a_person_and_one_object_for_a_script(error: Exception) -> None:
    for_people = raises(error)
    assert (for_people.exit_code, for_people.stdout) == (1, "")
    assert for_people.stderr == f"error: {error}\n"
    for_scripts = raises(error, "--json")
    assert (for_scripts.exit_code, for_scripts.stderr) == (1, f"error: {error}\n")
    assert json.loads(for_scripts.stdout) == {"error": str(error)}


def test_a_refusal_is_known_also_when_dagster_wrapped_it() -> None:
    wrapped = caused_by(InvalidDbtProject("dbt cannot read x"), RuntimeError("while building"))
    assert raises(wrapped).stderr == "error: dbt cannot read x\n"


def test_a_server_that_goes_away_under_dagster_is_one_line_that_says_what_comes_next() -> None:
    """Regression: a traceback of 130 lines, when it was restarted between two nodes of a run."""
    said = "connection to server failed: Connection refused\n\tIs the server running there?\n"
    gone = psycopg2.OperationalError(said)
    wrapped = caused_by(gone, sqlalchemy.exc.OperationalError("select 1", {}, gone))
    done = raises(caused_by(wrapped, DagsterPostgresException("too many retries")), "--json")
    assert done.stderr.count("\n") == 1
    for words in ("was lost: connection to server failed", "there? Run the command again"):
        assert words in json.loads(done.stdout)["error"]


def test_what_postgresql_itself_refuses_is_a_fault_of_ours() -> None:
    """Twin: it has a code of PostgreSQL, and nothing was lost."""
    refused = psycopg2.errors.lookup("53100")("no space left")
    assert raises(refused).exception is refused


@pytest.mark.parametrize("error", [KeyboardInterrupt, DagsterExecutionInterruptedError])
def test_ctrl_c_is_one_line_that_says_what_comes_next(error: type[BaseException]) -> None:
    """Dagster turns it into an error of its own, which is no `Exception`."""
    done = raises(error(), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"error": done.stderr.removeprefix("error: ").strip()}
    assert "the same command continues" in done.stderr


def test_a_run_that_is_ended_after_its_last_step_is_called_interrupted() -> None:
    """Regression: it was said to have failed before its first step."""
    from cli.execution import failure_of

    error = SerializableErrorInfo("ended", [], DagsterExecutionInterruptedError.__name__)
    ended = DagsterEvent.job_failure("penguins", "ended", RunFailureReason.UNKNOWN, error)
    assert "the same command continues" in failure_of([ended])


def test_a_fault_of_ours_keeps_its_traceback_and_is_one_object_for_a_script() -> None:
    done = raises(ZeroDivisionError("oh"), "--json")
    assert isinstance(done.exception, ZeroDivisionError)
    assert json.loads(done.stdout) == {"error": "ZeroDivisionError: oh"}


def test_a_home_that_cannot_be_made_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    monkeypatch.setenv("LEEWAY_HOME", str(home))
    get_settings.cache_clear()
    done = raises(NotADirectoryError(20, "Not a directory", str(home)))
    assert done.exit_code == 1
    assert "LEEWAY_HOME" in done.stderr
    assert str(home) in done.stderr
    assert "leeway doctor" in done.stderr


def test_a_file_elsewhere_that_may_not_be_read_is_no_fault_of_the_home(tmp_path: Path) -> None:
    """Regression: whoever may not read a file of the project was told to set LEEWAY_HOME."""
    elsewhere = PermissionError(errno.EACCES, "Permission denied", str(tmp_path) + "x/defs.yaml")
    assert raises(elsewhere).exception is elsewhere
    within = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "store" / "x"))
    assert "set it to a folder that you may write to" in raises(within).stderr


def test_a_file_that_is_missing_in_a_good_home_is_a_fault_of_ours(tmp_path: Path) -> None:
    done = raises(FileNotFoundError(2, "No such file", str(tmp_path / "x")))
    assert isinstance(done.exception, FileNotFoundError)


@pytest.mark.parametrize("value", [{"x": math.nan}, {"x": object()}])
def test_nothing_is_printed_of_an_object_that_is_not_json(
    value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        emit(value)
    assert capsys.readouterr().out == ""
